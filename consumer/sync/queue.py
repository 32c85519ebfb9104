"""Which tenant next: the books with something due, least recently served first."""

from typing import Any

import msgspec
from psycopg import Connection
from psycopg.rows import class_row

from consumer.database import load_queries

_QUERIES = load_queries(__file__, "queue.sql")

# More than a process has threads: some of the first ones are taken by other workers.
_BOOKS_AT_ONCE = 50


class Book(msgspec.Struct, frozen=True):
    """A tenant with work, or `-:organisation` for orders that no call can be made for.

    `wait_seconds` 0 = now. `clinic_ids` are the clinics that have something due or soon due; none where only a lost
    answer must be looked up.
    """

    book: str
    organisation_id: str
    clinic_ids: list[str]
    wait_seconds: float


def next_books(connection: Connection[Any]) -> list[Book]:
    """Return the books with work, those that wait longest for a worker first; later ones by their time.

    What waited for access that Xero gives again is made due before, and one order where it is time to try.
    """
    _follow_access(connection)
    with connection.cursor(row_factory=class_row(Book)) as cursor:
        return cursor.execute(_QUERIES["books"], {"limit": _BOOKS_AT_ONCE}).fetchall()


def _follow_access(connection: Connection[Any]) -> None:
    row = connection.execute(_QUERIES["access_changed"]).fetchone()
    if row is not None and row[0]:
        connection.execute(_QUERIES["wake_lifted"])
        connection.execute(_QUERIES["let_one_try"])


def due_count(connection: Connection[Any], book: Book, limit: int) -> int:
    """Return how many orders of `book` are due, counting no farther than `limit`."""
    row = connection.execute(
        _QUERIES["due_count"],
        {"organisation_id": book.organisation_id, "clinic_ids": book.clinic_ids, "limit": limit},
    ).fetchone()
    return int(row[0]) if row is not None else 0


def has_urgent(connection: Connection[Any], book: Book) -> bool:
    """Whether a person waits for one of the due orders of `book`."""
    row = connection.execute(
        _QUERIES["has_urgent"], {"organisation_id": book.organisation_id, "clinic_ids": book.clinic_ids}
    ).fetchone()
    return bool(row is not None and row[0])


def settle(connection: Connection[Any], order_id: str) -> None:
    """Have an order stand as settled, in the caller's transaction, which has written the settlement."""
    connection.execute(_QUERIES["settle"], {"order_id": order_id})


def unsettle(connection: Connection[Any], order_id: str) -> None:
    """Make an order due whose settlement the caller's transaction has taken back."""
    connection.execute(_QUERIES["unsettle"], {"order_id": order_id})
    connection.execute(_QUERIES["notify"])


def wake_after_connect(connection: Connection[Any], organisation_id: str) -> int:
    """Make due what waited for the connection, in clinics in auto mode or on an unanswered request; return how many."""
    count = connection.execute(_QUERIES["wake_connection"], {"organisation_id": organisation_id}).rowcount
    connection.execute(_QUERIES["hasten_look_ups"], {"organisation_id": organisation_id})
    connection.execute(_QUERIES["notify"])
    return count


def wake_after_settings(connection: Connection[Any], organisation_id: str) -> int:
    """Make due what had failed for the settings' sake, in clinics in auto mode; return how many orders that is."""
    count = connection.execute(_QUERIES["wake_settings"], {"organisation_id": organisation_id}).rowcount
    connection.execute(_QUERIES["notify"])
    return count
