"""Noticing that the database lost transactions of ours: a failover to a replica that was behind, or a restore."""

from typing import Any

import structlog
from psycopg import Connection, errors

from consumer.database.queries import load_queries

_QUERIES = load_queries(__file__, "setback.sql")
_LOG = structlog.get_logger()


def note_timeline(connection: Connection[Any]) -> None:
    """Take down which timeline the server is on; to be called on each new connection, before anything is decided.

    A promoted replica may lack our last transactions, and is on a new timeline from its first moment on. Servers that
    don't tell theirs (some managed ones, whose replicas share one storage and lose nothing) are taken at their word.

    Raises:
        psycopg.Error: the database is away.
    """
    try:
        row = connection.execute(_QUERIES["note_timeline"]).fetchone()
    except (errors.FeatureNotSupported, errors.ObjectNotInPrerequisiteState, errors.InsufficientPrivilege) as error:
        _LOG.debug("timeline_unknown", sqlstate=error.sqlstate)
        return
    if row is not None and row[0] == "timeline":
        _LOG.warning(
            "database_failed_over",
            action="it may lack our last transactions: orders from before are looked up in Xero before they are sent",
        )


def note_moved_offsets(connection: Connection[Any]) -> None:
    """Take down that partitions stood behind where we had left them."""
    connection.execute(_QUERIES["note_offsets"])
