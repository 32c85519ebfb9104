"""A job: one claimed order on its way through the stages of a pass, and how it ends."""

from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

import msgspec

from consumer.orders import Order, Patient, read_order
from consumer.results import Facts, LogEntry, Operation, Outcome, Problem, Trigger
from consumer.settings import ClinicSettings
from consumer.sync.gaps import find_gaps
from consumer.sync.gate import Conflicts, Hold
from consumer.sync.intents import Sender
from consumer.sync.link import LinkKind, Links
from consumer.sync.planner import Circumstances, make_plan
from consumer.sync.settlement import Settlement
from consumer.sync.step import Finding, Plan, Stage, Step
from consumer.xero.payloads import BATCH_ELEMENTS

_INVOICE_OPERATIONS = frozenset({Operation.INVOICE_CREATE, Operation.INVOICE_UPDATE, Operation.INVOICE_AUTHORISE})
_NOTE_OPERATIONS = frozenset({Operation.CREDIT_NOTE_CREATE, Operation.CREDIT_NOTE_ALLOCATE})
_PAYMENT_OPERATIONS = frozenset({Operation.PAYMENT_CREATE, Operation.PAYMENT_DELETE})
# What stands for itself on the invoice: each of them goes or fails alone, whatever becomes of the others.
_PARTS = frozenset({LinkKind.PAYMENT, LinkKind.CREDIT_NOTE, LinkKind.ALLOCATION})
_NOTE_KINDS = frozenset({LinkKind.CREDIT_NOTE, LinkKind.ALLOCATION})
# A change of an invoice that Xero refuses because something is applied to it keeps no payment back: whatever is added
# makes that no worse, and it is received money.
_SETTLED = frozenset({"invoice_has_payments", "status_has_payments", "paid_in_xero"})


class Ending(msgspec.Struct, frozen=True):
    """How a job leaves the pass.

    `synced`: Xero is as the order wants it. `answered`: a person's request is answered, for good or ill. `wait_seconds`
    None = not looked at again by itself. `free_attempt`: it does not count as an attempt.
    """

    hold: Hold | None = None
    synced: bool = False
    answered: bool = False
    wait_seconds: float | None = None
    free_attempt: bool = False
    problem: Problem | None = None
    # Keep the problem that the order has already: it was told before.
    keep_problem: bool = False


class ClaimedOrder(msgspec.Struct, frozen=True):
    """The row that the queue gives out."""

    order_id: str
    organisation_id: str
    clinic_id: str
    patient_id: str
    revision: int
    synced_revision: int
    requested_revision: int | None
    state: str
    trigger: str
    actor: str | None
    attempts: int
    # How often in a row a worker died, or lost the tenant, while it had this order in hand.
    crashes: int
    problem_id: int | None
    problem_code: str | None
    hold: str | None
    due_at: datetime
    event_id: str
    trace_parent: str | None
    invoice_number: str | None
    priority: int
    pending_since: float | None
    # How long its newest change has been waiting, by the database's clock.
    pending_seconds: float
    patient: str
    in_doubt: bool
    # From before a failover and not pushed since, or found in Xero unexpectedly: see reconciliation.
    unreconciled: bool
    conflict_sequences: tuple[int, ...]
    conflict_letters: tuple[int, ...]
    # What somebody settled, as JSON.
    settlement: str | None

    @property
    def settled(self) -> Settlement | None:
        """What somebody settled of it, whether it still stands or a change has ended it."""
        return None if self.settlement is None else msgspec.json.decode(self.settlement, type=Settlement)

    @property
    def comes_back(self) -> bool:
        """Whether it was settled until now: with a change, or because somebody took that back."""
        # Whatever else is tried again has failed before, or waited.
        taken_back = self.trigger == Trigger.RETRY and self.problem_id is None and self.hold is None
        return self.settled is not None or taken_back

    @property
    def requested(self) -> bool:
        """Whether a person's request is still unanswered."""
        return self.requested_revision is not None

    @property
    def shown_trigger(self) -> Trigger:
        """What set the sync in motion: what had failed or waited and comes again is a retry."""
        came_again = self.hold in {Hold.PROBLEM, Hold.RETRY, Hold.CONNECTION} and self.trigger == Trigger.AUTO
        return Trigger.RETRY if came_again else Trigger(self.trigger)

    @property
    def conflicts(self) -> Conflicts:
        """The events that wait for a person's decision."""
        return Conflicts(self.conflict_sequences, self.conflict_letters)

    def read(self) -> Order:
        """Return the order as the planner reads it."""
        return read_order(
            order_id=self.order_id,
            organisation_id=self.organisation_id,
            clinic_id=self.clinic_id,
            revision=self.revision,
            state=self.state,
        )


class Job:
    """One order within a pass: its plan is made anew whenever a call has changed its links."""

    def __init__(self, row: ClaimedOrder, settings: ClinicSettings | None, links: Links) -> None:
        self.row = row
        self.settings = settings
        self.links = links
        self.circumstances = Circumstances(hearlink_url="")
        self.plan = Plan()
        self.ending: Ending | None = None
        # Operations that Xero refused; they are not tried again in this pass.
        self.refused: set[tuple[Operation, str]] = set()
        self.problem: Problem | None = None
        # Whether something failed that all the rest of the order needs, or all of some kinds; and the payments and
        # notes that failed themselves.
        self.blocked = False
        self.held_kinds: set[LinkKind] = set()
        self.failed_parts: set[tuple[LinkKind, str]] = set()
        # How the order ends that is no longer to be pushed, but has something missing in Xero that was taken out for a
        # change: no more of it is sent than what closes that gap.
        self.closing: Ending | None = None
        self.called = False
        # Whether the log says by now that a change is not sent, because the order is settled.
        self.tells_settled_change = False
        # Whether Xero may hold something of it that no link tells.
        self.is_uncertain = row.unreconciled
        # Whether what Xero holds of it is to be read before anything is sent: see second_look. Whether both sides
        # were found to agree on something, and how their sums differ all the same.
        self.looks_again = False
        self.has_agreed = False
        self.difference = ""
        # How many elements a call with this order may have; shrinks after calls that failed as a whole.
        self.batch_limit = _batch_limit(row.attempts + row.crashes) if row.hold == Hold.RETRY else BATCH_ELEMENTS

    # What the log calls a sync that ended before any of its operations.
    whole_order = Operation.ORDER_SYNC

    @cached_property
    def order(self) -> Order:
        """The order as the planner reads it. msgspec.ValidationError: a defect in our own record of it."""
        return self.row.read()

    @property
    def patient_id(self) -> str:
        """The id of the order's patient."""
        return self.row.patient_id

    @property
    def urgent(self) -> bool:
        """Whether a person waits for it, or its money is missing in Xero for now."""
        return self.row.priority == 0 or self.is_unfinished

    @property
    def sender(self) -> Sender:
        """What an intent records of the order."""
        return Sender(self.row.order_id, self.row.revision, self.patient_id)

    def make_plan(self) -> None:
        """Plan anew, without what Xero refused already in this pass."""
        assert self.settings is not None  # noqa: S101 -- the gate lets no order without settings through
        plan = make_plan(self.order, self.links, self.settings, self.circumstances)
        steps = tuple(step for step in plan.steps if (step.operation, step.local_id) not in self.refused)
        self.plan = Plan(self._payments_first(steps), plan.failures, plan.skips)

    def _payments_first(self, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        """Leave allocations to a later plan, where they would take room that payments need.

        Money that was received comes before credit: of a refund, the payment stands and the credit is left over.
        """
        invoice = self.order.invoice
        link = None if invoice is None else self.links.standing(LinkKind.INVOICE, invoice.invoice_id)
        total = None if link is None else link.detail.get("total")
        going = [step for step in steps if self._may_go(step)]
        if total is None or not any(step.stage is Stage.PAYMENT_CREATE for step in going):
            return steps
        coming = [step.body["Amount"] for step in going if step.stage in {Stage.PAYMENT_CREATE, Stage.ALLOCATE}]
        standing = [
            link.detail.get("amount", "0")
            for kind in (LinkKind.PAYMENT, LinkKind.ALLOCATION)
            for link in self.links.of_kind(kind)
            if self.links.standing(kind, link.local_id) is not None
        ]
        if sum(map(Decimal, [*coming, *standing])) <= Decimal(total):
            return steps
        return tuple(step for step in steps if step.stage is not Stage.ALLOCATE)

    def next_steps(self) -> tuple[Step, ...]:
        """The steps of the first stage that has any that may go."""
        steps = [step for step in self.plan.steps if self._may_go(step)]
        stage = min((step.stage for step in steps), default=None)
        return tuple(step for step in steps if step.stage == stage)

    def awaits(self, step: Step) -> bool:
        """Whether `step`, which was planned before, may still go: not where something failed meanwhile."""
        return self.ending is None and self._may_go(step)

    def _may_go(self, step: Step) -> bool:
        """Whether nothing that failed keeps `step` back.

        Never what takes the place of something that was removed for it: money that Xero held before may not go missing
        over something else.
        """
        held_back = self.blocked or self.closing is not None
        held_back |= step.kind in self.held_kinds or _part(step.kind, step.local_id) in self.failed_parts
        return not held_back or self._fills_gap(step)

    @property
    def closes_gap(self) -> bool:
        """Whether something that was taken out of Xero can take its place again now."""
        return any(self._fills_gap(step) for step in self.plan.steps)

    @property
    def gaps(self) -> tuple[str, ...]:
        """What stands in HearLink and is missing in Xero, taken out there for a change that was not made yet."""
        return find_gaps(self.order, self.links)

    @property
    def is_unfinished(self) -> bool:
        """Whether it has gaps."""
        try:
            return bool(self.gaps)
        except msgspec.ValidationError:
            # Its record can't be read, which is told by then.
            return False

    def held_back(self) -> tuple[str, ...]:
        """The payments and credit notes that wait for something else of the order that failed."""
        creates = {Stage.PAYMENT_CREATE: "the payment of", Stage.CREDIT_NOTE_CREATE: "the credit note"}
        return tuple(
            f"{creates[step.stage]} {step.detail.get('amount') or step.detail.get('number', '')}"
            for step in self.plan.steps
            if step.stage in creates
            and not self._may_go(step)
            and _part(step.kind, step.local_id) not in self.failed_parts
        )

    def _fills_gap(self, step: Step) -> bool:
        if step.stage not in {Stage.PAYMENT_CREATE, Stage.CREDIT_NOTE_UPDATE, Stage.ALLOCATE}:
            return False
        kind = LinkKind.PAYMENT if step.stage is Stage.PAYMENT_CREATE else LinkKind.ALLOCATION
        removed = self.links.get(kind, step.local_id)
        if removed is None or not removed.makes_way:
            return False
        # Where an earlier step failed, an id that it was to bring is missing.
        has_note = step.stage is not Stage.ALLOCATE or step.target_id is not None
        has_invoice = step.stage is Stage.CREDIT_NOTE_UPDATE or step.body["Invoice"]["InvoiceID"] is not None
        return has_note and has_invoice

    def refuse(self, step: Step, problem: Problem) -> bool:
        """Remember that Xero refused `step`; return whether something else of the order has to wait for it."""
        settled = step.operation is Operation.INVOICE_UPDATE and problem.code in _SETTLED
        if settled and self._moves(step):
            # A credit note must be of the invoice's contact.
            self.held_kinds |= _NOTE_KINDS
        blocking = step.kind not in _PARTS and not settled
        self.fail(problem, operation=step.operation, local_id=step.local_id, blocking=blocking)
        return blocking or settled

    def _moves(self, step: Step) -> bool:
        """Whether `step` gives an invoice another contact, or has its prices read otherwise."""
        link = self.links.get(step.kind, step.local_id)
        was = {} if link is None else link.detail
        contact_id = (step.body.get("Contact") or {}).get("ContactID")
        return bool(was.get("frame") != step.detail.get("frame") or was.get("contact_id") != contact_id)

    def fail(self, problem: Problem, *, operation: Operation, local_id: str, blocking: bool) -> None:
        """Remember that `operation` failed; the first failure names the order's problem.

        What was removed for it is to be put back, unless it is tried again by itself.
        """
        needs_notes = blocking or bool(self.held_kinds) or operation not in _INVOICE_OPERATIONS
        may_put_back = needs_notes and not problem.retries_by_itself
        kept = self._to_put_back(operation, local_id) if may_put_back else frozenset()
        if kept:
            circumstances = self.circumstances
            self.circumstances = msgspec.structs.replace(circumstances, kept=circumstances.kept | kept)
        if not kept or operation in _INVOICE_OPERATIONS:
            self.refused.add((operation, local_id))
        if self.problem is None:
            self.problem = problem
        self.blocked = self.blocked or blocking
        if operation in _PAYMENT_OPERATIONS:
            self.failed_parts.add((LinkKind.PAYMENT, local_id))
        elif operation in _NOTE_OPERATIONS or operation is Operation.CREDIT_NOTE_VOID:
            self.failed_parts.add((LinkKind.CREDIT_NOTE, local_id))

    def keep_payment(self, payment_id: str, problem: Problem) -> None:
        """Leave a payment in Xero as it is: what was to take its place would be refused for `problem`."""
        kept = self.circumstances.kept | {(LinkKind.PAYMENT, payment_id)}
        self.circumstances = msgspec.structs.replace(self.circumstances, kept=kept)
        self.fail(problem, operation=Operation.PAYMENT_CREATE, local_id=payment_id, blocking=False)

    def _to_put_back(self, operation: Operation, local_id: str) -> frozenset[tuple[LinkKind, str]]:
        """What made way for a change that Xero refused now: the payment, the note, or with the invoice all notes."""
        gaps = set()
        if operation is Operation.PAYMENT_CREATE:
            payment = self.links.get(LinkKind.PAYMENT, local_id)
            gaps |= {(LinkKind.PAYMENT, local_id)} if payment is not None and payment.makes_way else set()
        elif operation in _INVOICE_OPERATIONS | _NOTE_OPERATIONS:
            for allocation in self.links.of_kind(LinkKind.ALLOCATION):
                if allocation.makes_way and (operation in _INVOICE_OPERATIONS or allocation.local_id == local_id):
                    gaps.add((LinkKind.CREDIT_NOTE, allocation.local_id))
        return frozenset(gaps - self.circumstances.kept)

    def facts(self, settings: ClinicSettings | None, number: str) -> Facts:
        """What the problem catalogue may fill its words with."""
        account = settings.payment_account if settings is not None else None
        return Facts(
            order_id=self.row.order_id, patient_id=self.patient_id, number=number, payment_account=account or ""
        )

    def entry(
        self,
        operation: Operation,
        outcome: Outcome,
        message: str,
        *,
        tenant_id: str | None,
        problem: Problem | None = None,
        **more: Any,
    ) -> LogEntry:
        """Return a row of the sync log about this order."""
        row = self.row
        if outcome is Outcome.FAILED and self.difference:
            message = f"{message} {self.difference}"
        return LogEntry(
            organisation_id=row.organisation_id,
            clinic_id=row.clinic_id,
            order_id=row.order_id,
            tenant_id=tenant_id,
            operation=operation,
            outcome=outcome,
            message=message,
            problem=None if problem is None else problem.code,
            problem_class=None if problem is None else problem.problem_class.value,
            fix=None if problem is None else problem.fix,
            xero_message=None if problem is None else problem.xero_message,
            trigger=row.shown_trigger,
            actor=row.actor,
            attempt=row.attempts,
            revision=row.revision,
            event_id=row.event_id,
            invoice_number=row.invoice_number,
            **more,
        )

    def finding_entry(self, finding: Finding, problem: Problem, outcome: Outcome, tenant_id: str | None) -> LogEntry:
        """Return the row of something that was not sent."""
        return self.entry(
            finding.operation,
            outcome,
            problem.message,
            tenant_id=tenant_id,
            problem=problem,
            local_id=finding.local_id or None,
        )


def _part(kind: LinkKind, local_id: str) -> tuple[LinkKind, str]:
    """The payment or credit note that a document is, or belongs to; ids tell those of one kind apart."""
    return LinkKind.CREDIT_NOTE if kind in _NOTE_KINDS else kind, local_id


def latest_patient(job: Job) -> Patient:
    """Return the patient as last seen on any of their orders, so that an old order brings no old name back."""
    newest = msgspec.json.decode(job.row.patient, type=Patient)
    return newest if newest.patient_id == job.patient_id else job.order.patient


def _batch_limit(attempts: int) -> int:
    """A call that gets no answer may have one order in it that kills it: tried again, it travels in smaller company."""
    return max(1, BATCH_ELEMENTS >> (2 * max(attempts - 1, 0)))
