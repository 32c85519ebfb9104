"""How often one address may try to sign in."""

import threading
import time
from collections import OrderedDict, deque
from http import HTTPStatus

from consumer.console.refusal import Refusal

# So many addresses are remembered, the latest ones: a flood of them costs no more memory.
_ADDRESSES = 10_000


class RateLimit:
    """`attempts` in any `seconds` for each address."""

    def __init__(self, *, attempts: int, seconds: float) -> None:
        self._attempts = attempts
        self._seconds = seconds
        self._lock = threading.Lock()
        self._seen: OrderedDict[str, deque[float]] = OrderedDict()

    def count(self, address: str) -> None:
        """Count an attempt of `address`.

        Raises:
            Refusal: there were too many.
        """
        now = time.monotonic()
        with self._lock:
            times = self._seen.setdefault(address, deque())
            self._seen.move_to_end(address)
            while len(self._seen) > _ADDRESSES:
                self._seen.popitem(last=False)
            while times and times[0] <= now - self._seconds:
                times.popleft()
            if len(times) >= self._attempts:
                raise Refusal(
                    HTTPStatus.TOO_MANY_REQUESTS, "Too many attempts to sign in.", "Wait a minute, then try again."
                )
            times.append(now)
