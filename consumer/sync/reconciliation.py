"""Orders of which the database may have forgotten something: what Xero holds of them is looked up and linked anew.

After a failover that lost our last transactions neither links nor intents tell what went out in those. So before
anything is sent for such an order, all that HearLink knows of it, deleted parts too, is looked for by our own marks.
"""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from consumer.orders import CreditNote, Payment
from consumer.results import Operation, Outcome
from consumer.sync.job import Job
from consumer.sync.link import Link, LinkKind, LinkStatus
from consumer.sync.look_up import look_up
from consumer.sync.minutes import Minutes
from consumer.sync.outcome import link_after
from consumer.sync.planning import bodies, content
from consumer.sync.services import Services
from consumer.sync.sighting import Sight, holds, same_text
from consumer.sync.step import Stage, Step
from consumer.xero import NotFoundError, TenantClient, read_amount, read_date

_FOUND = "was found in Xero and linked again, after our database had lost what it knew of it."


class Reconciliation:
    """Looks up the orders of one pass, as few reads as they need together."""

    def __init__(self, services: Services, minutes: Minutes, organisation_id: str, tenant_id: str) -> None:
        self._services = services
        self._minutes = minutes
        self._organisation_id = organisation_id
        self._tenant_id = tenant_id
        self._tenant = TenantClient(services.client, organisation_id, tenant_id)

    def run(self, jobs: Sequence[Job]) -> None:
        """Link what is found; the jobs are to be planned anew afterwards.

        Raises:
            XeroError: a read failed; what was linked until then holds.
        """
        for stage in (Stage.CONTACT_CREATE, Stage.INVOICE_CREATE, Stage.CREDIT_NOTE_CREATE):
            self._link_created(stage, jobs)
        for job in jobs:
            self._link_deleted_notes(job)
            self._link_allocations(job)
        self._link_payments(jobs)

    def _link_created(self, stage: Stage, jobs: Sequence[Job]) -> None:
        wanted = [(step, job) for job in jobs for step in job.plan.steps if step.stage is stage]
        if not wanted:
            return
        sightings = look_up(self._tenant, [step for step, _ in wanted])
        for (step, job), sighting in zip(wanted, sightings, strict=True):
            if sighting.sight not in {Sight.DONE, Sight.TWICE} or job.links.get(step.kind, step.local_id) is not None:
                continue
            link = self._after(step, sighting.xero_id, sighting.document)
            if stage is not Stage.CONTACT_CREATE and not holds(sighting.document, _without_contact(step.body)):
                link = msgspec.structs.replace(link, content_hash="")
            self._found(link, step.operation, [other for other in jobs if _concerns(link, other)])
        for job in jobs:
            job.make_plan()

    def _link_deleted_notes(self, job: Job) -> None:
        """Find notes that HearLink deleted since, so that they can be voided."""
        for note in _deleted_notes(job):
            step = Step(
                stage=Stage.CREDIT_NOTE_CREATE,
                operation=Operation.CREDIT_NOTE_CREATE,
                kind=LinkKind.CREDIT_NOTE,
                order_id=job.row.order_id,
                local_id=note.credit_note_id,
                body={"CreditNoteNumber": note.number, "Reference": note.credit_note_id},
                content_hash="",
                detail={"number": note.number},
            )
            (sighting,) = look_up(self._tenant, [step])
            if sighting.sight in {Sight.DONE, Sight.TWICE}:
                self._found(self._after(step, sighting.xero_id, sighting.document), step.operation, [job])

    def _link_allocations(self, job: Job) -> None:
        invoice = _invoice_id(job)
        for note in job.links.of_kind(LinkKind.CREDIT_NOTE):
            if invoice is None or note.xero_id is None or note.status in {LinkStatus.REMOVED, LinkStatus.GONE}:
                continue
            try:
                document = self._tenant.credit_note(note.xero_id)
            except NotFoundError:
                continue
            amounts = [
                read_amount(entry.get("Amount"))
                for entry in document.get("Allocations") or ()
                if isinstance(entry, dict) and same_text((entry.get("Invoice") or {}).get("InvoiceID"), invoice)
            ]
            known = job.links.standing(LinkKind.ALLOCATION, note.local_id)
            if known is not None and known.xero_id is not None:
                # It may have been made anew since: its id is read again when it is needed.
                self._remember(msgspec.structs.replace(known, xero_id=None), [job])
            if amounts and known is None:
                detail = {
                    "credit_note_xero_id": note.xero_id,
                    "amount": str(sum(amounts, Decimal(0))),
                    "invoice_id": invoice,
                }
                link = self._link(job, LinkKind.ALLOCATION, note.local_id, None, "", detail)
                self._found(link, Operation.CREDIT_NOTE_ALLOCATE, [job])

    def _link_payments(self, jobs: Sequence[Job]) -> None:
        invoices = {invoice: job for job in jobs if (invoice := _invoice_id(job)) is not None}
        if not invoices:
            return
        standing = self._tenant.standing_payments(invoices)
        for invoice, job in invoices.items():
            ours = [entry for entry in standing if same_text((entry.get("Invoice") or {}).get("InvoiceID"), invoice)]
            for payment in _all_payments(job):
                found = [entry for entry in ours if _is_payment(entry, payment)]
                known = job.links.standing(LinkKind.PAYMENT, payment.payment_id)
                if not found or (known is not None and any(_has_id(entry, known) for entry in found)):
                    continue
                self._link_payment(job, invoice, payment, found)

    def _link_payment(self, job: Job, invoice: str, payment: Payment, found: list[dict[str, Any]]) -> None:
        entry = found[0]
        day = read_date(entry.get("Date"))
        detail = {
            "amount": str(bodies.cents(read_amount(entry.get("Amount")))),
            "date": "" if day is None else day.isoformat(),
            "reference": str(entry.get("Reference")),
        }
        wanted = content.payment_detail(payment)
        content_hash = content.payment_hash(payment) if detail == wanted else ""
        detail["invoice_id"] = invoice
        xero_id = str(entry["PaymentID"])
        link = self._link(job, LinkKind.PAYMENT, payment.payment_id, xero_id, content_hash, detail)
        self._found(link, Operation.PAYMENT_CREATE, [job])
        if len(found) > 1:
            kind = f"the payment of {bodies.cents(payment.amount)}"
            problem = self._services.catalogue.local("two_of_ours", order_id=job.row.order_id, kind=kind)
            job.fail(problem, operation=Operation.PAYMENT_CREATE, local_id=payment.payment_id, blocking=False)
            entry_of_log = job.entry(
                Operation.PAYMENT_CREATE,
                Outcome.FAILED,
                problem.message,
                tenant_id=self._tenant_id,
                problem=problem,
                local_id=payment.payment_id,
            )
            self._minutes.log(entry_of_log, problem)

    # Bookkeeping.

    def _after(self, step: Step, xero_id: str | None, document: dict[str, Any]) -> Link:
        return link_after(
            step, tenant_id=self._tenant_id, organisation_id=self._organisation_id, xero_id=xero_id, document=document
        )

    def _link(
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


def _all_payments(job: Job) -> Iterator[Payment]:
    for item in job.order.state.payments.values():
        if item.value is not None:
            yield item.value


def _is_payment(entry: dict[str, Any], payment: Payment) -> bool:
    """Whether `entry` has the payment's mark, whatever its method was then."""
    return str(entry.get("Reference") or "").rpartition(" ")[2] == payment.payment_id


def _has_id(entry: dict[str, Any], link: Link) -> bool:
    return same_text(entry.get("PaymentID"), link.xero_id)
