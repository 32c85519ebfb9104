"""Orders of which the database may have forgotten something: what Xero holds of them is looked up and linked anew.

After a failover that lost our last transactions neither links nor intents tell what went out in those. So before
anything is sent for such an order, all that HearLink knows of it, deleted parts too, is looked for by our own marks.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from consumer.orders import CreditNote, Payment
from consumer.results import Operation, Outcome, Problem
from consumer.sync.job import Job
from consumer.sync.link import Link, LinkKind, LinkStatus
from consumer.sync.look_up import look_up
from consumer.sync.minutes import Minutes
from consumer.sync.outcome import link_after
from consumer.sync.planning import bodies, closing, content
from consumer.sync.services import Services
from consumer.sync.sighting import Sight, Sighting, holds, marked_payment, one_blank, same_text
from consumer.sync.step import Stage, Step
from consumer.xero import BudgetSpentError, TenantClient, read_amount, read_date

_FOUND = "was found in Xero and linked again, after our database had lost what it knew of it."

# So many are looked up together, then they are done with: few enough that a minute's calls suffice for some of them,
# however many orders were forgotten.
_ORDERS_AT_ONCE = 20
# A minute's calls come free one by one, and looking up takes several: whoever came back for each would use it up and
# get nowhere.
ROOM_SECONDS = 10.0


class Reconciliation:
    """Looks up the orders of one pass, some at a time with as few reads as they need together.

    `before_read` goes before each read, `stopping` says that the process is to end: what is not yet looked up stays so.
    """

    def __init__(
        self,
        services: Services,
        minutes: Minutes,
        organisation_id: str,
        tenant_id: str,
        *,
        before_read: Callable[[], None],
        stopping: Callable[[], bool],
    ) -> None:
        self._services = services
        self._minutes = minutes
        self._organisation_id = organisation_id
        self._tenant_id = tenant_id
        self._tenant = TenantClient(services.client, organisation_id, tenant_id, before_call=before_read)
        self._stopping = stopping
        self._all: Sequence[Job] = ()
        # What people deleted or voided in Xero: told when the orders are done with, so that it is told once.
        self._gone: list[tuple[Step, Job, Sighting]] = []

    def run(self, jobs: Sequence[Job]) -> None:
        """Link what is found; jobs that are no longer uncertain are to be planned anew afterwards.

        Raises:
            XeroError: a read failed; what was linked until then holds.
        """
        self._all = jobs
        for first in range(0, len(jobs), _ORDERS_AT_ONCE):
            if self._stopping():
                return
            some = jobs[first : first + _ORDERS_AT_ONCE]
            try:
                self._link(some)
            except BudgetSpentError as error:
                raise BudgetSpentError(max(error.wait_seconds, ROOM_SECONDS), error.window) from None
            for job in some:
                job.is_uncertain = False
                job.called = True

    def _link(self, jobs: Sequence[Job]) -> None:
        for stage in (Stage.CONTACT_CREATE, Stage.INVOICE_CREATE, Stage.CREDIT_NOTE_CREATE):
            self._link_created(stage, jobs)
        self._link_deleted([(self._deleted_invoice(job), job) for job in jobs])
        notes = [(_deleted_note(note, job), job) for job in jobs for note in _deleted_notes(job)]
        self._link_deleted(notes)
        self._link_allocations(jobs)
        self._link_payments(jobs)
        for step, job, sighting in self._gone:
            # Remembered, or it would be made again.
            self._remember(self._after(step, sighting.xero_id, sighting.document), [job])
            kind = f"{_WORDS[step.kind]} {step.detail.get('number', '')}"
            problem = self._services.catalogue.local("deleted_in_xero", order_id=job.row.order_id, kind=kind)
            self._fail(job, step.operation, step.local_id, problem, blocking=step.kind is LinkKind.INVOICE)
        self._gone = []

    def _link_created(self, stage: Stage, jobs: Sequence[Job]) -> None:
        wanted = [(step, job) for job in jobs for step in job.plan.steps if step.stage is stage]
        if not wanted:
            return
        linked = [link.xero_id for job in jobs for link in job.links.of_kind(LinkKind.INVOICE) if link.xero_id]
        sightings = look_up(self._tenant, [step for step, _ in wanted], linked=linked)
        for (step, job), sighting in zip(wanted, sightings, strict=True):
            if sighting.sight is Sight.GONE and stage is not Stage.CONTACT_CREATE:
                self._gone.append((step, job, sighting))
            if sighting.sight not in {Sight.DONE, Sight.TWICE} or job.links.get(step.kind, step.local_id) is not None:
                continue
            link = self._after(step, sighting.xero_id, sighting.document)
            if stage is not Stage.CONTACT_CREATE and not holds(sighting.document, _without_contact(step.body)):
                link = msgspec.structs.replace(link, content_hash="")
            self._found(link, step.operation, [other for other in self._all if _concerns(link, other)])
        for job in jobs:
            job.make_plan()

    def _link_deleted(self, deleted: Sequence[tuple[Step | None, Job]]) -> None:
        """Find what HearLink deleted since: notes to be voided, invoices that payments to be removed may stand on."""
        wanted = [(step, job) for step, job in deleted if step is not None]
        if not wanted:
            return
        linked = [link.xero_id for _, job in wanted for link in job.links.of_kind(LinkKind.INVOICE) if link.xero_id]
        sightings = look_up(self._tenant, [step for step, _ in wanted], linked=linked)
        for (step, job), sighting in zip(wanted, sightings, strict=True):
            if sighting.sight in {Sight.DONE, Sight.TWICE}:
                self._found(self._after(step, sighting.xero_id, sighting.document), step.operation, [job])

    def _deleted_invoice(self, job: Job) -> Step | None:
        item = job.order.state.invoice
        invoice = None if item is None or not item.deleted else item.value
        if invoice is None or job.links.get(LinkKind.INVOICE, invoice.invoice_id) is not None:
            return None
        contact = job.links.standing(LinkKind.CONTACT, job.patient_id)
        return _deleted(
            Stage.INVOICE_CREATE,
            invoice.invoice_id,
            job,
            {
                "InvoiceNumber": invoice.number,
                "Url": bodies.order_url(self._services.hearlink_url, job.row.order_id),
                "Contact": {"ContactID": None if contact is None else contact.xero_id},
            },
            invoice.number,
        )

    def _link_allocations(self, jobs: Sequence[Job]) -> None:
        noted = [
            (note, invoice, job)
            for job in jobs
            if (invoice := _invoice_id(job)) is not None
            for note in job.links.of_kind(LinkKind.CREDIT_NOTE)
            if note.xero_id is not None and note.status not in {LinkStatus.REMOVED, LinkStatus.GONE}
        ]
        documents = self._tenant.credit_notes_by_id(note.xero_id for note, _, _ in noted if note.xero_id is not None)
        for note, invoice, job in noted:
            for document in documents:
                if same_text(document.get("CreditNoteID"), note.xero_id):
                    self._link_allocation(note, document, invoice, job)

    def _link_allocation(self, note: Link, document: dict[str, Any], invoice: str, job: Job) -> None:
        amounts = [
            read_amount(entry.get("Amount"))
            for entry in document.get("Allocations") or ()
            if isinstance(entry, dict) and same_text((entry.get("Invoice") or {}).get("InvoiceID"), invoice)
        ]
        known = job.links.standing(LinkKind.ALLOCATION, note.local_id)
        if known is not None and amounts:
            # It may have been made anew since, and of another amount: its id is read again when it is needed.
            found = {**known.detail, "amount": str(sum(amounts, Decimal(0)))}
            self._remember(msgspec.structs.replace(known, xero_id=None, detail=found), [job])
        elif known is not None and known.xero_id is not None:
            self._remember(msgspec.structs.replace(known, xero_id=None), [job])
        if amounts and known is None:
            detail = {
                "credit_note_xero_id": note.xero_id,
                "amount": str(sum(amounts, Decimal(0))),
                "invoice_id": invoice,
            }
            link = self._made(job, LinkKind.ALLOCATION, note.local_id, None, "", detail)
            self._found(link, Operation.CREDIT_NOTE_ALLOCATE, [job])

    def _link_payments(self, jobs: Sequence[Job]) -> None:
        invoices = {invoice: job for job in jobs if (invoice := _invoice_id(job)) is not None}
        if not invoices:
            return
        standing = self._tenant.standing_payments(invoices)
        for invoice, job in invoices.items():
            ours = [entry for entry in standing if same_text((entry.get("Invoice") or {}).get("InvoiceID"), invoice)]
            payments = {payment.payment_id: payment for payment in _all_payments(job)}
            marks = [marked_payment(entry.get("Reference"), payments) for entry in ours]
            for payment in payments.values():
                found = [entry for entry, mark in zip(ours, marks, strict=True) if mark == payment.payment_id]
                known = job.links.standing(LinkKind.PAYMENT, payment.payment_id)
                if not found or (known is not None and any(_has_id(entry, known) for entry in found)):
                    continue
                self._link_payment(job, invoice, payment, found)

    def _link_payment(self, job: Job, invoice: str, payment: Payment, found: list[dict[str, Any]]) -> None:
        entry = found[0]
        day = read_date(entry.get("Date"))
        wanted = content.payment_detail(payment)
        reference = str(entry.get("Reference"))
        detail = {
            "amount": str(bodies.cents(read_amount(entry.get("Amount")))),
            "date": "" if day is None else day.isoformat(),
            # Xero keeps single blanks; those of an id are no change of the payment.
            "reference": wanted["reference"] if one_blank(reference) == one_blank(wanted["reference"]) else reference,
        }
        is_same = closing.is_same_payment(job.order, job.links, payment, detail)
        content_hash = content.payment_hash(payment) if is_same else ""
        if is_same:
            detail |= content.posted(payment, Decimal(detail["amount"]))
        detail["invoice_id"] = invoice
        xero_id = str(entry["PaymentID"])
        link = self._made(job, LinkKind.PAYMENT, payment.payment_id, xero_id, content_hash, detail)
        self._found(link, Operation.PAYMENT_CREATE, [job])
        if len(found) > 1:
            kind = f"the payment of {bodies.cents(payment.amount)}"
            problem = self._services.catalogue.local("two_of_ours", order_id=job.row.order_id, kind=kind)
            self._fail(job, Operation.PAYMENT_CREATE, payment.payment_id, problem, blocking=False)

    # Bookkeeping.

    def _fail(self, job: Job, operation: Operation, local_id: str, problem: Problem, *, blocking: bool) -> None:
        job.fail(problem, operation=operation, local_id=local_id, blocking=blocking)
        entry = job.entry(
            operation, Outcome.FAILED, problem.message, tenant_id=self._tenant_id, problem=problem, local_id=local_id
        )
        self._minutes.log(entry, problem)

    def _after(self, step: Step, xero_id: str | None, document: dict[str, Any]) -> Link:
        return link_after(
            step, tenant_id=self._tenant_id, organisation_id=self._organisation_id, xero_id=xero_id, document=document
        )

    def _made(
        self, job: Job, kind: LinkKind, local_id: str, xero_id: str | None, content_hash: str, detail: dict[str, Any]
    ) -> Link:
        return Link(
            tenant_id=self._tenant_id,
            kind=kind,
            order_id=job.row.order_id,
            local_id=local_id,
            organisation_id=self._organisation_id,
            xero_id=xero_id,
            status=LinkStatus.ACTIVE,
            content_hash=content_hash,
            detail=detail,
        )

    def _found(self, link: Link, operation: Operation, jobs: Sequence[Job]) -> None:
        self._remember(link, jobs)
        entry = jobs[0].entry(
            operation,
            Outcome.SUCCEEDED,
            f"{_WORDS[link.kind]} {_FOUND}",
            tenant_id=self._tenant_id,
            xero_id=link.xero_id,
            local_id=link.local_id,
        )
        self._minutes.log(entry)

    def _remember(self, link: Link, jobs: Iterable[Job]) -> None:
        self._minutes.link(link)
        for job in jobs:
            job.links.put(link)


_WORDS = {
    LinkKind.CONTACT: "The patient's contact",
    LinkKind.INVOICE: "The invoice",
    LinkKind.CREDIT_NOTE: "The credit note",
    LinkKind.ALLOCATION: "The allocation of the credit note",
    LinkKind.PAYMENT: "The payment",
}


def _concerns(link: Link, job: Job) -> bool:
    if link.kind is LinkKind.CONTACT:
        return link.local_id == job.patient_id
    return link.order_id == job.row.order_id


def _without_contact(body: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key != "Contact"}


def _invoice_id(job: Job) -> str | None:
    """Return Xero's id of the order's invoice, the deleted one's too: payments stay on it until they are removed."""
    links = [link for link in job.links.of_kind(LinkKind.INVOICE) if link.status is not LinkStatus.REMOVED]
    if job.order.invoice is not None:
        links = [link for link in links if link.local_id == job.order.invoice.invoice_id]
    return links[0].xero_id if links else None


def _deleted_notes(job: Job) -> Iterator[CreditNote]:
    for local_id, item in job.order.state.credit_notes.items():
        if item.deleted and item.value is not None and job.links.get(LinkKind.CREDIT_NOTE, local_id) is None:
            yield item.value


def _deleted_note(note: CreditNote, job: Job) -> Step:
    body = {"CreditNoteNumber": note.number, "Reference": note.credit_note_id}
    return _deleted(Stage.CREDIT_NOTE_CREATE, note.credit_note_id, job, body, note.number)


def _deleted(stage: Stage, local_id: str, job: Job, body: dict[str, Any], number: str) -> Step:
    """Return the step that once made what HearLink deleted since, as far as it is found by."""
    is_invoice = stage is Stage.INVOICE_CREATE
    return Step(
        stage=stage,
        operation=Operation.INVOICE_CREATE if is_invoice else Operation.CREDIT_NOTE_CREATE,
        kind=LinkKind.INVOICE if is_invoice else LinkKind.CREDIT_NOTE,
        order_id=job.row.order_id,
        local_id=local_id,
        body=body,
        content_hash="",
        detail={"number": number},
    )


def _all_payments(job: Job) -> Iterator[Payment]:
    for item in job.order.state.payments.values():
        if item.value is not None:
            yield item.value


def _has_id(entry: dict[str, Any], link: Link) -> bool:
    return same_text(entry.get("PaymentID"), link.xero_id)
