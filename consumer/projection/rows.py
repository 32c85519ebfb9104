"""Between the rows of the table `orders` and the order that the fold works on."""

import re
from typing import Any

import msgspec

from consumer.orders import ProjectedOrder

_RANGE = re.compile(r"\[(\d+),(\d+)\)")
_DECODE = msgspec.json.Decoder().decode


class Row(msgspec.Struct, gc=False):
    """One order as the statement `upsert` reads it. Times are microseconds since 1970."""

    order_id: str
    organisation_id: str
    clinic_id: str
    patient_id: str
    invoice_id: str | None
    invoice_number: str | None
    issued_on: str | None
    currency: str | None
    total: str | None
    sequence: int
    missing: str
    revision: int
    base_revision: int
    event_id: str
    occurred_at_us: int
    trace_parent: str | None
    state: dict[str, Any]
    requested_revision: int | None
    actor: str | None
    first_change_at_us: int | None


_ENCODE = msgspec.json.Encoder().encode


def rows_json(rows: list[Row]) -> str:
    """Return `rows` as the one parameter of the statement `upsert`."""
    return _ENCODE(rows).decode()


def to_row(order: ProjectedOrder, base_revision: int, requested_by: str | None) -> Row:
    """Return the row of `order`, whose fold began at `base_revision`; `requested_by` asked for a sync meanwhile."""
    state = order.state
    item = state["invoice"]
    invoice = (item["value"] if item is not None else None) or _NO_INVOICE
    missing = order.missing
    return Row(
        order.order_id,
        order.organisation_id,
        order.clinic_id,
        state["patient"]["patient_id"],
        invoice["invoice_id"],
        invoice["number"],
        invoice["issued_on"],
        invoice["currency"],
        invoice["total"],
        order.sequence,
        "{}" if not missing else "{" + ",".join(f"[{first},{end})" for first, end in missing) + "}",
        order.revision,
        base_revision,
        order.event_id,
        order.occurred_at_us,
        order.trace_parent,
        state,
        order.requested_revision,
        order.actor if order.requested_revision is None else requested_by,
        order.first_change_at_us,
    )


_NO_INVOICE: dict[str, Any] = {
    "invoice_id": None,
    "number": None,
    "issued_on": None,
    "currency": None,
    "total": None,
}


def from_row(row: tuple[Any, ...]) -> ProjectedOrder:
    """Return the order of one row of the statement `load`."""
    order = ProjectedOrder(row[0], row[1])
    (
        _,
        _,
        order.clinic_id,
        order.sequence,
        missing,
        order.revision,
        order.event_id,
        order.occurred_at_us,
        order.trace_parent,
        order.actor,
        state,
    ) = row
    order.state = _DECODE(state)
    if missing != "{}":
        order.missing = [(int(first), int(end)) for first, end in _RANGE.findall(missing)]
    return order
