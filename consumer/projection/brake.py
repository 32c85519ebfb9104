"""The brake: single bad messages go to the dead letters, but a broken schema must not empty the topic into them."""

from collections import deque
from collections.abc import Sequence

from consumer.projection.errors import BrakeError
from consumer.projection.settings import BrakeLimits


class Brake:
    """Watches the messages of one topic. `judge` decides on a batch, `accept` remembers it once it is committed."""

    def __init__(self, topic: str, limits: BrakeLimits) -> None:
        self.topic = topic
        self._limits = limits
        self._recent: deque[bool] = deque(maxlen=limits.window_messages)
        self._run = 0

    def judge(self, good: Sequence[bool]) -> None:
        """Look at a batch's messages in their order: True for a good one, False for a bad one.

        Raises:
            BrakeError: with this batch, too many are bad.
        """
        run = longest = self._run
        for is_good in good:
            run = 0 if is_good else run + 1
            longest = max(longest, run)
        if longest >= self._limits.run_max:
            raise self._error(f"{longest} messages in a row can't be used")
        window = [*self._recent, *good][-self._limits.window_messages :]
        bad = window.count(False)
        if bad >= self._limits.bad_min and bad > self._limits.share_max * len(window):
            raise self._error(f"{bad} of the last {len(window)} messages can't be used")

    def accept(self, good: Sequence[bool]) -> None:
        """Remember a batch that was committed."""
        self._recent.extend(good)
        newest_good = next((age for age, is_good in enumerate(reversed(good)) if is_good), None)
        self._run = self._run + len(good) if newest_good is None else newest_good

    def _error(self, fault: str) -> BrakeError:
        return BrakeError(
            f"{fault} (topic {self.topic}), so their common cause has to be mended first; this batch was not written, "
            "and no event is lost. Look at the newest entries of the table dead_letter and at this log for the reason; "
            "correct the producer's schema or key, or the registry's address, and start the consumer again. If the "
            "messages really are to be set aside, start it once with a higher limit."
        )
