"""Retry requests: a doorbell that makes orders due. The planner then looks at the newest state; nothing is replayed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from psycopg import Connection

from consumer.database import load_queries

_QUERIES = load_queries(__file__, "retry.sql")


class Rung(msgspec.Struct, frozen=True):
    """What requests did: the orders that are due by them, and the order ids that no order has."""

    due: tuple[str, ...]
    unknown: tuple[str, ...]


class RetryRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One ring. `trigger` is "manual" for a person's request; `attempt` the count that a retry was made at."""

    order_id: str
    trigger: str = "manual"
    attempt: int | None = None
    not_before: datetime | None = None
    actor: str | None = None
    reason: str | None = None


def ring(connection: Connection[Any], requests: Sequence[RetryRequest]) -> Rung:
    """Make the orders of `requests` due, in the caller's transaction, in one statement.

    A person's request goes before all else and lifts every hold but one: an order in doubt stays so until Xero was
    looked up, and remembers the request. A plain retry only brings the time forward, and only where it is as new as
    the order's attempts. Requests commute and may be lost, doubled or late.
    """
    if not requests:
        return Rung((), ())
    rows = connection.execute(
        _QUERIES["ring"],
        {
            "order_ids": [request.order_id for request in requests],
            "manual": [request.trigger == "manual" for request in requests],
            "attempts": [request.attempt for request in requests],
            "not_before": [request.not_before for request in requests],
            "actors": [request.actor for request in requests],
        },
    ).fetchall()
    return Rung(
        due=tuple(order_id for order_id, known, changed in rows if known and changed),
        unknown=tuple(order_id for order_id, known, _ in rows if not known),
    )
