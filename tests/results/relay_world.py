"""A relay in a thread, messages to give to it, and what it made of them."""

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, TopicPartition
from psycopg import Connection

from consumer.results import OutboxMessage, OutboxTopic, Relay, unpublished_count
from consumer.sandbox.broker import Broker
from tests.fixtures.kafka import DEFAULT_PARTITIONS

DEADLINE_SECONDS = 60.0
Topics = Mapping[OutboxTopic, str]


class Metrics:
    """Remembers what the relay told."""

    def __init__(self) -> None:
        self.published: Counter[OutboxTopic] = Counter()
        self.set_aside: Counter[OutboxTopic] = Counter()
        self.waits: list[str | None] = []

    def relay_published(self, topic: OutboxTopic, count: int) -> None:
        self.published[topic] += count

    def relay_set_aside(self, topic: OutboxTopic) -> None:
        self.set_aside[topic] += 1

    def relay_waits(self, reason: str | None) -> None:
        self.waits.append(reason)


@contextmanager
def running(url: str, settings: Mapping[str, Any], topics: Topics) -> Iterator[Metrics]:
    """Run a relay in a thread until the block ends."""
    metrics = Metrics()
    stop = threading.Event()
    failures: list[BaseException] = []

    def run() -> None:
        try:
            Relay(url, settings, topics, metrics).run(stop)
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread below.
            failures.append(error)

    thread = threading.Thread(target=run, name="relay")
    thread.start()
    try:
        yield metrics
    finally:
        stop.set()
        thread.join(timeout=DEADLINE_SECONDS)
    assert not thread.is_alive()
    assert failures == []


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "this should have happened by now"
        time.sleep(0.02)


def drained(connection: Connection[Any]) -> Callable[[], bool]:
    return lambda: unpublished_count(connection) == 0


def read(kafka: Broker, topic: str) -> list[Message]:
    """Return all that is in `topic`, in order within each partition."""
    consumer = Consumer(
        {
            "bootstrap.servers": kafka.bootstrap_servers,
            "group.id": f"test-{uuid.uuid4().hex}",
            "enable.partition.eof": True,
            # An empty partition is answered at once.
            "fetch.wait.max.ms": 10,
            **kafka.client_config,
        }
    )
    messages: list[Message] = []
    unread = set(range(DEFAULT_PARTITIONS))
    try:
        consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in unread])
        deadline = time.monotonic() + DEADLINE_SECONDS
        while unread:
            assert time.monotonic() < deadline, "the topic could not be read"
            message = consumer.poll(1.0)
            if message is None:
                continue
            error = message.error()
            if error is None:
                messages.append(message)
            else:
                assert error.code() == KafkaError._PARTITION_EOF
                unread.discard(message.partition() or 0)
    finally:
        consumer.close()
    return messages


def numbered(
    count: int, *, keys: int = 5, topic: OutboxTopic = OutboxTopic.SYNC_LOG, start: int = 0
) -> list[OutboxMessage]:
    return [
        OutboxMessage(topic, f"order-{number % keys}".encode(), str(number).encode())
        for number in range(start, start + count)
    ]


def by_key(messages: Sequence[Message]) -> dict[bytes, list[int]]:
    found: dict[bytes, list[int]] = {}
    for message in messages:
        key, value = message.key(), message.value()
        assert key is not None
        assert value is not None
        found.setdefault(bytes(key), []).append(int(value))
    return found


def expected(count: int, *, keys: int = 5) -> dict[bytes, list[int]]:
    return {f"order-{key}".encode(): list(range(key, count, keys)) for key in range(keys)}
