"""Why messages can't be used, in groups: a hundred bad ones mostly have one cause."""

import re
from collections.abc import Iterable

import msgspec

from consumer.contract import DeadLetter

# What differs between two messages with one fault: whose they are, and the numbers that were found in them.
_WHOSE = re.compile(r"^Event .*? of order .*?: ")
_NUMBER = re.compile(r"(?<!schema id )\b\d+\b")
_DETAIL_CHARACTERS = 300
# Mere noise has a cause of its own for each message; nobody reads so many, and they must not fill the memory.
_KINDS_MAX = 1_000
_OTHERS = ("various", "further reasons, each another one")


class Cause(msgspec.Struct, frozen=True):
    """`count` messages of one `reason`; `detail` is what was said of the first of them. Shows no patient's data."""

    reason: str
    detail: str
    count: int
    partition: int
    first_offset: int


class Causes:
    """Counts the causes of letters, one by one; keeps none of the letters."""

    def __init__(self, letters: Iterable[DeadLetter] = ()) -> None:
        self._by_kind: dict[tuple[str, str], Cause] = {}
        for letter in letters:
            self.add(letter)

    def add(self, letter: DeadLetter) -> None:
        """Count the cause of `letter`."""
        kind = (letter.reason, _NUMBER.sub("0", _WHOSE.sub("", letter.detail)))
        if kind not in self._by_kind and len(self._by_kind) >= _KINDS_MAX:
            kind = _OTHERS
        known = self._by_kind.get(kind)
        if known is not None:
            self._by_kind[kind] = msgspec.structs.replace(known, count=known.count + 1)
            return
        reason, detail = kind if kind is _OTHERS else (letter.reason, _cut(letter.detail))
        self._by_kind[kind] = Cause(reason, detail, 1, letter.partition, letter.offset)

    def by_count(self) -> list[Cause]:
        """Return the causes, the most frequent first."""
        return sorted(self._by_kind.values(), key=lambda cause: -cause.count)


def _cut(text: str) -> str:
    return text if len(text) <= _DETAIL_CHARACTERS else f"{text[:_DETAIL_CHARACTERS]}..."
