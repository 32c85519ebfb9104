"""Lag in events and in seconds, from what was seen of a log and of where its projection stands. Pure.

An event that can't be read yet, because an older transaction is open, is lag as well: it exists, and it is late.
"""

from collections import deque
from enum import StrEnum
from math import inf
from typing import NamedTuple

# An hour of looks; a longer history is thinned out, and keeps its first and its newest.
_SIGHTINGS_MAX = 720


class Reason(StrEnum):
    """Why lag is not known."""

    GONE = "gone"
    FORBIDDEN = "forbidden"
    AWAY = "away"
    OFFSET_LOST = "offset_lost"
    NO_OFFSETS = "no_offsets"


class Fault(NamedTuple):
    """Why lag is not known, with words for people: what happened and what to do."""

    reason: Reason
    text: str


class Tail(NamedTuple):
    """What one look found in the log of a partition after the next offset to project.

    `readable` counts committed messages, `held` those from the first open transaction on; markers of transactions and
    what was aborted are in neither. Of a long tail not all is read: the rest counts as its offsets do, markers among
    them. `end` is the offset after the last record, of whatever kind. `oldest` is the offset of the first of the
    messages, None where there is none; `written_at` is its own time in seconds since 1970, None where it tells none.
    """

    readable: int
    held: int
    end: int
    oldest: int | None = None
    written_at: float | None = None


class PartitionLag(NamedTuple):
    """How far one partition is behind: messages not projected, how many of them are held, age of the oldest.

    Where `is_known` is False the numbers are the last that were known.
    """

    messages: int
    held: int
    seconds: float
    is_known: bool = True


class EndHistory:
    """When the log of one partition was seen to end where: between which looks a message got into it."""

    def __init__(self) -> None:
        self._sightings: deque[tuple[float, int]] = deque()

    def note(self, *, now: float, end: int) -> None:
        """Remember one look; `now` is monotonic, `end` the offset after the last record."""
        if self._sightings and end < self._sightings[-1][1]:
            # Cut off, or another log of the same name: what was seen before says nothing of it.
            self._sightings.clear()
        if len(self._sightings) >= _SIGHTINGS_MAX:
            first, *others = self._sightings
            self._sightings = deque([first, *others[1::2]])
        self._sightings.append((now, end))

    def bounds(self, *, now: float, offset: int) -> tuple[float, float]:
        """Return the least and the most seconds that `offset` can have been in the log, by the looks that were noted.

        What was there at the first look has no upper bound: infinity.
        """
        least, most = 0.0, inf
        for at, end in self._sightings:
            if end > offset:
                least = now - at
                break
            most = now - at
        return least, most


def measure(tail: Tail, history: EndHistory, *, now: float, wall_now: float) -> PartitionLag:
    """Return the lag that a look at `wall_now` (seconds since 1970; `now` in monotonic seconds) found.

    The age is the message's own word as far as our own looks bear it out: a producer's clock may be wrong by hours,
    and events that are published again or mirrored keep the time of their first writing.
    """
    history.note(now=now, end=tail.end)
    if tail.oldest is None:
        return PartitionLag(0, 0, 0.0)
    least, most = history.bounds(now=now, offset=tail.oldest)
    told = least if tail.written_at is None else wall_now - tail.written_at
    return PartitionLag(tail.readable + tail.held, tail.held, min(max(told, least), most))
