"""Setting the credit of a note against an invoice, and taking it off again."""

from consumer.sandbox.xero import errors
from consumer.sandbox.xero.documents import check_lock_dates
from consumer.sandbox.xero.errors import Refused
from consumer.sandbox.xero.invoices import find_invoice
from consumer.sandbox.xero.ledger import Ledger
from consumer.sandbox.xero.records import Allocation, CreditNote, Invoice
from consumer.sandbox.xero.values import ZERO, Json, cents


def allocate(ledger: Ledger, note: CreditNote, element: Json, actor: str) -> Allocation:
    """Set an amount of `note` against an invoice of the same contact.

    The date is Xero's choice: the later of the two documents' dates.

    Raises:
        Refused: Xero's validation messages.
    """
    invoice = _invoice(ledger, element)
    amount = cents(element.get("Amount", ZERO))
    _check(ledger, note, invoice, element)
    day = max(note.date, invoice.date)
    check_lock_dates(ledger, day)
    allocation = Allocation(
        allocation_id=ledger.new_id(),
        credit_note_id=note.document_id,
        invoice_id=invoice.document_id,
        amount=amount,
        date=day,
        created_by=actor,
    )
    ledger.save(allocation, actor, "created")
    ledger.settle(note, actor)
    ledger.settle(invoice, actor)
    return allocation


def remove_allocation(ledger: Ledger, allocation: Allocation, actor: str) -> None:
    """Take the credit off the invoice again: both documents are open again.

    Raises:
        Refused: The allocation's period is closed.
    """
    check_lock_dates(ledger, allocation.date)
    ledger.remove(allocation, actor, "removed")
    ledger.settle(ledger.credit_notes[allocation.credit_note_id], actor)
    ledger.settle(ledger.invoices[allocation.invoice_id], actor)


def _invoice(ledger: Ledger, element: Json) -> Invoice:
    named = element.get("Invoice", {})
    invoice = find_invoice(ledger, named.get("InvoiceID") or named.get("InvoiceNumber") or "")
    if invoice is None:
        raise Refused(errors.ALLOCATION_INVOICE_NOT_FOUND)
    return invoice


def _check(ledger: Ledger, note: CreditNote, invoice: Invoice, element: Json) -> None:
    amount = cents(element.get("Amount", ZERO))
    if note.status not in {"AUTHORISED", "PAID"}:
        raise Refused(errors.ALLOCATION_NOTE_STATUS)
    if invoice.contact_id != note.contact_id:
        raise Refused(errors.ALLOCATION_OTHER_CONTACT)
    if amount <= ZERO:
        raise Refused(errors.ALLOCATION_AMOUNT_INVALID)
    if invoice.status == "PAID":
        raise Refused(errors.ALLOCATION_ALREADY_PAID)
    if invoice.status != "AUTHORISED":
        raise Refused(errors.ALLOCATION_WRONG_INVOICE)
    if amount > min(ledger.outstanding(note), ledger.outstanding(invoice)):
        raise Refused(errors.ALLOCATION_TOO_LARGE)
