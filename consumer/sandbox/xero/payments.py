"""Payments of invoices and refunds of credit notes. They are never edited: only made and deleted."""

from dataclasses import replace

from consumer.sandbox.xero import errors
from consumer.sandbox.xero.credit_notes import find_credit_note
from consumer.sandbox.xero.documents import check_lock_dates
from consumer.sandbox.xero.errors import Refused
from consumer.sandbox.xero.invoices import find_invoice
from consumer.sandbox.xero.ledger import Ledger
from consumer.sandbox.xero.records import Account, CreditNote, Invoice, Payment
from consumer.sandbox.xero.values import ZERO, Json, cents

_LONGEST_REFERENCE = 255


def create_payment(ledger: Ledger, element: Json, actor: str) -> Payment:
    """A payment of exactly one document; nothing about it need be unique.

    Raises:
        Refused: Xero's validation messages.
    """
    document = _document(ledger, element)
    account = _account(ledger, element)
    amount = cents(element.get("Amount", ZERO))
    problems = _amount_problems(ledger, document, element)
    if "Date" not in element:
        problems.append(errors.DATE_REQUIRED)
    if len(element.get("Reference", "")) > _LONGEST_REFERENCE:
        problems.append(errors.REFERENCE_TOO_LONG)
    if problems:
        raise Refused(*problems)
    check_lock_dates(ledger, element["Date"])
    payment = Payment(
        payment_id=ledger.new_id(),
        document_id=document.document_id,
        payment_type="ACCRECPAYMENT" if isinstance(document, Invoice) else "ARCREDITPAYMENT",
        account_id=account.account_id,
        date=element["Date"],
        amount=amount,
        currency_rate=element.get("CurrencyRate", document.currency_rate),
        reference=element.get("Reference", ""),
        is_reconciled=element.get("IsReconciled", False),
        created_by=actor,
        updated_at=ledger.clock.now(),
    )
    ledger.save(payment, actor, "created")
    ledger.settle(document, actor)
    return payment


def delete_payment(ledger: Ledger, payment: Payment, actor: str) -> Payment:
    """Reverse a payment; the document it paid is open again.

    Raises:
        Refused: It is deleted already, or reconciled with a bank line, or its period is closed.
    """
    if payment.status == "DELETED" or payment.is_reconciled:
        raise Refused(errors.PAYMENT_NOT_VALID)
    check_lock_dates(ledger, payment.date)
    deleted = replace(payment, status="DELETED", updated_at=ledger.clock.now())
    ledger.save(deleted, actor, "deleted")
    ledger.settle(document_of(ledger, deleted), actor)
    return deleted


def document_of(ledger: Ledger, payment: Payment) -> Invoice | CreditNote:
    """The invoice or credit note that a payment stands on."""
    return ledger.invoices.get(payment.document_id) or ledger.credit_notes[payment.document_id]


def _document(ledger: Ledger, element: Json) -> Invoice | CreditNote:
    invoice = element.get("Invoice", {})
    note = element.get("CreditNote", {})
    references = [
        ("invoice", invoice.get("InvoiceID") or invoice.get("InvoiceNumber")),
        ("invoice", element.get("InvoiceNumber")),
        ("note", note.get("CreditNoteID") or note.get("CreditNoteNumber")),
        ("note", element.get("CreditNoteNumber")),
    ]
    named = [(kind, reference) for kind, reference in references if reference]
    if len(named) != 1:
        raise Refused(errors.PAYMENT_DOCUMENT_REQUIRED)
    kind, reference = named[0]
    document: Invoice | CreditNote | None
    document = find_invoice(ledger, reference) if kind == "invoice" else find_credit_note(ledger, reference)
    if document is None:
        raise Refused(errors.PAYMENT_DOCUMENT_REQUIRED)
    return document


def _account(ledger: Ledger, element: Json) -> Account:
    named = element.get("Account", {})
    reference = named.get("AccountID") or named.get("Code") or element.get("Code") or ""
    account = ledger.account(reference)
    if account is None or account.status != "ACTIVE":
        raise Refused(errors.PAYMENT_ACCOUNT_NOT_FOUND)
    if account.type != "BANK" and not account.enable_payments:
        raise Refused(errors.PAYMENT_ACCOUNT_DISABLED)
    return account


def _amount_problems(ledger: Ledger, document: Invoice | CreditNote, element: Json) -> list[str]:
    amount = cents(element.get("Amount", ZERO))
    if amount <= ZERO:
        return [errors.PAYMENT_AMOUNT_INVALID]
    if document.status == "PAID":
        return [errors.PAYMENT_TOO_LARGE, errors.PAYMENT_NOT_AUTHORISED_DOCUMENT]
    if document.status != "AUTHORISED":
        return [errors.PAYMENT_NOT_AUTHORISED_DOCUMENT]
    if amount > ledger.outstanding(document):
        return [errors.PAYMENT_TOO_LARGE]
    return []
