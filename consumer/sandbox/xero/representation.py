"""The ledger's records as the JSON that Xero answers with."""

from dataclasses import dataclass
from datetime import datetime

from consumer.sandbox.xero.contacts import ADDRESS_TYPES, PHONE_TYPES
from consumer.sandbox.xero.ledger import Ledger
from consumer.sandbox.xero.payments import document_of
from consumer.sandbox.xero.records import (
    Allocation,
    Contact,
    CreditNote,
    Document,
    Invoice,
    Line,
    Payment,
)
from consumer.sandbox.xero.values import ZERO, Json, date_string, ms_date, ms_datetime, number, places

_ADDRESS_PARTS = ("City", "Region", "PostalCode", "Country")
_PHONE_PARTS = ("PhoneNumber", "PhoneAreaCode", "PhoneCountryCode")


@dataclass(frozen=True, slots=True)
class View:
    """How much of a record is shown.

    Attributes:
        unit_places: Decimal places of unit amounts: 4 with ``?unitdp=4``, else 2.
        lines: Whether line items are shown (unpaged lists leave them out).
        summary: ``?summaryOnly=true``: light fields only.
        after_write: A write's answer shows what was due of a document that it voided.
    """

    unit_places: int = 2
    lines: bool = True
    summary: bool = False
    after_write: bool = False


def contact_json(contact: Contact, view: View) -> Json:
    """A contact with its two address and four phone slots."""
    shown: Json = {
        "ContactID": contact.contact_id,
        "ContactNumber": contact.contact_number,
        "AccountNumber": contact.account_number,
        "ContactStatus": contact.status,
        "Name": contact.name,
        "EmailAddress": "",
        "BankAccountDetails": "",
        **contact.texts,
        "UpdatedDateUTC": ms_datetime(contact.updated_at),
        "IsSupplier": False,
        "IsCustomer": contact.is_customer,
        "HasAttachments": False,
        "HasValidationErrors": False,
    }
    for name in ("ContactNumber", "AccountNumber"):
        if not shown[name]:
            del shown[name]
    if contact.merged_to:
        shown["MergedToContactID"] = contact.merged_to
    if not view.summary:
        shown |= {
            "Addresses": [_address(contact, kind) for kind in ADDRESS_TYPES],
            "Phones": [_phone(contact, kind) for kind in PHONE_TYPES],
            "ContactGroups": [],
            "ContactPersons": list(contact.persons),
            "SalesTrackingCategories": [],
            "PurchasesTrackingCategories": [],
        }
    if contact.website:
        shown["Website"] = contact.website
    return shown


def invoice_json(ledger: Ledger, invoice: Invoice, view: View) -> Json:
    """An invoice with what was paid and credited on it."""
    shown = {
        "Type": "ACCREC",
        "InvoiceID": invoice.document_id,
        "InvoiceNumber": invoice.number,
        **_document_json(ledger, invoice, view),
        **_amounts(ledger, invoice, view),
        "SentToContact": invoice.sent_to_contact,
        "IsDiscounted": any(line.discount for line in invoice.lines),
    }
    if invoice.due_date:
        shown |= {"DueDate": ms_date(invoice.due_date), "DueDateString": date_string(invoice.due_date)}
    if invoice.url:
        shown["Url"] = invoice.url
    if invoice.expected_payment_date:
        shown["ExpectedPaymentDate"] = ms_date(invoice.expected_payment_date)
    discount = sum((line.discount for line in invoice.lines), ZERO)
    if discount and not view.summary:
        shown["TotalDiscount"] = number(places(discount, 2))
    if not view.summary:
        shown |= {
            "Payments": _payment_lines(ledger, invoice),
            "CreditNotes": [
                _credit_line(ledger, ledger.allocations[key]) for key in ledger.allocations_of[invoice.key]
            ],
            "Prepayments": [],
            "Overpayments": [],
        }
    return shown


def credit_note_json(ledger: Ledger, note: CreditNote, view: View) -> Json:
    """A credit note with its allocations and what is left of it."""
    remaining = ZERO if note.status in {"VOIDED", "DELETED"} else ledger.outstanding(note)
    return {
        "Type": "ACCRECCREDIT",
        "CreditNoteID": note.document_id,
        "CreditNoteNumber": note.number,
        "ID": note.document_id,
        **_document_json(ledger, note, view),
        "RemainingCredit": number(remaining),
        "Allocations": [allocation_json(ledger, ledger.allocations[key]) for key in ledger.allocations_of[note.key]],
        "Payments": _payment_lines(ledger, note),
    }


def allocation_json(ledger: Ledger, allocation: Allocation) -> Json:
    """An allocation as it stands in its credit note."""
    invoice = ledger.invoices[allocation.invoice_id]
    return {
        "AllocationID": allocation.allocation_id,
        "Amount": number(allocation.amount),
        "Date": ms_date(allocation.date),
        "Invoice": {
            **_reference(invoice),
            "HasErrors": False,
            "IsDiscounted": False,
        },
    }


def new_allocation_json(allocation: Allocation) -> Json:
    """The answer to ``PUT .../Allocations``: without its id, which only the credit note tells."""
    return {
        "Amount": number(allocation.amount),
        "Date": ms_date(allocation.date),
        "Invoice": {"InvoiceID": allocation.invoice_id, "HasErrors": False, "IsDiscounted": False},
        "CreditNote": {
            "CreditNoteID": allocation.credit_note_id,
            "ID": allocation.credit_note_id,
        },
    }


def payment_json(ledger: Ledger, payment: Payment, view: View) -> Json:
    """A payment with the account and the document it belongs to."""
    document = document_of(ledger, payment)
    account = ledger.accounts[payment.account_id]
    shown: Json = {
        "PaymentID": payment.payment_id,
        "Date": ms_date(payment.date),
        "BankAmount": number(payment.amount),
        "Amount": number(payment.amount),
        "Reference": payment.reference,
        "CurrencyRate": number(payment.currency_rate),
        "PaymentType": payment.payment_type,
        "Status": payment.status,
        **_updated(payment.updated_at),
        "HasAccount": True,
        "IsReconciled": payment.is_reconciled,
        "Account": {"AccountID": account.account_id, "Code": account.code},
        "HasValidationErrors": False,
    }
    shown["Invoice"] = {
        "Type": "ACCREC" if isinstance(document, Invoice) else "ACCRECCREDIT",
        **_reference(document),
        "Contact": _contact_reference(ledger, document),
        "CurrencyCode": document.currency_code,
        "HasErrors": False,
        "IsDiscounted": False,
    }
    if view.after_write:
        shown["Account"]["Name"] = account.name
        shown["Invoice"] |= {
            **_amounts(ledger, document, view),
            "Status": document.status,
            "Total": number(document.total),
        }
    return shown


def line_json(line: Line, view: View) -> Json:
    """A line item."""
    shown: Json = {
        "LineItemID": line.line_item_id,
        "Description": line.description,
        "LineAmount": number(line.line_amount),
        "TaxAmount": number(line.tax_amount),
        "Tracking": [],
        "ValidationErrors": [],
    }
    if line.quantity is not None:
        shown["Quantity"] = number(line.quantity)
    if line.unit_amount is not None:
        shown["UnitAmount"] = number(places(line.unit_amount, view.unit_places))
    if line.account_code:
        shown["AccountCode"] = line.account_code
    if line.account_id:
        shown["AccountID"] = line.account_id
    if line.tax_type:
        shown["TaxType"] = line.tax_type
    if line.discount_rate is not None:
        shown["DiscountRate"] = number(line.discount_rate)
    if line.discount_amount is not None:
        shown["DiscountAmount"] = number(line.discount_amount)
    return shown


def _document_json(ledger: Ledger, document: Document, view: View) -> Json:
    contact = ledger.contacts[document.contact_id]
    in_full = view.lines and not view.summary
    shown = {
        "Reference": document.reference,
        "Contact": contact_json(contact, View()) if in_full else _contact_reference(ledger, document),
        "Date": ms_date(document.date),
        "DateString": date_string(document.date),
        "Status": document.status,
        "LineAmountTypes": document.line_amount_types,
        "SubTotal": number(document.sub_total),
        "TotalTax": number(document.total_tax),
        "Total": number(document.total),
        **_updated(document.updated_at),
        "CurrencyCode": document.currency_code,
        "CurrencyRate": number(document.currency_rate),
        "HasAttachments": False,
        "HasErrors": False,
    }
    if not view.summary:
        shown["LineItems"] = [line_json(line, view) for line in document.lines] if view.lines else []
    if document.branding_theme_id:
        shown["BrandingThemeID"] = document.branding_theme_id
    if document.fully_paid_on:
        shown["FullyPaidOnDate"] = ms_date(document.fully_paid_on)
    return shown


def _amounts(ledger: Ledger, document: Document, view: View) -> Json:
    ended = document.status in {"VOIDED", "DELETED"} and not view.after_write
    return {
        "AmountDue": 0.0 if ended else number(ledger.outstanding(document)),
        "AmountPaid": number(ledger.paid(document)),
        "AmountCredited": number(ledger.allocated(document)),
    }


def _updated(moment: datetime) -> Json:
    return {
        "UpdatedDateUTC": ms_datetime(moment),
        "UpdatedDateUTCString": moment.replace(microsecond=0, tzinfo=None).isoformat(),
    }


def _reference(document: Document) -> Json:
    return {"InvoiceID": document.document_id, "InvoiceNumber": document.number}


def _contact_reference(ledger: Ledger, document: Document) -> Json:
    contact = ledger.contacts[document.contact_id]
    shown = {
        "ContactID": contact.contact_id,
        "Name": contact.name,
        "Addresses": [],
        "Phones": [],
        "ContactGroups": [],
        "ContactPersons": [],
        "HasValidationErrors": False,
    }
    if contact.contact_number:
        shown["ContactNumber"] = contact.contact_number
    return shown


def _payment_lines(ledger: Ledger, document: Document) -> list[Json]:
    lines = [_payment_line(ledger.payments[key]) for key in ledger.payments_of[document.key]]
    if not ledger.organisation.shows_payment_references:
        for line in lines:
            del line["Reference"]
    return lines


def _payment_line(payment: Payment) -> Json:
    return {
        "PaymentID": payment.payment_id,
        "Date": ms_date(payment.date),
        "Amount": number(payment.amount),
        "Reference": payment.reference,
        "CurrencyRate": number(payment.currency_rate),
        "HasAccount": False,
        "HasValidationErrors": False,
    }


def _credit_line(ledger: Ledger, allocation: Allocation) -> Json:
    note = ledger.credit_notes[allocation.credit_note_id]
    return {
        "CreditNoteID": note.document_id,
        "CreditNoteNumber": note.number,
        "ID": note.document_id,
        "AppliedAmount": number(allocation.amount),
        "Date": ms_date(note.date),
        "DateString": date_string(note.date),
        "Total": number(note.total),
        "LineItems": [],
        "HasErrors": False,
    }


def _address(contact: Contact, kind: str) -> Json:
    return {"AddressType": kind, **dict.fromkeys(_ADDRESS_PARTS, ""), **contact.addresses.get(kind, {})}


def _phone(contact: Contact, kind: str) -> Json:
    return {"PhoneType": kind, **dict.fromkeys(_PHONE_PARTS, ""), **contact.phones.get(kind, {})}
