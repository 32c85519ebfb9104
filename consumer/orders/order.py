"""The order as the sync, the export and the faces read it: typed, amounts as Decimal, dates as date."""

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")


class ProductCategory(StrEnum):
    """The four categories, each with its own revenue account and tax rate."""

    HEARING_AIDS = "HEARING_AIDS"
    ACCESSORIES = "ACCESSORIES"
    SERVICES = "SERVICES"
    CUSTOM_ITEMS = "CUSTOM_ITEMS"


class Address(msgspec.Struct, frozen=True):
    """A postal address; `country` is ISO 3166-1 alpha-2."""

    line1: str
    line2: str | None = None
    city: str | None = None
    region: str | None = None
    postal_code: str | None = None
    country: str | None = None


class Patient(msgspec.Struct, frozen=True):
    """The patient as last seen on this order."""

    patient_id: str
    first_name: str
    last_name: str
    email: str | None = None
    phone: str | None = None
    address: Address | None = None


class Line(msgspec.Struct, frozen=True):
    """One product sold or credited; `discount` is an amount off the whole line."""

    line_id: str
    category: ProductCategory
    description: str
    quantity: Decimal
    unit_price: Decimal
    sku: str | None = None
    discount: Decimal | None = None


class Invoice(msgspec.Struct, frozen=True):
    """The order's invoice; `total` is HearLink's own sum, tax included."""

    invoice_id: str
    number: str
    issued_on: date
    currency: str
    prices_include_tax: bool
    total: Decimal
    lines: tuple[Line, ...]
    due_on: date | None = None
    reference: str | None = None


class Payment(msgspec.Struct, frozen=True):
    """Money received for the order."""

    payment_id: str
    amount: Decimal
    paid_on: date
    method: str
    reference: str | None = None


class CreditNote(msgspec.Struct, frozen=True):
    """A credit against the order's invoice; prices include tax where the invoice's do."""

    credit_note_id: str
    number: str
    issued_on: date
    total: Decimal
    lines: tuple[Line, ...]
    reason: str | None = None


class Item(msgspec.Struct, Generic[T], frozen=True):
    """A part of the order with the sequence of the event that last wrote it.

    `value` is None where only the deletion was ever seen. The fold's own notes beside these are not read.
    """

    sequence: int
    deleted: bool
    value: T | None


class Closed(msgspec.Struct, frozen=True):
    """The order was cancelled or written off: `outcome` is CANCELLED or WRITTEN_OFF."""

    sequence: int
    outcome: str


class OrderState(msgspec.Struct, frozen=True):
    """The document in `orders.state`, as `consumer.orders.fold` writes it."""

    patient: Patient
    invoice: Item[Invoice] | None
    payments: dict[str, Item[Payment]]
    credit_notes: dict[str, Item[CreditNote]]
    closed: Closed | None


class Order(msgspec.Struct, frozen=True):
    """One order at one revision."""

    order_id: str
    organisation_id: str
    clinic_id: str
    revision: int
    state: OrderState

    @property
    def patient(self) -> Patient:
        """The patient as last seen."""
        return self.state.patient

    @property
    def invoice(self) -> Invoice | None:
        """The invoice, unless there is none or it was deleted."""
        item = self.state.invoice
        return None if item is None or item.deleted else item.value

    @property
    def payments(self) -> list[Payment]:
        """The payments that stand, by the sequence in which they were last written."""
        return _standing(self.state.payments)

    @property
    def credit_notes(self) -> list[CreditNote]:
        """The credit notes that stand, by the sequence in which they were last written."""
        return _standing(self.state.credit_notes)


_DECODER = msgspec.json.Decoder(OrderState)


def read_order(*, order_id: str, organisation_id: str, clinic_id: str, revision: int, state: bytes | str) -> Order:
    """Return the typed order of one row of the table `orders`; `state` is the JSON text of its column.

    Raises:
        msgspec.ValidationError: the document isn't in the fold's shape: a defect of ours, never a user's.
    """
    return Order(order_id, organisation_id, clinic_id, revision, _DECODER.decode(state))


def _standing(items: dict[str, Item[T]]) -> list[T]:
    ordered = sorted(items.values(), key=lambda item: item.sequence)
    return [item.value for item in ordered if item.value is not None and not item.deleted]
