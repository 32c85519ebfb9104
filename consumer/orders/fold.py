"""The fold: events of one order, in any order and repeated at will, into one state.

Each part of the state (the invoice, each payment, each credit note, the closing, the patient) remembers the sequence
of the event that last wrote it, and only a later event writes it again. So the fold gives the same state however
events are doubled or delayed, and an event that a jump had skipped still counts when it comes at last.

A sequence belongs to one event. Another event of the same sequence is a conflict and changes nothing: the first one
counts until a person decides otherwise.

The order's invoice is the one that was saved last, deleted where its own deletion came after that. What the fold alone
needs stands beside a part: `saved`, the sequence of the saving where the part is deleted by now; `deletions`, those of
other invoices by their ids, which may yet be saved late.
"""

from enum import StrEnum
from typing import Any, cast

from consumer.orders.event import ChangeKind, ImpossibleEventError, OrderEvent
from consumer.orders.seen import SeenEvents

# So many events of one order in a row were lost at most: an order has some dozens in its life. What is farther ahead
# has something else for a sequence (a time, the number of another table), and would make all that follows look old.
SEQUENCE_JUMP_MAX = 1_000


class FoldOutcome(StrEnum):
    """What an event did to its order."""

    APPLIED = "applied"
    # Its predecessors were missing: applied, and the gap is remembered on the order.
    JUMPED = "jumped"
    # It fills a gap that an earlier jump left.
    LATE = "late"
    # Seen before: a redelivery. Nothing changes.
    REPEATED = "repeated"
    # Another event had its sequence. Nothing changes until a person decides which of the two counts.
    CONFLICT = "conflict"


class ProjectedOrder:
    """An order while events are folded into it; mutable, since a batch folds thousands.

    `seen` tells which event had which sequence. `missing` lists the gaps in the sequence as half-open ranges
    `[first, end)`, in order. `state` is the JSON document that `consumer.orders.order.OrderState` reads.
    `requested_revision` is the revision of the newest SyncRequested that this fold saw, `requested_by` its actor.
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
        "seen",
        "sequence",
        "state",
        "trace_parent",
    )

    def __init__(self, order_id: str, organisation_id: str) -> None:
        self.order_id = order_id
        self.organisation_id = organisation_id
        self.clinic_id = ""
        self.sequence = 0
        self.seen = SeenEvents()
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
        ImpossibleEventError: the order belongs to another organisation, or the sequence is absurdly far ahead; `order`
            is unchanged.
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
        order.seen.append(sequence, event.event_id)
    elif sequence > order.sequence:
        outcome = FoldOutcome.JUMPED
        _jump(order, event)
    elif order.missing and _fill_gap(order.missing, sequence):
        outcome = FoldOutcome.LATE
        order.seen.fill(order.sequence, sequence, event.event_id)
    elif order.seen.contradicts(order.sequence, sequence, event.event_id):
        return FoldOutcome.CONFLICT
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


def _jump(order: ProjectedOrder, event: OrderEvent) -> None:
    first, sequence = order.sequence + 1, event.sequence
    if sequence - first > SEQUENCE_JUMP_MAX:
        raise ImpossibleEventError(
            f"Event {event.event_id} ({event.kind}) of order {event.order_id}: its sequence is {sequence}, and the "
            f"highest before it is {order.sequence}. More than {SEQUENCE_JUMP_MAX} events of one order are never lost. "
            "Correct the sequence at its source and publish the event again; if it is right, have the events before it "
            "published first, then replay this one."
        )
    order.missing.append((first, sequence))
    order.sequence = sequence
    order.seen.append(sequence, event.event_id, skipped=sequence - first)


def _fill_gap(missing: list[tuple[int, int]], sequence: int) -> bool:
    for index, (first, end) in enumerate(missing):
        if first <= sequence < end:
            rest = [(first, sequence), (sequence + 1, end)]
            missing[index : index + 1] = [(low, high) for low, high in rest if low < high]
            return True
    return False


def _save_invoice(order: ProjectedOrder, event: OrderEvent) -> None:
    invoice = event.change["invoice"]
    current = order.state["invoice"]
    if current is None:
        order.state["invoice"] = _item(event.sequence, value=invoice)
    elif _invoice_saved(current) < event.sequence:
        order.state["invoice"] = _replacing_invoice(current, _item(event.sequence, value=invoice))


def _replacing_invoice(former: dict[str, Any], saved: dict[str, Any]) -> dict[str, Any]:
    """Return the invoice `saved` with the deletions that were seen of it, and of others that may yet be saved late."""
    deletions = dict(former.get("deletions", ()))
    if former["deleted"] and former["value"] is not None:
        deletions[former["value"]["invoice_id"]] = former["sequence"]
    later = {invoice_id: sequence for invoice_id, sequence in deletions.items() if sequence > saved["sequence"]}
    own = later.pop(saved["value"]["invoice_id"], None)
    if own is not None:
        _mark_deleted(saved, own)
    if later:
        saved["deletions"] = later
    return saved


def _delete_invoice(order: ProjectedOrder, event: OrderEvent) -> None:
    current, invoice_id, sequence = order.state["invoice"], event.change["invoice_id"], event.sequence
    if current is None:
        order.state["invoice"] = {**_item(sequence, value=None), "deletions": {invoice_id: sequence}}
        return
    if sequence < _invoice_saved(current):
        return
    value = current["value"]
    if value is not None and value["invoice_id"] == invoice_id:
        _mark_deleted(current, sequence)
        return
    # Another invoice than the order has by now. Its saving may be late, and must not bring it back.
    if value is not None or "deletions" in current:
        deletions = current.setdefault("deletions", {})
        deletions[invoice_id] = max(sequence, deletions.get(invoice_id, 0))
    if value is None:
        current["sequence"] = max(sequence, current["sequence"])


def _invoice_saved(item: dict[str, Any]) -> int:
    """Return the sequence of the saving that an invoice comes from, 0 if none was seen."""
    # States of former versions don't tell which invoice was deleted where nothing but the deletion was seen.
    return 0 if item["value"] is None and "deletions" in item else cast("int", item.get("saved", item["sequence"]))


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
    current = entries.get(key)
    if current is None or current["sequence"] < sequence:
        entries[key] = _item(sequence, value=value)
    elif current["deleted"] and (current["value"] is None or current.get("saved", sequence) < sequence):
        # Late: it stays deleted, and this is what it was.
        entries[key] = {**current, "value": value, "saved": sequence}


def _delete_entry(entries: dict[str, Any], key: str, sequence: int) -> None:
    current = entries.get(key)
    if current is None:
        entries[key] = _item(sequence, value=None)
    else:
        _mark_deleted(current, sequence)


def _mark_deleted(item: dict[str, Any], sequence: int) -> None:
    if sequence > item["sequence"]:
        # What was deleted stays readable: people ask what it was. When it was saved tells what is older than it.
        if not item["deleted"]:
            item["saved"] = item["sequence"]
        item["deleted"] = True
        item["sequence"] = sequence


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
