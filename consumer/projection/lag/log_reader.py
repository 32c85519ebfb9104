"""What lies in Kafka's logs after given offsets, seen by a client of its own that is in no group.

Each partition is read from the offset on, to its end or to a bound: only that tells messages from the markers of
transactions and from what was aborted, which the brokers' offsets count as well. What is read decides nothing but a
count, so it costs a fetch, and a quiet log an empty one.
"""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from confluent_kafka import (
    OFFSET_BEGINNING,
    TIMESTAMP_NOT_AVAILABLE,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from consumer.projection.client_errors import explain
from consumer.projection.kafka import Complaints
from consumer.projection.lag.measure import Fault, Reason, Tail

# For a question; the brokers answer one in milliseconds.
ANSWER_SECONDS = 3.0
# A tail that is longer is counted by its offsets from there on.
MESSAGES_READ_MAX = 500
# How soon somebody who wants to stop is heard.
_POLL_SECONDS = 0.2
_MILLISECONDS = 1_000
_LIBRDKAFKA = logging.getLogger("librdkafka")
_FORBIDDEN = {KafkaError.TOPIC_AUTHORIZATION_FAILED}
_GONE = {
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001 -- that is its name
    KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001 -- that is its name
}
_OFFSET_LOST = {
    KafkaError.OFFSET_OUT_OF_RANGE,
    KafkaError._AUTO_OFFSET_RESET,  # noqa: SLF001 -- that is its name
}

Place = tuple[str, int]


class TopicTail(NamedTuple):
    """What was found of one topic: each partition's tail or fault, or, where nothing was to be had, `fault` alone."""

    partitions: Mapping[int, Tail | Fault]
    fault: Fault | None = None

    @property
    def faults(self) -> list[Fault]:
        """All faults there are."""
        parts = [part for part in self.partitions.values() if isinstance(part, Fault)]
        return parts if self.fault is None else [self.fault, *parts]


@dataclass
class _Reading:
    """One partition as it is being read; `end` is where reading ended, None before it did."""

    count: int = 0
    oldest: int | None = None
    written_at: float | None = None
    last: int = -1
    end: int | None = None
    log_end: int = 0
    fault: Fault | None = None

    def take(self, message: Message) -> bool:
        """Count `message`; return whether no more is wanted."""
        offset = message.offset() or 0
        self.last = offset
        self.count += 1
        if self.oldest is None:
            kind, milliseconds = message.timestamp()
            self.oldest = offset
            self.written_at = None if kind == TIMESTAMP_NOT_AVAILABLE else milliseconds / _MILLISECONDS
        return self.count >= MESSAGES_READ_MAX


class LogReader:
    """Looks at logs; keeps its connections between two looks. For one thread."""

    def __init__(
        self,
        bootstrap_servers: str,
        kafka_config: Mapping[str, Any],
        group_id: str,
        *,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        """`group_id` is the service's own: it is never joined, but a client must name one that it has a right to."""
        self._properties = {
            **kafka_config,
            "bootstrap.servers": bootstrap_servers,
            "group.id": group_id,
            "client.id": "hearlink-xero-lag",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "enable.partition.eof": True,
            "allow.auto.create.topics": False,
            "fetch.wait.max.ms": 20,
            # Little more is wanted of a partition than is counted.
            "max.partition.fetch.bytes": 65_536,
            "queued.min.messages": MESSAGES_READ_MAX,
            "queued.max.messages.kbytes": 1_024,
            # With so short a queue the client often thinks it full, and would rest for a second.
            "fetch.queue.backoff.ms": 5,
            "statistics.interval.ms": 0,
        }
        self._answer_seconds = answer_seconds
        self._clients: dict[str, Consumer] = {}
        self._complaints = Complaints()

    def look(
        self,
        topics: Sequence[str],
        next_offsets: Mapping[Place, int],
        stop: threading.Event | None = None,
    ) -> dict[str, TopicTail]:
        """Return what lies in `topics` after `next_offsets`, by topic; a partition without one is read from its start.

        Once `stop` is set it ends soon, with what it has.

        Raises:
            KafkaException: KAFKA_CONFIG can't be used.
        """
        stop = stop or threading.Event()
        listed = self._list(topics, stop)
        starts = {
            (topic, partition): next_offsets.get((topic, partition), OFFSET_BEGINNING)
            for topic, found in listed.items()
            if not isinstance(found, Fault)
            for partition in found
        }
        committed = self._read("read_committed", starts, stop)
        # Reading ended before the log does: at the first open transaction.
        held_starts = {
            place: reading.end
            for place, reading in committed.items()
            if reading.end is not None and reading.end < reading.log_end
        }
        held = self._read("read_uncommitted", held_starts, stop) if held_starts else {}
        tails = {place: _tail(reading, held.get(place)) for place, reading in committed.items()}
        found = {
            topic: TopicTail({}, partitions)
            if isinstance(partitions, Fault)
            else TopicTail({partition: tails[topic, partition] for partition in partitions})
            for topic, partitions in listed.items()
        }
        if any(topic.faults for topic in found.values()):
            # A client says the same fault once only, and may hold on to what it knew of a topic that is gone.
            self.close()
        return found

    def close(self) -> None:
        """Close the connections; a further look opens new ones."""
        clients, self._clients = self._clients, {}
        self._complaints = Complaints()
        for client in clients.values():
            client.close()

    def _client(self, isolation_level: str) -> Consumer:
        if isolation_level not in self._clients:
            callbacks: dict[str, Any] = {"error_cb": self._complaints.note}
            self._clients[isolation_level] = Consumer(
                {**self._properties, "isolation.level": isolation_level, **callbacks}, logger=_LIBRDKAFKA
            )
        return self._clients[isolation_level]

    def _list(self, topics: Sequence[str], stop: threading.Event) -> dict[str, list[int] | Fault]:
        client = self._client("read_committed")
        found: dict[str, list[int] | Fault] = {}
        away: Fault | None = None
        for topic in topics:
            if stop.is_set():
                away = Fault(Reason.AWAY, "Nobody asked Kafka any more: this process stops.")
            if away is None:
                try:
                    metadata = client.list_topics(topic, timeout=self._answer_seconds).topics[topic]
                except KafkaException as error:
                    # Why comes as an event of its own.
                    client.poll(0)
                    away = Fault(Reason.AWAY, f"Kafka doesn't answer: {self._complaints.why(error)}")
                else:
                    found[topic] = (
                        sorted(metadata.partitions) if metadata.error is None else _fault(topic, metadata.error)
                    )
            if away is not None:
                # One silence is waited for, not one for each topic.
                found[topic] = away
        return found

    def _read(self, isolation_level: str, starts: Mapping[Place, int], stop: threading.Event) -> dict[Place, _Reading]:
        client = self._client(isolation_level)
        readings = {place: _Reading() for place in starts}
        unfinished = set(starts)
        client.assign([TopicPartition(topic, partition, offset) for (topic, partition), offset in starts.items()])
        until = time.monotonic() + self._answer_seconds
        while unfinished and not stop.is_set() and time.monotonic() < until:
            first = client.poll(_POLL_SECONDS)
            for message in [] if first is None else [first, *client.consume(MESSAGES_READ_MAX, 0)]:
                place = (message.topic() or "", message.partition() or 0)
                if place in unfinished and _is_finished(readings[place], message):
                    unfinished.discard(place)
                    _, readings[place].log_end = client.get_watermark_offsets(TopicPartition(*place), cached=True)
                    client.pause([TopicPartition(*place)])
        # A pause would outlive the assignment.
        client.resume([TopicPartition(*place) for place in starts.keys() - unfinished])
        client.unassign()
        for topic, partition in unfinished:
            readings[topic, partition].fault = Fault(
                Reason.AWAY,
                f"Kafka didn't say in time what lies in {topic}[{partition}]. Has the partition a leader?",
            )
        return readings


def _is_finished(reading: _Reading, message: Message) -> bool:
    """Note what `message`, or the event in its place, tells; return whether no more is wanted of its partition."""
    error = message.error()
    if error is None:
        return reading.take(message)
    if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 -- that is its name
        reading.end = message.offset()
        return True
    fault = _fault(f"{message.topic()}[{message.partition()}]", error)
    if fault.reason is not Reason.AWAY:
        reading.fault = fault
    # The client tries again by itself, until the time is up.
    return reading.fault is not None


def _tail(reading: _Reading, held: _Reading | None) -> Tail | Fault:
    fault = reading.fault or (held.fault if held else None)
    if fault is not None:
        return fault
    first = reading if reading.oldest is not None or held is None else held
    # The embedded broker's own count of the end is one of batches, and too low.
    ends = [part.end if part.end is not None else part.last + 1 for part in (reading, held) if part is not None]
    return Tail(
        readable=_count(reading),
        held=_count(held) if held else 0,
        end=max([reading.log_end, *ends]),
        oldest=first.oldest,
        written_at=first.written_at,
    )


def _count(reading: _Reading) -> int:
    unread = 0 if reading.end is not None else max(reading.log_end - reading.last - 1, 0)
    return reading.count + unread


def _fault(place: str, error: KafkaError) -> Fault:
    code = error.code()
    if code in _GONE:
        return Fault(
            Reason.GONE,
            f"Kafka has no topic {place}. Create what is missing as deploy/ declares it, or for development with: "
            "hearlink-xero topics ensure",
        )
    if code in _FORBIDDEN:
        return Fault(
            Reason.FORBIDDEN,
            f"Kafka gives no right to read the topic {place}. Grant Describe and Read to the service's user.",
        )
    if code in _OFFSET_LOST:
        return Fault(
            Reason.OFFSET_LOST,
            f"The log of {place} doesn't have the offset that comes next ({error.str()}): "
            "deploy/runbook/moved-offsets.md says what to do.",
        )
    return Fault(Reason.AWAY, f"Kafka says of {place}: {explain(error)}")
