"""The bookkeeper's hands: what people do in Xero's own pages, while the app knows nothing of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from consumer.sandbox.xero import fields
from consumer.sandbox.xero.allocations import allocate, remove_allocation
from consumer.sandbox.xero.contacts import create_contact, update_contact
from consumer.sandbox.xero.credit_notes import create_credit_note, find_credit_note, update_credit_note
from consumer.sandbox.xero.documents import Writing
from consumer.sandbox.xero.fields import read_element
from consumer.sandbox.xero.invoices import create_invoice, find_invoice, update_invoice
from consumer.sandbox.xero.ledger import Ledger
from consumer.sandbox.xero.payments import create_payment, delete_payment
from consumer.sandbox.xero.records import Account, Contact, CreditNote, Invoice, Payment
from consumer.sandbox.xero.representation import (
    View,
    allocation_json,
    contact_json,
    credit_note_json,
    invoice_json,
    payment_json,
)
from consumer.sandbox.xero.settings_representation import account_json
from consumer.sandbox.xero.values import Json, fold, parse_date
from consumer.sandbox.xero.world import World

BOOKKEEPER = "bookkeeper"
_WRITING = Writing(actor=BOOKKEEPER, unit_places=4)
_FULL = View(unit_places=4)


class Bookkeeper:
    """Acts in a tenant's books by hand, under the same rules as Xero's pages.

    Documents are named by id or number, contacts by id, number or name, accounts by code or id. Bodies are what the
    API takes. Every method answers the record as JSON, raises `Refused` where Xero would refuse, and `ValueError`
    when a name means nothing.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    def create_contact(self, tenant_id: str, body: Json) -> Json:
        """Add a contact."""
        with self._books(tenant_id) as ledger:
            contact = create_contact(ledger, read_element(body, fields.CONTACT), BOOKKEEPER)
            return contact_json(contact, _FULL)

    def edit_contact(self, tenant_id: str, contact: str, body: Json) -> Json:
        """Change a contact."""
        with self._books(tenant_id) as ledger:
            element = read_element(body, fields.CONTACT)
            changed = update_contact(ledger, _contact(ledger, contact), element, BOOKKEEPER)
            return contact_json(changed, _FULL)

    def rename_contact(self, tenant_id: str, contact: str, name: str) -> Json:
        """Give a contact another name."""
        return self.edit_contact(tenant_id, contact, {"Name": name})

    def set_contact_website(self, tenant_id: str, contact: str, website: str) -> Json:
        """Set a contact's website. A bad one makes every later change of the contact fail."""
        return self._replace_contact(tenant_id, contact, "updated", website=website)

    def archive_contact(self, tenant_id: str, contact: str) -> Json:
        """Archive a contact; its name is free again, its number is not."""
        return self._replace_contact(tenant_id, contact, "archived", status="ARCHIVED")

    def restore_contact(self, tenant_id: str, contact: str) -> Json:
        """Bring an archived contact back: the API can't do this."""
        return self._replace_contact(tenant_id, contact, "restored", status="ACTIVE")

    def merge_contacts(self, tenant_id: str, source: str, target: str) -> Json:
        """Merge `source` into `target`: its documents move, and it is archived. Answers the source."""
        with self._books(tenant_id) as ledger:
            old, new = _contact(ledger, source), _contact(ledger, target)
            for table in (ledger.invoices, ledger.credit_notes):
                for document in [row for row in table.values() if row.contact_id == old.contact_id]:
                    moved = replace(document, contact_id=new.contact_id, updated_at=ledger.clock.now())
                    ledger.save(moved, BOOKKEEPER, "moved to another contact")
            merged = replace(old, status="ARCHIVED", merged_to=new.contact_id, updated_at=ledger.clock.now())
            ledger.save(merged, BOOKKEEPER, "merged")
            return contact_json(merged, _FULL)

    def create_invoice(self, tenant_id: str, body: Json) -> Json:
        """Write an invoice by hand."""
        with self._books(tenant_id) as ledger:
            invoice = create_invoice(ledger, read_element(body, fields.INVOICE), _WRITING)
            return invoice_json(ledger, invoice, _FULL)

    def edit_invoice(self, tenant_id: str, invoice: str, body: Json) -> Json:
        """Change an invoice."""
        with self._books(tenant_id) as ledger:
            element = read_element(body, fields.INVOICE)
            changed = update_invoice(ledger, _invoice(ledger, invoice), element, _WRITING)
            return invoice_json(ledger, changed, _FULL)

    def approve_invoice(self, tenant_id: str, invoice: str) -> Json:
        """Approve a draft."""
        return self.edit_invoice(tenant_id, invoice, {"Status": "AUTHORISED"})

    def void_invoice(self, tenant_id: str, invoice: str) -> Json:
        """Void an approved invoice without payments and credit."""
        return self.edit_invoice(tenant_id, invoice, {"Status": "VOIDED"})

    def delete_invoice(self, tenant_id: str, invoice: str) -> Json:
        """Delete a draft."""
        return self.edit_invoice(tenant_id, invoice, {"Status": "DELETED"})

    def pay_invoice(
        self,
        tenant_id: str,
        invoice: str,
        amount: Decimal | float | str | None = None,
        day: date | str | None = None,
        account: str = "090",
        reference: str = "",
    ) -> Json:
        """Record a payment, of all that is due unless `amount` says otherwise. Answers the payment."""
        with self._books(tenant_id) as ledger:
            paid = _invoice(ledger, invoice)
            element = {
                "Invoice": {"InvoiceID": paid.document_id},
                "Account": {"Code": account},
                "Amount": ledger.outstanding(paid) if amount is None else Decimal(str(amount)),
                "Date": ledger.clock.today() if day is None else _day(day),
                "Reference": reference,
            }
            payment = create_payment(ledger, element, BOOKKEEPER)
            return payment_json(ledger, payment, _FULL)

    def delete_payment(self, tenant_id: str, payment_id: str) -> Json:
        """Remove a payment."""
        with self._books(tenant_id) as ledger:
            deleted = delete_payment(ledger, _payment(ledger, payment_id), BOOKKEEPER)
            return payment_json(ledger, deleted, _FULL)

    def reconcile_payment(self, tenant_id: str, payment_id: str, *, reconciled: bool = True) -> Json:
        """Match a payment with a bank line (or undo that): it can't be deleted while matched."""
        with self._books(tenant_id) as ledger:
            payment = replace(_payment(ledger, payment_id), is_reconciled=reconciled, updated_at=ledger.clock.now())
            ledger.save(payment, BOOKKEEPER, "reconciled" if reconciled else "unreconciled")
            return payment_json(ledger, payment, _FULL)

    def create_credit_note(self, tenant_id: str, body: Json) -> Json:
        """Write a credit note by hand."""
        with self._books(tenant_id) as ledger:
            note = create_credit_note(ledger, read_element(body, fields.CREDIT_NOTE), _WRITING)
            return credit_note_json(ledger, note, _FULL)

    def edit_credit_note(self, tenant_id: str, credit_note: str, body: Json) -> Json:
        """Change a credit note; ``{"Status": "VOIDED"}`` voids it."""
        with self._books(tenant_id) as ledger:
            element = read_element(body, fields.CREDIT_NOTE)
            changed = update_credit_note(ledger, _credit_note(ledger, credit_note), element, _WRITING)
            return credit_note_json(ledger, changed, _FULL)

    def refund_credit_note(
        self,
        tenant_id: str,
        credit_note: str,
        amount: Decimal | float | str | None = None,
        day: date | str | None = None,
        account: str = "090",
    ) -> Json:
        """Pay credit back, all that is left of the note unless `amount` says otherwise. Answers the payment."""
        with self._books(tenant_id) as ledger:
            note = _credit_note(ledger, credit_note)
            element = {
                "CreditNote": {"CreditNoteID": note.document_id},
                "Account": {"Code": account},
                "Amount": ledger.outstanding(note) if amount is None else Decimal(str(amount)),
                "Date": ledger.clock.today() if day is None else _day(day),
            }
            payment = create_payment(ledger, element, BOOKKEEPER)
            return payment_json(ledger, payment, _FULL)

    def allocate_credit_note(
        self, tenant_id: str, credit_note: str, invoice: str, amount: Decimal | float | str
    ) -> Json:
        """Set credit against an invoice. Answers the allocation."""
        with self._books(tenant_id) as ledger:
            element = {
                "Invoice": {"InvoiceID": _invoice(ledger, invoice).document_id},
                "Amount": Decimal(str(amount)),
            }
            allocation = allocate(ledger, _credit_note(ledger, credit_note), element, BOOKKEEPER)
            return allocation_json(ledger, allocation)

    def remove_allocation(self, tenant_id: str, allocation_id: str) -> None:
        """Take credit off an invoice."""
        with self._books(tenant_id) as ledger:
            allocation = ledger.allocations.get(allocation_id)
            if allocation is None:
                raise ValueError(f"There is no allocation {allocation_id}.")
            remove_allocation(ledger, allocation, BOOKKEEPER)

    def archive_account(self, tenant_id: str, account: str) -> Json:
        """Archive an account of the chart."""
        return self._replace_account(tenant_id, account, "archived", status="ARCHIVED")

    def restore_account(self, tenant_id: str, account: str) -> Json:
        """Bring an archived account back."""
        return self._replace_account(tenant_id, account, "restored", status="ACTIVE")

    def rename_account(self, tenant_id: str, account: str, name: str | None = None, code: str = "") -> Json:
        """Give an account another name or another code."""
        with self._books(tenant_id) as ledger:
            old = _account(ledger, account)
            if code in ledger.account_by_code and ledger.account_by_code[code] != old.account_id:
                raise ValueError(f"Account code {code} is taken.")
        return self._replace_account(tenant_id, account, "renamed", name=name or old.name, code=code or old.code)

    def enable_payments_to_account(self, tenant_id: str, account: str, *, enabled: bool = True) -> Json:
        """Tick or clear "Enable payments to this account"."""
        return self._replace_account(tenant_id, account, "updated", enable_payments=enabled)

    def set_tax_rate_status(self, tenant_id: str, tax_type: str, status: str) -> None:
        """Make a tax rate ACTIVE, ARCHIVED or DELETED."""
        with self._books(tenant_id) as ledger:
            if tax_type not in ledger.tax_rates:
                raise ValueError(f"There is no tax rate {tax_type}.")
            rate = replace(ledger.tax_rates[tax_type], status=status)
            ledger.save(rate, BOOKKEEPER, "updated")

    def set_lock_dates(
        self, tenant_id: str, period: date | str | None = None, end_of_year: date | str | None = None
    ) -> None:
        """Close everything up to and including these days; `None` opens it."""
        with self._books(tenant_id) as ledger:
            ledger.set_organisation(
                period_lock_date=None if period is None else _day(period),
                end_of_year_lock_date=None if end_of_year is None else _day(end_of_year),
            )

    @contextmanager
    def _books(self, tenant_id: str) -> Iterator[Ledger]:
        with self._world.lock:
            ledger = self._world.ledgers.get(tenant_id)
            if ledger is None:
                raise ValueError(f"There is no tenant {tenant_id}.")
            with ledger.savepoint():
                yield ledger

    def _replace_contact(self, tenant_id: str, contact: str, action: str, **changes: Any) -> Json:
        with self._books(tenant_id) as ledger:
            changed = replace(_contact(ledger, contact), **changes, updated_at=ledger.clock.now())
            holder = ledger.contact_by_name.get(fold(changed.name), changed.contact_id)
            if changed.status == "ACTIVE" and holder != changed.contact_id:
                raise ValueError(f"The name of contact {changed.contact_id} is in use: rename it first.")
            ledger.save(changed, BOOKKEEPER, action)
            return contact_json(changed, _FULL)

    def _replace_account(self, tenant_id: str, account: str, action: str, **changes: Any) -> Json:
        with self._books(tenant_id) as ledger:
            changed = replace(_account(ledger, account), **changes, updated_at=ledger.clock.now())
            ledger.save(changed, BOOKKEEPER, action)
            return account_json(changed)


def _account(ledger: Ledger, reference: str) -> Account:
    account = ledger.account(reference)
    if account is None:
        raise ValueError(f"There is no account {reference}.")
    return account


def _contact(ledger: Ledger, reference: str) -> Contact:
    for contact_id in (
        reference.lower(),
        ledger.contact_by_number.get(fold(reference)),
        ledger.contact_by_name.get(fold(reference)),
    ):
        if contact_id in ledger.contacts:
            return ledger.contacts[contact_id]
    raise ValueError("There is no contact with this id, number or name.")


def _invoice(ledger: Ledger, reference: str) -> Invoice:
    invoice = find_invoice(ledger, reference)
    if invoice is None:
        raise ValueError(f"There is no invoice {reference}.")
    return invoice


def _credit_note(ledger: Ledger, reference: str) -> CreditNote:
    note = find_credit_note(ledger, reference)
    if note is None:
        raise ValueError(f"There is no credit note {reference}.")
    return note


def _payment(ledger: Ledger, payment_id: str) -> Payment:
    payment = ledger.payments.get(payment_id)
    if payment is None:
        raise ValueError(f"There is no payment {payment_id}.")
    return payment


def _day(day: date | str) -> date:
    parsed = day if isinstance(day, date) else parse_date(day)
    if parsed is None:
        raise ValueError(f"'{day}' is not a day: write it as 2026-01-31.")
    return parsed
