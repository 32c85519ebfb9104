"""Folding ahead: the next batch is folded while Postgres still writes the one before.

It is done in good faith: orders are read without a lock, and those of the batches under way are taken from memory, as
they will be. The write compares the revision that each fold began with, so a wrong guess is noticed, and that batch
and all that were built upon it are done again under locks. That happens when another partition has the same order, or
Postgres refuses an event: next to never.
"""

import time
from collections import deque
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import Connection

from consumer.database import connect, load_queries
from consumer.orders import ProjectedOrder
from consumer.projection.batch import Batch
from consumer.projection.errors import FoldError
from consumer.projection.folding import Upsert, fold, load_orders
from consumer.projection.metrics import ProjectionMetrics

_QUERIES = load_queries(__file__, "queries.sql")

# One batch is being written, one waits for it.
_BATCHES_UNDER_WAY_MAX = 2


@dataclass
class Prepared:
    """A batch folded ahead, under the given generation of the pipeline."""

    upsert: Upsert
    generation: int


class Preparer:
    """Folds batches ahead. For one thread."""

    def __init__(self, database_url: str, metrics: ProjectionMetrics) -> None:
        self._database_url = database_url
        self._metrics = metrics
        self._under_way: deque[dict[str, ProjectedOrder]] = deque(maxlen=_BATCHES_UNDER_WAY_MAX)
        self.generation = 0
        self._connection: Connection[Any] | None = None

    def begin_anew(self, generation: int) -> None:
        """Forget the batches under way: one was not written as it was prepared. Now none is under way."""
        self._under_way.clear()
        self.generation = generation

    def prepare(self, batch: Batch) -> Prepared | None:
        """Return `batch` folded, or None where it has to be done under locks: the database is away, or refuses."""
        events = [event for segment in batch.segments.values() for event in segment.events]
        origins = [origin for segment in batch.segments.values() for origin in segment.origins]
        order_ids = sorted({event.order_id for event in events})
        try:
            orders = self._orders(order_ids)
        except psycopg.Error:
            # The writer meets the same fault, and knows what to do about it.
            self.close()
            self._under_way.clear()
            return None
        try:
            upsert = fold(events, origins, orders, order_ids, self._metrics)
        except FoldError:
            # As above: it finds out which event it is.
            self._under_way.clear()
            return None
        self._under_way.append(orders)
        return Prepared(upsert, self.generation)

    def close(self) -> None:
        """Close the connection; the next batch opens another one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _orders(self, order_ids: list[str]) -> dict[str, ProjectedOrder]:
        started = time.perf_counter()
        orders = {}
        for order_id in order_ids:
            for earlier in reversed(self._under_way):
                order = earlier.get(order_id)
                if order is not None:
                    order.first_change_at_us = None
                    order.requested_revision = None
                    orders[order_id] = order
                    break
        missing = [order_id for order_id in order_ids if order_id not in orders]
        if missing:
            if self._connection is None:
                self._connection = connect(self._database_url, name="projection preparation")
                self._connection.execute(_QUERIES["hurry"])
            orders.update(load_orders(self._connection, missing, lock=False))
        self._metrics.phase("load", time.perf_counter() - started)
        return orders
