"""Open problems: what several failed orders have in common, from the first that meets it until none is held by it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from psycopg import Connection
from psycopg.rows import dict_row

from consumer.database import load_queries
from consumer.results.problem import Problem, ProblemClass

_QUERIES = load_queries(__file__, "problems.sql")


class OpenProblem(msgspec.Struct, frozen=True, kw_only=True):
    """One open problem with the orders that it holds; `oldest_order_at` is when the first of their changes happened."""

    problem_id: int
    organisation_id: str
    tenant_id: str | None
    code: str
    subject: str
    problem_class: ProblemClass
    message: str
    fix: str
    xero_message: str | None
    opened_at: datetime
    last_seen_at: datetime
    order_count: int
    oldest_order_at: datetime | None


def open_problem(connection: Connection[Any], organisation_id: str, tenant_id: str | None, problem: Problem) -> int:
    """Open `problem`, or meet it again where it is open; return its id.

    The row stays locked until the caller's transaction ends, so that nobody closes it before the caller's order refers
    to it. Open several in the order of their code and subject.
    """
    row = connection.execute(
        _QUERIES["open"],
        {
            "organisation_id": organisation_id,
            "tenant_id": tenant_id,
            "code": problem.code,
            "subject": problem.subject,
            "class": problem.problem_class.value,
            "message": problem.message,
            "fix": problem.fix,
            "xero_message": problem.xero_message,
        },
    ).fetchone()
    assert row is not None  # noqa: S101 - an upsert that updates on conflict returns its row in every case.
    return int(row[0])


def close_problems_without_orders(connection: Connection[Any], problem_ids: Sequence[int]) -> list[int]:
    """Close those of `problem_ids` that hold no order any more, in the caller's transaction; return their ids."""
    if not problem_ids:
        return []
    wanted = {"problem_ids": sorted(set(problem_ids))}
    # Two statements: the second sees what those who held the rows until now have committed.
    connection.execute(_QUERIES["lock"], wanted)
    return [int(row[0]) for row in connection.execute(_QUERIES["close_empty"], wanted)]


def close_problems_if_free(connection: Connection[Any], problem_ids: Sequence[int]) -> None:
    """Do the same, and wait for nobody: for a caller that holds an order, which a pass may be waiting for.

    Raises:
        psycopg.errors.LockNotAvailable: somebody else has one of them in hand.
    """
    wanted = {"problem_ids": sorted(set(problem_ids))}
    connection.execute(_QUERIES["lock_if_free"], wanted)
    connection.execute(_QUERIES["close_empty"], wanted)


def open_problems(connection: Connection[Any], organisation_id: str | None = None) -> list[OpenProblem]:
    """Return the open problems (of one organisation), those that hold most orders first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(_QUERIES["list_open"], {"organisation_id": organisation_id})
        return msgspec.convert(cursor.fetchall(), list[OpenProblem])
