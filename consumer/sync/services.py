"""What the sync needs of the rest of the service, handed in once."""

from dataclasses import dataclass, field
from typing import Protocol

from consumer.results import Catalogue, OutboxEncoder
from consumer.xero import Budget, XeroClient
from consumer.xero.budget import CALL_SECONDS


class SyncMetrics(Protocol):
    """What the sync tells about itself; the operations room binds it to Prometheus."""

    def order_finished(self, result: str) -> None:
        """An order left a pass: synced, failed, waiting, held or in_doubt."""

    def order_synced(self, seconds: float) -> None:
        """Xero holds what an event said `seconds` ago."""

    def batch_sent(self, stage: str, elements: int) -> None:
        """One call carried so many elements."""

    def lease_lost(self) -> None:
        """A result was dropped because somebody else has the tenant."""

    def retry_scheduled(self, problem_class: str) -> None:
        """An order will be tried again by itself."""

    def unknown_message(self) -> None:
        """Xero said something that the problem catalogue does not know."""


class SilentMetrics:
    """Counts nothing: for commands that only look."""

    def order_finished(self, result: str) -> None:
        """Count nothing."""

    def order_synced(self, seconds: float) -> None:
        """Count nothing."""

    def batch_sent(self, stage: str, elements: int) -> None:
        """Count nothing."""

    def lease_lost(self) -> None:
        """Count nothing."""

    def retry_scheduled(self, problem_class: str) -> None:
        """Count nothing."""

    def unknown_message(self) -> None:
        """Count nothing."""


@dataclass(frozen=True)
class Patience:
    """How long the sync waits where Xero's answer was lost; only tests shorten it.

    `safe_wait_seconds` after a call was sent, what Xero does not hold by then it never will: a call is over at our end
    after CALL_SECONDS, and Xero may go on with it for a while after we hung up. `again_seconds` pass between look-ups
    that find nothing yet or fail, `pause_seconds` between passes over a tenant to whom a call just failed.
    """

    safe_wait_seconds: float = CALL_SECONDS + 10
    again_seconds: float = 5.0
    pause_seconds: float = 2.0


@dataclass(frozen=True)
class Services:
    """Xero, the words for what happens, and where it is told."""

    client: XeroClient
    budget: Budget
    catalogue: Catalogue
    encoder: OutboxEncoder
    hearlink_url: str
    metrics: SyncMetrics = field(default_factory=SilentMetrics)
    patience: Patience = field(default_factory=Patience)
