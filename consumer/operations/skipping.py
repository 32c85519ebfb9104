"""Letting bad messages through that stopped the projection: looked at first, then released by a person, on record.

No offset is moved. The projection reads the range as always: what is good is projected, what is bad goes to the dead
letters, and the brake does not count it. So it does not matter who has the partition meanwhile, if anybody.
"""

from collections.abc import Iterable
from typing import Any

import msgspec
from psycopg import Connection

from consumer.configuration import Configuration
from consumer.contract import DeadLetter, RetryRequest
from consumer.database import load_queries
from consumer.operations.partition_log import NoSuchPlaceError, PartitionLog
from consumer.projection import (
    Cause,
    Causes,
    Position,
    Reader,
    Span,
    StandingStop,
    read_position,
    release,
    standing_stops,
)

_QUERIES = load_queries(__file__, "skipping.sql")


class NotToBeSkippedError(Exception):
    """Nothing was released; the text says why, and what can be."""


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """What lies between two offsets, both included. What only the database can refuse counts as usable here.

    `first_bad` and `last_bad` are None where nothing is bad.
    """

    topic: str
    partition: int
    first_offset: int
    last_offset: int
    usable: int
    bad: int
    first_bad: int | None
    last_bad: int | None
    causes: list[Cause]

    @property
    def span(self) -> Span:
        """The stretch that was looked at."""
        return Span(self.topic, self.partition, self.first_offset, self.last_offset)


def find_stop(
    connection: Connection[Any], topic: str, partition: int, first_offset: int, last_offset: int | None
) -> tuple[Position, StandingStop]:
    """Return where the projection stands, and the stop that the range begins in or before.

    Raises:
        NotToBeSkippedError: there is none, or the projection is past the range.
    """
    place = f"{topic}[{partition}]"
    position = read_position(connection, topic, partition)
    if position is None:
        raise NotToBeSkippedError(f"Nobody ever read {place}, so nothing stopped there.")
    if last_offset is not None and last_offset < position.next_offset:
        raise NotToBeSkippedError(
            f"{place}: the service is past offset {last_offset} and reads on from {position.next_offset}. What was bad "
            "before is among the dead letters: hearlink-xero dead-letters list"
        )
    stops = standing_stops(connection, topic)
    met = [
        stop
        for stop in stops
        if stop.span.partition == partition
        and first_offset <= stop.span.last_offset
        and (last_offset is None or last_offset >= max(stop.span.first_offset, position.next_offset))
    ]
    if not met:
        raise NotToBeSkippedError(
            f"{place}: nothing between these offsets stopped the service, so there is nothing to let through. "
            f"{_told(stops)}"
        )
    return position, met[0]


def survey(
    configuration: Configuration, reader: Reader, topic: str, partition: int, first_offset: int, last_offset: int | None
) -> Survey:
    """Read the range and say what is in it; `last_offset` None = to the end of the log as it is now.

    Raises:
        NoSuchPlaceError: the log does not have all of it.
        KafkaUnreachableError: the brokers don't answer.
        RegistryUnavailableError: a schema can't be had at present.
    """
    causes = Causes()
    bad_offsets: list[int] = []
    usable = 0
    with PartitionLog(configuration, topic, partition) as log:
        for message in log.read(first_offset, last_offset):
            found = reader.examine(message)
            if isinstance(found, DeadLetter):
                causes.add(found)
                bad_offsets.append(found.offset)
            else:
                usable += not isinstance(found, RetryRequest)
        if last_offset is not None and log.end <= last_offset:
            raise NoSuchPlaceError(
                f"{topic}[{partition}] ends before offset {log.end} for now. Only what is there can be let through: "
                f"--to {log.end - 1} at most."
            )
        end = log.end
    return Survey(
        topic=topic,
        partition=partition,
        first_offset=first_offset,
        last_offset=end - 1 if last_offset is None else last_offset,
        usable=usable,
        bad=len(bad_offsets),
        first_bad=bad_offsets[0] if bad_offsets else None,
        last_bad=bad_offsets[-1] if bad_offsets else None,
        causes=causes.by_count(),
    )


def skip(connection: Connection[Any], looked_at: Survey, position: Position, *, actor: str, reason: str) -> None:
    """Let the bad messages of `looked_at` through, with a row in the audit.

    Raises:
        NotToBeSkippedError: meanwhile the projection went past it, or the topic was created anew.
    """
    span = looked_at.span
    with connection.transaction():
        if not release(connection, span, position.topic_id, reason=reason, actor=actor):
            raise NotToBeSkippedError(
                f"{span.topic}[{span.partition}]: the service went past offset {span.last_offset} meanwhile, or the "
                "topic is no longer the same. Nothing was changed."
            )
        connection.execute(
            _QUERIES["audit"], {**span._asdict(), "bad": looked_at.bad, "actor": actor, "reason": reason}
        )


def _told(stops: Iterable[StandingStop]) -> str:
    told = [f"partition {stop.span.partition}, {stop.span.first_offset} to {stop.span.last_offset}" for stop in stops]
    return f"It stands at: {'; '.join(told)}." if told else "It stands nowhere."
