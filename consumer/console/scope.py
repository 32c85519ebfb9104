"""The one place where an organisation's rows are opened: a transaction in the role that sees them and no others."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from psycopg import Connection
from psycopg.rows import TupleRow

from consumer.database import load_queries

_QUERIES = load_queries(__file__, "scope.sql")

Borrow = Callable[[], AbstractContextManager[Connection[TupleRow]]]


@contextmanager
def organisation_scope(borrow: Borrow, organisation_id: str) -> Iterator[Connection[TupleRow]]:
    """Lend a connection within a transaction that sees the rows of `organisation_id` alone, and commit at the end.

    Row-level security (`sql/0005_console.sql`) keeps everything else away, whatever a query forgets to say.
    """
    with borrow() as connection, connection.transaction():
        enter(connection, organisation_id)
        yield connection


def enter(connection: Connection[Any], organisation_id: str) -> None:
    """Narrow the transaction that is under way to one organisation; it lasts until the transaction ends."""
    connection.execute(_QUERIES["role"])
    connection.execute(_QUERIES["organisation"], {"organisation_id": organisation_id})


def known_organisations(borrow: Borrow) -> list[str]:
    """Return all organisations that there are: for a user who may see all of them."""
    with borrow() as connection:
        return [name for (name,) in connection.execute(_QUERIES["known"])]
