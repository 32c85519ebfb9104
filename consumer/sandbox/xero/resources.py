"""The lists that can be read: how each is filtered, found by index, and shown."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from consumer.sandbox.xero.ledger import Ledger
from consumer.sandbox.xero.payments import document_of
from consumer.sandbox.xero.records import Contact, CreditNote, Document, Invoice, Payment
from consumer.sandbox.xero.representation import (
    View,
    contact_json,
    credit_note_json,
    invoice_json,
    payment_json,
)
from consumer.sandbox.xero.settings_representation import account_json, tax_rate_json
from consumer.sandbox.xero.values import ZERO, Json, fold
from consumer.sandbox.xero.where import Fields


@dataclass(frozen=True, slots=True)
class Resource:
    """One list of a ledger.

    Attributes:
        name: The path's and the JSON's name.
        rows: All its records.
        show: A record as JSON.
        fields: What `where` and `order` may name, in lower case.
        indexes: Fields by which records are found without a scan.
        search: Texts that `searchTerm` looks through.
        modified: When a record was last changed.
        paged: Whether it takes `page`.
    """

    name: str
    rows: Callable[[], Iterable[Any]]
    show: Callable[[Any, View], Json]
    fields: Fields
    indexes: dict[str, Callable[[str], Iterable[Any]]]
    search: Callable[[Any], Iterable[str]] = lambda _record: ()
    modified: Callable[[Any], datetime | None] = lambda record: record.updated_at
    paged: bool = True


def accounts(ledger: Ledger) -> Resource:
    """The chart of accounts."""
    return Resource(
        name="Accounts",
        rows=lambda: (row for row in ledger.accounts.values() if row.status != "DELETED"),
        show=lambda account, _view: account_json(account),
        fields={
            "accountid": lambda row: row.account_id,
            "code": lambda row: row.code,
            "name": lambda row: row.name,
            "type": lambda row: row.type,
            "class": lambda row: row.account_class,
            "status": lambda row: row.status,
            "taxtype": lambda row: row.tax_type,
            "systemaccount": lambda row: row.system_account or None,
            "enablepaymentstoaccount": lambda row: row.enable_payments,
            "updateddateutc": lambda row: row.updated_at.date(),
        },
        indexes={},
        paged=False,
    )


def tax_rates(ledger: Ledger) -> Resource:
    """Tax rates."""
    return Resource(
        name="TaxRates",
        rows=ledger.tax_rates.values,
        show=lambda rate, _view: tax_rate_json(rate),
        fields={
            "name": lambda row: row.name,
            "taxtype": lambda row: row.tax_type,
            "status": lambda row: row.status,
            "effectiverate": lambda row: row.rate_percent,
            "canapplytorevenue": lambda row: "REVENUE" in row.applies_to,
        },
        indexes={},
        modified=lambda _row: None,
        paged=False,
    )


def contacts(ledger: Ledger) -> Resource:
    """Contacts."""

    def searched(contact: Contact) -> Iterable[str]:
        names = ("FirstName", "LastName", "CompanyNumber", "EmailAddress")
        return (contact.name, contact.contact_number, *(contact.texts.get(name, "") for name in names))

    return Resource(
        name="Contacts",
        rows=ledger.contacts.values,
        show=contact_json,
        fields={
            "contactid": lambda row: row.contact_id,
            "name": lambda row: row.name,
            "contactnumber": lambda row: row.contact_number,
            "accountnumber": lambda row: row.account_number,
            "contactstatus": lambda row: row.status,
            "emailaddress": lambda row: row.texts.get("EmailAddress", ""),
            "firstname": lambda row: row.texts.get("FirstName", ""),
            "lastname": lambda row: row.texts.get("LastName", ""),
            "iscustomer": lambda row: row.is_customer,
            "updateddateutc": lambda row: row.updated_at.date(),
        },
        indexes={
            "contactid": lambda value: _rows(ledger.contacts, [value.lower()]),
            "contactnumber": lambda value: _rows(ledger.contacts, [ledger.contact_by_number.get(fold(value))]),
        },
        search=searched,
    )


def invoices(ledger: Ledger) -> Resource:
    """Sales invoices."""
    return Resource(
        name="Invoices",
        rows=ledger.invoices.values,
        show=lambda invoice, view: invoice_json(ledger, invoice, view),
        fields={
            **_document_fields(ledger, lambda row: row),
            "type": lambda _row: "ACCREC",
            "invoiceid": lambda row: row.document_id,
            "invoicenumber": lambda row: row.number,
            "amountcredited": ledger.allocated,
            "url": lambda row: row.url,
            "senttocontact": lambda row: row.sent_to_contact,
        },
        indexes={
            "invoiceid": lambda value: _rows(ledger.invoices, [value.lower()]),
            "invoicenumber": lambda value: _rows(ledger.invoices, [ledger.invoice_by_number.get(fold(value))]),
            "contact.contactid": lambda value: _rows(ledger.invoices, ledger.invoices_of.get(value.lower(), {})),
        },
        search=lambda invoice: (invoice.number, invoice.reference),
    )


def credit_notes(ledger: Ledger) -> Resource:
    """Sales credit notes."""
    return Resource(
        name="CreditNotes",
        rows=ledger.credit_notes.values,
        show=lambda note, view: credit_note_json(ledger, note, view),
        fields={
            **_document_fields(ledger, lambda row: row),
            "type": lambda _row: "ACCRECCREDIT",
            "creditnoteid": lambda row: row.document_id,
            "creditnotenumber": lambda row: row.number,
            "remainingcredit": ledger.outstanding,
        },
        indexes={
            "creditnoteid": lambda value: _rows(ledger.credit_notes, [value.lower()]),
            "creditnotenumber": lambda value: _rows(
                ledger.credit_notes, [ledger.credit_note_by_number.get(fold(value))]
            ),
        },
    )


def payments(ledger: Ledger) -> Resource:
    """Payments."""

    def of_invoice(payment: Payment) -> Invoice | CreditNote:
        return document_of(ledger, payment)

    return Resource(
        name="Payments",
        rows=ledger.payments.values,
        show=lambda payment, view: payment_json(ledger, payment, view),
        fields={
            "paymentid": lambda row: row.payment_id,
            "paymenttype": lambda row: row.payment_type,
            "status": lambda row: row.status,
            "date": lambda row: row.date,
            "amount": lambda row: row.amount,
            "reference": lambda row: row.reference,
            "isreconciled": lambda row: row.is_reconciled,
            "account.accountid": lambda row: row.account_id,
            "invoice.invoiceid": lambda row: row.document_id,
            "invoice.invoicenumber": lambda row: of_invoice(row).number,
            "updateddateutc": lambda row: row.updated_at.date(),
        },
        indexes={
            "paymentid": lambda value: _rows(ledger.payments, [value.lower()]),
            "invoice.invoiceid": lambda value: _rows(ledger.payments, ledger.all_payments_of.get(value.lower(), {})),
        },
    )


def _document_fields(ledger: Ledger, document: Callable[[Any], Document]) -> Fields:
    def contact(row: Any) -> Contact:
        return ledger.contacts[document(row).contact_id]

    def due(row: Any) -> Any:
        return ZERO if row.status in {"VOIDED", "DELETED"} else ledger.outstanding(row)

    return {
        "status": lambda row: row.status,
        "reference": lambda row: row.reference,
        "date": lambda row: row.date,
        "duedate": lambda row: row.due_date,
        "total": lambda row: row.total,
        "amountdue": due,
        "amountpaid": ledger.paid,
        "currencycode": lambda row: row.currency_code,
        "contact.contactid": lambda row: row.contact_id,
        "contact.name": lambda row: contact(row).name,
        "contact.contactnumber": lambda row: contact(row).contact_number,
        "updateddateutc": lambda row: row.updated_at.date(),
    }


def _rows(table: dict[str, Any], keys: Iterable[str | None]) -> Iterable[Any]:
    return [table[key] for key in keys if key is not None and key in table]
