"""After a lost answer: look up what became of the call before anything is sent for its orders again.

Found: it is taken over as if the answer had come. Absent: once Xero can no longer be at work on it, the orders are
free to be sent again, under a new key. A stranger's, or ours twice: a person must look.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
import structlog
from psycopg import Connection
from psycopg.rows import class_row

from consumer.database import crash_point, load_queries
from consumer.results import (
    LogEntry,
    Outcome,
    Problem,
    Trigger,
    open_problem,
    record,
)
from consumer.sync.intents import OpenElement, OpenIntent, leave_in_doubt, load_open_intents, settle
from consumer.sync.lease import Lease
from consumer.sync.link import Link, LinkKind
from consumer.sync.link_store import save_links
from consumer.sync.look_up import look_up
from consumer.sync.outcome import link_after, shown_id
from consumer.sync.services import Services
from consumer.sync.sighting import Sight, Sighting
from consumer.sync.step import Stage, Step
from consumer.sync.stranger import stranger_problem
from consumer.xero import BudgetSpentError, MaintenanceError, RateLimitedError, TenantClient, XeroError

_QUERIES = load_queries(__file__, "recovery.sql")
_log = structlog.get_logger()


class _Verdict(msgspec.Struct, frozen=True):
    element: OpenElement
    step: Step
    sighting: Sighting


class _Sender(msgspec.Struct, frozen=True):
    """The order on whose behalf an element went out, as it is now."""

    order_id: str
    clinic_id: str
    revision: int
    actor: str | None
    attempts: int
    invoice_number: str | None


def recover(connection: Connection[Any], lease: Lease, organisation_id: str, services: Services) -> None:
    """Look up the tenant's open intents and settle those whose fate is certain.

    Raises:
        LeaseLostError: the tenant is somebody else's by now.
    """
    for intent in load_open_intents(connection, lease.book):
        if intent.organisation_id != organisation_id or intent.wait_seconds > 0:
            continue
        lease.renew(connection)
        tenant = TenantClient(services.client, organisation_id, lease.book)
        steps = [_step(intent, element) for element in intent.elements]
        try:
            sightings = look_up(tenant, steps) if steps else []
        except XeroError as error:
            _postpone(connection, lease, intent, error, services)
            return
        crash_point("push.after_look_up")
        verdicts = [
            _Verdict(element, step, sighting)
            for element, step, sighting in zip(intent.elements, steps, sightings, strict=True)
        ]
        _settle(connection, lease, intent, verdicts, services)


def _postpone(
    connection: Connection[Any], lease: Lease, intent: OpenIntent, error: XeroError, services: Services
) -> None:
    waits = services.patience.again_seconds
    if isinstance(error, BudgetSpentError | RateLimitedError | MaintenanceError):
        waits = error.wait_seconds
    with connection.transaction():
        lease.fence(connection)
        leave_in_doubt(connection, intent.intent_id, f"look-up failed: {type(error).__name__}", waits)


def _settle(
    connection: Connection[Any], lease: Lease, intent: OpenIntent, verdicts: Sequence[_Verdict], services: Services
) -> None:
    patience = services.patience.safe_wait_seconds - intent.age_seconds
    certain = [verdict for verdict in verdicts if patience <= 0 or verdict.sighting.sight is Sight.DONE]
    links = [_link(intent, lease.book, verdict) for verdict in certain]
    with connection.transaction():
        lease.fence(connection)
        senders = _lock_senders(connection, [verdict.element.sender_order_id for verdict in certain])
        save_links(connection, [link for link in links if link is not None])
        told = []
        for verdict in certain:
            sender = senders.get(verdict.element.sender_order_id)
            found = _tell(intent, verdict, sender, lease.book, services)
            if found is None:
                continue
            entry, problem = found
            if problem is not None and sender is not None and _is_as_sent(sender, verdict.element):
                problem_id = open_problem(connection, intent.organisation_id, lease.book, problem)
                connection.execute(_QUERIES["hold"], {"order_id": entry.order_id, "problem_id": problem_id})
                entry = msgspec.structs.replace(entry, problem_id=problem_id)
            told.append(entry)
        record(connection, told, services.encoder.log_entry)
        settle(connection, intent.intent_id, [verdict.element.position for verdict in certain], "looked_up")
        if len(certain) < len(verdicts):
            leave_in_doubt(connection, intent.intent_id, "absent so far", max(patience, 1.0))
        _wake(connection, intent.organisation_id, certain)
    _log.info(
        "intent_looked_up",
        tenant_id=lease.book,
        stage=intent.stage.name.lower(),
        found=sum(verdict.sighting.sight is Sight.DONE for verdict in verdicts),
        absent=sum(verdict.sighting.sight is Sight.ABSENT for verdict in verdicts),
        undecided=len(verdicts) - len(certain),
    )


def _step(intent: OpenIntent, element: OpenElement) -> Step:
    return Step(
        stage=intent.stage,
        operation=element.operation,
        kind=element.kind,
        order_id=element.order_id,
        local_id=element.local_id,
        body=element.body,
        content_hash=element.content_hash,
        target_id=element.target_id,
        detail=element.detail,
    )


def _link(intent: OpenIntent, tenant_id: str, verdict: _Verdict) -> Link | None:
    sighting = verdict.sighting
    if sighting.sight not in {Sight.DONE, Sight.OTHERWISE, Sight.TWICE}:
        return None
    # Of two the first counts as ours, so that no third is made; a person sees to the other.
    if sighting.sight is Sight.OTHERWISE:
        if verdict.step.stage not in {Stage.INVOICE_UPDATE, Stage.CREDIT_NOTE_UPDATE}:
            return None
        # Not carried out: what Xero holds is the old content, which no hash of ours stands for any more.
        verdict = _Verdict(verdict.element, msgspec.structs.replace(verdict.step, content_hash=""), sighting)
    link = link_after(
        verdict.step,
        tenant_id=tenant_id,
        organisation_id=intent.organisation_id,
        xero_id=sighting.xero_id,
        document=sighting.document,
    )
    if verdict.step.stage is Stage.CREDIT_NOTE_UPDATE and sighting.sight is Sight.OTHERWISE:
        return msgspec.structs.replace(link, detail={**link.detail, "order": ""})
    return link


def _tell(
    intent: OpenIntent, verdict: _Verdict, sender: _Sender | None, tenant_id: str, services: Services
) -> tuple[LogEntry, Problem | None] | None:
    """Return the row that tells what the look-up found; nothing is told of what simply goes out again."""
    element, sighting = verdict.element, verdict.sighting
    values = {"order_id": element.sender_order_id, "number": str(element.detail.get("number", ""))}
    kinds = {
        LinkKind.CONTACT: "The patient's contact",
        LinkKind.INVOICE: f"The invoice {values['number']}",
        LinkKind.CREDIT_NOTE: f"The credit note {values['number']}",
        LinkKind.ALLOCATION: "The allocation of the credit note",
        LinkKind.PAYMENT: f"The payment of {element.detail.get('amount', '')}",
    }
    problem = None
    if sighting.sight is Sight.DONE:
        message = f"{kinds[element.kind]} was found in Xero after its answer was lost; it was not sent again."
    elif sighting.sight is Sight.STRANGER:
        problem = stranger_problem(services.catalogue, services.hearlink_url, sighting, **values)
    elif sighting.sight is Sight.TWICE:
        problem = services.catalogue.local("two_of_ours", kind=kinds[element.kind].lower(), **values)
    elif sighting.sight is Sight.GONE and element.kind is not LinkKind.CONTACT:
        problem = services.catalogue.local("deleted_in_xero", kind=kinds[element.kind], **values)
    else:
        return None
    entry = LogEntry(
        organisation_id=intent.organisation_id,
        clinic_id="" if sender is None else sender.clinic_id,
        order_id=element.sender_order_id,
        tenant_id=tenant_id,
        operation=element.operation,
        outcome=Outcome.SUCCEEDED if problem is None else Outcome.FAILED,
        message=message if problem is None else problem.message,
        problem=None if problem is None else problem.code,
        problem_class=None if problem is None else problem.problem_class.value,
        fix=None if problem is None else problem.fix,
        trigger=Trigger.RETRY,
        actor=None if sender is None else sender.actor,
        attempt=1 if sender is None else sender.attempts,
        invoice_number=None if sender is None else sender.invoice_number,
        xero_id=shown_id(verdict.step, sighting.xero_id),
        local_id=element.local_id,
        revision=element.revision,
        intent_id=intent.intent_id,
    )
    return entry, problem


def _lock_senders(connection: Connection[Any], order_ids: Sequence[str]) -> dict[str, _Sender]:
    with connection.cursor(row_factory=class_row(_Sender)) as cursor:
        rows = cursor.execute(_QUERIES["lock_senders"], {"order_ids": sorted(set(order_ids))}).fetchall()
    return {row.order_id: row for row in rows}


def _is_as_sent(sender: _Sender, element: OpenElement) -> bool:
    """Whether the order still is as it was sent: what it has become since goes its own way, whatever came of this."""
    return sender.revision == element.revision


def _wake(connection: Connection[Any], organisation_id: str, certain: Sequence[_Verdict]) -> None:
    contacts = [verdict.element.local_id for verdict in certain if verdict.element.kind is LinkKind.CONTACT]
    connection.execute(
        _QUERIES["wake"],
        {
            "organisation_id": organisation_id,
            "order_ids": [verdict.element.sender_order_id for verdict in certain],
            "patient_ids": contacts,
        },
    )
