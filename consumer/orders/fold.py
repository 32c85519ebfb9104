"""The fold: events of one order, in any order and repeated at will, into one state.

Each part of the state (the invoice, each payment, each credit note, the closing, the patient) remembers the sequence
of the event that last wrote it, and only a later event writes it again. So the fold gives the same state however
events are doubled or delayed, and an event that a jump had skipped still counts when it comes at last.
"""

from enum import StrEnum
from typing import Any, cast

from consumer.orders.event import ChangeKind, ImpossibleEventError, OrderEvent


class FoldOutcome(StrEnum):
    """What an event did to its order."""

    APPLIED = "applied"
    # Its predecessors were missing: applied, and the gap is remembered on the order.
    JUMPED = "jumped"
    # It fills a gap that an earlier jump left.
    LATE = "late"
    # Seen before: a redelivery. Nothing changes.
    REPEATED = "repeated"


class ProjectedOrder:
    """An order while events are folded into it; mutable, since a batch folds thousands.

    `missing` lists the gaps in the sequence as half-open ranges `[first, end)`, in order. `state` is the JSON document
    that `consumer.orders.order.OrderState` reads. `requested_revision` is the revision of the newest SyncRequested that
    this fold saw, `requested_by` its actor.
    """

    __slots__ = (
        "actor",
        "clinic_id",
        "event_id",
        "first_change_at_us",
        "missing",
        "occurred_at_us",
        "order_id",
        "organisation_id",
        "requested_revision",
        "revision",
        "sequence",
        "state",
        "trace_parent",
    )

    def __init__(self, order_id: str, organisation_id: str) -> None:
        self.order_id = order_id
        self.organisation_id = organisation_id
        self.clinic_id = ""
        self.sequence = 0
        self.missing: list[tuple[int, int]] = []
        self.revision = 0
        self.state: dict[str, Any] = {
            "patient": None,
            "invoice": None,
            "payments": {},
            "credit_notes": {},
            "closed": None,
        }
        self.event_id = ""
        self.occurred_at_us = 0
        self.first_change_at_us: int | None = None
        self.trace_parent: str | None = None
        self.requested_revision: int | None = None
        self.actor: str | None = None


def apply_event(order: ProjectedOrder, event: OrderEvent) -> FoldOutcome:
    """Fold `event` into `order` and say what it did.

    Raises:
        ImpossibleEventError: the order belongs to another organisation; `order` is unchanged.
    """
    if event.organisation_id != order.organisation_id:
        raise ImpossibleEventError(
            f"Order {event.order_id} belongs to organisation {order.organisation_id}, "
            f"but the event says {event.organisation_id}. Correct the event at its source and replay it."
        )
    sequence = event.sequence
    if sequence == order.sequence + 1:
        outcome = FoldOutcome.APPLIED
        order.sequence = sequence
    elif sequence > order.sequence:
        outcome = FoldOutcome.JUMPED
        order.missing.append((order.sequence + 1, sequence))
        order.sequence = sequence
    elif order.missing and _fill_gap(order.missing, sequence):
        outcome = FoldOutcome.LATE
    else:
        return FoldOutcome.REPEATED
    order.revision += 1
    if order.first_change_at_us is None:
        order.first_change_at_us = event.occurred_at_us
    if sequence == order.sequence:
        order.event_id = event.event_id
        order.occurred_at_us = event.occurred_at_us
        order.clinic_id = event.clinic_id
        order.actor = event.actor
        order.trace_parent = event.trace_parent
        order.state["patient"] = event.patient
    _CHANGES[event.kind](order, event)
    return outcome


def _fill_gap(missing: list[tuple[int, int]], sequence: int) -> bool:
    for index, (first, end) in enumerate(missing):
        if first <= sequence < end:
            rest = [(first, sequence), (sequence + 1, end)]
            missing[index : index + 1] = [(low, high) for low, high in rest if low < high]
            return True
    return False


def _save_invoice(order: ProjectedOrder, event: OrderEvent) -> None:
    invoice = event.change["invoice"]
    if _is_newer(order.state["invoice"], event.sequence):
        order.state["invoice"] = _item(event.sequence, value=invoice)


def _delete_invoice(order: ProjectedOrder, event: OrderEvent) -> None:
    current = order.state["invoice"]
    if not _is_newer(current, event.sequence):
        return
    if current is None:
        order.state["invoice"] = _item(event.sequence, value=None)
    elif current["value"] is None or current["value"]["invoice_id"] == event.change["invoice_id"]:
        current["deleted"] = True
        current["sequence"] = event.sequence
    # Else the order has another invoice by now, and the one that was deleted is no part of it any more.


def _save_payment(order: ProjectedOrder, event: OrderEvent) -> None:
    payment = event.change["payment"]
    _save_entry(order.state["payments"], payment["payment_id"], event.sequence, payment)


def _delete_payment(order: ProjectedOrder, event: OrderEvent) -> None:
    _delete_entry(order.state["payments"], event.change["payment_id"], event.sequence)


def _save_credit_note(order: ProjectedOrder, event: OrderEvent) -> None:
    note = event.change["credit_note"]
    _save_entry(order.state["credit_notes"], note["credit_note_id"], event.sequence, note)


def _delete_credit_note(order: ProjectedOrder, event: OrderEvent) -> None:
    _delete_entry(order.state["credit_notes"], event.change["credit_note_id"], event.sequence)


def _close(order: ProjectedOrder, event: OrderEvent) -> None:
    if _is_newer(order.state["closed"], event.sequence):
        order.state["closed"] = {"sequence": event.sequence, "outcome": event.change["outcome"]}


def _request_sync(order: ProjectedOrder, event: OrderEvent) -> None:
    order.requested_revision = order.revision
    order.actor = event.actor


def _save_entry(entries: dict[str, Any], key: str, sequence: int, value: dict[str, Any]) -> None:
    if _is_newer(entries.get(key), sequence):
        entries[key] = _item(sequence, value=value)


def _delete_entry(entries: dict[str, Any], key: str, sequence: int) -> None:
    current = entries.get(key)
    if current is None:
        entries[key] = _item(sequence, value=None)
    elif _is_newer(current, sequence):
        # What was deleted stays readable: people ask what it was.
        current["deleted"] = True
        current["sequence"] = sequence


def _is_newer(current: dict[str, Any] | None, sequence: int) -> bool:
    return current is None or cast("int", current["sequence"]) < sequence


def _item(sequence: int, *, value: dict[str, Any] | None) -> dict[str, Any]:
    return {"sequence": sequence, "deleted": value is None, "value": value}


_CHANGES = {
    ChangeKind.INVOICE_SAVED: _save_invoice,
    ChangeKind.INVOICE_DELETED: _delete_invoice,
    ChangeKind.PAYMENT_SAVED: _save_payment,
    ChangeKind.PAYMENT_DELETED: _delete_payment,
    ChangeKind.CREDIT_NOTE_SAVED: _save_credit_note,
    ChangeKind.CREDIT_NOTE_DELETED: _delete_credit_note,
    ChangeKind.ORDER_CLOSED: _close,
    ChangeKind.SYNC_REQUESTED: _request_sync,
}
