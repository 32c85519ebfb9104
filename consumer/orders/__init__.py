"""HearLink's orders: events, the state they fold into, and the order as the sync reads it. Pure: no I/O, no clock."""

from consumer.orders.event import ChangeKind, ImpossibleEventError, OrderEvent, SequenceConflictError
from consumer.orders.fold import SEQUENCE_JUMP_MAX, FoldOutcome, ProjectedOrder, apply_event
from consumer.orders.order import (
    Address,
    CreditNote,
    Invoice,
    Item,
    Line,
    Order,
    OrderState,
    Patient,
    Payment,
    ProductCategory,
    read_order,
)
from consumer.orders.seen import SeenEvents

__all__ = [
    "SEQUENCE_JUMP_MAX",
    "Address",
    "ChangeKind",
    "CreditNote",
    "FoldOutcome",
    "ImpossibleEventError",
    "Invoice",
    "Item",
    "Line",
    "Order",
    "OrderEvent",
    "OrderState",
    "Patient",
    "Payment",
    "ProductCategory",
    "ProjectedOrder",
    "SeenEvents",
    "SequenceConflictError",
    "apply_event",
    "read_order",
]
