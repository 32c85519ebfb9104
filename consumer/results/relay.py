"""The relay: publishes the outbox to Kafka, in order per order, and deletes what was acknowledged.

One relay is active at a time: it holds an advisory lock with its database session, so the lock is free at once when the
process or its connection ends. A relay that was frozen loses the session after a while; thawed, it finds out at its
next word to the database. What it had handed to librdkafka by then may reach Kafka once more, as may everything that
was published just before a crash: readers tell a repetition by the id in the message, which only grows for an order.

Rows are not locked while the brokers are awaited, so an outage of Kafka holds no transaction open. A topic that can't
be written to (missing, forbidden) rests for a while, and the others go on. A message that the broker refuses for good
(too large) is set aside in the table, with the reason, and blocks nothing; its row can be put back by hand.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from threading import Event
from typing import Any, Protocol

import msgspec
import psycopg
import structlog
from psycopg import Connection

from consumer.database import connect, crash_point, is_limit, is_outage, load_queries
from consumer.results.outbox import OutboxTopic
from consumer.results.publisher import Delivery, Publication, Publisher

_QUERIES = load_queries(__file__, "relay.sql")
_LOG = structlog.get_logger()

# Any fixed number: the advisory lock of the active relay.
_LOCK = 7_102_024_012
_BATCH_ROWS = 1000
# Of a batch in memory; one row may be larger.
_BATCH_BYTES = 8_000_000
# A notification wakes the relay at once; this is for those that got lost.
_POLL_SECONDS = 1.0
# How long another relay may take to notice that the active one is gone.
_STANDBY_SECONDS = 1.0
# A session that says nothing for so long belongs to a frozen process: the database ends it, and the lock is free.
_SILENT_SESSION_SECONDS = 20
_SIGN_OF_LIFE_SECONDS = 5.0
_OUTAGE_SECONDS = 1.0
_REST_SECONDS = 5.0
# Brokers that don't answer for so long are worth a word.
_PATIENCE_SECONDS = 3.0
# Time to receive acknowledgements that are on their way when the relay is asked to stop.
_STOP_SECONDS = 5.0


class RelayMetrics(Protocol):
    """What the relay tells about itself."""

    def relay_published(self, topic: OutboxTopic, count: int) -> None:
        """`count` messages were acknowledged."""

    def relay_set_aside(self, topic: OutboxTopic) -> None:
        """One message was refused for good."""

    def relay_waits(self, reason: str | None) -> None:
        """The relay waits: for "database", "broker" or "turn" (another is active); None = it works."""


class _Row(msgspec.Struct, frozen=True):
    id: int
    topic: OutboxTopic
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, str], ...]


class Relay:
    """Publishes the outbox of the database at `url`.

    `settings` are those of `producer_settings`; `topics` says what each topic is called.
    """

    def __init__(
        self, url: str, settings: Mapping[str, Any], topics: Mapping[OutboxTopic, str], metrics: RelayMetrics
    ) -> None:
        self._url = url
        self._settings = settings
        self._topics = topics
        self._metrics = metrics
        self._resting_until: dict[OutboxTopic, float] = {}

    def run(self, stop: Event) -> None:
        """Work until `stop` is set, and return within seconds of that. Outages are waited for.

        Raises:
            psycopg.Error: the database refused a statement: a defect, or a missing migration.
        """
        while not stop.is_set():
            try:
                with connect(self._url, name="relay") as connection:
                    connection.execute(_QUERIES["end_silent_session"], {"milliseconds": _SILENT_SESSION_SECONDS * 1000})
                    if self._await_turn(connection, stop):
                        self._work(connection, stop)
            except psycopg.Error as error:
                if not is_outage(error):
                    raise
                self._metrics.relay_waits("database")
                reason = str(error) if is_limit(error) else type(error).__name__
                _LOG.warning("relay_waits_for_database", reason=reason, sqlstate=error.sqlstate)
                stop.wait(_OUTAGE_SECONDS)

    def _await_turn(self, connection: Connection[Any], stop: Event) -> bool:
        while not stop.is_set():
            row = connection.execute(_QUERIES["take_turn"], {"lock": _LOCK}).fetchone()
            if row and row[0]:
                _LOG.info("relay_active")
                return True
            self._metrics.relay_waits("turn")
            stop.wait(_STANDBY_SECONDS)
        return False

    def _work(self, connection: Connection[Any], stop: Event) -> None:
        connection.execute(_QUERIES["listen"])
        with Publisher(self._settings) as publisher:
            while not stop.is_set():
                self._metrics.relay_waits(None)
                rows = self._next_rows(connection)
                if rows:
                    self._publish(connection, publisher, rows, stop)
                else:
                    # Whatever wakes it, the table says what there is to do.
                    list(connection.notifies(timeout=_POLL_SECONDS, stop_after=1))

    def _next_rows(self, connection: Connection[Any]) -> list[_Row]:
        now = time.monotonic()
        resting = [topic.value for topic, until in self._resting_until.items() if until > now]
        wanted = {"resting": resting, "rows": _BATCH_ROWS, "bytes": _BATCH_BYTES}
        return [
            _Row(row_id, OutboxTopic(topic), key, value, tuple((name, text) for name, text in headers))
            for row_id, topic, key, value, headers in connection.execute(_QUERIES["next_rows"], wanted)
        ]

    def _publish(self, connection: Connection[Any], publisher: Publisher, rows: Sequence[_Row], stop: Event) -> None:
        crash_point("relay.before_produce")
        deliveries = publisher.publish(
            [Publication(self._topics[row.topic], row.key, row.value, row.headers) for row in rows],
            _Patience(connection, publisher, self._metrics, stop),
        )
        published = list(_published(rows, deliveries))
        crash_point("relay.before_delete")
        connection.execute(_QUERIES["delete"], {"ids": [row.id for row in published]})
        crash_point("relay.after_delete")
        for topic in {row.topic for row in published}:
            self._metrics.relay_published(topic, sum(row.topic == topic for row in published))
        failed = [(row, delivery) for row, delivery in zip(rows, deliveries, strict=True) if not delivery.acknowledged]
        self._rest({row.topic: delivery for row, delivery in failed if not delivery.refused})
        if any(delivery.refused for _, delivery in failed):
            self._publish_one_by_one(connection, publisher, rows, deliveries, stop)

    def _publish_one_by_one(
        self,
        connection: Connection[Any],
        publisher: Publisher,
        rows: Sequence[_Row],
        deliveries: Sequence[Delivery],
        stop: Event,
    ) -> None:
        if len(rows) == 1:
            self._set_aside(connection, rows[0], deliveries[0].error or "")
            return
        # A broker refuses a batch as a whole, so only a message that is refused alone is known to be the cause.
        published = {row.id for row in _published(rows, deliveries)}
        for row in rows:
            if row.id not in published and row.topic not in self._resting_until and not stop.is_set():
                self._publish(connection, publisher, [row], stop)

    def _set_aside(self, connection: Connection[Any], row: _Row, reason: str) -> None:
        connection.execute(_QUERIES["set_aside"], {"id": row.id, "reason": reason})
        self._metrics.relay_set_aside(row.topic)
        _LOG.error(
            "outbox_message_set_aside",
            outbox_id=row.id,
            topic=self._topics[row.topic],
            size_bytes=len(row.value or b""),
            reason=reason,
            fix="Allow larger messages on the topic (max.message.bytes), then set set_aside_at of the row to null.",
        )

    def _rest(self, failed: Mapping[OutboxTopic, Delivery]) -> None:
        now = time.monotonic()
        self._resting_until = {topic: until for topic, until in self._resting_until.items() if until > now}
        for topic, delivery in failed.items():
            self._resting_until[topic] = now + _REST_SECONDS
            self._metrics.relay_waits("broker")
            _LOG.warning(
                "relay_waits_for_topic",
                topic=self._topics[topic],
                reason=delivery.error,
                fix="See whether the topic exists and this service may write to it.",
            )


class _Patience:
    """Waits for the brokers as long as it takes, keeps the session alive, says so, and gives up soon after `stop`.

    Called with the seconds that the wait has lasted; says whether to go on waiting.
    """

    def __init__(self, connection: Connection[Any], publisher: Publisher, metrics: RelayMetrics, stop: Event) -> None:
        self._connection = connection
        self._publisher = publisher
        self._metrics = metrics
        self._stop = stop
        self._stopped_at: float | None = None
        self._alive_at = 0.0
        self._speak_at = _PATIENCE_SECONDS

    def __call__(self, seconds: float) -> bool:
        if self._stop.is_set():
            self._stopped_at = seconds if self._stopped_at is None else self._stopped_at
            return seconds - self._stopped_at < _STOP_SECONDS
        if seconds - self._alive_at > _SIGN_OF_LIFE_SECONDS:
            self._alive_at = seconds
            self._connection.execute(_QUERIES["sign_of_life"])
        if seconds > self._speak_at:
            self._speak_at = 2 * seconds
            self._metrics.relay_waits("broker")
            _LOG.warning("relay_waits_for_broker", seconds=round(seconds), reason=self._publisher.last_error)
        return True


def _published(rows: Sequence[_Row], deliveries: Sequence[Delivery]) -> Iterator[_Row]:
    """Yield the rows that are done with: acknowledged, and none of the same topic and key before them outstanding.

    What follows a failed message of its key is published again after it, so that the last word on an order is the
    newest.
    """
    outstanding: set[tuple[OutboxTopic, bytes]] = set()
    for row, delivery in zip(rows, deliveries, strict=True):
        place = (row.topic, row.key) if row.key is not None else None
        if delivery.acknowledged and place not in outstanding:
            yield row
        elif place is not None:
            outstanding.add(place)
