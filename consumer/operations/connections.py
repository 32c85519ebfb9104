"""Database connections to borrow for a moment: one for each thread, opened when it first asks, anew when it broke."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import Connection
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow

from consumer.database import connect


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
        connection: Connection[TupleRow] | None = getattr(self._local, "connection", None)
        if connection is None or connection.closed:
            connection = connect(self._database_url, name=self._name)
            self._local.connection = connection
            with self._lock:
                self._opened = [*(opened for opened in self._opened if not opened.closed), connection]
        try:
            yield connection
        except BaseException:
            # Whatever was under way is over: the next borrower finds a clean connection, or opens a new one.
            if not connection.closed and connection.info.transaction_status is not TransactionStatus.IDLE:
                connection.close()
            raise

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            for connection in self._opened:
                connection.close()
            self._opened = []
