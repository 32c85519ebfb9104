"""Claiming partitions: who may write which, and where each goes on.

The row of a partition holds the next offset and an epoch. A claim adds one to the epoch, which waits for an open
transaction of the former owner; from then on that owner's writes match no row.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import structlog
from confluent_kafka import Consumer, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient
from psycopg import Connection

from consumer.database import crash_point, load_queries, note_setback
from consumer.projection.errors import OffsetLostError

_QUERIES = load_queries(__file__, "queries.sql")
_LOG = structlog.get_logger()
_KAFKA_SECONDS = 10.0
# A comparison that can be done without keeps nobody waiting for long.
_COMMITTED_SECONDS = 5.0


class Watermarks(NamedTuple):
    """What the log of a partition holds: offsets from `low` to before `high`; and its topic's id, where known.

    `committed` is the next offset as the group last committed it to Kafka; None where it never did, or can't be asked.
    """

    low: int
    high: int
    topic_id: str | None
    committed: int | None = None


class LastMessage(NamedTuple):
    """A message that was read, and under which leader of its partition it was written."""

    offset: int
    leader_epoch: int


@dataclass(eq=False)
class Claim:
    """One partition, owned under `epoch`.

    `position` is the next offset as Postgres has it, `read_position` the one after the last message that was read.
    `topic_id` is the topic's when it was claimed, `last` the last message before `read_position`, each None where it
    isn't known.
    The claim is dead once the partition was revoked or lost, or a write under it matched no row; it never comes alive
    again.
    """

    topic: str
    partition: int
    epoch: int
    position: int
    read_position: int
    topic_id: str | None = None
    last: LastMessage | None = None
    # Whether `last` was seen in the log since the partition was claimed.
    is_proved: bool = False
    is_alive: bool = True
    fenced_at: float | None = field(default=None)
    # Nobody else claimed it, but Postgres no longer stands where we left it: it is to be claimed anew.
    was_moved: bool = False

    def fence(self) -> None:
        """Note that somebody else claimed the partition."""
        self.is_alive = False
        self.fenced_at = time.monotonic()

    def place(self) -> TopicPartition:
        """Return where to begin: at the last message that was read, which proves that the log is what it was."""
        if self.last is None or self.is_proved:
            return TopicPartition(self.topic, self.partition, self.position)
        # The client validates the epoch as well, whenever it learns of another leader.
        return TopicPartition(self.topic, self.partition, self.last.offset, leader_epoch=self.last.leader_epoch)

    def prove(self, first: LastMessage) -> None:
        """Look at the first message that came since the partition was claimed.

        Raises:
            OffsetLostError: it is not the last one that was read before.
        """
        if not self.is_proved and self.last is not None and first != self.last:
            raise lost(
                self,
                f"the log was cut off and filled again: the last message that was read had offset {self.last.offset} "
                f"and leader epoch {self.last.leader_epoch}, and the log has offset {first.offset} of leader epoch "
                f"{first.leader_epoch} there",
            )
        self.is_proved = True

    def follow(self, message: LastMessage) -> None:
        """Note the last message that was read.

        Raises:
            OffsetLostError: it is of an earlier leader than what came before it, which no log ever holds.
        """
        if self.last is not None and message.leader_epoch < self.last.leader_epoch:
            raise lost(self, f"the log went back from leader epoch {self.last.leader_epoch} to {message.leader_epoch}")
        self.last = message

    def move(self) -> None:
        """Note that Postgres stands elsewhere: a failover lost our last transactions, or a person moved the offset."""
        self.is_alive = False
        self.was_moved = True


class Claimer:
    """Claims partitions in Postgres and holds them against what Kafka's log has."""

    def __init__(self, admin: AdminClient, owner: str, replaceable_topic: str) -> None:
        """Messages of `replaceable_topic` may be lost without harm: it goes on where its log begins."""
        self._admin = admin
        self._owner = owner
        self._replaceable_topic = replaceable_topic

    def look(self, consumer: Consumer, partitions: list[TopicPartition]) -> dict[tuple[str, int], Watermarks]:
        """Ask Kafka what it holds of `partitions`.

        Raises:
            KafkaException: the brokers don't answer.
        """
        topic_ids = self._topic_ids({partition.topic for partition in partitions})
        committed = _committed(consumer, partitions)
        found = {}
        for partition in partitions:
            key = (partition.topic, partition.partition)
            low, high = consumer.get_watermark_offsets(partition, timeout=_KAFKA_SECONDS)
            found[key] = Watermarks(low, high, topic_ids.get(partition.topic), committed.get(key))
        return found

    def claim(
        self,
        connection: Connection[Any],
        watermarks: Mapping[tuple[str, int], Watermarks],
        *,
        after_setback: bool = False,
    ) -> dict[tuple[str, int], Claim]:
        """Claim the partitions of `watermarks`; one that no one ever claimed begins where its log does.

        `after_setback`: Postgres was seen to stand behind where we had left it. What the group committed to Kafka tells
        the same of a time in which nobody watched: it is committed after Postgres, so whatever is ahead was lost there.

        Raises:
            OffsetLostError: the log doesn't have what comes next; nothing was claimed.
            psycopg.Error: the database is away or refused.
        """
        keys = list(watermarks)
        claims = {}
        with connection.transaction():
            rows = connection.execute(
                _QUERIES["claim"],
                {
                    "owner": self._owner,
                    "topics": [topic for topic, _ in keys],
                    "partitions": [partition for _, partition in keys],
                    "first_offsets": [watermarks[key].low for key in keys],
                    "topic_ids": [watermarks[key].topic_id for key in keys],
                },
            ).fetchall()
            ahead = _ahead({(row[0], row[1]): row[2] for row in rows}, watermarks)
            if after_setback or ahead:
                note_setback(connection, "offsets" if after_setback else "group")
            for topic, partition, next_offset, epoch, topic_id, last_offset, last_leader_epoch in rows:
                log = watermarks[topic, partition]
                claim = Claim(topic, partition, epoch, next_offset, next_offset, topic_id)
                # What retention has removed can prove nothing.
                if last_offset is not None and last_offset >= log.low and not self.is_replaceable(claim):
                    claim.last = LastMessage(last_offset, last_leader_epoch)
                fault = _fault(log, next_offset, topic_id)
                if fault:
                    claim = self._begin_anew(connection, claim, log, fault)
                claims[topic, partition] = claim
        crash_point("projection.after_claim")
        if ahead and not after_setback:
            _LOG.warning(
                "postgres_is_behind_its_group",
                partitions=ahead,
                action="Postgres lost what was committed: events are read again from where it stands, and orders from "
                "before are looked up in Xero before they are sent",
            )
        return claims

    def is_replaceable(self, claim: Claim) -> bool:
        """Whether the topic of `claim` may be another one: a retry request is a doorbell, and due orders are found."""
        return claim.topic == self._replaceable_topic

    def _begin_anew(self, connection: Connection[Any], claim: Claim, log: Watermarks, fault: str) -> Claim:
        if not self.is_replaceable(claim):
            raise lost(claim, f"{fault}; the log now holds {log.low} to {log.high}")
        topic, partition = claim.topic, claim.partition
        _LOG.warning("retry_topic_begun_anew", topic=topic, partition=partition, fault=fault, next_offset=log.low)
        connection.execute(
            _QUERIES["reposition"],
            {"topic": topic, "partition": partition, "next_offset": log.low, "topic_id": log.topic_id},
        )
        return Claim(topic, partition, claim.epoch, log.low, log.low, log.topic_id)

    def _topic_ids(self, topics: set[str]) -> dict[str, str]:
        """Return the topics' ids; a broker that doesn't tell them costs that check, no more."""
        ids = {}
        try:
            answers = self._admin.describe_topics(TopicCollection(sorted(topics)), request_timeout=_KAFKA_SECONDS)
            for topic, answer in answers.items():
                ids[topic] = str(answer.result().topic_id)
        except KafkaException as error:
            _LOG.warning("topic_id_unknown", topics=sorted(topics), error=str(error))
        return ids


def lost(claim: Claim, fault: str) -> OffsetLostError:
    """Return what stops the projection where the log isn't what it was when `claim` was read up to its position."""
    return OffsetLostError(
        f"{claim.topic}[{claim.partition}]: {fault}. Events may be missing, so the projection doesn't go on by itself. "
        "Have HearLink publish the orders concerned again, or accept the gap; then write into the table "
        "partition_offset, in the partition's row, where to go on (next_offset; topic_id null where the topic is a new "
        "one), and start the consumer again."
    )


def recreated(claim: Claim) -> str:
    """Return what is wrong where the topic of `claim` has another id by now."""
    return f"the topic was deleted and created anew (its id was {claim.topic_id})"


def _committed(consumer: Consumer, partitions: list[TopicPartition]) -> dict[tuple[str, int], int]:
    """Return what the group committed; brokers that don't tell it cost that comparison, no more."""
    try:
        answers = consumer.committed(partitions, timeout=_COMMITTED_SECONDS)
    except KafkaException as error:
        _LOG.warning(
            "committed_offsets_unknown",
            error=str(error),
            action="going on from where Postgres stands; whether it lost something can't be told from Kafka",
        )
        return {}
    return {
        (answer.topic, answer.partition): answer.offset
        for answer in answers
        if answer.error is None and answer.offset >= 0
    }


def _ahead(stored: Mapping[tuple[str, int], int], watermarks: Mapping[tuple[str, int], Watermarks]) -> list[str]:
    """Name the partitions of which Kafka knows more commits than Postgres does, also those that are new to it."""
    return [
        f"{topic}[{partition}]@{next_offset}<{committed}"
        for (topic, partition), next_offset in stored.items()
        if (committed := watermarks[topic, partition].committed) is not None and committed > next_offset
    ]


def _fault(log: Watermarks, next_offset: int, topic_id: str | None) -> str | None:
    if topic_id is not None and log.topic_id is not None and topic_id != log.topic_id:
        return f"the topic was deleted and created anew (its id was {topic_id} and is {log.topic_id})"
    if next_offset < log.low:
        return f"the log begins at {log.low}, but {next_offset} comes next: retention removed what was not read yet"
    # An offset behind the log's end is left to the first fetch, which fails for it: the embedded broker tells an end
    # that is too low.
    return None
