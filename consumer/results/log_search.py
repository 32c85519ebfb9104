"""Reading the sync log: by whom and what it is about, newest first, page by page."""

from datetime import datetime
from typing import Any

import msgspec
from psycopg import Connection
from psycopg.rows import dict_row

from consumer.database import load_queries
from consumer.results.sync_log import LogEntry, Operation, Outcome

_QUERIES = load_queries(__file__, "log_search.sql")


class LoggedEntry(LogEntry, frozen=True, kw_only=True):
    """A row of the sync log as it was written."""

    log_id: int
    occurred_at: datetime


class LogFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows are wanted; None = any. `since` is included, `until` is not."""

    organisation_id: str | None = None
    clinic_id: str | None = None
    order_id: str | None = None
    invoice_number: str | None = None
    operation: Operation | None = None
    outcome: Outcome | None = None
    problem: str | None = None
    problem_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None


class LogCount(msgspec.Struct, frozen=True, kw_only=True):
    """How often an operation ended in one way; `problem` is None where it succeeded."""

    operation: Operation
    outcome: Outcome
    problem: str | None
    problem_class: str | None
    count: int


def log_entries(
    connection: Connection[Any], wanted: LogFilter, *, before_id: int | None = None, limit: int = 100
) -> list[LoggedEntry]:
    """Return at most `limit` rows, newest first; the next page begins before the last one's `log_id`."""
    parameters = {**_parameters(wanted), "before_id": before_id, "limit": limit}
    with connection.cursor(row_factory=dict_row) as cursor:
        # Planned for these very values: a plan for any filter would walk the whole log for a rare one.
        cursor.execute(_QUERIES["entries"], parameters, prepare=False)
        return msgspec.convert(cursor.fetchall(), list[LoggedEntry])


def log_counts(connection: Connection[Any], wanted: LogFilter) -> list[LogCount]:
    """Return the counts of the rows of `wanted`, by operation, outcome and problem, the largest first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(_QUERIES["counts"], _parameters(wanted), prepare=False)
        return msgspec.convert(cursor.fetchall(), list[LogCount])


def _parameters(wanted: LogFilter) -> dict[str, Any]:
    # As plain text: psycopg would send an enumeration under a type of its own.
    return {
        name: str(value) if isinstance(value, str) else value for name, value in msgspec.structs.asdict(wanted).items()
    }
