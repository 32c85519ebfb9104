"""After a lost answer: look up what became of the call before anything is sent for its orders again.

Found: it is taken over as if the answer had come. Absent: once Xero can no longer be at work on it, the orders are
free to be sent again, under a new key. A stranger's, or ours twice: a person must look.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
import structlog
from psycopg import Connection

from consumer.database import load_queries
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
from consumer.sync.outcome import link_after
from consumer.sync.services import Services
from consumer.sync.sighting import Sight, Sighting
from consumer.sync.step import Stage, Step
from consumer.xero import BudgetSpentError, RateLimitedError, TenantClient, XeroError
from consumer.xero.budget import CALL_SECONDS

# A call is over at our end after CALL_SECONDS; Xero may go on with it for a while after we hung up.
SAFE_WAIT_SECONDS = CALL_SECONDS + 10
# Between look-ups that find nothing yet, or fail.
AGAIN_SECONDS = 5.0

_QUERIES = load_queries(__file__, "recovery.sql")
_log = structlog.get_logger()


class _Verdict(msgspec.Struct, frozen=True):
    element: OpenElement
    step: Step
    sighting: Sighting


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
            _postpone(connection, lease, intent, error)
            return
        verdicts = [
            _Verdict(element, step, sighting)
            for element, step, sighting in zip(intent.elements, steps, sightings, strict=True)
        ]
        _settle(connection, lease, intent, verdicts, services)


def _postpone(connection: Connection[Any], lease: Lease, intent: OpenIntent, error: XeroError) -> None:
    waits = error.wait_seconds if isinstance(error, BudgetSpentError | RateLimitedError) else AGAIN_SECONDS
    with connection.transaction():
        lease.fence(connection)
        leave_in_doubt(connection, intent.intent_id, f"look-up failed: {type(error).__name__}", waits)


def _settle(
    connection: Connection[Any], lease: Lease, intent: OpenIntent, verdicts: Sequence[_Verdict], services: Services
) -> None:
    patience = SAFE_WAIT_SECONDS - intent.age_seconds
    certain = [verdict for verdict in verdicts if patience <= 0 or verdict.sighting.sight is Sight.DONE]
    links = [
        _link(intent, lease.book, verdict)
        for verdict in certain
        if verdict.sighting.sight in {Sight.DONE, Sight.OTHERWISE}
    ]
    entries = []
    problems = []
    for verdict in certain:
        entry, problem = _entry(intent, verdict, lease.book, services)
        if entry is not None:
            entries.append(entry)
            problems.append(problem)
    with connection.transaction():
        lease.fence(connection)
        save_links(connection, [link for link in links if link is not None])
        senders = _senders(connection, [entry.order_id for entry in entries])
        told = []
        for entry, problem in zip(entries, problems, strict=True):
            problem_id = None
            if problem is not None:
                problem_id = open_problem(connection, intent.organisation_id, lease.book, problem)
                connection.execute(_QUERIES["hold"], {"order_id": entry.order_id, "problem_id": problem_id})
            clinic_id, actor, attempts, number = senders.get(entry.order_id, ("", None, 1, None))
            told.append(
                msgspec.structs.replace(
                    entry,
                    clinic_id=clinic_id,
                    actor=actor,
                    attempt=attempts,
                    invoice_number=number,
                    problem_id=problem_id,
                )
            )
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


def _entry(
    intent: OpenIntent, verdict: _Verdict, tenant_id: str, services: Services
) -> tuple[LogEntry | None, Problem | None]:
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
        problem = services.catalogue.local("number_taken_by_other", **values)
    elif sighting.sight is Sight.TWICE:
        problem = services.catalogue.local("two_of_ours", kind=kinds[element.kind].lower(), **values)
    elif sighting.sight is Sight.GONE and element.kind is not LinkKind.CONTACT:
        problem = services.catalogue.local("deleted_in_xero", kind=kinds[element.kind], **values)
    else:
        return None, None
    entry = LogEntry(
        organisation_id=intent.organisation_id,
        clinic_id="",
        order_id=element.sender_order_id,
        tenant_id=tenant_id,
        operation=element.operation,
        outcome=Outcome.SUCCEEDED if problem is None else Outcome.FAILED,
        message=message if problem is None else problem.message,
        problem=None if problem is None else problem.code,
        problem_class=None if problem is None else problem.problem_class.value,
        fix=None if problem is None else problem.fix,
        trigger=Trigger.RETRY,
        attempt=1,
        xero_id=sighting.xero_id,
        local_id=element.local_id,
        revision=element.revision,
        intent_id=intent.intent_id,
    )
    return entry, problem


def _senders(
    connection: Connection[Any], order_ids: Sequence[str]
) -> dict[str, tuple[str, str | None, int, str | None]]:
    rows = connection.execute(_QUERIES["senders"], {"order_ids": sorted(set(order_ids))})
    return {row[0]: (row[1], row[2], row[3], row[4]) for row in rows}


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
