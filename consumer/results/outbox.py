"""The outbox: messages for Kafka, written in the transaction of what they tell; the relay publishes them."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import msgspec
from psycopg import Connection

from consumer.database import load_queries

_QUERIES = load_queries(__file__, "outbox.sql")

# Who waits for new rows listens here. The name stands in outbox.sql too.
OUTBOX_CHANNEL = "hearlink_outbox"


class OutboxTopic(StrEnum):
    """What a message is, whatever the topic is called in this installation."""

    SYNC_LOG = "sync_log"
    RETRY = "retry"
    DEAD_LETTER = "dead_letter"


class OutboxMessage(msgspec.Struct, frozen=True):
    """One message for Kafka. `key` is the order id in UTF-8; messages of one key are published in their order."""

    topic: OutboxTopic
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, str], ...] = ()


def post(connection: Connection[Any], messages: Sequence[OutboxMessage]) -> None:
    """Write `messages` in the caller's transaction, in order, and wake the relay when it commits."""
    if not messages:
        return
    connection.execute(
        _QUERIES["post"],
        {
            "topics": [message.topic.value for message in messages],
            "keys": [message.key for message in messages],
            "values": [message.value for message in messages],
            "headers": [msgspec.json.encode(message.headers).decode() for message in messages],
        },
    )


def unpublished_count(connection: Connection[Any]) -> int:
    """Return how many messages wait for the relay; those that were set aside are not among them."""
    row = connection.execute(_QUERIES["count_unpublished"]).fetchone()
    return int(row[0]) if row else 0


def set_aside_count(connection: Connection[Any]) -> int:
    """Return how many messages the brokers refused for good: someone has to look at them."""
    row = connection.execute(_QUERIES["count_set_aside"]).fetchone()
    return int(row[0]) if row else 0
