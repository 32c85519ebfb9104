"""Kafka as seen from outside of the projection and the relay: topics, and messages sent by hand."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.cimpl import NewTopic

from consumer.configuration import Configuration, Topics
from consumer.operations.topic_declarations import declared_topics
from consumer.projection import Admin, LogReader, create_admin, explain
from consumer.results import producer_settings

# For a question; the brokers answer one in milliseconds.
KAFKA_SECONDS = 5.0
DELIVERY_SECONDS = 10.0
_SOON_SECONDS = 0.05
_LIBRDKAFKA = logging.getLogger("librdkafka")


class KafkaUnreachableError(Exception):
    """The brokers don't answer, or not in time. Nothing was changed, as far as we know."""


class NotDeliveredError(Exception):
    """Some messages were not acknowledged; the text says how many and why."""


class MissingTopicError(Exception):
    """Kafka doesn't have these topics; the text says what to do."""

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__(
            f"Kafka has no topic {', '.join(names)}. Create what is missing as deploy/ declares it, or for "
            "development with: hearlink-xero topics ensure"
        )


class ForbiddenTopicError(Exception):
    """Kafka doesn't let us see these topics; the text says what to do."""

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__(
            f"Kafka gives no right to the topic {', '.join(names)}. Grant it to the service's user: Describe and Read "
            "where it reads, Describe and Write where it writes."
        )


class OutgoingMessage(NamedTuple):
    """One message as Kafka takes it; without a `partition` its key decides."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    partition: int = -1


class Position(NamedTuple):
    """A place in a partition."""

    topic: str
    partition: int
    offset: int


def admin_client(configuration: Configuration) -> Admin:
    """Return a client that asks for topics."""
    return create_admin(configuration.require_kafka(), configuration.kafka_config)


def log_reader(configuration: Configuration) -> LogReader:
    """Return what looks, from outside of the group, at what lies in the logs.

    Raises:
        ConfigurationError: KAFKA_BOOTSTRAP_SERVERS is not set.
    """
    return LogReader(
        configuration.require_kafka(),
        configuration.kafka_config,
        configuration.kafka_group_id,
        answer_seconds=KAFKA_SECONDS,
    )


def existing_topics(admin: Admin, timeout_seconds: float | None = None) -> dict[str, int]:
    """Return the cluster's topics that we may see with their numbers of partitions.

    Raises:
        KafkaUnreachableError: no broker answered; the text says why, where the client knows.
    """
    try:
        listed = admin.list_topics(timeout=timeout_seconds or KAFKA_SECONDS).topics
    except KafkaException as error:
        raise KafkaUnreachableError(f"Kafka doesn't answer: {admin.why(error)}") from error
    return {name: len(topic.partitions) for name, topic in listed.items() if topic.error is None}


def see_topics(admin: Admin, names: Sequence[str], timeout_seconds: float | None = None) -> None:
    """See that the topics are there, and that we may look at them.

    Raises:
        KafkaUnreachableError: no broker answered.
        ForbiddenTopicError: we may not look at some of them.
        MissingTopicError: some of them are not there.
    """
    present = existing_topics(admin, timeout_seconds)
    missing = [name for name in names if name not in present]
    # A list of all topics leaves out what we may not see; asked by its name, it is told.
    forbidden = [name for name in missing if _is_forbidden(admin, name, timeout_seconds or KAFKA_SECONDS)]
    if forbidden:
        raise ForbiddenTopicError(forbidden)
    if missing:
        raise MissingTopicError(missing)


def require_topics(configuration: Configuration, names: Sequence[str]) -> None:
    """See that the topics are there; raises as `see_topics`."""
    see_topics(admin_client(configuration), names)


def _is_forbidden(admin: Admin, name: str, timeout_seconds: float) -> bool:
    try:
        fault = admin.list_topics(name, timeout=timeout_seconds).topics[name].error
    except KafkaException as error:
        raise KafkaUnreachableError(f"Kafka doesn't answer: {admin.why(error)}") from error
    return fault is not None and fault.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED


def ensure_topics(
    admin: Admin, topics: Topics, *, partitions: int | None = None, replicas: int = -1
) -> dict[str, bool]:
    """Create the declared topics that are missing; return for each whether it was.

    `partitions` None = as declared, `replicas` -1 = the brokers' default. With fewer than three replicas less than
    declared need be in sync: a single broker could take no message else.

    Raises:
        KafkaUnreachableError: no broker answered.
        KafkaException: the brokers refuse to create one.
    """
    present = existing_topics(admin)
    wanted = declared_topics(topics)
    missing = [
        NewTopic(topic.name, partitions or topic.partitions, replicas, config=_affordable(topic.config, replicas))
        for topic in wanted
        if topic.name not in present
    ]
    created = dict.fromkeys((topic.name for topic in wanted), False)
    if missing:
        futures = admin.create_topics(missing, operation_timeout=KAFKA_SECONDS)
        created |= {name: _created(future.result) for name, future in futures.items()}
        _await_topics(admin, created)
    return created


def watch(
    configuration: Configuration, topic: str, *, from_beginning: bool, timeout_seconds: float | None = None
) -> Iterator[Message]:
    """Yield the messages of `topic` as they come, in no group; end after `timeout_seconds` without one (None = never).

    Raises:
        KafkaUnreachableError: no broker answered.
        MissingTopicError: it isn't there.
        KafkaException: the brokers refuse.
    """
    consumer = Consumer(
        {
            **configuration.kafka_config,
            "bootstrap.servers": configuration.require_kafka(),
            "group.id": f"{configuration.kafka_group_id}-watch",
            "client.id": "hearlink-xero-watch",
            "enable.auto.commit": False,
            "allow.auto.create.topics": False,
            "fetch.wait.max.ms": 100,
        },
        logger=_LIBRDKAFKA,
    )
    try:
        start = OFFSET_BEGINNING if from_beginning else OFFSET_END
        consumer.assign([TopicPartition(topic, partition, start) for _, partition in partitions_of(consumer, [topic])])
        last_at = time.monotonic()
        while timeout_seconds is None or time.monotonic() - last_at < timeout_seconds:
            message = consumer.poll(0.2)
            if message is None:
                continue
            fault = message.error()
            if fault is not None:
                raise KafkaException(fault)
            last_at = time.monotonic()
            yield message
    finally:
        consumer.close()


def publish(
    configuration: Configuration, messages: Sequence[OutgoingMessage], timeout_seconds: float = DELIVERY_SECONDS
) -> list[Position]:
    """Publish `messages` and return where each lies now.

    Raises:
        NotDeliveredError: not all of them were acknowledged in time.
    """
    positions: dict[int, Position] = {}
    faults: list[str] = []
    away: list[str] = []
    producer = Producer(
        {
            **producer_settings(configuration.require_kafka(), configuration.kafka_config),
            "error_cb": lambda error: away.append(error.str()),
        },
        logger=_LIBRDKAFKA,
    )

    def report(index: int) -> Callable[[KafkaError | None, Any], None]:
        def settle(error: KafkaError | None, message: Any) -> None:
            if error is not None:
                faults.append(error.str())
            else:
                positions[index] = Position(message.topic(), message.partition(), message.offset())

        return settle

    until = time.monotonic() + timeout_seconds
    for index, message in enumerate(messages):
        while not _produced(producer, message, report(index)) and time.monotonic() < until:
            producer.poll(0.1)
    producer.flush(max(until - time.monotonic(), 0.0))
    if len(positions) < len(messages):
        # Before the rest is taken back, which each message then calls its fault.
        reason = faults[0] if faults else f"no answer within {timeout_seconds:.0f} s"
        if away and not faults:
            # The first of them says it best: the others repeat it, or count brokers.
            reason = f"it can't be reached ({away[0]})"
        producer.purge()
        producer.flush(1.0)
        raise NotDeliveredError(
            f"{len(messages) - len(positions)} of {len(messages)} messages were not acknowledged by Kafka: {reason}."
        )
    return [positions[index] for index in range(len(messages))]


def _produced(producer: Producer, message: OutgoingMessage, report: Callable[..., None]) -> bool:
    try:
        producer.produce(
            message.topic,
            key=message.key,
            value=message.value,
            headers=list(message.headers),
            partition=message.partition,
            on_delivery=report,
        )
    except BufferError:
        return False
    except KafkaException as error:
        report(error.args[0], None)
    return True


def _affordable(config: Mapping[str, str], replicas: int) -> dict[str, str]:
    return {name: value for name, value in config.items() if name != "min.insync.replicas" or replicas > int(value)}


def _created(result: Callable[[], object]) -> bool:
    try:
        result()
    except KafkaException as error:
        # Someone else was quicker.
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise
        return False
    return True


def _await_topics(admin: Admin, names: Iterable[str]) -> None:
    """Wait until the brokers tell of `names`: a moment after they took them in, and not before all know of it."""
    until = time.monotonic() + KAFKA_SECONDS
    while not set(names) <= existing_topics(admin).keys() and time.monotonic() < until:
        time.sleep(_SOON_SECONDS)


def partitions_of(consumer: Consumer, topics: Sequence[str]) -> list[tuple[str, int]]:
    """Return all partitions of `topics`, each as (topic, partition)."""
    found: list[tuple[str, int]] = []
    missing: list[str] = []
    for topic in topics:
        try:
            metadata = consumer.list_topics(topic, timeout=KAFKA_SECONDS).topics[topic]
        except KafkaException as error:
            raise KafkaUnreachableError(f"Kafka doesn't answer: {_said(error)}") from error
        if metadata.error is None:
            found += [(topic, partition) for partition in metadata.partitions]
        elif metadata.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            missing.append(topic)
        elif metadata.error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
            raise ForbiddenTopicError([topic])
        else:
            raise KafkaException(metadata.error)
    if missing:
        raise MissingTopicError(missing)
    return found


def _said(error: KafkaException) -> str:
    cause = error.args[0]
    return explain(cause) if isinstance(cause, KafkaError) else f"{cause}."
