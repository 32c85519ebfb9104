"""Limits of Postgres: a statement or a lock took too long. The database is there, so it is told from an outage."""

import re
from time import monotonic
from typing import Any

import psycopg
from psycopg import errors

from consumer.database.queries import statement_name

_LIMITS = (errors.QueryCanceled, errors.LockNotAvailable)
_SPACE = re.compile(r"\s+")
_SHOWN_CHARACTERS = 60


class StatementTimeoutError(errors.QueryCanceled):
    """A statement was stopped (SQLSTATE 57014) because it ran too long; what it would have written is not written."""


class LockTimeoutError(errors.LockNotAvailable):
    """A lock could not be had in time (SQLSTATE 55P03); nothing was written."""


class TellingCursor(psycopg.Cursor[Any]):
    """A cursor that tells of a limit which statement it was, after how long, and what to do.

    Raises:
        StatementTimeoutError: a statement ran into `statement_timeout`, or somebody stopped it.
        LockTimeoutError: it waited for a lock for longer than `lock_timeout`.
    """

    def execute(self, query: Any, *arguments: Any, **named: Any) -> Any:
        """See `psycopg.Cursor`."""
        began = monotonic()
        try:
            return super().execute(query, *arguments, **named)
        except _LIMITS as error:
            raise _told(error, query, began) from error

    def executemany(self, query: Any, *arguments: Any, **named: Any) -> None:
        """See `psycopg.Cursor`."""
        began = monotonic()
        try:
            super().executemany(query, *arguments, **named)
        except _LIMITS as error:
            raise _told(error, query, began) from error


class TellingServerCursor(psycopg.ServerCursor[Any]):
    """The same of a cursor that lives in the server, as downloads use it: it may be stopped with each page of rows."""

    def execute(self, query: Any, *arguments: Any, **named: Any) -> Any:
        """See `psycopg.ServerCursor`."""
        self._told = query
        self._began = monotonic()
        try:
            return super().execute(query, *arguments, **named)
        except _LIMITS as error:
            raise _told(error, query, self._began) from error

    def __next__(self) -> Any:
        """See `psycopg.ServerCursor`."""
        try:
            return super().__next__()
        except _LIMITS as error:
            raise _told(error, self._told, self._began) from error


def _told(error: psycopg.Error, query: Any, began: float) -> StatementTimeoutError | LockTimeoutError:
    seconds = monotonic() - began
    if isinstance(error, errors.LockNotAvailable):
        return LockTimeoutError(
            f"Postgres gave up waiting for a lock after {seconds:.1f} s (lock_timeout): {_name(query)}. "
            "Nothing of it was written. See who holds the lock (deploy/runbook/postgres-slow.md), and try again."
        )
    return StatementTimeoutError(
        f"Postgres stopped a statement after {seconds:.1f} s: {_name(query)}. It ran into statement_timeout, or "
        "somebody cancelled it. Nothing of it was written. Ask for less at once, or see what slows the database down "
        "(deploy/runbook/postgres-slow.md)."
    )


def _name(query: Any) -> str:
    """Return the name of a statement of ours; of another its beginning, which holds no values."""
    text = query.decode() if isinstance(query, bytes) else str(query)
    name = statement_name(text)
    if name is not None:
        return name
    flat = _SPACE.sub(" ", text).strip()
    return flat if len(flat) <= _SHOWN_CHARACTERS else f"{flat[:_SHOWN_CHARACTERS]} …"
