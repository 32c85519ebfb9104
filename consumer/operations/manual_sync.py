"""One order pushed because somebody asks for it: the request goes to the retry topic, the answer into the sync log."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from psycopg import Connection
from psycopg.rows import class_row

from consumer.contract import RetryRequest
from consumer.database import load_queries
from consumer.operations.assembly import Assembly
from consumer.operations.kafka import OutgoingMessage, Position, publish

_QUERIES = load_queries(__file__, "manual_sync.sql")


class RequestState(msgspec.Struct, frozen=True):
    """Where an order stands. `requested`: somebody's request is not answered yet."""

    order_id: str
    organisation_id: str
    clinic_id: str
    revision: int
    hold: str | None
    due_at: datetime | None
    requested: bool
    newest_log_id: int


def load_request_state(connection: Connection[Any], order_id: str) -> RequestState | None:
    """Return where `order_id` stands; None where no event of such an order ever came."""
    with connection.cursor(row_factory=class_row(RequestState)) as cursor:
        return cursor.execute(_QUERIES["state"], {"order_id": order_id}).fetchone()


def request_sync(parts: Assembly, state: RequestState, *, actor: str, reason: str | None = None) -> Position:
    """Publish the request; return where it lies.

    Raises:
        NotDeliveredError: Kafka didn't take it.
        RegistryUnavailableError: it couldn't be encoded.
    """
    request = RetryRequest(
        order_id=state.order_id,
        organisation_id=state.organisation_id,
        requested_at=datetime.now(UTC),
        revision=state.revision,
        trigger="manual",
        actor=actor,
        reason=reason,
    )
    topic = parts.configuration.topics.retry
    message = OutgoingMessage(topic, state.order_id.encode(), parts.outbox_encoder.encode(request))
    (position,) = publish(parts.configuration, [message])
    return position


def is_read(connection: Connection[Any], position: Position) -> bool:
    """Whether the projection has read the message at `position`."""
    row = connection.execute(
        _QUERIES["next_offset"], {"topic": position.topic, "partition": position.partition}
    ).fetchone()
    return row is not None and row[0] > position.offset
