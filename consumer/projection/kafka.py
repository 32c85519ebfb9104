"""The Kafka clients' properties, every one that matters chosen here; KAFKA_CONFIG overrules them."""

import logging
from collections.abc import Callable
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaError
from confluent_kafka.admin import AdminClient

from consumer.projection.settings import ProjectionSettings

_LOG = structlog.get_logger()
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
# Only for the classic protocol: the new one (group.protocol=consumer) lets the broker decide and refuses them.
_CLASSIC: dict[str, Any] = {
    "partition.assignment.strategy": "cooperative-sticky",
    "session.timeout.ms": 6_000,
    "heartbeat.interval.ms": 500,
}
# What of KAFKA_CONFIG concerns every client: how to reach the brokers, and as whom.
_COMMON = ("sasl.", "ssl.", "security.", "socket.", "broker.", "client.dns", "enable.ssl", "reconnect.", "debug")


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


def create_consumer(settings: ProjectionSettings, on_statistics: Callable[[str], None]) -> Consumer:
    """Create the consumer; its log lines go to the logger `librdkafka`, its statistics (JSON) to `on_statistics`."""
    return Consumer(
        {**consumer_properties(settings), "error_cb": _on_error, "stats_cb": on_statistics}, logger=_LIBRDKAFKA
    )


def create_admin(bootstrap_servers: str, kafka_config: dict[str, Any]) -> AdminClient:
    """Create the client that asks for topics and their offsets."""
    common = {name: value for name, value in kafka_config.items() if name.startswith(_COMMON)}
    return AdminClient({**common, "bootstrap.servers": bootstrap_servers}, logger=_LIBRDKAFKA)


def _on_error(error: KafkaError) -> None:
    # librdkafka goes on trying by itself; what it can't mend comes as a fatal error with the messages.
    _LOG.warning("kafka_client_error", code=error.name(), error=error.str())
