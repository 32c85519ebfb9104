"""Database connections to borrow for a moment: one for each thread, opened when it first asks, anew when it broke."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import Connection
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow

from consumer.database import connect

# Within so short a time a server that went away would be news to anyone.
_TRUSTED_SECONDS = 0.5


class ThreadConnections:
    """As many connections as threads ask for one, so nobody waits for a free one while Xero waits for an answer.

    For threads that live as long as the process: their connections are closed by `close` alone.
    """

    def __init__(self, database_url: str, name: str) -> None:
        self._database_url = database_url
        self._name = name
        self._local = threading.local()
        self._lock = threading.Lock()
        self._opened: list[Connection[TupleRow]] = []

    @contextmanager
    def borrow(self) -> Iterator[Connection[TupleRow]]:
        """Lend this thread's connection: autocommit, outside of a transaction.

        Raises:
            psycopg.OperationalError: the database can't be reached.
        """
        connection = self._living()
        if connection is None:
            connection = connect(self._database_url, name=self._name)
            self._local.connection = connection
            # A borrower may borrow again before the connection is given back for the first time.
            self._local.used_at = time.monotonic()
            with self._lock:
                self._opened = [*(opened for opened in self._opened if not opened.closed), connection]
        try:
            yield connection
        except BaseException:
            # Whatever was under way is over: the next borrower finds a clean connection, or opens a new one.
            if not connection.closed and connection.info.transaction_status is not TransactionStatus.IDLE:
                connection.close()
            raise
        finally:
            self._local.used_at = time.monotonic()

    def _living(self) -> Connection[TupleRow] | None:
        """Return this thread's connection; None where it has none, or lost it while it was not looking."""
        connection: Connection[TupleRow] | None = getattr(self._local, "connection", None)
        if connection is None or connection.closed:
            return None
        if time.monotonic() - self._local.used_at < _TRUSTED_SECONDS:
            return connection
        if connection.info.transaction_status is not TransactionStatus.IDLE:
            # Lent already, in the midst of a transaction, whose owner finds out by himself.
            return connection
        try:
            connection.execute("select 1")
        except psycopg.OperationalError:
            # Found out now, it costs a new connection; in the midst of a call, it would cost a look-up in Xero.
            connection.close()
            return None
        return connection

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            for connection in self._opened:
                connection.close()
            self._opened = []
