"""Noticing that the database lost transactions of ours: a failover to a replica that was behind, a restore, a copy."""

from typing import Any, Literal

import structlog
from psycopg import Connection, errors

from consumer.database.queries import load_queries

_QUERIES = load_queries(__file__, "setback.sql")
_LOG = structlog.get_logger()
_ACTION = "it may lack our last transactions: orders from before are looked up in Xero before they are sent"


def note_server(connection: Connection[Any]) -> None:
    """Take down which database of which server this is; to be called on a new connection, before anything is decided.

    A promoted replica may lack our last transactions, and is on a new timeline from its first moment on. So may a dump
    that was restored, or a copied database: its timeline can be any, but the database is another one. Servers that
    don't tell their timeline (some managed ones, whose replicas share one storage and lose nothing) are taken at their
    word.

    Raises:
        psycopg.Error: the database is away.
    """
    row = connection.execute(
        _QUERIES["note_server"], {"timeline": _ask(connection, "timeline"), "system": _ask(connection, "system")}
    ).fetchone()
    if row is not None and row[0] == "timeline":
        _LOG.warning("database_failed_over", action=_ACTION)
    elif row is not None and row[0] == "database":
        _LOG.warning("database_is_another", action=_ACTION)


def note_setback(connection: Connection[Any], reason: Literal["offsets", "group"]) -> None:
    """Take down that partitions stood behind where we had left them, or behind what the group committed to Kafka."""
    connection.execute(_QUERIES["note"], {"reason": reason})


def _ask(connection: Connection[Any], name: Literal["timeline", "system"]) -> str:
    """Return what the server says of itself, or "" where it doesn't say, or not to us."""
    try:
        row = connection.execute(_QUERIES[name]).fetchone()
    except (errors.FeatureNotSupported, errors.ObjectNotInPrerequisiteState, errors.InsufficientPrivilege) as error:
        _LOG.debug("server_does_not_tell", what=name, sqlstate=error.sqlstate)
        return ""
    return "" if row is None else str(row[0])
