"""Events into orders: load what Postgres has of them, fold, and give the columns to write."""

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Message
from psycopg import Connection

from consumer.contract import DeadLetter
from consumer.database import load_queries
from consumer.orders import ChangeKind, FoldOutcome, ImpossibleEventError, OrderEvent, ProjectedOrder, apply_event
from consumer.projection.batch import dead_letter
from consumer.projection.errors import FoldError
from consumer.projection.metrics import ProjectionMetrics
from consumer.projection.rows import Folded, columns, from_row

_QUERIES = load_queries(__file__, "queries.sql")


@dataclass
class Written:
    """What a transaction did, or will do."""

    outcomes: Counter[str] = field(default_factory=Counter)
    retries: Counter[str] = field(default_factory=Counter)
    letters: list[DeadLetter] = field(default_factory=list)
    # Events whose sequence another event of their order has, each with its message.
    conflicts: list[tuple[OrderEvent, Message]] = field(default_factory=list)
    clinics: set[tuple[str, str]] = field(default_factory=set)
    orders: int = 0
    newest_us: int = 0

    def add(self, other: "Written") -> None:
        """Add what `other` did."""
        self.outcomes += other.outcomes
        self.retries += other.retries
        self.letters += other.letters
        self.conflicts += other.conflicts
        self.clinics |= other.clinics
        self.orders += other.orders
        self.newest_us = max(self.newest_us, other.newest_us)


@dataclass
class Upsert:
    """The arrays of the statement `upsert`, and what writing them means."""

    parameters: dict[str, list[Any]]
    written: Written


def load_orders(connection: Connection[Any], order_ids: list[str], *, lock: bool) -> dict[str, ProjectedOrder]:
    """Return what Postgres has of the orders `order_ids` (sorted), locked in that order or just as they are now."""
    statement = _QUERIES["load"] if lock else _QUERIES["peek"]
    return {row[0]: from_row(row) for row in connection.execute(statement, {"order_ids": order_ids}).fetchall()}


def fold(
    events: list[OrderEvent],
    origins: list[Message],
    orders: dict[str, ProjectedOrder],
    order_ids: list[str],
    metrics: ProjectionMetrics,
) -> Upsert:
    """Fold `events` into `orders`, which has those that exist and gets the new ones.

    Raises:
        FoldError: one of them can't be folded, and nobody foresaw it. What `orders` has is of no use then.
    """
    try:
        return _fold(events, origins, orders, order_ids, metrics)
    except Exception as error:
        raise FoldError from error


def _fold(
    events: list[OrderEvent],
    origins: list[Message],
    orders: dict[str, ProjectedOrder],
    order_ids: list[str],
    metrics: ProjectionMetrics,
) -> Upsert:
    started = time.perf_counter()
    written = Written()
    base_revisions = {order_id: orders[order_id].revision for order_id in order_ids if order_id in orders}
    requested_by = _apply(events, origins, orders, written)
    folded = [
        Folded(orders[order_id], base_revisions.get(order_id, 0), requested_by.get(order_id))
        for order_id in order_ids
        if orders[order_id].first_change_at_us is not None
    ]
    written.orders = len(folded)
    written.clinics = {(row.order.organisation_id, row.order.clinic_id) for row in folded}
    upsert = Upsert(columns(folded), written)
    metrics.phase("fold", time.perf_counter() - started)
    return upsert


def _apply(
    events: list[OrderEvent], origins: list[Message], orders: dict[str, ProjectedOrder], written: Written
) -> dict[str, str | None]:
    """Apply `events`; return who asked for a sync, by order."""
    outcomes: list[str] = []
    requested_by: dict[str, str | None] = {}
    for event, origin in zip(events, origins, strict=True):
        order_id = event.order_id
        order = orders.get(order_id)
        if order is None:
            order = orders[order_id] = ProjectedOrder(order_id, event.organisation_id)
        try:
            outcome = apply_event(order, event)
        except ImpossibleEventError as error:
            outcomes.append("impossible")
            written.letters.append(dead_letter(origin, error, event=event))
            continue
        if outcome is FoldOutcome.CONFLICT:
            # Who writes them finds out whether that was decided before.
            written.conflicts.append((event, origin))
            continue
        outcomes.append(outcome)
        if event.kind is ChangeKind.SYNC_REQUESTED and outcome is not FoldOutcome.REPEATED:
            requested_by[order_id] = event.actor
        written.newest_us = max(written.newest_us, event.occurred_at_us)
    written.outcomes.update(outcomes)
    return requested_by
