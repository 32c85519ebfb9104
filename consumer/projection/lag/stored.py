"""Where the projection of each partition stands, as Postgres has it."""

from collections.abc import Sequence
from typing import Any

from psycopg import Connection

from consumer.database import load_queries

_QUERIES = load_queries(__file__, "stored.sql")


def stored_offsets(connection: Connection[Any], topics: Sequence[str]) -> dict[tuple[str, int], int]:
    """Return the next offset to project of each partition that was ever claimed.

    Raises:
        psycopg.Error: the database is away, or has no tables yet.
    """
    rows = connection.execute(_QUERIES["offsets"], {"topics": list(topics)}).fetchall()
    return {(topic, partition): next_offset for topic, partition, next_offset in rows}
