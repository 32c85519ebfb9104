"""Roles, grants and policies: what must be there, by name, and the statements that put it there.

A dump holds no roles, so whatever names one is lost where it is restored to a server without them; an owner may be one
that can't make roles; another owner's tables show no rows. None of that is an error of any query's: pages stay empty.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import structlog
from psycopg import Connection, errors
from psycopg.rows import TupleRow, class_row

from consumer.database.queries import load_queries

_QUERIES = load_queries(__file__, "rights.sql")
# More would be a page that nobody reads to the end; `migrate` prints all.
_NAMED = 5
_LOG = structlog.get_logger()


class MissingRight(NamedTuple):
    """`what` is missing, `statement` mends it; `needed_by` says who can't work without: service or console."""

    what: str
    statement: str
    needed_by: str


class MissingRightsError(Exception):
    """Roles, grants, policies or tables of another owner that an administrator must see to; `rights` are they."""

    def __init__(self, rights: Sequence[MissingRight], user: str) -> None:
        self.rights = tuple(rights)
        script = "\n".join(f"  {right.statement};" for right in rights)
        super().__init__(
            f"The database lacks {_named(rights)}, and {user} may not put that there. "
            f"As an administrator of this database, run:\n{script}\nThen run this again."
        )


def foreign_owners(connection: Connection[TupleRow]) -> list[MissingRight]:
    """Return what of our tables, views and functions belongs to somebody else, so that the service can't work on it.

    Raises:
        psycopg.Error: the database is away.
    """
    return _ask(connection, "owners")


def missing_rights(connection: Connection[TupleRow]) -> list[MissingRight]:
    """Return what is missing of roles, owners, grants and policies, in the order in which it can be mended.

    Asks the catalogues alone, so that whoever lacks all rights gets an answer. To be asked of a database that has all
    migrations.

    Raises:
        psycopg.Error: the database is away.
    """
    return [right for name in ("roles", "owners", "missing") for right in _ask(connection, name)]


def require_standing(connection: Connection[TupleRow]) -> None:
    """See that this user can migrate: owns what is there, and finds the roles which migrations name, or can make them.

    Raises:
        MissingRightsError: an administrator has to see to it.
    """
    missing = _ask(connection, "owners")
    row = connection.execute(_QUERIES["may_create_roles"]).fetchone()
    if row is None or not row[0]:
        missing = [*_ask(connection, "roles"), *missing]
    if missing:
        raise MissingRightsError(missing, _user(connection))


def mend_rights(connection: Connection[TupleRow]) -> list[str]:
    """Put there what is missing; return what that was, by name. `connection` is outside of a transaction.

    Raises:
        MissingRightsError: some of it only an administrator can; the rest is done.
    """
    mended, left = [], []
    for right in missing_rights(connection):
        try:
            # The database itself wrote the statement, and quoted the names in it.
            connection.execute(right.statement.encode())
            mended.append(right.what)
        except (errors.InsufficientPrivilege, errors.UndefinedObject) as error:
            # Without the role, whatever names it is refused as well.
            _LOG.debug("right_not_mended", what=right.what, sqlstate=error.sqlstate)
            left.append(right)
    if left:
        raise MissingRightsError(left, _user(connection))
    return mended


def describe_rights(rights: Iterable[MissingRight]) -> str:
    """Return one sentence for `rights`, which are some, that says what to do."""
    return f"The database lacks {_named(list(rights))}. Run: hearlink-xero migrate"


def _named(rights: Sequence[MissingRight]) -> str:
    names = [right.what for right in rights[:_NAMED]]
    if len(rights) > _NAMED:
        names.append(f"{len(rights) - _NAMED} more")
    return ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else names[0]


def _ask(connection: Connection[TupleRow], name: str) -> list[MissingRight]:
    with connection.cursor(row_factory=class_row(MissingRight)) as cursor:
        return cursor.execute(_QUERIES[name]).fetchall()


def _user(connection: Connection[TupleRow]) -> str:
    return connection.info.user
