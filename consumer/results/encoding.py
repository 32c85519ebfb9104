"""The values of the service's own messages, as Avro."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from consumer.configuration import Topics
from consumer.contract import DeadLetter, Encoder, RetryRequest, SyncLogResult
from consumer.results.outbox import OutboxTopic
from consumer.results.sync_log import LogEntry

OwnMessage = SyncLogResult | RetryRequest | DeadLetter

_TOPICS: Mapping[type, OutboxTopic] = {
    SyncLogResult: OutboxTopic.SYNC_LOG,
    RetryRequest: OutboxTopic.RETRY,
    DeadLetter: OutboxTopic.DEAD_LETTER,
}
_AT_ANY_TIME = datetime(2026, 1, 1, tzinfo=UTC)
# One of each kind, to learn the schemas' ids by.
_SAMPLES: Sequence[OwnMessage] = (
    SyncLogResult(
        log_id=1,
        occurred_at=_AT_ANY_TIME,
        organisation_id="",
        clinic_id="",
        order_id="",
        operation="order_sync",
        outcome="skipped",
        message="",
        trigger="auto",
        attempt=0,
    ),
    RetryRequest(order_id="", requested_at=_AT_ANY_TIME),
    DeadLetter(topic="", partition=0, offset=0, reason="undecodable", detail="", dead_at=_AT_ANY_TIME),
)


class OutboxEncoder:
    """Encodes messages for the outbox; safe to share between threads.

    With a schema registry the first message of each kind asks it for the schema's id. So call `warm_up` before any work
    whose result must be written: a result that can't be encoded can't be recorded. From then on nothing here fails.
    """

    def __init__(self, encoder: Encoder, topics: Topics) -> None:
        self._encoder = encoder
        self.topic_names = topic_names(topics)

    def warm_up(self) -> None:
        """Learn what the registry has to say of each kind of message.

        Raises:
            RegistryUnavailableError: it can't be asked at present: wait, then call again.
        """
        for message in _SAMPLES:
            self.encode(message)

    def encode(self, message: OwnMessage) -> bytes:
        """Return the Avro value of `message`.

        Raises:
            RegistryUnavailableError: the registry can't be asked for the schema's id at present.
        """
        return self._encoder.encode(self.topic_names[_TOPICS[type(message)]], message)

    def log_entry(self, log_id: int, occurred_at: datetime, entry: LogEntry) -> bytes:
        """Return the value for the sync-log topic of the row `log_id`; to be passed to `record`."""
        fields = msgspec.structs.asdict(entry)
        # Keys of our own tables mean nothing outside of them.
        del fields["intent_id"], fields["problem_id"]
        return self.encode(SyncLogResult(log_id=log_id, occurred_at=occurred_at, **fields))

    def planned_retry(
        self, order_id: str, organisation_id: str, attempt: int, revision: int, wait_seconds: float, reason: str
    ) -> bytes:
        """Return the value for the retry topic of a retry that the service plans by itself.

        The due time in the order's row is the truth; the message can at most bring it forward to its own `not_before`,
        which is by this machine's clock.
        """
        now = datetime.now(UTC)
        return self.encode(
            RetryRequest(
                order_id=order_id,
                organisation_id=organisation_id,
                requested_at=now,
                not_before=now + timedelta(seconds=wait_seconds),
                attempt=attempt,
                revision=revision,
                reason=reason,
            )
        )


def topic_names(topics: Topics) -> Mapping[OutboxTopic, str]:
    """Return what each kind of message's topic is called in this installation."""
    return {
        OutboxTopic.SYNC_LOG: topics.sync_log,
        OutboxTopic.RETRY: topics.retry,
        OutboxTopic.DEAD_LETTER: topics.dead_letter,
    }
