"""What ends the projection, as a tree. Outages of Postgres, Kafka or the registry are not in it: they are waited for.

ProjectionError         stop the process; a person must act, and the text says how
├── BrakeError          too many messages are bad: the schema is broken, not the messages
├── OffsetLostError     the log no longer has what Postgres says comes next
├── OwnershipError      another consumer group writes the same projection
└── ClientFailedError   Kafka's client can't go on, as where two processes use one group.instance.id
RefusedEventError       Postgres refuses one event: dead letter
FoldError               an exception that nobody foresaw, at an event of a batch: that one becomes a dead letter
"""

from collections.abc import Sequence

from consumer.projection.spans import Span


class ProjectionError(Exception):
    """The projection can't go on by itself; nothing of the present batch was written."""


class BrakeError(ProjectionError):
    """Too many messages are bad; none of this batch went to the dead letters. `spans`: where they lie."""

    def __init__(self, text: str, spans: Sequence[Span] = ()) -> None:
        super().__init__(text)
        self.spans = list(spans)


class OffsetLostError(ProjectionError):
    """Retention passed the stored offset, or the topic was created anew: going on would skip events silently."""


class OwnershipError(ProjectionError):
    """A partition that the group gave to this consumer stays claimed by someone else."""


class ClientFailedError(ProjectionError):
    """Kafka's client called an error fatal: it reads nothing any more, whatever is done with it."""


class RefusedEventError(ValueError):
    """Postgres refuses an event; the text says which and why, without what it holds."""


class FoldError(Exception):
    """Events could not be folded, for a reason that nobody foresaw: its cause. Which event it was has to be found."""
