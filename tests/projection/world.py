"""What the projection's tests share: a producer, projections in threads and processes, and a look into the database."""

import logging
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from consumer.contract import Decoder, Encoder, MessageDecoder, Registry, Schemas
from consumer.database import connect
from consumer.orders import ChangeKind, OrderEvent
from consumer.projection import (
    BrakeLimits,
    LogReader,
    NoMetrics,
    PartitionLag,
    Projection,
    ProjectionSettings,
    look_once,
    stored_offsets,
)
from tests.contract.samples import sample_event

_WAIT_SECONDS = 40.0
# The producer outlives the broker of a run by a moment; its complaints then are no news.
_QUIET = logging.getLogger("tests.projection.quiet")
_QUIET.addHandler(logging.NullHandler())
_QUIET.propagate = False


class CountingMetrics(NoMetrics):
    """Counts what the projection tells."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def events(self, outcome: str, count: int) -> None:
        self.counts[f"events {outcome}"] += count

    def retries(self, outcome: str, count: int) -> None:
        self.counts[f"retries {outcome}"] += count

    def batch(self, messages: int, orders: int, seconds: float) -> None:
        assert seconds > 0
        self.counts.update({"batches": 1, "messages": messages, "orders": orders})

    def fence_lost(self, partitions: int) -> None:
        self.counts["fence lost"] += partitions

    def rebalance(self, kind: str, partitions: int) -> None:
        self.counts[kind] += partitions

    def waiting(self, *, reason: str, seconds: float) -> None:
        assert seconds > 0
        self.counts[f"waiting {reason}"] += 1

    def resumed(self) -> None:
        self.counts["resumed"] += 1


class Running:
    """A projection in a thread. `failure` is what it raised."""

    def __init__(self, projection: Projection, metrics: CountingMetrics) -> None:
        self.projection = projection
        self.metrics = metrics
        self.failure: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.projection.run(self._stop)
        except BaseException as error:  # noqa: BLE001 -- the test looks at it
            self.failure = error

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(_WAIT_SECONDS)
        assert not self._thread.is_alive()

    def wait_for_end(self) -> BaseException | None:
        self._thread.join(_WAIT_SECONDS)
        assert not self._thread.is_alive()
        return self.failure


@dataclass
class World:
    bootstrap_servers: str
    database_url: str
    orders_topic: str
    retry_topic: str
    schemas: Schemas
    group_id: str = field(default_factory=lambda: f"test-{uuid.uuid4().hex[:8]}")
    kafka_config: dict[str, Any] = field(default_factory=dict)
    brake: BrakeLimits = field(default_factory=BrakeLimits)
    registry: Registry | None = None
    published: int = 0
    _producer: Producer | None = None

    def settings(self, owner: str = "test", **changes: Any) -> ProjectionSettings:
        settings = ProjectionSettings(
            database_url=self.database_url,
            bootstrap_servers=self.bootstrap_servers,
            group_id=self.group_id,
            orders_topic=self.orders_topic,
            retry_topic=self.retry_topic,
            dead_letter_topic="dead-letters",
            owner=owner,
            kafka_config=self.kafka_config,
            brake=self.brake,
        )
        return ProjectionSettings(**{**settings.__dict__, **changes})

    def projection(self, metrics: CountingMetrics, **changes: Any) -> Projection:
        return Projection(
            self.settings(**changes),
            Decoder(self.schemas, self.registry),
            MessageDecoder(self.schemas, self.registry),
            Encoder(self.schemas, self.registry),
            metrics,
        )

    @contextmanager
    def running(self, **changes: Any) -> Iterator[Running]:
        metrics = CountingMetrics()
        running = Running(self.projection(metrics, **changes), metrics)
        try:
            yield running
        finally:
            running.stop()

    def encode(self, event: OrderEvent) -> bytes:
        return Encoder(self.schemas).encode_event(self.orders_topic, event)

    def publish(self, *events: OrderEvent, partition: int | None = None) -> None:
        for event in events:
            self.send(self.encode(event), event.order_id.encode(), partition=partition)
        self.flush()
        self.published += len(events)

    def send(
        self,
        value: bytes | None,
        key: bytes | None = b"order-1",
        *,
        topic: str | None = None,
        partition: int | None = None,
        headers: list[tuple[str, str | bytes | None]] | None = None,
    ) -> None:
        if self._producer is None:
            self._producer = Producer({"bootstrap.servers": self.bootstrap_servers, "linger.ms": 2}, logger=_QUIET)
        more: dict[str, Any] = {} if partition is None else {"partition": partition}
        self._producer.produce(topic or self.orders_topic, value, key, headers=headers or [], **more)
        self._producer.poll(0)

    def delete_before(self, partition: int, offset: int) -> None:
        """Have Kafka delete the orders topic's messages before `offset`, as kafka-delete-records.sh does."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers}, logger=_QUIET)
        (done,) = admin.delete_records([TopicPartition(self.orders_topic, partition, offset)]).values()
        done.result(_WAIT_SECONDS)

    def flush(self) -> None:
        assert self._producer is not None
        assert self._producer.flush(_WAIT_SECONDS) == 0

    def rows(self, query: Any, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
        with connect(self.database_url, name="test") as connection:
            return connection.execute(query, parameters).fetchall()

    def execute(self, query: Any, parameters: list[Any] | None = None) -> None:
        with connect(self.database_url, name="test") as connection:
            connection.execute(query, parameters)

    def order(self, order_id: str = "order-1") -> dict[str, Any]:
        with connect(self.database_url, name="test") as connection:
            cursor = connection.execute("select * from orders where order_id = %s", [order_id])
            row = cursor.fetchone()
            assert row is not None, f"{order_id} is not there"
            assert cursor.description is not None
            return dict(zip([column.name for column in cursor.description], row, strict=True))

    def lag(self, topic: str | None = None) -> PartitionLag:
        """How far the projection of the orders topic, or of `topic`, is behind."""
        name = topic or self.orders_topic
        with closing(self.log_reader()) as reader, connect(self.database_url, name="test") as connection:
            return look_once(reader, [name], stored_offsets(connection, [name])).of(name)

    def log_reader(self) -> LogReader:
        return LogReader(self.bootstrap_servers, {}, self.group_id)

    def wait_until_caught_up(self) -> None:
        wait_until(lambda: self.lag() == (0, 0, 0.0, True), lambda: str(self.lag()))

    def wait_for_events(self, count: int) -> None:
        """Wait until `count` messages of the orders topic are committed to the database."""
        wait_until(lambda: self.committed() >= count, lambda: f"{self.committed()} of {count} committed")

    def committed(self) -> int:
        query = "select coalesce(sum(next_offset), 0)::bigint from partition_offset where topic = %s"
        return int(self.rows(query, [self.orders_topic])[0][0])


def wait_until(condition: Callable[[], bool], tell: Callable[[], str] = lambda: "it never came true") -> None:
    give_up = time.monotonic() + _WAIT_SECONDS
    while not condition():
        assert time.monotonic() < give_up, tell()
        time.sleep(0.02)


def event(order_id: str, sequence: int, kind: ChangeKind = ChangeKind.INVOICE_SAVED, **changes: Any) -> OrderEvent:
    """An event of its own id; `sequence` also stands in the event id."""
    fields = {"order_id": order_id, "sequence": sequence, "event_id": f"{order_id}-{sequence}", **changes}
    return msgspec.structs.replace(sample_event(kind), **fields)
