"""Between the rows of the table `orders` and the order that the fold works on."""

import re
from typing import Any, NamedTuple

import msgspec

from consumer.orders import ProjectedOrder, SeenEvents

_RANGE = re.compile(r"\[(\d+),(\d+)\)")
_DECODE = msgspec.json.Decoder().decode


_ENCODE = msgspec.json.Encoder().encode


class Folded(NamedTuple):
    """An order after the fold: what it began with, and who asked for a sync meanwhile."""

    order: ProjectedOrder
    base_revision: int
    requested_by: str | None


def columns(folded: list[Folded]) -> dict[str, list[Any]]:
    """Return `folded` as the arrays that the statement `upsert` reads: one for each column, times in microseconds."""
    orders = [row.order for row in folded]
    return {
        "order_ids": [order.order_id for order in orders],
        "organisation_ids": [order.organisation_id for order in orders],
        "clinic_ids": [order.clinic_id for order in orders],
        "sequences": [order.sequence for order in orders],
        "seen": [order.seen.stored() for order in orders],
        "missing": [_ranges(order.missing) if order.missing else "{}" for order in orders],
        "revisions": [order.revision for order in orders],
        "base_revisions": [row.base_revision for row in folded],
        "event_ids": [order.event_id for order in orders],
        "occurred_at_us": [order.occurred_at_us for order in orders],
        "trace_parents": [order.trace_parent for order in orders],
        "requested_revisions": [order.requested_revision for order in orders],
        "actors": [row.order.actor if row.order.requested_revision is None else row.requested_by for row in folded],
        "first_change_at_us": [order.first_change_at_us for order in orders],
        "states": [_ENCODE(order.state).decode() for order in orders],
    }


def _ranges(missing: list[tuple[int, int]]) -> str:
    return "{" + ",".join(f"[{first},{end})" for first, end in missing) + "}"


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
        seen,
    ) = row
    order.state = _DECODE(state)
    order.seen = SeenEvents(seen)
    if not seen:
        # Written by a former version: what is known is which event came last.
        order.seen.append(order.sequence, order.event_id)
    if missing != "{}":
        order.missing = [(int(first), int(end)) for first, end in _RANGE.findall(missing)]
    return order
