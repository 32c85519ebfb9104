"""A person asks again for an order that failed for something in Xero: its documents there are read once.

Where people made it right in their own way meanwhile, nothing is left to be sent, and the failure is over.
"""

from collections.abc import Callable, Iterable, Sequence

import msgspec

from consumer.results import Operation, Outcome
from consumer.sync.agreement import Held, find_agreed, is_gone, paid_twice, tell_difference
from consumer.sync.job import Job
from consumer.sync.link import Link, LinkKind, LinkStatus
from consumer.sync.minutes import Minutes
from consumer.sync.planning import bodies
from consumer.sync.services import Services
from consumer.sync.sighting import same_text
from consumer.xero import AnswerLostError, TenantClient

# So many are read and sent in one pass: a minute's calls suffice for them, even where each needs some of its own. Of
# more, all would be read and none sent, again and again.
ORDERS_AT_ONCE = 20


class SecondLook:
    """Reads the documents of some orders of one pass, with as few reads as they need together.

    `before_read` goes before each read, `stopping` says that the process is to end: nothing is read then.
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
        self._minutes = minutes
        self._catalogue = services.catalogue
        self._tenant_id = tenant_id
        self._tenant = TenantClient(services.client, organisation_id, tenant_id, urgent=True, before_call=before_read)
        self._stopping = stopping

    def run(self, jobs: Sequence[Job]) -> None:
        """Link what both sides agree on; the jobs that were looked at are to be planned anew afterwards.

        Raises:
            XeroError: a read failed, or its answer can't be understood; what was linked until then holds.
        """
        if self._stopping():
            return
        try:
            for job, held in self._read(jobs):
                self._link_agreed(job, held)
        except ValueError as error:
            raise AnswerLostError(f"Xero's answer has another form than it documents: {error}") from error
        for job in jobs:
            job.looks_again = False

    def _read(self, jobs: Sequence[Job]) -> Iterable[tuple[Job, Held]]:
        invoice_ids = {job: _invoice_ids(job) for job in jobs}
        wanted = [invoice_id for ids in invoice_ids.values() for invoice_id in ids]
        if not wanted:
            return
        invoices = self._tenant.invoices_by_id(wanted)
        payments = self._tenant.payments_standing_on(invoices)
        note_ids = {job: _note_ids(job, invoices) for job in jobs}
        notes = self._tenant.credit_notes_by_id(note_id for ids in note_ids.values() for note_id in ids)
        for job, ids in invoice_ids.items():
            if ids:
                yield (
                    job,
                    Held(
                        ids[0],
                        tuple(one for one in invoices if _is_among(one.get("InvoiceID"), ids)),
                        tuple(one for one in payments if _is_among(one["Invoice"].get("InvoiceID"), ids)),
                        tuple(one for one in notes if _is_among(one.get("CreditNoteID"), note_ids[job])),
                    ),
                )

    def _link_agreed(self, job: Job, held: Held) -> None:
        if held.invoice is not None and is_gone(held.invoice):
            for link in job.links.of_kind(LinkKind.INVOICE):
                if same_text(link.xero_id, held.invoice_id) and link.status is not LinkStatus.GONE:
                    # Voided by people: what is to go onto it has to be told so, and not refused for its status.
                    self._remember(msgspec.structs.replace(link, status=LinkStatus.GONE), job)
        for agreed in find_agreed(job.order, job.links, job.plan, held):
            self._remember(agreed.link, job)
            job.has_agreed = True
            self._minutes.log(
                job.entry(
                    agreed.operation,
                    Outcome.SUCCEEDED,
                    agreed.message,
                    tenant_id=self._tenant_id,
                    xero_id=agreed.xero_id,
                    local_id=agreed.link.local_id,
                )
            )
        job.make_plan()
        job.difference = tell_difference(job.order, held)
        self._tell_twice(job, held)

    def _tell_twice(self, job: Job, held: Held) -> None:
        """Have a payment that is there twice go on failing: nothing is left to be sent of it, and too much is paid."""
        for payment in paid_twice(job.order, held):
            kind = f"the payment of {bodies.cents(payment.amount)}"
            problem = self._catalogue.local("two_of_ours", order_id=job.row.order_id, kind=kind)
            job.fail(problem, operation=Operation.PAYMENT_CREATE, local_id=payment.payment_id, blocking=False)
            entry = job.entry(
                Operation.PAYMENT_CREATE,
                Outcome.FAILED,
                problem.message,
                tenant_id=self._tenant_id,
                problem=problem,
                local_id=payment.payment_id,
            )
            self._minutes.log(entry, problem)

    def _remember(self, link: Link, job: Job) -> None:
        self._minutes.link(link)
        job.links.put(link)


def _invoice_ids(job: Job) -> list[str]:
    """Return Xero's ids of the order's invoice, and after it of others that payments of it stand on.

    None where it has another invoice by now that is not in Xero: what people did on the old one is not for that.
    """
    current = None if job.order.invoice is None else job.order.invoice.invoice_id
    links = [
        link
        for link in job.links.of_kind(LinkKind.INVOICE)
        if link.xero_id is not None and current in {None, link.local_id}
    ]
    links.sort(key=lambda link: link.status is LinkStatus.GONE)
    paid = [
        str(link.detail["invoice_id"])
        for link in job.links.of_kind(LinkKind.PAYMENT)
        if link.detail.get("invoice_id") and job.links.standing(link.kind, link.local_id) is not None
    ]
    return list(dict.fromkeys([*(str(link.xero_id) for link in links[:1]), *paid])) if links else []


def _note_ids(job: Job, invoices: Iterable[dict[str, object]]) -> list[str]:
    """Return Xero's ids of the order's credit notes, and of the others that are on its invoices."""
    ours = [
        link.xero_id
        for link in job.links.of_kind(LinkKind.CREDIT_NOTE)
        if link.xero_id is not None and link.status is not LinkStatus.REMOVED
    ]
    ids = _invoice_ids(job)[:1]
    listed = [
        str(entry["CreditNoteID"])
        for invoice in invoices
        if _is_among(invoice.get("InvoiceID"), ids)
        for entry in _entries(invoice.get("CreditNotes"))
        if entry.get("CreditNoteID")
    ]
    return list(dict.fromkeys([*ours, *listed]))


def _entries(value: object) -> list[dict[str, object]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _is_among(found: object, ids: Iterable[str]) -> bool:
    return any(same_text(found, one) for one in ids)
