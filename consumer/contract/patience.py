"""How long an unknown schema is waited for: a registry's follower may be late by a moment."""

import time
from collections import deque
from collections.abc import Callable, Hashable

# A follower is late by a second or two; whoever registered the schema got its id from the leader already.
WAIT_SECONDS = 10.0
# Noise that looks like schema ids must not stop a partition for good: so many waits begin in ten minutes, no more.
WAITS_MAX = 6
WAITS_SECONDS = 600.0
_KNOWN_MAX = 1_000


class Patience:
    """Remembers since when each name was asked for in vain. For the threads of one registry's client."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._first_asked: dict[Hashable, float] = {}
        self._begun: deque[float] = deque(maxlen=WAITS_MAX)

    def is_over(self, name: Hashable) -> bool:
        """Whether `name`, which the registry doesn't know, has been waited for long enough."""
        now = self._clock()
        first = self._first_asked.get(name)
        if first is None:
            if len(self._first_asked) >= _KNOWN_MAX:
                self._first_asked.clear()
            if len(self._begun) == WAITS_MAX and now - self._begun[0] < WAITS_SECONDS:
                self._first_asked[name] = now - WAIT_SECONDS
                return True
            self._begun.append(now)
            first = self._first_asked[name] = now
        return now - first >= WAIT_SECONDS

    def end(self, name: Hashable) -> None:
        """Note that `name` is known by now."""
        self._first_asked.pop(name, None)
