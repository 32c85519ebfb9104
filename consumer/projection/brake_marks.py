"""What the database knows of the brake: where it stopped the projection, and where a person let messages through."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from psycopg import Connection

from consumer.contract import DeadLetter
from consumer.database import load_queries
from consumer.projection.batch import Segment
from consumer.projection.errors import BrakeError
from consumer.projection.spans import Span

_QUERIES = load_queries(__file__, "brake_marks.sql")


class BrakeMarks(NamedTuple):
    """The stops and the releases of some partitions."""

    stops: list[Span]
    releases: list[Span]

    def is_released(self, letter: DeadLetter) -> bool:
        """Whether a person let it through."""
        return any(span.holds(letter) for span in self.releases)

    def stops_of(self, letters: Sequence[DeadLetter]) -> list[Span]:
        """Return the stops that `letters` came from."""
        return [span for span in self.stops if any(span.holds(letter) for letter in letters)]


class StandingStop(NamedTuple):
    """Where the projection stopped and still stands; `detail` says why, and how to go on."""

    span: Span
    stopped_at: datetime
    detail: str


class Position(NamedTuple):
    """Where the projection stands in a partition, of which topic, and who claimed it last."""

    next_offset: int
    topic_id: str | None
    owner: str


def load_marks(connection: Connection[Any], segments: Sequence[Segment]) -> BrakeMarks:
    """Return the marks of the partitions of `segments`, from where each of those begins."""
    rows = connection.execute(
        _QUERIES["load"],
        {
            "topics": [segment.claim.topic for segment in segments],
            "partitions": [segment.claim.partition for segment in segments],
            "first_offsets": [segment.first_offset for segment in segments],
        },
    ).fetchall()
    spans = [(is_release, Span(*place)) for is_release, *place in rows]
    return BrakeMarks(
        stops=[span for is_release, span in spans if not is_release],
        releases=[span for is_release, span in spans if is_release],
    )


def note_stop(connection: Connection[Any], segments: Sequence[Segment], stop: BrakeError) -> None:
    """Write down that the brake stopped the projection; what `segments` no longer own is left to its owner."""
    epochs = {(segment.claim.topic, segment.claim.partition): segment.claim.epoch for segment in segments}
    connection.execute(
        _QUERIES["note_stop"],
        {
            "topics": [span.topic for span in stop.spans],
            "partitions": [span.partition for span in stop.spans],
            "epochs": [epochs[span.topic, span.partition] for span in stop.spans],
            "first_offsets": [span.first_offset for span in stop.spans],
            "last_offsets": [span.last_offset for span in stop.spans],
            "detail": str(stop),
        },
    )


def standing_stops(connection: Connection[Any], topic: str) -> list[StandingStop]:
    """Return where the projection of `topic` stands before bad messages that nobody let through."""
    rows = connection.execute(_QUERIES["standing"], {"topic": topic}).fetchall()
    return [StandingStop(Span(*row[:4]), *row[4:]) for row in rows]


def read_position(connection: Connection[Any], topic: str, partition: int) -> Position | None:
    """Return where the projection stands; None where nobody ever claimed the partition."""
    row = connection.execute(_QUERIES["position"], {"topic": topic, "partition": partition}).fetchone()
    return None if row is None else Position(*row)


def release(connection: Connection[Any], span: Span, topic_id: str | None, *, reason: str, actor: str) -> bool:
    """Let the bad messages of `span` through to the dead letters; whoever projects the partition heeds it.

    False = nothing was written: the projection is past it by now, or the topic is no longer the one of `topic_id`.
    """
    written = connection.execute(
        _QUERIES["release"], {**span._asdict(), "topic_id": topic_id, "reason": reason, "actor": actor}
    )
    return written.fetchone() is not None
