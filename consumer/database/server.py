"""What the service needs of the server: a version that it was tried on, sessions of its own, and leave to write.

A lease, the relay and migrations rest on locks that live as long as their connection does. Behind a pooler that gives
a connection another session for each transaction (PgBouncer's transaction mode), such a lock belongs to nobody.
"""

import secrets
import time
from typing import Any

from psycopg import Connection, errors

from consumer.database.connection import open_plain
from consumer.database.queries import load_queries

OLDEST_VERSION = 15

_QUERIES = load_queries(__file__, "server.sql")
# The first of the two numbers of the lock of this check; the other one is drawn.
_SPACE = 1_906_284_417
_KEYS = 2**31
# A server notices in milliseconds that its client has gone, and a pooler cleans a session up as soon.
_RELEASE_SECONDS = 5.0
_LOOK_SECONDS = 0.02
# In a pool that many use, a connection without a session of its own may meet the same one again by chance.
_LOOKS = 5
_POOLED = (
    "DATABASE_URL leads to a pooler that gives a connection another session for each transaction (PgBouncer: "
    "pool_mode = transaction or statement). The service holds locks and prepared statements in its sessions. Give it "
    "Postgres itself, or a pool with pool_mode = session (deploy/poolers.md)."
)
_UNCLEAN = (
    "DATABASE_URL leads to a pooler that keeps the locks of a connection which is closed: dead processes would hold "
    "their work for ever. Let each connection have a session of its own that is cleaned up after it (PgBouncer: "
    "pool_mode = session, server_reset_query = DISCARD ALL; deploy/poolers.md)."
)
_STANDBY = (
    "The database is a standby, which can only be read. It is waited for until it is promoted; or give DATABASE_URL "
    "the primary's address, or those of all servers with target_session_attrs=read-write."
)
_READ_ONLY = (
    "The database takes no writes (default_transaction_read_only is on, for it or for our role). It is waited for "
    "until that is off."
)


class UnsupportedServerError(Exception):
    """The service can't work on this database; the text says why and what to give it instead."""


def check_server(url: str) -> None:
    """See that the server at `url` is new enough, and that a session's lock lasts just as long as its connection.

    Raises:
        UnsupportedServerError: it is not so, and waiting mends nothing.
        psycopg.Error: the database can't be reached, or refuses to be asked.
    """
    names = {"space": _SPACE, "key": secrets.randbelow(_KEYS)}
    with open_plain(url, name="check") as second:
        check_version(second)
        with open_plain(url, name="check") as first:
            # What is prepared belongs to the session as well, which may be another's by then.
            first.prepare_threshold = second.prepare_threshold = None
            process = _number(first, "lock", names)
            if not _is_apart(first, second, process, names):
                raise UnsupportedServerError(_POOLED)
        until = time.monotonic() + _RELEASE_SECONDS
        while _is_locked(second, names):
            if time.monotonic() > until:
                raise UnsupportedServerError(_UNCLEAN)
            time.sleep(_LOOK_SECONDS)


def check_version(connection: Connection[Any]) -> None:
    """See that the server is new enough.

    Raises:
        UnsupportedServerError: it is too old.
    """
    version = connection.info.server_version
    if version < OLDEST_VERSION * 10_000:
        raise UnsupportedServerError(
            f"The database is PostgreSQL {version // 10_000}; the service needs {OLDEST_VERSION} or newer. "
            "Upgrade the server, or give DATABASE_URL a newer one."
        )


def why_read_only(connection: Connection[Any]) -> str | None:
    """Return why nothing can be written, in a sentence; None where it can."""
    row = connection.execute(_QUERIES["read_only"]).fetchone()
    if row is None or not row[1]:
        return None
    return _STANDBY if row[0] else _READ_ONLY


def _is_apart(first: Connection[Any], second: Connection[Any], process: int, names: dict[str, int]) -> bool:
    """Whether `first`, which holds the lock in the server's `process`, has a session that `second` has no part in."""
    try:
        # For as long as this transaction lasts, its process is taken: whoever else had it must now have another.
        with second.transaction():
            if _number(second, "process") == process:
                # Else it would stay in the pool.
                second.execute(_QUERIES["unlock"], names)
                return False
            return _is_locked(second, names) and all(_number(first, "process") == process for _ in range(_LOOKS))
    except errors.ProtocolViolation as error:
        if "pooling" in str(error):
            return False
        raise


def _number(connection: Connection[Any], query: str, names: dict[str, int] | None = None) -> int:
    """Return the last column of the one row that `query` gives."""
    row = connection.execute(_QUERIES[query], names).fetchone()
    return 0 if row is None else int(row[-1])


def _is_locked(connection: Connection[Any], names: dict[str, int]) -> bool:
    row = connection.execute(_QUERIES["is_locked"], names).fetchone()
    return row is not None and bool(row[0])
