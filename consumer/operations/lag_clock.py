"""Lag in seconds from offsets alone: how long ago the log ended where the projection is now. Pure."""

from collections import deque

# An hour of scrapes every 15 s; who is further behind reads at least the hour.
_SAMPLES = 240


class LagClock:
    """Remembers when the log of one partition ended where."""

    def __init__(self) -> None:
        self._ends: deque[tuple[float, int]] = deque(maxlen=_SAMPLES)

    def seconds(self, *, now: float, position: int, end: int) -> float:
        """Return how long ago the log ended at `position`, the next offset to project; 0 where it still does.

        `now` is monotonic and never goes back; `end` is the offset after the last message. What was written before the
        first call is taken for as old as that call.
        """
        if self._ends and end < self._ends[-1][1]:
            # The end is put together from two looks a second apart; a log never shrinks.
            end = self._ends[-1][1]
        self._ends.append((now, end))
        if position >= end:
            return 0.0
        # The newest moment at which everything was projected that is projected now.
        behind_since = self._ends[0][0]
        for at, known_end in self._ends:
            if known_end > position:
                break
            behind_since = at
        return now - behind_since
