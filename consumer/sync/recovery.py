"""After a lost answer: look up what became of the call before anything is sent for its orders again.

Found: it is taken over as if the answer had come. Absent: once Xero can no longer be at work on it, the orders are
free to be sent again, under a new key. A stranger's, or ours twice: a person must look.
"""

import random
from collections.abc import Callable, Iterable, Sequence
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
    close_problems_without_orders,
    open_problem,
    record,
)
from consumer.sync.back_off import LONGEST_PENDING_SECONDS, REFUSALS_MAX, back_off_seconds
from consumer.sync.intents import OpenElement, OpenIntent, leave_in_doubt, load_open_intents, settle, step_of
from consumer.sync.lease import Lease
from consumer.sync.link import LinkKind, LinkStatus
from consumer.sync.link_store import known_as, order_of, save_links
from consumer.sync.look_up import look_up, looked_up_by
from consumer.sync.outcome import REMOVALS, shown_id
from consumer.sync.reconciliation import ROOM_SECONDS
from consumer.sync.services import Services
from consumer.sync.sighting import Sight, Sighting
from consumer.sync.step import Stage, Step
from consumer.sync.stranger import other_contact_problem, stranger_problem
from consumer.sync.verdict import OF_NEW_DOCUMENTS, Verdict, link_of
from consumer.xero import (
    AccessError,
    BudgetSpentError,
    MaintenanceError,
    NotFoundError,
    NotSentError,
    RateLimitedError,
    RequestRefusedError,
    TenantClient,
    XeroError,
)
from consumer.xero.payloads import look_up_lists

# Of look-ups that fail for a reason of their own: a Xero that answers nobody would keep the tenant from its other work.
_FAILURES_PER_PASS = 2
# By then it takes minutes, and whoever looks at the order wants to know why nothing happens.
_TOLD_FROM = 4
# What no waiting mends is told at once.
_TOLD_AT_ONCE = (AccessError, NotFoundError, RequestRefusedError)

_QUERIES = load_queries(__file__, "recovery.sql")
_log = structlog.get_logger()


class _Question(msgspec.Struct, frozen=True):
    """An element of a call whose answer was lost, and the step that it was."""

    element: OpenElement
    step: Step


class _Sender(msgspec.Struct, frozen=True):
    """The order on whose behalf an element went out, as it is now."""

    order_id: str
    clinic_id: str
    revision: int
    actor: str | None
    attempts: int
    invoice_number: str | None
    problem_id: int | None


def recover(
    connection: Connection[Any],
    lease: Lease,
    organisation_id: str,
    services: Services,
    stopping: Callable[[], bool] = lambda: False,
) -> None:
    """Look up the tenant's open intents and settle those whose fate is certain, until the process is to end.

    Raises:
        LeaseLostError: the tenant is somebody else's by now.
    """
    failures = 0
    for intent in load_open_intents(connection, lease.book):
        if intent.organisation_id != organisation_id or intent.wait_seconds > 0:
            continue
        recovery = _Recovery(connection, lease, intent, services)
        try:
            recovery.run(stopping)
        except XeroError as error:
            recovery.postpone(error, recovery.unanswered)
            failures += 1
            if _concerns_all(error) or failures == _FAILURES_PER_PASS:
                return
        if stopping():
            return


class _Recovery:
    """Finds out what became of one call, element by element as the reads are answered."""

    def __init__(self, connection: Connection[Any], lease: Lease, intent: OpenIntent, services: Services) -> None:
        self._connection = connection
        self._lease = lease
        self._intent = intent
        self._services = services
        self._tenant = TenantClient(
            services.client, intent.organisation_id, lease.book, before_call=lambda: lease.renew(connection)
        )
        # From then on, what Xero does not hold it never will.
        self._patience = services.patience.safe_wait_seconds - intent.age_seconds
        self.unanswered = list(intent.elements)

    def run(self, stopping: Callable[[], bool]) -> None:
        """Look up all elements, as many at once as one read tells of.

        Raises:
            XeroError: a read failed; what the ones before it told is settled.
        """
        questions = [_Question(element, step_of(self._intent, element)) for element in self._intent.elements]
        if not questions:
            self._settle([])
            return
        refused: list[OpenElement] = []
        refusal: XeroError | None = None
        for some in look_up_lists(questions, lambda question: looked_up_by(question.step)):
            if stopping():
                return
            try:
                self._ask(some)
            except (RequestRefusedError, NotFoundError) as error:
                refusal = error
                refused += self._ask_one_by_one(some) if len(some) > 1 else [some[0].element]
        if refusal is not None and refused:
            self.postpone(refusal, refused)

    def _ask(self, questions: Sequence[_Question]) -> None:
        linked = None
        if self._intent.stage is Stage.INVOICE_CREATE and self._patience <= 0:
            # Before it is sent once more. Until then its number is what it is most likely found by.
            linked = self._linked_invoices(questions)
        sightings = look_up(self._tenant, [question.step for question in questions], linked=linked)
        crash_point("push.after_look_up")
        self._settle(
            [self._verdict(question, sighting) for question, sighting in zip(questions, sightings, strict=True)]
        )
        told = {question.element.position for question in questions}
        self.unanswered = [element for element in self.unanswered if element.position not in told]

    def _verdict(self, question: _Question, sighting: Sighting) -> Verdict:
        """Judge a new document also by what we knew of it before: the order may have had one of that number."""
        step = question.step
        if step.stage in OF_NEW_DOCUMENTS and sighting.xero_id is not None:
            known = known_as(self._connection, self._lease.book, sighting.xero_id)
            if sighting.sight is Sight.GONE and LinkStatus.REMOVED in known.values():
                # Voided by ourselves: it holds the number, and no more.
                sighting = msgspec.structs.replace(sighting, sight=Sight.STRANGER)
            elif sighting.sight in {Sight.DONE, Sight.TWICE} and known.keys() - {step.local_id}:
                # Made as another one, with amounts that may be others too: the next plan brings it in step.
                step = msgspec.structs.replace(step, content_hash="")
        return Verdict(question.element, step, sighting)

    def _ask_one_by_one(self, questions: Sequence[_Question]) -> list[OpenElement]:
        """Ask anew after a refusal: of several it can't be told which one Xero minds. Return those that it does."""
        refused = []
        for question in questions:
            try:
                self._ask([question])
            except (RequestRefusedError, NotFoundError):
                refused.append(question.element)
        return refused

    def _linked_invoices(self, questions: Sequence[_Question]) -> list[str]:
        order_ids = sorted({question.step.order_id for question in questions})
        rows = self._connection.execute(
            _QUERIES["linked_invoices"], {"order_ids": order_ids, "tenant_id": self._lease.book}
        )
        return [row[0] for row in rows]

    def postpone(self, error: XeroError, elements: Sequence[OpenElement]) -> None:
        """Look again later: the later, the more look-ups have failed. A limit is no failure, and says when it ends."""
        with self._connection.transaction():
            self._lease.fence(self._connection)
            if isinstance(error, BudgetSpentError | RateLimitedError):
                failures, waits = 0, max(error.wait_seconds, ROOM_SECONDS)
            else:
                failures, waits = self._count_failure()
            is_refused = error.refused and failures >= REFUSALS_MAX and not isinstance(error, AccessError)
            if is_refused:
                # No outage. A person is asked, and whoever retries the order has it looked up at once.
                waits = LONGEST_PENDING_SECONDS
            if isinstance(error, MaintenanceError):
                waits = max(waits, error.wait_seconds)
            outcome = f"look-up failed: {type(error).__name__}"
            leave_in_doubt(self._connection, self._intent.intent_id, outcome, waits)
            if is_refused:
                self._ask_a_person(error, elements)
            elif failures >= _TOLD_FROM or isinstance(error, _TOLD_AT_ONCE):
                self._tell_doubt(error, elements)
        _log.warning(
            "look_up_failed",
            tenant_id=self._lease.book,
            stage=self._intent.stage.name.lower(),
            elements=len(elements),
            error=type(error).__name__,
            failures=failures,
            wait_seconds=round(waits, 1),
        )

    def _count_failure(self) -> tuple[int, float]:
        """Return how many look-ups of the intent have failed with this one, and for how long it waits then."""
        row = self._connection.execute(_QUERIES["count_failure"], {"intent_id": self._intent.intent_id}).fetchone()
        assert row is not None  # noqa: S101 -- open intents are not deleted
        fraction = random.random()  # noqa: S311 -- spreads look-ups
        waits = back_off_seconds(row[0], fraction, first_seconds=self._services.patience.again_seconds)
        return int(row[0]), waits

    def _tell_doubt(self, error: XeroError, elements: Sequence[OpenElement]) -> None:
        """Tell each order once that it isn't known yet whether Xero has what was sent for it."""
        positions = [element.position for element in elements]
        rows = self._connection.execute(
            _QUERIES["mark_told"], {"intent_id": self._intent.intent_id, "positions": positions}
        ).fetchall()
        untold = {row[0] for row in rows}
        doubtful = [element for element in elements if element.position in untold]
        first = {element.sender_order_id: element for element in reversed(doubtful)}
        senders = _lock_senders(self._connection, first)
        entries = []
        because = ""
        if isinstance(error, AccessError):
            because = f" {self._services.catalogue.local(error.refusal.code, **error.refusal.values()).message}"
        for order_id, element in sorted(first.items()):
            problem = self._services.catalogue.local("in_doubt", order_id=order_id, xero_message=error.said)
            entries.append(self._entry(element, senders.get(order_id), f"{problem.message}{because}", problem))
        record(self._connection, entries, self._services.encoder.log_entry)

    def _ask_a_person(self, error: XeroError, elements: Sequence[OpenElement]) -> None:
        """Hold the orders: what became of the call nobody will know before something is mended."""
        first = {element.sender_order_id: element for element in reversed(elements)}
        senders = _lock_senders(self._connection, first)
        problem = self._services.catalogue.local("look_up_refused", xero_message=error.said)
        problem_id = open_problem(self._connection, self._intent.organisation_id, self._lease.book, problem)
        held = self._connection.execute(
            _QUERIES["hold_in_doubt"], {"order_ids": sorted(first), "problem_id": problem_id}
        ).fetchall()
        entries = [
            self._entry(first[order_id], senders.get(order_id), problem.message, problem, problem_id=problem_id)
            for (order_id,) in sorted(held)
        ]
        record(self._connection, entries, self._services.encoder.log_entry)
        close_problems_without_orders(self._connection, [problem_id])

    def _settle(self, verdicts: Sequence[Verdict]) -> None:
        connection, intent, tenant_id = self._connection, self._intent, self._lease.book
        certain = [verdict for verdict in verdicts if self._patience <= 0 or verdict.sighting.sight is Sight.DONE]
        links = [link_of(intent, tenant_id, verdict) for verdict in certain]
        with connection.transaction():
            self._lease.fence(connection)
            senders = _lock_senders(connection, [verdict.element.sender_order_id for verdict in certain])
            save_links(connection, [link for link in links if link is not None])
            self._tell(certain, senders)
            settle(connection, intent.intent_id, [verdict.element.position for verdict in certain], "looked_up")
            if len(certain) < len(verdicts):
                leave_in_doubt(connection, intent.intent_id, "absent so far", max(self._patience, 1.0))
            if certain:
                connection.execute(_QUERIES["wake"], {"organisation_id": intent.organisation_id})
        _log.info(
            "intent_looked_up",
            tenant_id=tenant_id,
            stage=intent.stage.name.lower(),
            found=sum(verdict.sighting.sight is Sight.DONE for verdict in verdicts),
            absent=sum(verdict.sighting.sight is Sight.ABSENT for verdict in verdicts),
            undecided=len(verdicts) - len(certain),
        )

    def _tell(self, certain: Sequence[Verdict], senders: dict[str, _Sender]) -> None:
        """Say what was found, and hold the orders that it is a problem of."""
        told, former = [], []
        for verdict in certain:
            sender = senders.get(verdict.element.sender_order_id)
            message, problem = self._words(verdict)
            if message is None:
                continue
            entry = self._entry(verdict.element, sender, message, problem)
            entry = msgspec.structs.replace(entry, xero_id=shown_id(verdict.step, verdict.sighting.xero_id))
            if problem is not None and sender is not None and _is_as_sent(sender, verdict.element):
                problem_id = open_problem(self._connection, entry.organisation_id, self._lease.book, problem)
                self._connection.execute(_QUERIES["hold"], {"order_id": entry.order_id, "problem_id": problem_id})
                entry = msgspec.structs.replace(entry, problem_id=problem_id)
                # This one too, where somebody settled the order meanwhile.
                former += [problem_id] if sender.problem_id is None else [problem_id, sender.problem_id]
            told.append(entry)
        record(self._connection, told, self._services.encoder.log_entry)
        # What the orders failed for before is not what holds them now.
        close_problems_without_orders(self._connection, former)

    def _entry(
        self,
        element: OpenElement,
        sender: _Sender | None,
        message: str,
        problem: Problem | None,
        *,
        problem_id: int | None = None,
    ) -> LogEntry:
        return LogEntry(
            organisation_id=self._intent.organisation_id,
            clinic_id="" if sender is None else sender.clinic_id,
            order_id=element.sender_order_id,
            tenant_id=self._lease.book,
            operation=element.operation,
            outcome=Outcome.SUCCEEDED if problem is None else Outcome.FAILED,
            message=message,
            problem=None if problem is None else problem.code,
            problem_class=None if problem is None else problem.problem_class.value,
            problem_id=problem_id,
            fix=None if problem is None else problem.fix,
            xero_message=None if problem is None else problem.xero_message,
            trigger=Trigger.RETRY,
            actor=None if sender is None else sender.actor,
            attempt=1 if sender is None else sender.attempts,
            invoice_number=None if sender is None else sender.invoice_number,
            local_id=element.local_id,
            revision=element.revision,
            intent_id=self._intent.intent_id,
        )

    def _words(self, verdict: Verdict) -> tuple[str | None, Problem | None]:
        """Return what to say of what the look-up found; nothing is told of what simply goes out again."""
        element, sighting = verdict.element, verdict.sighting
        catalogue = self._services.catalogue
        values = {"order_id": element.sender_order_id, "number": str(element.detail.get("number", ""))}
        kind = {
            LinkKind.CONTACT: "The patient's contact",
            LinkKind.INVOICE: f"The invoice {values['number']}",
            LinkKind.CREDIT_NOTE: f"The credit note {values['number']}",
            LinkKind.ALLOCATION: "The allocation of the credit note",
            LinkKind.PAYMENT: f"The payment of {element.detail.get('amount', '')}",
        }[element.kind]
        if sighting.sight is Sight.DONE and verdict.step.stage in REMOVALS:
            return f"{kind} is gone from Xero, though the answer that said so was lost; nothing was sent again.", None
        if sighting.sight is Sight.DONE:
            return f"{kind} was found in Xero after its answer was lost; it was not sent again.", None
        if sighting.sight is Sight.STRANGER and element.kind is LinkKind.CONTACT:
            order_id = element.sender_order_id
            problem = other_contact_problem(catalogue, sighting, order_id=order_id, patient_id=element.local_id)
        elif sighting.sight is Sight.STRANGER:
            owner = order_of(self._connection, self._lease.book, sighting.xero_id)
            known = known_as(self._connection, self._lease.book, sighting.xero_id)
            is_voided = LinkStatus.REMOVED in known.values()
            problem = stranger_problem(
                catalogue, self._services.hearlink_url, sighting, owner=owner, is_voided=is_voided, **values
            )
        elif sighting.sight is Sight.TWICE:
            problem = catalogue.local("two_of_ours", kind=kind.lower(), **values)
        elif sighting.sight is Sight.GONE and element.kind is not LinkKind.CONTACT:
            problem = catalogue.local("deleted_in_xero", kind=kind, **values)
        else:
            return None, None
        return problem.message, problem


def _concerns_all(error: XeroError) -> bool:
    """Whether the tenant's other look-ups would fail as this one did."""
    if isinstance(error, AccessError):
        # Too few rights are too few for one kind of document.
        return error.refusal.concerns_all
    return isinstance(error, NotSentError | RateLimitedError | MaintenanceError)


def _lock_senders(connection: Connection[Any], order_ids: Iterable[str]) -> dict[str, _Sender]:
    with connection.cursor(row_factory=class_row(_Sender)) as cursor:
        rows = cursor.execute(_QUERIES["lock_senders"], {"order_ids": sorted(set(order_ids))}).fetchall()
    return {row.order_id: row for row in rows}


def _is_as_sent(sender: _Sender, element: OpenElement) -> bool:
    """Whether the order still is as it was sent: what it has become since goes its own way, whatever came of this."""
    return sender.revision == element.revision
