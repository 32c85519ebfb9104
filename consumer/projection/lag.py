"""How far the projection is behind, for who is no consumer: the command `status`."""

from typing import Any

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]
from psycopg import Connection

from consumer.database import load_queries

_QUERIES = load_queries(__file__, "queries.sql")
_KAFKA_SECONDS = 10.0


def count_unprojected(admin: AdminClient, connection: Connection[Any], topic: str) -> int:
    """Return how many messages of `topic` are not in Postgres yet.

    Raises:
        KafkaException: the brokers don't answer, or have no such topic.
        psycopg.Error: the database is away.
    """
    metadata = admin.list_topics(topic, timeout=_KAFKA_SECONDS).topics[topic]
    if metadata.error is not None:
        raise KafkaException(metadata.error)
    stored: dict[int, int] = dict(connection.execute(_QUERIES["offsets_of_topic"], {"topic": topic}).fetchall())
    ends = _offsets(admin, topic, metadata.partitions, OffsetSpec.latest())  # type: ignore[no-untyped-call]
    new = [partition for partition in metadata.partitions if partition not in stored]
    starts: dict[int, int] = {}
    if new:
        starts = _offsets(admin, topic, new, OffsetSpec.earliest())  # type: ignore[no-untyped-call]
    return sum(max(0, end - stored.get(partition, starts.get(partition, 0))) for partition, end in ends.items())


def _offsets(admin: AdminClient, topic: str, partitions: Any, which: OffsetSpec) -> dict[int, int]:
    answers = admin.list_offsets(
        {TopicPartition(topic, partition): which for partition in partitions}, request_timeout=_KAFKA_SECONDS
    )
    return {place.partition: answer.result().offset for place, answer in answers.items()}
