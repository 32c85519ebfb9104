"""A stretch of one partition, by its offsets."""

from collections.abc import Iterable
from typing import NamedTuple

from consumer.contract import DeadLetter


class Span(NamedTuple):
    """The messages of a partition from `first_offset` to `last_offset`, both included."""

    topic: str
    partition: int
    first_offset: int
    last_offset: int

    def holds(self, letter: DeadLetter) -> bool:
        """Whether `letter` came from there."""
        return (
            self.topic == letter.topic
            and self.partition == letter.partition
            and self.first_offset <= letter.offset <= self.last_offset
        )

    def meets(self, other: "Span") -> bool:
        """Whether the two have an offset in common."""
        return (
            self.topic == other.topic
            and self.partition == other.partition
            and self.first_offset <= other.last_offset
            and other.first_offset <= self.last_offset
        )


def spans_of(letters: Iterable[DeadLetter]) -> list[Span]:
    """Return a span for each partition that `letters` came from: from its first letter to its last."""
    offsets: dict[tuple[str, int], list[int]] = {}
    for letter in letters:
        offsets.setdefault((letter.topic, letter.partition), []).append(letter.offset)
    return [Span(*place, min(found), max(found)) for place, found in sorted(offsets.items())]
