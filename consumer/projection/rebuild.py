"""The projection built afresh from the whole topic, beside the living one: compared with it, and put in its place.

The topic is read without a group and nothing is committed for one. The living projection goes on meanwhile: the last
stretch, up to where it stands by then, is read within the transaction that compares, so that both are of one moment.
"""

import logging
from collections.abc import Callable
from typing import Any

import msgspec
import psycopg
import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from psycopg import Connection, IsolationLevel, errors

from consumer.contract import Decoder, MessageDecoder
from consumer.database import connect, load_queries
from consumer.orders import OrderEvent
from consumer.projection.batch import Batch, Reader
from consumer.projection.choice import Choice, EventIdentity
from consumer.projection.claims import Claim
from consumer.projection.errors import FoldError, ProjectionError
from consumer.projection.folding import fold, load_orders
from consumer.projection.kafka import consumer_properties
from consumer.projection.metrics import NoMetrics
from consumer.projection.settings import ProjectionSettings
from consumer.projection.writer import is_refusal

_LOG = structlog.get_logger()
_LIBRDKAFKA = logging.getLogger("librdkafka")
_QUERIES = load_queries(__file__, "rebuild.sql")
_PROJECTION = load_queries(__file__, "queries.sql")
_KAFKA_SECONDS = 10.0
# So long without a message where there must be one.
_PATIENCE_SECONDS = 30.0
# Serialisation fails where the living projection writes what is being replaced; it is not done for long.
_SWAP_ATTEMPTS = 20
_METRICS = NoMetrics()


class RebuildError(ProjectionError):
    """The topic can't be read as a whole, or the rebuilt rows can't be put in place; nothing was changed."""


# Kinds of differences that a swap leaves alone.
KEPT = frozenset({"extra", "incomplete"})


class Difference(msgspec.Struct, frozen=True):
    """One order. `kind`: missing (the living projection lacks it), extra (the topic does), state, or sequence alone.

    incomplete = the topic has lost events of it that the living projection knows. It stays as it is, as extra ones do.
    """

    order_id: str
    kind: str
    living_sequence: int | None
    rebuilt_sequence: int | None


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. `unusable` events are among the dead letters; `made_due` of the `replaced` orders go to Xero.

    `begins_at`: the first offset of each partition whose beginning is gone: deleted, or past its retention.
    """

    events: int
    unusable: int
    orders: int
    differences: list[Difference]
    replaced: int = 0
    made_due: int = 0
    begins_at: dict[int, int] = {}

    @property
    def kept(self) -> int:
        """How many of the differences are no fault of the living projection's: the topic has less to tell."""
        return sum(difference.kind in KEPT for difference in self.differences)


class Rebuild:
    """Builds the projection anew; `progress` is told how many events were read, of how many."""

    def __init__(
        self,
        settings: ProjectionSettings,
        decoder: Decoder,
        messages: MessageDecoder,
        progress: Callable[[int, int], None] = lambda _read, _all: None,
        choice: Choice | None = None,
    ) -> None:
        """Rebuild all orders, or those of a `choice`."""
        self._settings = settings
        self._choice = choice
        # By decisions of before, which a rebuild honours.
        self._overruled: set[EventIdentity] = set()
        self._reader = Reader(decoder, messages, settings.orders_topic)
        self._progress = progress
        self._claims: dict[tuple[str, int], Claim] = {}
        self._begins_at: dict[int, int] = {}
        self._events = 0
        self._unusable = 0
        self._target = 0

    def run(self, *, swap: bool) -> Comparison:
        """Rebuild and compare; with `swap`, put the rebuilt rows in place where they differ.

        Raises:
            RebuildError: another one is under way, or the living projection writes too busily to be swapped.
            KafkaException: the brokers don't answer.
            psycopg.Error: the database.
        """
        settings = self._settings
        consumer = Consumer(
            {
                **consumer_properties(settings),
                "group.id": f"{settings.group_id}-rebuild",
                "client.id": "hearlink-xero-rebuild",
            },
            logger=_LIBRDKAFKA,
        )
        try:
            with connect(settings.database_url, name="rebuild") as connection:
                _take_turn(connection)
                for statement in _QUERIES["prepare"].split(";"):
                    connection.execute(statement)
                try:
                    overruled = connection.execute(_QUERIES["overruled"]).fetchall()
                    self._overruled = {EventIdentity(*row) for row in overruled}
                    self._begin(consumer, connection)
                    self._read_to(consumer, connection, _stored(connection, settings.orders_topic))
                    return self._compare(consumer, connection, swap=swap)
                finally:
                    connection.execute(_QUERIES["discard"])
                    connection.execute(_QUERIES["unlock"])
        finally:
            consumer.close()

    def _begin(self, consumer: Consumer, connection: Connection[Any]) -> None:
        topic = self._settings.orders_topic
        places = []
        for partition, next_offset in _stored(connection, topic).items():
            low, _ = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=_KAFKA_SECONDS)
            if low > 0:
                # What was before is gone; orders of which events are gone stay as they are.
                self._begins_at[partition] = low
            self._claims[topic, partition] = Claim(topic, partition, 0, low, low)
            places.append(TopicPartition(topic, partition, low))
            self._target += next_offset - low
        consumer.assign(places)

    def _read_to(self, consumer: Consumer, connection: Connection[Any], target: dict[int, int]) -> None:
        """Read each partition up to before its offset in `target`."""
        unread = {partition for partition in target if self._position(partition) < target[partition]}
        early: list[Message] = []
        while unread:
            batch = Batch()
            good: list[Message] = []
            for message in self._next(consumer):
                error, partition = message.error(), message.partition() or 0
                if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 -- its name
                    raise KafkaException(error)
                offset = message.offset() or 0
                if offset + 1 >= target.get(partition, 0):
                    unread.discard(partition)
                if error is None:
                    (good if offset < target.get(partition, 0) else early).append(message)
            self._read(good, batch)
            self._write(connection, batch)
        # What lies beyond is somebody's work still; it is asked for again should it be wanted.
        for partition in {message.partition() or 0 for message in early}:
            consumer.seek(TopicPartition(self._settings.orders_topic, partition, self._position(partition)))

    def _read(self, messages: list[Message], batch: Batch) -> None:
        if self._choice is None:
            self._reader.read(messages, self._claims, batch)
            return
        keys = self._choice.keys
        self._reader.read([message for message in messages if message.key() in keys], self._claims, batch)
        for message in messages:
            # Others are not looked into, but they are behind us.
            self._claims[message.topic() or "", message.partition() or 0].read_position = (message.offset() or 0) + 1

    def _next(self, consumer: Consumer) -> list[Message]:
        first = consumer.poll(_PATIENCE_SECONDS)
        if first is None:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "the brokers give no more messages"))  # noqa: SLF001 -- its name
        return [first, *consumer.consume(self._settings.batch_messages_max - 1, 0)]

    def _position(self, partition: int) -> int:
        return self._claims[self._settings.orders_topic, partition].read_position

    def _write(self, connection: Connection[Any], batch: Batch) -> None:
        segments = batch.segments.values()
        counting = [
            (event, origin)
            for segment in segments
            for event, origin in zip(segment.events, segment.origins, strict=True)
            if self._counts(event)
        ]
        events = [event for event, _ in counting]
        origins = [origin for _, origin in counting]
        self._events += batch.message_count
        self._unusable += sum(len(segment.letters) for segment in segments)
        self._progress(self._events, max(self._target, self._events))
        self._project(connection, events, origins)

    def _counts(self, event: OrderEvent) -> bool:
        """Whether nobody decided that another event has the sequence of `event`."""
        if not self._overruled and self._choice is None:
            return True
        identity = EventIdentity(event.order_id, event.sequence, event.event_id)
        chosen = None if self._choice is None else self._choice.counts(identity)
        return identity not in self._overruled if chosen is None else chosen

    def _project(self, connection: Connection[Any], events: list[OrderEvent], origins: list[Message]) -> None:
        """Fold and write `events`; those that fail are left out, as the living projection does it."""
        if not events:
            return
        try:
            with connection.transaction():
                connection.execute(_QUERIES["hold"])
                order_ids = sorted({event.order_id for event in events})
                orders = load_orders(connection, order_ids, lock=False)
                upsert = fold(events, origins, orders, order_ids, _METRICS)
                if upsert.written.orders:
                    connection.execute(_PROJECTION["upsert"], upsert.parameters)
        except (psycopg.Error, FoldError) as error:
            if isinstance(error, psycopg.Error) and not is_refusal(error):
                raise
            if len(events) == 1:
                self._unusable += 1
                return
            middle = len(events) // 2
            self._project(connection, events[:middle], origins[:middle])
            self._project(connection, events[middle:], origins[middle:])
        else:
            self._unusable += len(upsert.written.letters) + len(upsert.written.conflicts)

    def _compare(self, consumer: Consumer, connection: Connection[Any], *, swap: bool) -> Comparison:
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        for _ in range(_SWAP_ATTEMPTS):
            kept = {place: claim.read_position for place, claim in self._claims.items()}
            counted = (self._events, self._unusable)
            try:
                with connection.transaction():
                    self._read_to(consumer, connection, _stored(connection, self._settings.orders_topic))
                    return self._conclude(connection, swap=swap)
            except errors.SerializationFailure:
                _LOG.info("rebuild_overtaken", action="reading on, and comparing again")
                self._events, self._unusable = counted
                for (topic, partition), position in kept.items():
                    claim = self._claims[topic, partition]
                    claim.read_position, claim.last = position, None
                    consumer.seek(TopicPartition(topic, partition, position))
        raise RebuildError(
            "The living projection writes so busily that its rows can't be replaced. Try at a calmer time."
        )

    def _conclude(self, connection: Connection[Any], *, swap: bool) -> Comparison:
        scope = {"order_ids": None if self._choice is None else self._choice.order_ids}
        if self._choice is not None and self._choice.missing():
            lost = ", ".join(event.event_id for event in self._choice.missing())
            raise RebuildError(
                f"The topic doesn't hold the events any more, or they can't be used: {lost}. Keep what the orders have "
                "(dead-letters keep), and have HearLink save them again."
            )
        differences = [Difference(*row) for row in connection.execute(_QUERIES["differences"], scope).fetchall()]
        count = connection.execute(_QUERIES["count"]).fetchone()
        comparison = Comparison(
            events=self._events,
            unusable=self._unusable,
            orders=0 if count is None else int(count[0]),
            differences=differences,
            begins_at=self._begins_at,
        )
        if not swap:
            return comparison
        changed = connection.execute(_QUERIES["replace"]).fetchall()
        inserted = connection.execute(_QUERIES["insert_missing"]).rowcount
        connection.execute(_QUERIES["replace_seen"])
        connection.execute(_QUERIES["register_clinics"])
        if self._choice is not None:
            self._choice.conclude(connection, self._choice.overruled)
        connection.execute(_QUERIES["wake_sync"])
        return msgspec.structs.replace(
            comparison,
            replaced=len(changed) + inserted,
            made_due=sum(is_other for (is_other,) in changed) + inserted,
        )


def _take_turn(connection: Connection[Any]) -> None:
    row = connection.execute(_QUERIES["lock"]).fetchone()
    if row is None or not row[0]:
        raise RebuildError("Another rebuild is under way in this database. Wait for its end, then run this one again.")


def _stored(connection: Connection[Any], topic: str) -> dict[int, int]:
    """Return where the living projection stands, by partition."""
    return dict(connection.execute(_QUERIES["offsets"], {"topic": topic}).fetchall())
