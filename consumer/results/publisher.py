"""Publishing to Kafka: in order per key, each message either acknowledged by all replicas in sync or reported."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Self

import msgspec
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from consumer.contract import PUBLISHED_BYTES_MAX
from consumer.database import crash_point

# What the broker, or librdkafka for it, says of a message that no repetition makes acceptable.
_REFUSED = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.RECORD_LIST_TOO_LARGE,
        KafkaError.INVALID_RECORD,
        KafkaError.INVALID_TIMESTAMP,
        KafkaError.POLICY_VIOLATION,
    }
)
_POLL_SECONDS = 0.1
# At the end, what was purged still has to be reported by librdkafka's threads.
_CLOSE_SECONDS = 1.0

_LOGGER = logging.getLogger("consumer.results.librdkafka")


class Publication(msgspec.Struct, frozen=True):
    """One message as Kafka takes it; `topic` is the topic's own name."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, str], ...] = ()


class Delivery(msgspec.Struct, frozen=True):
    """What became of one message: acknowledged, refused for good, or neither (yet)."""

    acknowledged: bool
    refused: bool = False
    error: str | None = None


_UNANSWERED = Delivery(acknowledged=False, error="no answer of the brokers yet")


def producer_settings(bootstrap_servers: str, further: Mapping[str, Any]) -> dict[str, Any]:
    """Return the properties of the producer: ours, then `further` (KAFKA_CONFIG), then those that order depends on."""
    return {
        "client.id": "hearlink-xero",
        "linger.ms": 5,
        "batch.num.messages": 1000,
        "compression.type": "none",
        "message.max.bytes": PUBLISHED_BYTES_MAX,
        "queue.buffering.max.messages": 100_000,
        "queue.buffering.max.kbytes": 65_536,
        # The partition that Kafka's Java clients choose, so that other producers can share the topic.
        "partitioner": "murmur2_random",
        "request.timeout.ms": 10_000,
        "socket.timeout.ms": 15_000,
        "socket.keepalive.enable": True,
        "reconnect.backoff.ms": 100,
        "reconnect.backoff.max.ms": 2_000,
        "topic.metadata.refresh.interval.ms": 30_000,
        # So long a topic may be unknown to the broker before its messages are reported.
        "topic.metadata.propagation.max.ms": 10_000,
        "allow.auto.create.topics": False,
        **further,
        "bootstrap.servers": bootstrap_servers,
        "enable.idempotence": True,
        "acks": "all",
        "retries": 2_147_483_647,
        "max.in.flight.requests.per.connection": 5,
        # 0 = for ever: who publishes decides how long to wait. A message that timed out while a later one of its key
        # went through would have to be sent again, after it.
        "message.timeout.ms": 0,
    }


class Publisher:
    """A producer and what it still owes an answer for. For one thread; a context manager that leaves nothing behind."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._settings = dict(settings)
        self._producer: Producer | None = None
        self.last_error: str | None = None

    def publish(self, messages: Sequence[Publication], keep_waiting: Callable[[float], bool]) -> list[Delivery]:
        """Publish `messages` and return what became of each, in order.

        `keep_waiting` is asked about ten times a second with the seconds that have passed; once it says no, what is
        unanswered is taken back. Such a message may still have reached the broker.
        """
        deliveries = [_UNANSWERED] * len(messages)
        unanswered = set(range(len(messages)))

        def settle(index: int, error: KafkaError | None, _message: Message | None = None) -> None:
            unanswered.discard(index)
            deliveries[index] = _delivery(error)

        started_at = time.monotonic()
        producer = self._connected()
        for index, message in enumerate(messages):
            try:
                _produce(producer, message, partial(settle, index))
            except KafkaException as error:
                settle(index, error.args[0])
        crash_point("relay.after_produce")
        while unanswered:
            producer.poll(_POLL_SECONDS)
            if unanswered and not keep_waiting(time.monotonic() - started_at):
                break
        if not all(delivery.acknowledged or delivery.refused for delivery in deliveries):
            # A producer that failed for any other reason may be beyond repair; a new one is quickly made.
            self.close()
        return deliveries

    def close(self) -> None:
        """Take back what is unanswered and let go of the connections."""
        if self._producer is not None:
            self._producer.purge()
            self._producer.flush(_CLOSE_SECONDS)
            self._producer = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _connected(self) -> Producer:
        if self._producer is None:
            self.last_error = None
            self._producer = Producer({**self._settings, "error_cb": self._note}, logger=_LOGGER)
        return self._producer

    def _note(self, error: KafkaError) -> None:
        self.last_error = error.name()


def _produce(producer: Producer, message: Publication, report: Callable[[KafkaError | None, Message], None]) -> None:
    while True:
        try:
            producer.produce(
                message.topic,
                key=message.key,
                value=message.value,
                headers=list(message.headers),
                on_delivery=report,
            )
        except BufferError:
            producer.poll(_POLL_SECONDS)
        else:
            return


def _delivery(error: KafkaError | None) -> Delivery:
    if error is None:
        return Delivery(acknowledged=True)
    return Delivery(acknowledged=False, refused=error.code() in _REFUSED, error=error.str())
