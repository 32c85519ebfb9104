"""Events of a sequence that another event of their order has: set aside once each, and their orders held.

They are no repeats, and which of the two counts is for a person to say (`dead-letters take` and `keep`). What was
decided, and what waits for a decision already, may come again without harm.
"""

from typing import Any

from confluent_kafka import Message
from psycopg import Connection

from consumer.contract import DeadLetter
from consumer.database import load_queries
from consumer.orders import OrderEvent, SequenceConflictError
from consumer.projection.batch import dead_letter

_QUERIES = load_queries(__file__, "conflicts.sql")

Conflicts = list[tuple[OrderEvent, Message]]
_Identity = tuple[str, int, str]


def undecided(connection: Connection[Any], conflicts: Conflicts) -> tuple[Conflicts, int]:
    """Return those of `conflicts` that nobody decided upon and that wait for nobody yet, and how many others."""
    identities = [_identity(event) for event, _ in conflicts]
    rows = connection.execute(
        _QUERIES["decided"],
        {
            "order_ids": [order_id for order_id, _, _ in identities],
            "sequences": [sequence for _, sequence, _ in identities],
            "event_ids": [event_id for _, _, event_id in identities],
        },
    ).fetchall()
    known: set[_Identity] = {(order_id, sequence, event_id) for order_id, sequence, event_id in rows}
    new: Conflicts = []
    for (event, origin), identity in zip(conflicts, identities, strict=True):
        if identity not in known:
            known.add(identity)
            new.append((event, origin))
    return new, len(conflicts) - len(new)


def letters_of(conflicts: Conflicts) -> list[DeadLetter]:
    """Return the dead letters of `conflicts`."""
    return [dead_letter(origin, SequenceConflictError(event), event=event) for event, origin in conflicts]


def hold(connection: Connection[Any], conflicts: Conflicts) -> None:
    """Note in the dead letters, which are written, whose place each event wants; let the sync hold the orders."""
    if not conflicts:
        return
    connection.execute(
        _QUERIES["identify"],
        {
            "topics": [origin.topic() for _, origin in conflicts],
            "partitions": [origin.partition() for _, origin in conflicts],
            "offsets": [origin.offset() for _, origin in conflicts],
            "sequences": [event.sequence for event, _ in conflicts],
            "event_ids": [event.event_id for event, _ in conflicts],
        },
    )
    connection.execute(_QUERIES["hold"], {"order_ids": sorted({event.order_id for event, _ in conflicts})})


def _identity(event: OrderEvent) -> _Identity:
    return event.order_id, event.sequence, event.event_id
