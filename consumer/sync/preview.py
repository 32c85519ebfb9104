"""What would be sent for one order, by the same gate and planner as the real thing; sends and writes nothing."""

from datetime import datetime
from typing import Any

import msgspec
from psycopg import Connection
from psycopg.rows import class_row, dict_row

from consumer.database import load_queries
from consumer.orders import Patient, read_order
from consumer.results import Catalogue, Problem, ProblemClass
from consumer.settings import load_clinic_settings
from consumer.sync import exchange
from consumer.sync.agreement import may_agree
from consumer.sync.gate import Conflicts, Gate, Hold, decide, leave_settled
from consumer.sync.link_store import load_links
from consumer.sync.planner import Circumstances, make_plan
from consumer.sync.settling import load_settlement
from consumer.sync.step import Plan
from consumer.sync.tenant_facts import effective_rates, load_refusals
from consumer.xero import AccessCode, Refusal

_QUERIES = load_queries(__file__, "preview.sql")

# Of an order that `looks_again`.
READ_FIRST = (
    "It failed for something to be done in Xero: when somebody asks again, its documents are read there first, and "
    "what is right by now is not sent."
)


class Preview(msgspec.Struct, frozen=True):
    """One order as the next push would find it.

    `gate` says whether it would go by itself; `plan` is made as if someone asked for it, and None where not even that
    helps. `tenant_name` is None where Xero never listed the tenant. `in_doubt`: a call's answer was lost, so Xero is
    looked up before anything is sent, which may change the plan. `looks_again`: for whoever asks for the order Xero is
    read first, and what is right there by now is not sent. The plan's bodies hold the patient's data.
    """

    order_id: str
    organisation_id: str
    clinic_id: str
    invoice_number: str | None
    revision: int
    synced_revision: int
    hold: str | None
    due_at: datetime | None
    attempts: int
    requested: bool
    in_doubt: bool
    looks_again: bool
    gate: Gate
    tenant_id: str | None
    tenant_name: str | None
    connected: bool
    # What Xero refuses in the way of it; the first is what the order would be told.
    refusals: tuple[Refusal, ...]
    plan: Plan | None


class _Row(msgspec.Struct, frozen=True):
    order_id: str
    organisation_id: str
    clinic_id: str
    invoice_number: str | None
    revision: int
    synced_revision: int
    requested_revision: int | None
    state: str
    hold: str | None
    due_at: datetime | None
    attempts: int
    patient: str
    in_doubt: bool
    problem_class: str | None
    conflict_sequences: tuple[int, ...]
    conflict_letters: tuple[int, ...]


def preview_order(connection: Connection[Any], order_id: str, hearlink_url: str) -> Preview | None:
    """Return what the next push of `order_id` would send; None where no event of such an order ever came."""
    with connection.cursor(row_factory=class_row(_Row)) as cursor:
        row = cursor.execute(_QUERIES["load"], {"order_id": order_id}).fetchone()
    if row is None:
        return None
    order = read_order(
        order_id=row.order_id,
        organisation_id=row.organisation_id,
        clinic_id=row.clinic_id,
        revision=row.revision,
        state=row.state,
    )
    settings = load_clinic_settings(connection, row.organisation_id, [row.clinic_id]).get(row.clinic_id)
    tenant_id = None if settings is None else settings.tenant_id
    links = load_links(connection, tenant_id or "", [(order_id, order.patient.patient_id)])[order_id]
    requested = row.requested_revision is not None
    conflicts = Conflicts(row.conflict_sequences, row.conflict_letters)
    gate = decide(order, settings, requested=requested, elsewhere=links.elsewhere, conflicts=conflicts)
    settlement = load_settlement(connection, order_id)
    if settlement is not None and settlement.stands:
        gate = leave_settled(settlement, requested=requested)
    on_request = (
        decide(order, settings, requested=True, elsewhere=links.elsewhere) if gate.hold is Hold.MANUAL else gate
    )
    tenant = _load_tenant(connection, row.organisation_id, tenant_id)
    refusals = load_refusals(connection, row.organisation_id, tenant_id)
    plan = None
    if on_request.tenant_id is not None and settings is not None:
        newest = msgspec.json.decode(row.patient, type=Patient)
        circumstances = Circumstances(
            hearlink_url=hearlink_url,
            patient=newest,
            base_currency=tenant["base_currency"],
            tax_rates=effective_rates(tenant["tax_rates"]),
        )
        plan = make_plan(order, links, settings, circumstances)
    return Preview(
        order_id=row.order_id,
        organisation_id=row.organisation_id,
        clinic_id=row.clinic_id,
        invoice_number=row.invoice_number,
        revision=row.revision,
        synced_revision=row.synced_revision,
        hold=row.hold,
        due_at=row.due_at,
        attempts=row.attempts,
        requested=requested,
        in_doubt=row.in_doubt,
        looks_again=plan is not None
        and may_agree(None if row.problem_class is None else ProblemClass(row.problem_class), links),
        gate=gate,
        tenant_id=tenant_id,
        tenant_name=tenant["name"],
        connected=tenant["known"] and not any(refusal.concerns_all for refusal in refusals),
        refusals=refusals,
        plan=plan,
    )


def what_is_refused(preview: Preview, catalogue: Catalogue) -> list[Problem]:
    """Return what Xero refuses of what the order needs, in the words of the push that would meet it."""
    if preview.tenant_id is None:
        return []
    steps = () if preview.plan is None else preview.plan.steps
    refusals = [
        refusal
        for refusal in preview.refusals
        if refusal.concerns_all or any(refusal.keeps_from(*exchange.ADDRESSES[step.stage]) for step in steps)
    ]
    if not refusals and not preview.connected:
        refusals = [Refusal(AccessCode.DISCONNECTED)]
    return [
        catalogue.local(refusal.code, xero_message=refusal.xero_message, **refusal.values()) for refusal in refusals[:1]
    ]


def _load_tenant(connection: Connection[Any], organisation_id: str, tenant_id: str | None) -> dict[str, Any]:
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(
            _QUERIES["tenant"], {"organisation_id": organisation_id, "tenant_id": tenant_id}
        ).fetchone()
    return row or {"name": None, "base_currency": None, "tax_rates": None, "known": False}
