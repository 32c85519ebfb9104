"""The simulator's clock: real time plus an offset that a test may move."""

import time
from collections.abc import Callable
from datetime import UTC, date, datetime


class Clock:
    """Seconds since the epoch from `source`, shifted by an offset.

    Args:
        source: Where time comes from; a test may give a function that it steers itself.
    """

    def __init__(self, source: Callable[[], float] = time.time) -> None:
        self._source = source
        self._offset_seconds = 0.0

    def seconds(self) -> float:
        """Seconds since 1970 in UTC."""
        return self._source() + self._offset_seconds

    def now(self) -> datetime:
        """The moment, in UTC."""
        return datetime.fromtimestamp(self.seconds(), tz=UTC)

    def today(self) -> date:
        """The day, in UTC: every simulated organisation keeps London's winter time."""
        return self.now().date()

    def advance(self, seconds: float) -> None:
        """Move the clock forward (or back, with a negative number)."""
        self._offset_seconds += seconds

    def set(self, moment: datetime) -> None:
        """Make `moment` the present; time goes on from there."""
        self._offset_seconds = moment.timestamp() - self._source()
