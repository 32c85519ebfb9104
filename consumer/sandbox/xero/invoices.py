"""Sales invoices: creating, updating, approving and voiding them."""

from dataclasses import replace

from consumer.sandbox.xero import errors
from consumer.sandbox.xero.contacts import contact_for_document
from consumer.sandbox.xero.documents import (
    FIRST_STATUSES,
    Writing,
    check_applied_edit,
    check_contact_usable,
    check_lock_dates,
    check_number,
    check_status_change,
    is_link,
    read_header,
    read_lines,
)
from consumer.sandbox.xero.errors import Refused
from consumer.sandbox.xero.ledger import Ledger
from consumer.sandbox.xero.records import Invoice
from consumer.sandbox.xero.values import Json, fold


def find_invoice(ledger: Ledger, reference: str) -> Invoice | None:
    """An invoice by its id or its number."""
    by_id = ledger.invoices.get(reference.lower())
    if by_id:
        return by_id
    by_number = ledger.invoice_by_number.get(fold(reference))
    return ledger.invoices[by_number] if by_number else None


def create_invoice(ledger: Ledger, element: Json, writing: Writing) -> Invoice:
    """PUT: a new invoice. An InvoiceID in the request is ignored: Xero chooses it.

    Raises:
        Refused: Xero's validation messages.
    """
    if element.get("Type") != "ACCREC":
        raise Refused(errors.TYPE_INVALID)
    status = element.get("Status", "DRAFT")
    if status not in FIRST_STATUSES:
        raise Refused(errors.NOT_VALID_FOR_CREATION)
    if not element.get("LineItems"):
        raise Refused(errors.LINES_REQUIRED)
    number = element.get("InvoiceNumber") or ledger.next_number("INV", ledger.invoice_by_number)
    check_number(number, ledger.invoice_by_number.get(fold(number)), "", errors.INVOICE_NUMBER_TAKEN)
    contact = contact_for_document(ledger, element.get("Contact", {}), writing.actor)
    blank = Invoice(
        document_id=ledger.new_id(),
        number=number,
        contact_id=contact.contact_id,
        status=status,
        date=ledger.clock.today(),
        currency_code=ledger.organisation.base_currency,
        created_by=writing.actor,
        updated_at=ledger.clock.now(),
    )
    without_contact = {name: value for name, value in element.items() if name != "Contact"}
    invoice = _read(ledger, None, blank, without_contact, writing)
    ledger.save(invoice, writing.actor, "created")
    return invoice


def update_invoice(ledger: Ledger, invoice: Invoice, element: Json, writing: Writing) -> Invoice:
    """POST on an existing invoice: what is absent keeps its value; lines that are not sent are deleted.

    Raises:
        Refused: Xero's validation messages.
    """
    if element.get("Type", "ACCREC") != "ACCREC":
        raise Refused(errors.TYPE_INVALID)
    status = element.get("Status", invoice.status)
    check_status_change(ledger, invoice, status, "invoice", errors.NOT_VALID_FOR_MODIFICATION)
    if status in {"VOIDED", "DELETED"}:
        return end_invoice(ledger, invoice, status, writing.actor)
    check_contact_usable(ledger, invoice)
    number = element.get("InvoiceNumber") or invoice.number
    holder = ledger.invoice_by_number.get(fold(number))
    check_number(number, holder, invoice.document_id, errors.INVOICE_NUMBER_TAKEN)
    if element.get("LineItems") == []:
        raise Refused(errors.LINES_REQUIRED)
    if invoice.status in {"AUTHORISED", "PAID"}:
        check_lock_dates(ledger, invoice.date)
    changed = _read(
        ledger,
        invoice,
        replace(invoice, number=number, status=status, updated_at=ledger.clock.now()),
        element,
        writing,
    )
    check_applied_edit(ledger, invoice, changed)
    approved = invoice.approved_on is None and changed.approved_on is not None
    ledger.save(changed, writing.actor, "approved" if approved else "updated")
    if ledger.has_applied(changed):
        ledger.settle(changed, writing.actor)
    return ledger.invoices[changed.document_id]


def post_invoice(ledger: Ledger, element: Json, writing: Writing, path_key: str | None = None) -> Invoice:
    """POST: update by InvoiceID, else by InvoiceNumber (a stranger's too), else create.

    Raises:
        Refused: Xero's validation messages.
        NotFound: The path or the InvoiceID names nothing.
    """
    reference = path_key or element.get("InvoiceID")
    if reference:
        invoice = find_invoice(ledger, reference)
        if invoice is None:
            raise errors.NotFound
        return update_invoice(ledger, invoice, element, writing)
    existing = find_invoice(ledger, element.get("InvoiceNumber", ""))
    if existing:
        return update_invoice(ledger, existing, element, writing)
    return create_invoice(ledger, element, writing)


def end_invoice(ledger: Ledger, invoice: Invoice, status: str, actor: str) -> Invoice:
    """Void an approved invoice, or delete a draft.

    Raises:
        Refused: Its contact is archived, or its period closed.
    """
    check_contact_usable(ledger, invoice)
    if status == "VOIDED":
        check_lock_dates(ledger, invoice.date)
    ended = replace(invoice, status=status, updated_at=ledger.clock.now())
    ledger.save(ended, actor, status.lower())
    return ended


def warnings_of(element: Json, invoice: Invoice) -> list[str]:
    """Warnings of a write that went through."""
    if element.get("SentToContact") and invoice.status not in {"AUTHORISED", "PAID"}:
        return [errors.SENT_TO_CONTACT_WARNING]
    return []


def _read(ledger: Ledger, old: Invoice | None, invoice: Invoice, element: Json, writing: Writing) -> Invoice:
    invoice = read_header(ledger, invoice, element, writing)
    if element.get("Url") and not is_link(element["Url"]):
        raise Refused(errors.URL_INVALID)
    invoice = replace(
        invoice,
        url=element.get("Url", invoice.url),
        expected_payment_date=element.get("ExpectedPaymentDate", invoice.expected_payment_date),
    )
    if invoice.status in {"AUTHORISED", "PAID"}:
        invoice = replace(invoice, sent_to_contact=element.get("SentToContact", invoice.sent_to_contact))
    invoice = read_lines(ledger, old, invoice, element, writing, discounts=True)
    if invoice.status != "DRAFT" and invoice.due_date is None:
        raise Refused(errors.DUE_DATE_REQUIRED)
    if invoice.status == "AUTHORISED":
        check_lock_dates(ledger, invoice.date)
        if invoice.approved_on is None:
            invoice = _approve(ledger, invoice)
    return invoice


def _approve(ledger: Ledger, invoice: Invoice) -> Invoice:
    today = ledger.clock.today()
    limit = ledger.organisation.approvals_per_month
    if limit is not None and ledger.approvals[today.year, today.month] >= limit:
        raise Refused(errors.APPROVAL_LIMIT)
    return replace(invoice, approved_on=today)
