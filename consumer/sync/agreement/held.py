"""What Xero holds of one order, as it was read, and what of it says by now what HearLink says."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec

from consumer.results import Operation
from consumer.sync.link import Link
from consumer.sync.planning import bodies
from consumer.sync.sighting import same_text
from consumer.xero import read_amount, read_date

Document = dict[str, Any]

_GONE_STATUSES = frozenset({"VOIDED", "DELETED"})


class Agreed(msgspec.Struct, frozen=True):
    """One document on which both sides agree by now: the link that says so, and the row of the log.

    `xero_id` is the document that the log shows.
    """

    link: Link
    operation: Operation
    message: str
    xero_id: str | None = None


class Held(msgspec.Struct, frozen=True):
    """Xero's documents of one order, as they were read.

    `invoice_id` is the order's invoice. `invoices` are it and those that the order's payments stood on before,
    `payments` all that stand on any of them, `notes` the order's credit notes and others on its invoice.
    """

    invoice_id: str
    invoices: tuple[Document, ...] = ()
    payments: tuple[Document, ...] = ()
    notes: tuple[Document, ...] = ()

    @property
    def invoice(self) -> Document | None:
        """The order's invoice, None where Xero does not know it."""
        return next((one for one in self.invoices if same_text(one.get("InvoiceID"), self.invoice_id)), None)

    def knows_invoice(self, invoice_id: Any) -> bool:
        """Whether the payments on this invoice were read."""
        return any(same_text(one.get("InvoiceID"), invoice_id) for one in self.invoices)

    def has_payment(self, payment_id: str | None) -> bool:
        """Whether the payment stands."""
        return any(same_text(one.get("PaymentID"), payment_id) for one in self.payments)

    def payments_on_invoice(self) -> Iterator[Document]:
        """The payments that stand on the order's invoice."""
        for one in self.payments:
            if same_text((one.get("Invoice") or {}).get("InvoiceID"), self.invoice_id):
                yield one

    def note(self, note_id: str | None) -> Document | None:
        """Return the credit note of this id, None where it was not found."""
        return next((one for one in self.notes if same_text(one.get("CreditNoteID"), note_id)), None)

    def credit_on_invoice(self, note: Document) -> Decimal:
        """Return how much of `note` is allocated to the order's invoice."""
        amounts = [
            read_amount(entry.get("Amount"))
            for entry in note.get("Allocations") or ()
            if isinstance(entry, dict)
            and not entry.get("IsDeleted")
            and same_text((entry.get("Invoice") or {}).get("InvoiceID"), self.invoice_id)
        ]
        return bodies.cents(sum(amounts, Decimal(0)))


def is_gone(document: Document) -> bool:
    """Whether people voided or deleted it."""
    return document.get("Status") in _GONE_STATUSES


def amount_of(document: Document, field: str) -> Decimal:
    """Return an amount to the cent; ValueError: it is none."""
    return bodies.cents(read_amount(document.get(field)))


def day_of(document: Document) -> str:
    """Return the day of a document as HearLink writes it, "" where Xero tells none."""
    day = read_date(document.get("Date"))
    return "" if day is None else day.isoformat()
