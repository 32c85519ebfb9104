"""What the projection is told from outside, with the limits that have a reason to be changed."""

from dataclasses import dataclass, field
from typing import Any

# Three batches of this size are in memory at most; Postgres is as quick an order with larger ones, memory isn't.
BATCH_MESSAGES_MAX = 3_000
# A run of this many bad messages has one cause: a producer with a wrong schema or key. Single broken messages of
# independent causes don't come in such rows.
BRAKE_RUN_MAX = 100
# Of the last 2,000 messages at most 10% may be bad.
BRAKE_WINDOW_MESSAGES = 2_000
BRAKE_SHARE_MAX = 0.10


@dataclass(frozen=True)
class BrakeLimits:
    """When bad messages stop the consumer instead of going to the dead letters one by one."""

    run_max: int = BRAKE_RUN_MAX
    window_messages: int = BRAKE_WINDOW_MESSAGES
    share_max: float = BRAKE_SHARE_MAX

    @property
    def bad_min(self) -> int:
        """Fewer bad messages stop nobody, whatever their share: while the window is being filled, chance decides."""
        return max(1, int(self.window_messages * self.share_max / 2))


@dataclass(frozen=True)
class ProjectionSettings:
    """Where to read, where to write, and as whom.

    `owner` names this process in `partition_offset`, for people. `kafka_config` holds further librdkafka properties,
    which overrule the projection's own.
    """

    database_url: str = field(repr=False)
    bootstrap_servers: str
    group_id: str
    orders_topic: str
    retry_topic: str
    dead_letter_topic: str
    owner: str
    kafka_config: dict[str, Any] = field(default_factory=dict, repr=False)
    batch_messages_max: int = BATCH_MESSAGES_MAX
    brake: BrakeLimits = field(default_factory=BrakeLimits)
