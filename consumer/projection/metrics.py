"""What the projection tells about itself; whoever exports metrics implements this."""

from typing import Protocol


class ProjectionMetrics(Protocol):
    """Hooks, called from the projection's threads; they must be quick and thread-safe."""

    def events(self, outcome: str, count: int) -> None:
        """Order events by what became of them.

        applied, jumped, late, repeated; undecodable, impossible, refused, defect, conflict (these are dead letters).
        """

    def retries(self, outcome: str, count: int) -> None:
        """Retry requests: due, unchanged (too old, or nothing to do), unknown (no such order), undecodable, defect."""

    def batch(self, messages: int, orders: int, seconds: float) -> None:
        """One transaction was committed, with so many messages and written orders."""

    def age(self, seconds: float) -> None:
        """How long ago the newest event of the batch happened when it was committed."""

    def phase(self, name: str, seconds: float) -> None:
        """Where the time goes: poll, decode, wait (the poll thread's); load, fold, write (the writer's)."""

    def fence_lost(self, partitions: int) -> None:
        """A batch was refused, because these partitions belong to someone else by now."""

    def rebalance(self, kind: str, partitions: int) -> None:
        """Partitions were assigned, revoked or lost."""

    def waiting(self, *, reason: str, seconds: float) -> None:
        """The projection waits for a part that is away: postgres, kafka or registry."""

    def resumed(self) -> None:
        """What was waited for is there, or wanted no more."""

    def statistics(self, text: str) -> None:
        """What librdkafka says about itself, as JSON, every few seconds."""


class NoMetrics:
    """For where nobody looks."""

    def events(self, outcome: str, count: int) -> None:
        """Ignore it."""

    def retries(self, outcome: str, count: int) -> None:
        """Ignore it."""

    def batch(self, messages: int, orders: int, seconds: float) -> None:
        """Ignore it."""

    def age(self, seconds: float) -> None:
        """Ignore it."""

    def phase(self, name: str, seconds: float) -> None:
        """Ignore it."""

    def fence_lost(self, partitions: int) -> None:
        """Ignore it."""

    def rebalance(self, kind: str, partitions: int) -> None:
        """Ignore it."""

    def waiting(self, *, reason: str, seconds: float) -> None:
        """Ignore it."""

    def resumed(self) -> None:
        """Ignore it."""

    def statistics(self, text: str) -> None:
        """Ignore it."""
