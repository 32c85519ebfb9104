"""The Kafka clients' properties, every one that matters chosen here; KAFKA_CONFIG overrules them."""

import logging
from collections.abc import Callable
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from consumer.projection.client_errors import explain, is_fatal, is_told_better
from consumer.projection.errors import ClientFailedError, OffsetLostError
from consumer.projection.settings import ProjectionSettings

_LIBRDKAFKA = logging.getLogger("librdkafka")

_CONSUMER: dict[str, Any] = {
    "client.id": "hearlink-xero-projection",
    # Postgres says where to read; Kafka's commits only mirror it.
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    # An offset that the log doesn't have must be seen, never jumped over.
    "auto.offset.reset": "error",
    "allow.auto.create.topics": False,
    # A topic that the broker asked did not know yet, or new partitions, are found this soon, not after five minutes.
    "topic.metadata.refresh.interval.ms": 5_000,
    "isolation.level": "read_committed",
    # Marks of transactions are no messages: that they were passed is told by the partition's end alone.
    "enable.partition.eof": True,
    "check.crcs": True,
    # What lies ready in memory is bounded, whatever the backlog; enough for several batches.
    "queued.min.messages": 20_000,
    "queued.max.messages.kbytes": 16_384,
    # The bound is reached all the time under a backlog: look again soon, not after librdkafka's second.
    "fetch.queue.backoff.ms": 10,
    # A partition that was just assigned waits at most this long behind a fetch under way.
    "fetch.wait.max.ms": 100,
    "max.poll.interval.ms": 300_000,
    # A thousand partitions make 1 MB of them, which takes 10 ms to read.
    "statistics.interval.ms": 5_000,
}
# Only for the classic protocol: the new one (group.protocol=consumer) lets the broker decide and refuses them. It is
# not the default: Kafka before 4.0 does not have it, and with it a group waits 45 seconds for a member that was killed,
# unless its brokers say otherwise. That it notices a topic which was created anew is no reason: so does TopicWatch.
_CLASSIC: dict[str, Any] = {
    "partition.assignment.strategy": "cooperative-sticky",
    "session.timeout.ms": 6_000,
    "heartbeat.interval.ms": 500,
}
# How the client says that the log doesn't have what comes next, or not any more what came before it.
_LOST = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE, KafkaError._LOG_TRUNCATION})  # noqa: SLF001 -- their names
# What of KAFKA_CONFIG concerns every client: how to reach the brokers, and as whom.
_COMMON = (
    *("sasl.", "ssl.", "https.", "security.", "enable.ssl", "enable.sasl"),
    *("socket.", "broker.", "client.dns", "reconnect.", "debug"),
)


def consumer_properties(settings: ProjectionSettings) -> dict[str, Any]:
    """Return the properties of the projection's consumer."""
    classic = settings.kafka_config.get("group.protocol", "classic") == "classic"
    return {
        **_CONSUMER,
        **(_CLASSIC if classic else {}),
        "bootstrap.servers": settings.bootstrap_servers,
        "group.id": settings.group_id,
        **settings.kafka_config,
    }


def is_incremental(properties: dict[str, Any]) -> bool:
    """Whether assignments come as changes (cooperative, or the new protocol), not as the whole list."""
    if properties.get("group.protocol", "classic") != "classic":
        return True
    return "cooperative" in str(properties.get("partition.assignment.strategy", "range"))


def create_consumer(
    settings: ProjectionSettings, on_statistics: Callable[[str], None], on_error: Callable[[KafkaError], None]
) -> Consumer:
    """Create the consumer.

    Its log lines go to the logger `librdkafka`, its statistics (JSON) to `on_statistics`, and what it can't mend or is
    still trying to, to `on_error`.
    """
    return Consumer(
        {**consumer_properties(settings), "error_cb": on_error, "stats_cb": on_statistics}, logger=_LIBRDKAFKA
    )


class Complaints:
    """Remembers why a client can't reach the brokers: what it told its `error_cb`.

    A question that was not answered ends as "transport failure", whatever kept the brokers from answering.
    """

    def __init__(self) -> None:
        self._cause: KafkaError | None = None

    def note(self, error: KafkaError) -> None:
        """Remember `error`, unless more is known already."""
        # Others follow from it: that all brokers are down, that a connection was closed.
        if is_told_better(error) or self._cause is None or not is_told_better(self._cause):
            self._cause = error

    def why(self, error: KafkaException) -> str:
        """Return why a question failed with `error`, in words that say what to do."""
        cause = error.args[0] if self._cause is None else self._cause
        return explain(cause) if isinstance(cause, KafkaError) else f"{cause}."


class Admin(AdminClient):
    """The client that asks for topics and their offsets; it remembers why it can't reach the brokers."""

    def __init__(self, properties: dict[str, Any]) -> None:
        self._complaints = Complaints()
        callbacks: dict[str, Any] = {"error_cb": self._complaints.note}
        super().__init__(properties | callbacks, logger=_LIBRDKAFKA)

    def why(self, error: KafkaException) -> str:
        """Return why a question failed with `error`, in words that say what to do."""
        self.poll(0)
        return self._complaints.why(error)


def create_admin(bootstrap_servers: str, kafka_config: dict[str, Any]) -> Admin:
    """Create the client that asks for topics and their offsets."""
    common = {name: value for name, value in kafka_config.items() if name.startswith(_COMMON)}
    return Admin({**common, "bootstrap.servers": bootstrap_servers})


def check_error(place: str, error: KafkaError) -> None:
    """Raise what is to end the projection, if `error`, which came instead of a message of `place`, is of that kind.

    Raises:
        OffsetLostError: the log is not what it was.
        ClientFailedError: the client can't go on.
    """
    if error.code() in _LOST:
        raise OffsetLostError(
            f"{place}: the log doesn't have the offset that comes next ({error.str()}). If the log begins later, "
            "retention was quicker: start the consumer again, and it says what is missing and what to do. If the "
            "log ends earlier, or was cut off and filled again since, or is another cluster's: write into the table "
            "partition_offset, in the partition's row, where to go on (next_offset), and start the consumer again."
        )
    if is_fatal(error):
        raise ClientFailedError(explain(error))
