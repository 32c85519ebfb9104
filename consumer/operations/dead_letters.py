"""Events that could not be used: looked at, sent once more after a fix, or dropped with a reason.

Conflicts, two events of one sequence, are decided instead: see conflicts.py.
"""

import base64
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

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


class Replayed(NamedTuple):
    """A letter that was sent again, or why the brokers refuse it."""

    letter_id: int
    refusal: str | None


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
    send: Callable[[OutgoingMessage], str | None],
    *,
    actor: str,
    again: bool = False,
) -> Iterator[Replayed]:
    """Publish the open ones of `letter_ids`, no conflicts, to their topics again; yield what became of each.

    `send` returns None once a message is acknowledged, or why it is refused; such a letter stays open, and the next one
    is next. Each is marked before the next is sent: who dies between the two may send that one twice, which its event's
    sequence makes harmless. What `send` raises ends it. With `again` those that were replayed before are sent as well.
    """
    for letter_id in letter_ids:
        with connection.transaction():
            row = connection.execute(_QUERIES["take"], {"ids": [letter_id], "again": again}).fetchone()
            if row is None:
                continue
            _, topic, partition, key, value, headers = row
            # To where it came from: its producer may choose partitions by another rule than we do.
            refusal = send(OutgoingMessage(topic, key, value, _headers(headers), partition))
            if refusal is None:
                _settle(connection, [letter_id], "replayed", actor=actor, reason=None, again=again)
        yield Replayed(letter_id, refusal)


def drop_dead_letters(connection: Connection[Any], letter_ids: Sequence[int], *, actor: str, reason: str) -> list[int]:
    """Note that the open ones of `letter_ids` will never be used, and why; return their ids."""
    with connection.transaction():
        return _settle(connection, letter_ids, "dropped", actor=actor, reason=reason)


def _settle(
    connection: Connection[Any],
    letter_ids: Sequence[int],
    state: str,
    *,
    actor: str,
    reason: str | None,
    again: bool = False,
) -> list[int]:
    rows = connection.execute(
        _QUERIES["settle"],
        {"ids": list(letter_ids), "state": state, "actor": actor, "reason": reason, "again": again},
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
