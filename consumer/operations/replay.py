"""Dead letters on their way back to Kafka, one by one: what the brokers refuse is told, and the others go on."""

import logging
import time
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from consumer.configuration import Configuration
from consumer.operations.kafka import DELIVERY_SECONDS, NotDeliveredError, OutgoingMessage
from consumer.results import producer_settings

# What was in a topic may go there again: how much a topic takes, its brokers know.
_BYTES_MAX = 48 * 1024 * 1024
_POLL_SECONDS = 0.05
_LIBRDKAFKA = logging.getLogger("librdkafka")


class LetterSender:
    """Sends one message at a time and waits for its acknowledgement; a context manager that leaves nothing behind."""

    def __init__(self, configuration: Configuration, timeout_seconds: float = DELIVERY_SECONDS) -> None:
        self._timeout_seconds = timeout_seconds
        self._away: list[str] = []
        self._producer = Producer(
            {
                **producer_settings(configuration.require_kafka(), configuration.kafka_config),
                "linger.ms": 0,
                "message.max.bytes": _BYTES_MAX,
                # As small as its writer may have made it: the topic's limit counts what is compressed.
                "compression.type": "gzip",
                "error_cb": self._note,
            },
            logger=_LIBRDKAFKA,
        )

    def send(self, message: OutgoingMessage) -> str | None:
        """Return None once it is acknowledged, or why the brokers refuse this one.

        Raises:
            NotDeliveredError: no answer in time, or none to be expected; it may have arrived all the same.
        """
        answers: list[KafkaError | None] = []

        def settle(error: KafkaError | None, _message: Message) -> None:
            answers.append(error)

        try:
            self._producer.produce(
                message.topic,
                key=message.key,
                value=message.value,
                headers=list(message.headers),
                partition=message.partition,
                on_delivery=settle,
            )
        except (KafkaException, BufferError) as error:
            return _explain(error.args[0])
        until = time.monotonic() + self._timeout_seconds
        while not answers and time.monotonic() < until:
            self._producer.poll(_POLL_SECONDS)
        if not answers:
            reason = f"it can't be reached ({self._away[0]})" if self._away else "no answer in time"
            raise NotDeliveredError(f"Kafka: {reason}.")
        (answer,) = answers
        if answer is not None and answer.fatal():
            raise NotDeliveredError(f"Kafka: {answer.str()}.")
        return None if answer is None else _explain(answer)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._producer.purge()
        self._producer.flush(1.0)

    def _note(self, error: KafkaError) -> None:
        self._away.append(error.str())


def _explain(error: object) -> str:
    if not isinstance(error, KafkaError):
        return str(error)
    if error.code() in {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE}:
        return "it is larger than its topic takes; raise the topic's max.message.bytes, or drop it"
    return error.str()
