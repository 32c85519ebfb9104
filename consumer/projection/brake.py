"""The brake: single bad messages go to the dead letters, but a broken schema must not empty the topic into them."""

from collections import deque
from collections.abc import Iterable, Sequence

from consumer.contract import DeadLetter
from consumer.projection.causes import Causes
from consumer.projection.errors import BrakeError
from consumer.projection.settings import BrakeLimits
from consumer.projection.spans import Span, spans_of

# More is no help to who reads it; when these are mended, it says what is left.
_CAUSES_SHOWN = 5
_PARTITIONS_SHOWN = 8


class Brake:
    """Watches the messages of one topic. `judge` decides on a batch, `accept` remembers it once it is committed."""

    def __init__(self, topic: str, limits: BrakeLimits) -> None:
        self.topic = topic
        self._limits = limits
        self._recent: deque[bool] = deque(maxlen=limits.window_messages)
        self._run = 0

    def judge(self, good: Sequence[bool], letters: Sequence[DeadLetter], stops: Iterable[Span] = ()) -> None:
        """Look at a batch's messages in their order: True for a good one, False for a bad one.

        `letters` are the bad ones; `stops` are those spans where the brake stopped before and some of them lie.

        Raises:
            BrakeError: with this batch, too many are bad, or what stopped the projection is bad still.
        """
        known = list(stops)
        if known:
            still_bad = [letter for letter in letters if any(span.holds(letter) for span in known)]
            raise BrakeError(
                _words(self.topic, "What stopped the service before still can't be used", still_bad, known), known
            )
        if not letters:
            return
        run = longest = self._run
        for is_good in good:
            run = 0 if is_good else run + 1
            longest = max(longest, run)
        window = [*self._recent, *good][-self._limits.window_messages :]
        bad = window.count(False)
        fault = None
        if longest >= self._limits.run_max:
            fault = f"{longest} messages in a row can't be used"
        elif bad >= self._limits.bad_min and bad > self._limits.share_max * len(window):
            fault = f"{bad} of the last {len(window)} messages can't be used"
        if fault is not None:
            spans = spans_of(letters)
            raise BrakeError(_words(self.topic, fault, letters, spans), spans)

    def accept(self, good: Sequence[bool]) -> None:
        """Remember a batch that was committed."""
        self._recent.extend(good)
        newest_good = next((age for age, is_good in enumerate(reversed(good)) if is_good), None)
        self._run = self._run + len(good) if newest_good is None else newest_good


def _words(topic: str, fault: str, letters: Sequence[DeadLetter], spans: Sequence[Span]) -> str:
    """Say where, why, and how to go on, each in a line of its own; commands stand alone, to be copied."""
    lines = [
        f"{fault} (topic {topic}), so their common cause has to be mended first.",
        "This batch was not written, and no event is lost.",
    ]
    lines += [
        f"Partition {span.partition}, offsets {span.first_offset} to {span.last_offset}: "
        f"{sum(map(span.holds, letters))} bad messages in this batch."
        for span in spans[:_PARTITIONS_SHOWN]
    ]
    if len(spans) > _PARTITIONS_SHOWN:
        lines.append(f"The same in {len(spans) - _PARTITIONS_SHOWN} other partitions.")
    causes = Causes(letters).by_count()
    lines += [
        f"{cause.count} {cause.reason}, the first in partition {cause.partition} at {cause.first_offset}: "
        f"{cause.detail}"
        for cause in causes[:_CAUSES_SHOWN]
    ]
    if len(causes) > _CAUSES_SHOWN:
        lines.append(f"{sum(cause.count for cause in causes[_CAUSES_SHOWN:])} for other reasons.")
    lines.append("To see what is there:")
    lines.append(_look_command(spans[0]))
    lines.append(
        "If it is only their schema that is missing here, give it to the service (SCHEMAS_DIRECTORY, or the registry) "
        "and start it again. If they are not to be used, let them go to the dead letters (good messages among them are "
        "projected all the same) and start it again:"
    )
    lines += [_skip_command(span) for span in spans[:_PARTITIONS_SHOWN]]
    return "\n".join(lines)


def _look_command(span: Span) -> str:
    count = span.last_offset - span.first_offset + 1
    return f"hearlink-xero events tail --partition {span.partition} --offset {span.first_offset} --count {count}"


def _skip_command(span: Span) -> str:
    where = f"--partition {span.partition} --from {span.first_offset} --to {span.last_offset}"
    return f'hearlink-xero dead-letters skip {where} --reason "..."'
