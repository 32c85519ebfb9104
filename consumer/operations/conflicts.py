"""Two events of one sequence: a person takes the later one, or keeps the first.

To take one means that what came first never counted. What that did to the order can't be taken back from its state, so
the order is built anew from the topic, as a rebuild does it for all, without the overruled event.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from psycopg import Connection

from consumer.contract import Decoder, MessageDecoder
from consumer.database import load_queries
from consumer.projection import ProjectionSettings
from consumer.projection.choice import Choice, EventIdentity
from consumer.projection.rebuild import Rebuild

_QUERIES = load_queries(__file__, "conflicts.sql")


class UnclearChoiceError(ValueError):
    """Several events of one sequence can't all count; the text names their dead letters."""


class _Letter(msgspec.Struct, frozen=True):
    id: int
    order_id: str
    sequence: int
    event_id: str
    state: str

    @property
    def identity(self) -> EventIdentity:
        return EventIdentity(self.order_id, self.sequence, self.event_id)


def keep_first(connection: Connection[Any], letter_ids: Sequence[int], *, actor: str, reason: str) -> list[int]:
    """Let the events in the conflicts `letter_ids` never count, whoever sends them again; return the ids settled."""
    with connection.transaction():
        letters = _letters(connection, letter_ids)
        _overrule(connection, [letter.identity for letter in letters], actor=actor)
        return _settle(connection, letters, "kept", actor=actor, reason=reason)


def take_later(
    connection: Connection[Any],
    letter_ids: Sequence[int] | None,
    settings: ProjectionSettings,
    decoder: Decoder,
    messages: MessageDecoder,
    *,
    actor: str,
    progress: Callable[[int, int], None] = lambda _read, _all: None,
) -> list[int]:
    """Let the events in the conflicts `letter_ids` (None: in all open ones) count, and what had their sequences not.

    Their orders are built anew from the whole topic, which is read once; the service may run meanwhile. Return the ids
    settled. All of it happens in one transaction, or nothing does.

    Raises:
        UnclearChoiceError: two of them are of one sequence.
        RebuildError: the topic doesn't tell all of the orders any more.
        KafkaException: the brokers don't answer.
    """
    letters = _letters(connection, letter_ids, also_kept=True)
    if not letters:
        return []
    counted = Counter((letter.order_id, letter.sequence) for letter in letters)
    unclear = [letter.id for letter in letters if counted[letter.order_id, letter.sequence] > 1]
    if unclear:
        raise UnclearChoiceError(
            f"The dead letters {', '.join(map(str, unclear))} hold several events of one sequence, of which one can "
            "count. Keep or leave out the others."
        )
    chosen = [letter.identity for letter in letters]
    settled: list[int] = []

    def conclude(transaction: Connection[Any], overruled: set[EventIdentity]) -> None:
        _overrule(transaction, sorted(overruled, key=lambda event: event.event_id), actor=actor)
        transaction.execute(_QUERIES["reinstate"], _arrays(chosen))
        settled[:] = _settle(transaction, letters, "taken", actor=actor, reason=None)

    Rebuild(settings, decoder, messages, progress, Choice(chosen, conclude)).run(swap=True)
    return settled


def _letters(
    connection: Connection[Any], letter_ids: Sequence[int] | None, *, also_kept: bool = False
) -> list[_Letter]:
    rows = connection.execute(
        _QUERIES["open"], {"ids": list(letter_ids or ()), "every": letter_ids is None, "also_kept": also_kept}
    ).fetchall()
    return [_Letter(*row) for row in rows]


def _overrule(connection: Connection[Any], events: list[EventIdentity], *, actor: str) -> None:
    connection.execute(_QUERIES["overrule"], {**_arrays(events), "actor": actor})


def _arrays(events: list[EventIdentity]) -> dict[str, Any]:
    return {
        "order_ids": [event.order_id for event in events],
        "sequences": [event.sequence for event in events],
        "event_ids": [event.event_id for event in events],
    }


def _settle(
    connection: Connection[Any], letters: list[_Letter], state: str, *, actor: str, reason: str | None
) -> list[int]:
    """Note the decision, on record for each order, and let the sync look at the orders again."""
    wanted = {"ids": [letter.id for letter in letters], "state": state, "actor": actor, "reason": reason}
    settled = sorted(row[0] for row in connection.execute(_QUERIES["settle"], wanted).fetchall())
    if settled:
        order_ids = sorted({letter.order_id for letter in letters if letter.id in settled})
        connection.execute(_QUERIES["release"], {"order_ids": order_ids})
        connection.execute(
            _QUERIES["audit"],
            {"ids": settled, "actor": actor, "action": f"dead_letters_{state}", "reason": reason},
        )
        connection.execute(_QUERIES["wake_sync"])
    return settled
