"""One partition's messages from an offset on, read beside the group: nothing is claimed, joined or committed."""

import logging
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from consumer.configuration import Configuration
from consumer.operations.kafka import KAFKA_SECONDS, KafkaUnreachableError, partitions_of
from consumer.projection import explain

_LIBRDKAFKA = logging.getLogger("librdkafka")
_BATCH = 1_000
# So long without a message, and without word that there are no more.
_PATIENCE_SECONDS = 30.0


class NoSuchPlaceError(Exception):
    """The topic has no such partition, or its log no longer has the offset; the text says what there is."""


class PartitionLog:
    """The log of one partition. For one thread; a context manager.

    Raises (on entering):
        KafkaUnreachableError: no broker answered.
        MissingTopicError, NoSuchPlaceError: it isn't there.
        ForbiddenTopicError: we may not look at it.
    """

    def __init__(self, configuration: Configuration, topic: str, partition: int) -> None:
        self._configuration = configuration
        self._topic = topic
        self._partition = partition
        self._consumer: Consumer | None = None
        # The offset after the last one that was seen: where the log ended, once `read` came to its end.
        self.end = 0

    def __enter__(self) -> Self:
        configuration = self._configuration
        self._consumer = Consumer(
            {
                **_without_group(configuration.kafka_config),
                "bootstrap.servers": configuration.require_kafka(),
                # The group is never joined; the client asks for a name all the same.
                "group.id": f"{configuration.kafka_group_id}-look",
                "client.id": "hearlink-xero-look",
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                "enable.partition.eof": True,
                "allow.auto.create.topics": False,
                "isolation.level": "read_committed",
                "fetch.wait.max.ms": 20,
            },
            logger=_LIBRDKAFKA,
        )
        try:
            self._require_partition(self._consumer)
        except BaseException:
            self._consumer.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._consumer is not None:
            self._consumer.close()

    def read(self, first_offset: int, last_offset: int | None = None) -> Iterator[Message]:
        """Yield the messages from `first_offset` to `last_offset` (None = where the log ends now), each once.

        Raises:
            NoSuchPlaceError: retention removed the offset, or the log ends before it.
            KafkaUnreachableError: the brokers went silent.
            KafkaException: they refuse.
        """
        consumer = self._consumer
        assert consumer is not None  # noqa: S101 -- whoever reads has entered
        place = TopicPartition(self._topic, self._partition, first_offset)
        low, _ = self._watermarks(consumer, place)
        if first_offset < low:
            raise NoSuchPlaceError(
                f"{self._topic}[{self._partition}] begins at offset {low}: retention removed what was before."
            )
        consumer.assign([place])
        self.end = first_offset
        heard_at = time.monotonic()
        while last_offset is None or self.end <= last_offset:
            messages = consumer.consume(_BATCH, 0.2)
            if messages:
                heard_at = time.monotonic()
            elif time.monotonic() > heard_at + _PATIENCE_SECONDS:
                raise KafkaUnreachableError(f"Kafka gives no more of {self._topic}[{self._partition}].")
            for message in messages:
                offset = message.offset() or 0
                if self._is_end(message):
                    self.end = max(self.end, offset)
                    return
                if last_offset is not None and offset > last_offset:
                    # What lies between were marks of transactions, or was compacted away.
                    self.end = offset
                    return
                self.end = offset + 1
                yield message

    def _require_partition(self, consumer: Consumer) -> None:
        count = len(partitions_of(consumer, [self._topic]))
        if self._partition >= count:
            raise NoSuchPlaceError(f"{self._topic} has no partition {self._partition}; it has 0 to {count - 1}.")

    def _is_end(self, message: Message) -> bool:
        error = message.error()
        if error is None:
            return False
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 -- that is its name
            return True
        if error.code() in {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE}:  # noqa: SLF001 -- its name
            raise NoSuchPlaceError(f"{self._topic}[{self._partition}] ends before that offset.")
        raise KafkaException(error)

    def _watermarks(self, consumer: Consumer, place: TopicPartition) -> tuple[int, int]:
        try:
            low, high = consumer.get_watermark_offsets(place, timeout=KAFKA_SECONDS)
        except KafkaException as error:
            raise KafkaUnreachableError(f"Kafka doesn't answer: {explain(error.args[0])}") from error
        return low, high


def _without_group(kafka_config: dict[str, Any]) -> dict[str, Any]:
    """Return the properties without a member's own name: a second one of it would throw the first one out."""
    return {name: value for name, value in kafka_config.items() if name != "group.instance.id"}
