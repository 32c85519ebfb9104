"""The sync log's months: made before they begin, dropped when their time is over."""

from datetime import datetime
from typing import Any, NamedTuple

from psycopg import Connection

from consumer.database import load_queries

# A service that is off for so long still finds the month of its first row.
MONTHS_AHEAD = 3
# Making and dropping a month waits for readers of the log, and whoever comes later waits behind it. After so long it
# steps aside, and is tried again at the next turn.
LOCK_MS = 2_000

_QUERIES = load_queries(__file__, "retention.sql")


class KeptMonths(NamedTuple):
    """Names of the partitions that were made and dropped."""

    added: list[str]
    dropped: list[str]


def keep_months(connection: Connection[Any], *, now: datetime, retention_months: int) -> KeptMonths:
    """Make the months to come, and drop those that ended `retention_months` before `now`; repeating it does no harm.

    `connection` is outside of a transaction.

    Raises:
        psycopg.errors.LockNotAvailable: somebody reads the log for long; try again later.
    """
    with connection.transaction():
        connection.execute("select set_config('lock_timeout', %s, true)", [f"{LOCK_MS}ms"])
        added = connection.execute(_QUERIES["add_months"], {"now": now, "months_ahead": MONTHS_AHEAD}).fetchall()
        dropped = connection.execute(_QUERIES["drop_months"], {"now": now, "months": retention_months}).fetchall()
    return KeptMonths([name for (name,) in added], [name for (name,) in dropped])
