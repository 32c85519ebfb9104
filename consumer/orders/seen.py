"""Which event had which sequence of an order, in a bounded number of bytes. Pure.

A repeat has the event id that its sequence had before; another id is a conflict, which only a person can decide. To
tell the two apart, each event that counts leaves a mark of four bytes, of its id: one conflict in four thousand million
passes for a repeat, and an ordinary order of ten events keeps 40 bytes. The marks of the newest 256 sequences are kept
as they are. That covers an order's whole life, or what a HearLink that was restored can hand out again. Older ones
become a digest of 512 bytes (a Bloom filter): it knows every event that it was given, so no repeat is ever taken for a
conflict, but the more it holds, the more conflicts of such old sequences pass for repeats: 1 in 200 with another 256
events, 1 in 7 with 1,000.

What was projected before there were marks is unknown, and unknown is no conflict.
"""

from hashlib import blake2b
from zlib import crc32

_MARK_BYTES = 4
_RECENT_MAX = 256
_RECENT_BYTES = _RECENT_MAX * _MARK_BYTES
_DIGEST_BYTES = 512
_DIGEST_BITS = _DIGEST_BYTES * 8
# Each event sets three bits, which is the most telling number for two digests' worth of sequences.
_BITS_EACH = 3
# A sequence without an event: a gap. Nothing is ever marked so.
_GAP = bytes(_MARK_BYTES)
_KNOWS_ALL = b"\xff" * _DIGEST_BYTES


class SeenEvents:
    """The marks of one order, up to its highest sequence."""

    __slots__ = ("_digest", "_recent")

    def __init__(self, stored: bytes = b"") -> None:
        """Take what `stored` gave: the marks, those of the highest sequence last, behind the digest if there is one."""
        cut = _DIGEST_BYTES if len(stored) > _RECENT_BYTES else 0
        self._digest = bytearray(stored[:cut])
        self._recent = bytearray(stored[cut:])

    def stored(self) -> bytes:
        """Return it for the column `seen`; only a full list of marks has a digest before it, which tells the two."""
        return bytes(self._digest + self._recent)

    def append(self, sequence: int, event_id: str, *, skipped: int = 0) -> None:
        """Mark the event of `sequence`, the highest by now, with so many sequences before it that never came."""
        recent = self._recent
        if skipped:
            recent += _GAP * skipped
        recent += _mark(event_id)
        if len(recent) > _RECENT_BYTES:
            self._age(sequence)

    def fill(self, highest: int, sequence: int, event_id: str) -> None:
        """Mark the event of a `sequence` that was a gap below `highest`."""
        place = self._place(highest, sequence)
        if place >= 0:
            self._recent[place : place + _MARK_BYTES] = _mark(event_id)
        elif self._digest:
            self._add(sequence, _mark(event_id))

    def contradicts(self, highest: int, sequence: int, event_id: str) -> bool:
        """Whether another event is known to have had `sequence`, which is no gap below `highest`."""
        place, mark = self._place(highest, sequence), _mark(event_id)
        if place >= 0:
            return bytes(self._recent[place : place + _MARK_BYTES]) not in {mark, _GAP}
        return bool(self._digest) and not all(
            self._digest[bit >> 3] & (1 << (bit & 7)) for bit in _bits(sequence, mark)
        )

    def _place(self, highest: int, sequence: int) -> int:
        """Return where the mark of `sequence` begins; below 0 = it is older than the marks."""
        return len(self._recent) - (highest - sequence + 1) * _MARK_BYTES

    def _age(self, highest: int) -> None:
        """Move the oldest marks into the digest."""
        surplus = len(self._recent) - _RECENT_BYTES
        oldest = highest - len(self._recent) // _MARK_BYTES + 1
        if not self._digest:
            # Where the first marks are missing, a former version wrote what was before: of that, nothing is known.
            self._digest = bytearray(_DIGEST_BYTES) if oldest <= 1 else bytearray(_KNOWS_ALL)
        for place in range(0, surplus, _MARK_BYTES):
            mark = bytes(self._recent[place : place + _MARK_BYTES])
            if mark != _GAP:
                self._add(oldest + place // _MARK_BYTES, mark)
        del self._recent[:surplus]

    def _add(self, sequence: int, mark: bytes) -> None:
        for bit in _bits(sequence, mark):
            self._digest[bit >> 3] |= 1 << (bit & 7)


def _mark(event_id: str) -> bytes:
    # A UUID is the same one in either case. The number 0 is taken, by gaps.
    number = crc32(event_id.lower().encode("utf-8", "surrogatepass")) or 1
    return number.to_bytes(_MARK_BYTES, "big")


def _bits(sequence: int, mark: bytes) -> list[int]:
    hashed = int.from_bytes(blake2b(mark + sequence.to_bytes(8, "big"), digest_size=8).digest(), "big")
    return [(hashed >> (20 * index)) % _DIGEST_BITS for index in range(_BITS_EACH)]
