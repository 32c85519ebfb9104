"""Events that could not be used: looked at, sent once more after a fix, or dropped with a reason.

Conflicts, two events of one sequence, are decided instead: see conflicts.py.
"""

import base64
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from psycopg import Connection
from psycopg.rows import dict_row

from consumer.database import load_queries
from consumer.operations.kafka import OutgoingMessage
from consumer.projection import Span

_QUERIES = load_queries(__file__, "dead_letters.sql")


class DeadLetterRow(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter without its bytes, which may hold a patient's data.

    `state`: open; replayed or dropped; of a conflict taken or kept.
    """

    id: int
    topic: str
    partition: int
    offset: int
    message_timestamp: datetime | None
    organisation_id: str | None
    order_id: str | None
    reason: str
    detail: str
    state: str
    state_reason: str | None
    state_actor: str | None
    state_at: datetime | None
    dead_at: datetime
    size_bytes: int | None


class DeadLetterData(DeadLetterRow, frozen=True, kw_only=True):
    """A dead letter with its bytes."""

    key: bytes | None
    value: bytes | None
    headers: list[dict[str, str | None]]


def list_dead_letters(
    connection: Connection[Any],
    *,
    state: str | None = "open",
    reason: str | None = None,
    order_id: str | None = None,
    limit: int = 100,
) -> list[DeadLetterRow]:
    """Return the newest dead letters of that kind; None = any."""
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(
            _QUERIES["list"], {"state": state, "reason": reason, "order_id": order_id, "limit": limit}, prepare=False
        )
        return msgspec.convert(cursor.fetchall(), list[DeadLetterRow])


def open_letters_between(connection: Connection[Any], span: Span) -> list[int]:
    """Return the ids of the open dead letters that came from `span`, the oldest first."""
    return [letter_id for (letter_id,) in connection.execute(_QUERIES["between"], span._asdict()).fetchall()]


def load_dead_letter(connection: Connection[Any], letter_id: int) -> DeadLetterData | None:
    """Return one dead letter with its bytes; None where there is none of that id."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(_QUERIES["show"], {"id": letter_id}).fetchone()
    return None if row is None else DeadLetterData(**row)


def replay_dead_letters(
    connection: Connection[Any],
    letter_ids: Sequence[int],
    publish: Callable[[list[OutgoingMessage]], object],
    *,
    actor: str,
) -> list[int]:
    """Publish the open ones of `letter_ids`, no conflicts, to their topics again, byte for byte; return their ids.

    They are sent before their state is written: who dies between the two may send them twice, which the events'
    sequence makes harmless. What `publish` raises leaves them open.
    """
    with connection.transaction():
        rows = connection.execute(_QUERIES["take"], {"ids": list(letter_ids)}).fetchall()
        publish(
            [
                # To where it came from: its producer may choose partitions by another rule than we do.
                OutgoingMessage(topic, key, value, _headers(headers), partition)
                for _, topic, partition, key, value, headers in rows
            ]
        )
        return _settle(connection, [row[0] for row in rows], "replayed", actor=actor, reason=None)


def drop_dead_letters(connection: Connection[Any], letter_ids: Sequence[int], *, actor: str, reason: str) -> list[int]:
    """Note that the open ones of `letter_ids` will never be used, and why; return their ids."""
    with connection.transaction():
        return _settle(connection, letter_ids, "dropped", actor=actor, reason=reason)


def _settle(
    connection: Connection[Any], letter_ids: Sequence[int], state: str, *, actor: str, reason: str | None
) -> list[int]:
    rows = connection.execute(
        _QUERIES["settle"], {"ids": list(letter_ids), "state": state, "actor": actor, "reason": reason}
    ).fetchall()
    settled = sorted(row[0] for row in rows)
    if settled:
        connection.execute(
            _QUERIES["audit"],
            {"ids": settled, "actor": actor, "action": f"dead_letters_{state}", "reason": reason},
        )
    return settled


def _headers(stored: list[dict[str, str | None]]) -> tuple[tuple[str, bytes | None], ...]:
    return tuple(
        (header["name"] or "", None if header["value"] is None else base64.b64decode(header["value"]))
        for header in stored
    )
