"""One order as staff work on it: each method is one change, and one event."""

from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from random import Random
from typing import Any, NamedTuple
from uuid import UUID

from consumer.orders import ChangeKind, OrderEvent, ProductCategory
from consumer.sandbox.clinics.clinic import ORGANISATION_ID, SampleClinic
from consumer.sandbox.clinics.patient import SamplePatient
from consumer.sandbox.clinics.product import Product

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CENT = Decimal("0.01")
_HUNDRED = Decimal(100)


class SampleLine(NamedTuple):
    """A product sold; `discount` is an amount off the whole line."""

    product: Product
    quantity: Decimal = Decimal(1)
    discount: Decimal | None = None
    unit_price: Decimal | None = None

    @property
    def price(self) -> Decimal:
        """The unit price: the list's, unless it was agreed otherwise."""
        return self.product.unit_price if self.unit_price is None else self.unit_price


class OrderScript:
    """An order in the making. `now` is the moment of its next change, and staff may wait between two changes.

    `events` are its events so far, in sequence. Ids follow from the order's id and `rng`, so the same steps give the
    same events.
    """

    def __init__(
        self, order_id: str, clinic: SampleClinic, patient: SamplePatient, number: str, *, now: datetime, rng: Random
    ) -> None:
        self.order_id = order_id
        self.clinic = clinic
        self.patient = patient
        self.number = number
        self.now = now
        self.actor: str | None = "user-1"
        self.events: list[OrderEvent] = []
        self.total = Decimal(0)
        self._rng = rng
        self._issued_on: date | None = None
        self._due_on: date | None = None
        self._lines: list[SampleLine] = []
        self._payments = 0
        self._credit_notes = 0

    def wait(self, **duration: float) -> None:
        """Let time pass, in the words of `timedelta`."""
        self.now += timedelta(**duration)

    def save_invoice(
        self,
        lines: list[SampleLine],
        *,
        issued_on: date | None = None,
        due_days: int | None = 14,
        reference: str | None = None,
        total_off: Decimal = Decimal(0),
    ) -> None:
        """Write the invoice, or edit it: the dates then stay. `total_off` is an error in HearLink's own sum."""
        if self._issued_on is None:
            self._issued_on = issued_on or self.now.date()
            self._due_on = None if due_days is None else self._issued_on + timedelta(days=due_days)
        self._lines = lines
        self.total = self._sum(lines) + total_off
        invoice = {
            "invoice_id": f"invoice-of-{self.order_id}",
            "number": self.number,
            "issued_on": self._issued_on.isoformat(),
            "due_on": None if self._due_on is None else self._due_on.isoformat(),
            "currency": "GBP",
            "prices_include_tax": self.clinic.prices_include_tax,
            "reference": reference,
            "total": _amount(self.total),
            "lines": self._line_documents(lines),
        }
        self._add(ChangeKind.INVOICE_SAVED, {"invoice": invoice})

    def delete_invoice(self) -> None:
        """Take the invoice away."""
        self._add(ChangeKind.INVOICE_DELETED, {"invoice_id": f"invoice-of-{self.order_id}"})

    def pay(self, amount: Decimal, method: str, *, reference: str | None = None) -> str:
        """Record a payment; return its id."""
        self._payments += 1
        payment_id = f"payment-{self._payments}-of-{self.order_id}"
        self.change_payment(payment_id, amount, method, reference=reference)
        return payment_id

    def change_payment(self, payment_id: str, amount: Decimal, method: str, *, reference: str | None = None) -> None:
        """Save a payment anew with these details, as of today."""
        payment = {
            "payment_id": payment_id,
            "amount": _amount(amount),
            "paid_on": self.now.date().isoformat(),
            "method": method,
            "reference": reference,
        }
        self._add(ChangeKind.PAYMENT_SAVED, {"payment": payment})

    def delete_payment(self, payment_id: str) -> None:
        """Take a payment away."""
        self._add(ChangeKind.PAYMENT_DELETED, {"payment_id": payment_id})

    def credit(self, lines: list[SampleLine] | None = None, *, reason: str | None = None) -> str:
        """Issue a credit note, over everything unless `lines` says otherwise; return its id."""
        self._credit_notes += 1
        note_id = f"credit-note-{self._credit_notes}-of-{self.order_id}"
        credited = self._lines if lines is None else lines
        note = {
            "credit_note_id": note_id,
            "number": f"CN-{self.number}-{self._credit_notes}",
            "issued_on": self.now.date().isoformat(),
            "reason": reason,
            "total": _amount(self._sum(credited)),
            "lines": self._line_documents(credited),
        }
        self._add(ChangeKind.CREDIT_NOTE_SAVED, {"credit_note": note})
        return note_id

    def delete_credit_note(self, note_id: str) -> None:
        """Take a credit note away."""
        self._add(ChangeKind.CREDIT_NOTE_DELETED, {"credit_note_id": note_id})

    def close(self, outcome: str) -> None:
        """Close the order as CANCELLED or WRITTEN_OFF."""
        self._add(ChangeKind.ORDER_CLOSED, {"outcome": outcome})

    def request_sync(self) -> None:
        """Press "Sync to Xero"."""
        self._add(ChangeKind.SYNC_REQUESTED, {})

    def _add(self, kind: ChangeKind, change: dict[str, Any]) -> None:
        self.events.append(
            OrderEvent(
                event_id=str(UUID(int=self._rng.getrandbits(128), version=4)),
                organisation_id=ORGANISATION_ID,
                clinic_id=self.clinic.clinic_id,
                order_id=self.order_id,
                sequence=len(self.events) + 1,
                occurred_at_us=(self.now - _EPOCH) // timedelta(microseconds=1),
                actor=self.actor,
                patient=self.patient.document(),
                kind=kind,
                change=change,
            )
        )

    def _line_documents(self, lines: list[SampleLine]) -> list[dict[str, Any]]:
        return [
            {
                "line_id": f"line-{position}",
                "category": line.product.category.value,
                "description": line.product.description,
                "sku": line.product.sku,
                "quantity": _amount(line.quantity),
                "unit_price": _amount(line.price),
                "discount": None if line.discount is None else _amount(line.discount),
            }
            for position, line in enumerate(lines, start=1)
        ]

    def _sum(self, lines: list[SampleLine]) -> Decimal:
        """HearLink's own sum: each line to the cent, tax on top where prices are without."""
        total = Decimal(0)
        for line in lines:
            amount = _cents(line.quantity * line.price) - (line.discount or 0)
            percent = self.clinic.tax_percent[ProductCategory(line.product.category)]
            total += amount if self.clinic.prices_include_tax else amount + _cents(amount * percent / _HUNDRED)
        return total


def _amount(value: Decimal) -> str:
    return f"{value:.4f}"


def _cents(value: Decimal) -> Decimal:
    return value.quantize(_CENT, ROUND_HALF_UP)
