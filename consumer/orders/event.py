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


class SequenceConflictError(ValueError):
    """Another event of the order has had the event's sequence: a person decides which of the two counts."""

    def __init__(self, event: "OrderEvent") -> None:
        super().__init__(
            f"Event {event.event_id} ({event.kind}) of order {event.order_id}: its sequence {event.sequence} came "
            "before with another event, so HearLink has used this number twice (was it restored from a backup?). The "
            "order stays as it was and is held until somebody decides: `dead-letters take` if this event is right, "
            "`dead-letters keep` if the first one is."
        )


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
