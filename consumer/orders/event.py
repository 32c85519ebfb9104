"""One event as the contract describes it, its change still a plain document: most are folded, never looked into."""

from enum import StrEnum
from typing import Any

import msgspec


class ImpossibleEventError(ValueError):
    """The event can be read but can't be true (say, a negative payment): it goes to the dead letters, never on."""


class ChangeKind(StrEnum):
    """The branches of the contract's `change` union, by their record names."""

    INVOICE_SAVED = "InvoiceSaved"
    INVOICE_DELETED = "InvoiceDeleted"
    PAYMENT_SAVED = "PaymentSaved"
    PAYMENT_DELETED = "PaymentDeleted"
    CREDIT_NOTE_SAVED = "CreditNoteSaved"
    CREDIT_NOTE_DELETED = "CreditNoteDeleted"
    ORDER_CLOSED = "OrderClosed"
    SYNC_REQUESTED = "SyncRequested"


class OrderEvent(msgspec.Struct, frozen=True, gc=False):
    """One change to one order.

    `patient` and `change` are documents in the contract's shape, with amounts as decimal strings of four places
    ("40.0000") and dates as ISO strings ("2026-01-31"), ready to be stored as JSON.
    """

    event_id: str
    organisation_id: str
    clinic_id: str
    order_id: str
    sequence: int
    occurred_at_us: int
    actor: str | None
    patient: dict[str, Any]
    kind: ChangeKind
    change: dict[str, Any]
    trace_parent: str | None = None
