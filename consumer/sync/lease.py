"""The lease: one worker at a time for one tenant, and the epoch that fences every result a worker writes."""

import secrets
import time
from types import TracebackType
from typing import Any, Self

from psycopg import Connection

from consumer.database import connect, load_queries
from consumer.xero.budget import CALL_SECONDS

_QUERIES = load_queries(__file__, "lease.sql")

# A call is over CALL_SECONDS after its start, and none starts with less than that and a margin left of the lease.
MARGIN_SECONDS = 10
LEASE_SECONDS = CALL_SECONDS + 2 * MARGIN_SECONDS
# The first of the two numbers of our advisory locks: keeps them apart from anybody else's in the same database.
_LOCK_SPACE = 1_702_260


class LeaseLostError(Exception):
    """Someone else has the tenant by now: drop what is in hand, write nothing; they look up what we had sent."""


class Presence:
    """A worker's sign of life: an advisory lock held by a connection of its own.

    When the process dies, the database drops the lock at once and others may take over the worker's leases without
    waiting for their end. A frozen process keeps it, and its leases, until they expire.
    """

    def __init__(self, database_url: str, owner: str) -> None:
        self.owner = owner
        self.owner_lock = secrets.randbelow(2**31)
        self._database_url = database_url
        self._connection: Connection[Any] | None = None

    def __enter__(self) -> Self:
        self.assure()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._connection is not None:
            self._connection.close()

    def assure(self) -> None:
        """Hold the lock, anew where the connection was lost meanwhile.

        Raises:
            psycopg.Error: the database is away.
        """
        if self._connection is not None and not self._connection.closed:
            try:
                self._connection.execute("select 1")
            except Exception:  # noqa: BLE001 -- whatever broke it, the answer is a new connection
                self._connection.close()
            else:
                return
        self._connection = connect(self._database_url, name="presence")
        while True:
            row = self._connection.execute(
                _QUERIES["hold_presence"], {"lock_space": _LOCK_SPACE, "owner_lock": self.owner_lock}
            ).fetchone()
            if row is not None and row[0]:
                return
            # Held by our own lost connection, or by a stranger with the same number: take another.
            self.owner_lock = secrets.randbelow(2**31)


class Lease:
    """A lease in hand. `book` is the tenant's id, or the name under which orders without a tenant are handled."""

    def __init__(self, book: str, owner: str, epoch: int, started: float) -> None:
        self.book = book
        self.owner = owner
        self.epoch = epoch
        self._until = started + LEASE_SECONDS

    def renew(self, connection: Connection[Any], *, seconds_needed: float = CALL_SECONDS + MARGIN_SECONDS) -> None:
        """Make sure that the lease lasts `seconds_needed` more.

        Raises:
            LeaseLostError: somebody else has it.
        """
        if self._until - time.monotonic() >= seconds_needed:
            return
        started = time.monotonic()
        row = connection.execute(_QUERIES["renew"], {**self._key(), "lease_seconds": LEASE_SECONDS}).fetchone()
        if row is None:
            raise LeaseLostError(f"The lease of {self.book} was taken over.")
        self._until = started + LEASE_SECONDS

    @property
    def seconds_left(self) -> float:
        """Seconds until the lease ends, by this process's monotonic clock, counted from before it was taken."""
        return self._until - time.monotonic()

    def fence(self, connection: Connection[Any]) -> None:
        """Keep the lease until the caller's transaction ends.

        Raises:
            LeaseLostError: somebody else has it; roll back.
        """
        if connection.execute(_QUERIES["fence"], self._key()).fetchone() is None:
            raise LeaseLostError(f"The lease of {self.book} was taken over.")

    def rest(self, connection: Connection[Any], seconds: float, window: str) -> None:
        """Have nobody look at the tenant for `seconds`: its calls of the `window` (minute or day) are spent."""
        connection.execute(_QUERIES["rest"], {**self._key(), "seconds": seconds, "window": window})

    def release(self, connection: Connection[Any]) -> None:
        """Give the lease back; harmless where it is somebody else's by now."""
        connection.execute(_QUERIES["release"], self._key())

    def _key(self) -> dict[str, Any]:
        return {"book": self.book, "epoch": self.epoch, "owner": self.owner}


def acquire(connection: Connection[Any], book: str, presence: Presence, thread_name: str) -> Lease | None:
    """Take the lease of `book` if it is free, over, or left by a dead process; None where somebody works on it."""
    started = time.monotonic()
    owner = f"{presence.owner}/{thread_name}"
    connection.execute(_QUERIES["ensure"], {"book": book})
    row = connection.execute(
        _QUERIES["acquire"],
        {
            "book": book,
            "owner": owner,
            "owner_lock": presence.owner_lock,
            "lease_seconds": LEASE_SECONDS,
            "lock_space": _LOCK_SPACE,
        },
    ).fetchone()
    return None if row is None else Lease(book, owner, int(row[0]), started)
