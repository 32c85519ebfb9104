"""Connections whose every option is chosen here, so that a frozen or cut-off peer is noticed in bounded time."""

import psycopg
from psycopg import Connection, errors
from psycopg.rows import TupleRow

from consumer.database.limits import TellingCursor, TellingServerCursor
from consumer.database.queries import load_queries

# A worker frozen inside a transaction (SIGSTOP, a stalled disk) must not hold its row locks for ever: others wait
# for a claim at most this long.
IDLE_IN_TRANSACTION_SECONDS = 15
# No statement of ours runs this long: bulk writes take well under a second; a rebuild sets its own limit.
STATEMENT_SECONDS = 60
# Longer than an idle transaction may last: who waits for a frozen worker's lock gets the lock, not an error.
LOCK_SECONDS = 25
CONNECT_SECONDS = 5
# Bytes sent and not acknowledged for this long: the server or the network is gone.
TCP_USER_TIMEOUT_MS = 10_000

# Whatever the client's environment, the role or the database says: months and days are those of UTC.
_TIME_ZONE = "UTC"

_SESSION = {
    "idle_in_transaction": f"{IDLE_IN_TRANSACTION_SECONDS}s",
    "statement": f"{STATEMENT_SECONDS}s",
    "lock": f"{LOCK_SECONDS}s",
    "time_zone": _TIME_ZONE,
}
_QUERIES = load_queries(__file__, "connection.sql")
_OUTAGE_CLASSES = ("08", "53", "57", "58")


def connect(url: str, *, name: str, autocommit: bool = True) -> Connection[TupleRow]:
    """Open a connection to `url` (`postgresql://…`), shown to the database's operators under `name`.

    Raises:
        psycopg.OperationalError: the database can't be reached; `is_outage` says True of it.
    """
    connection = open_plain(url, name=name)
    try:
        # Not as options of the connection: a pooler between drops those without a word, and PGTZ overrules them.
        connection.execute(_QUERIES["set"], _SESSION)
        connection.autocommit = autocommit
    except BaseException:
        connection.close()
        raise
    return connection


def open_plain(url: str, *, name: str) -> Connection[TupleRow]:
    """Open a connection in autocommit as `connect` does, and leave nothing behind in its session.

    Raises:
        psycopg.OperationalError: the database can't be reached.
    """
    connection = psycopg.connect(
        url,
        autocommit=True,
        cursor_factory=TellingCursor,
        application_name=f"hearlink-xero {name}",
        connect_timeout=CONNECT_SECONDS,
        tcp_user_timeout=TCP_USER_TIMEOUT_MS,
        keepalives=1,
        keepalives_idle=10,
        keepalives_interval=3,
        keepalives_count=3,
    )
    connection.server_cursor_factory = TellingServerCursor
    return connection


def is_limit(error: BaseException) -> bool:
    """Whether a statement or a lock took longer than it may: the database is there, and what was tried was too much.

    Loops try again, as after an outage; people are told what it was.
    """
    return isinstance(error, errors.QueryCanceled | errors.LockNotAvailable)


def is_outage(error: BaseException) -> bool:
    """Whether `error` means that the database is away, full, restarting or too slow, so that waiting is the answer.

    `is_limit` tells the last of these from the others. A wrong statement or wrong data is not an outage: waiting would
    hide it.
    """
    if not isinstance(error, psycopg.Error):
        return False
    if error.sqlstate is None:
        # The connection broke without a word of the server: psycopg then gives no SQLSTATE.
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    if is_limit(error) or isinstance(error, errors.ReadOnlySqlTransaction):
        return True
    return error.sqlstate[:2] in _OUTAGE_CLASSES or error.sqlstate in {"40001", "40P01", "25P03", "55P03"}
