"""What the service looks after by itself, whichever roles a process has: months of the sync log, calls, old words."""

import threading
from collections.abc import Callable

import psycopg
import structlog
from psycopg import Connection
from psycopg.rows import TupleRow

from consumer.database import is_outage
from consumer.operations.logs import error_text
from consumer.operations.role_failures import forget_old_failures
from consumer.results import keep_months
from consumer.sync import intents

# A month is made three months ahead: an hour more or less is nothing.
ROUND_SECONDS = 3_600.0
# Somebody read the log, or the database was away.
AGAIN_SECONDS = 60.0

_LOG = structlog.get_logger()


class Housekeeping:
    """A thread that goes round until it is told to stop. All processes may do it at once."""

    def __init__(self, connect: Callable[[str], Connection[TupleRow]], retention_months: int) -> None:
        self._connect = connect
        self._retention_months = retention_months
        self._stop = threading.Event()

    def run(self, stop: threading.Event) -> None:
        """Go round until `stop` is set.

        Raises:
            psycopg.Error: the database refuses what it should not: a defect.
        """
        self._stop = stop
        while not stop.is_set():
            stop.wait(ROUND_SECONDS if self.go_round() else AGAIN_SECONDS)

    def go_round(self) -> bool:
        """Do all there is to do; return False where it has to be tried again soon."""
        try:
            with self._connect("housekeeping") as connection:
                # By the database's clock: a machine whose own is years ahead must not drop what is still wanted.
                (now,) = connection.execute("select now()").fetchone() or (None,)
                assert now is not None  # noqa: S101 -- it always gives a row
                kept = keep_months(connection, now=now, retention_months=self._retention_months)
                forget_old_failures(connection)
                calls = self._forget_old_calls(connection)
        except psycopg.Error as error:
            if not is_outage(error):
                raise
            _LOG.info("housekeeping_put_off", reason=error_text(error), action="trying again by itself")
            return False
        if kept.added or kept.dropped:
            _LOG.info("sync_log_months_kept", added=kept.added, dropped=kept.dropped)
        if calls:
            _LOG.info("old_calls_forgotten", calls=calls)
        return True

    def _forget_old_calls(self, connection: Connection[TupleRow]) -> int:
        """Forget all that are old enough, some at a time: each deletion is short, whatever has gathered."""
        total = 0
        while not self._stop.is_set() and (forgotten := intents.prune(connection)):
            total += forgotten
        return total
