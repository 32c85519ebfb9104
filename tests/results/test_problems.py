"""Open problems: one for all orders that share it, closed when none is left, safe when workers meet."""

import threading
from typing import Any

import pytest
from psycopg import Connection

from consumer.database import connect
from consumer.results import (
    Facts,
    Problem,
    ProblemClass,
    close_problems_without_orders,
    load_catalogue,
    open_problem,
    open_problems,
)
from tests.results.conftest import InsertOrder

CATALOGUE = load_catalogue()
ARCHIVED = CATALOGUE.match(
    ["Account code '200' has been archived, or has been deleted."],
    Facts(order_id="order-1", patient_id="patient-1", number="WH1"),
)


def test_one_cause_is_one_problem(connection: Connection[Any]) -> None:
    first = open_problem(connection, "org-1", "tenant-1", ARCHIVED)
    assert first == open_problem(connection, "org-1", "tenant-1", ARCHIVED)
    (problem,) = open_problems(connection)
    assert problem.problem_id == first
    assert problem.code == "account_archived"
    assert problem.subject == "200"
    assert problem.problem_class is ProblemClass.SETTINGS
    assert problem.fix == ARCHIVED.fix
    assert problem.xero_message == ARCHIVED.xero_message
    assert problem.order_count == 0


def test_other_organisations_tenants_codes_and_subjects_are_problems_of_their_own(connection: Connection[Any]) -> None:
    other = CATALOGUE.local("no_tenant", clinic_id="clinic-1")
    another = CATALOGUE.local("no_tenant", clinic_id="clinic-2")
    ids = {
        open_problem(connection, "org-1", "tenant-1", ARCHIVED),
        open_problem(connection, "org-1", "tenant-2", ARCHIVED),
        open_problem(connection, "org-1", None, ARCHIVED),
        open_problem(connection, "org-2", "tenant-1", ARCHIVED),
        open_problem(connection, "org-1", None, other),
        open_problem(connection, "org-1", None, another),
    }
    assert len(ids) == 6
    assert len(open_problems(connection, "org-1")) == 5


def test_a_problem_shows_the_orders_it_holds(connection: Connection[Any], insert_order: InsertOrder) -> None:
    small = open_problem(connection, "org-1", "tenant-1", CATALOGUE.local("xero_disconnected"))
    large = open_problem(connection, "org-1", "tenant-1", ARCHIVED)
    insert_order("order-1", problem_id=large, pending_since="2026-02-01T00:00:00Z")
    insert_order("order-2", problem_id=large, pending_since="2026-01-01T00:00:00Z")
    insert_order("order-3", problem_id=small)
    first, second = open_problems(connection)
    assert (first.problem_id, first.order_count) == (large, 2)
    assert first.oldest_order_at is not None
    assert first.oldest_order_at.isoformat() == "2026-01-01T00:00:00+00:00"
    assert (second.problem_id, second.order_count) == (small, 1)


def test_a_problem_closes_when_it_holds_no_order_any_more(
    connection: Connection[Any], insert_order: InsertOrder
) -> None:
    problem_id = open_problem(connection, "org-1", "tenant-1", ARCHIVED)
    insert_order("order-1", problem_id=problem_id)
    assert close_problems_without_orders(connection, [problem_id]) == []
    connection.execute("update orders set problem_id = null")
    assert close_problems_without_orders(connection, [problem_id, problem_id, 12345]) == [problem_id]
    assert close_problems_without_orders(connection, [problem_id]) == []
    assert close_problems_without_orders(connection, []) == []
    assert open_problems(connection) == []
    assert open_problem(connection, "org-1", "tenant-1", ARCHIVED) != problem_id


def test_meeting_a_problem_again_takes_the_newest_words(connection: Connection[Any]) -> None:
    open_problem(connection, "org-1", "tenant-1", ARCHIVED)
    newer = Problem(
        code=ARCHIVED.code,
        problem_class=ARCHIVED.problem_class,
        message="Now otherwise.",
        fix="Do this.",
        subject=ARCHIVED.subject,
    )
    open_problem(connection, "org-1", "tenant-1", newer)
    (problem,) = open_problems(connection)
    assert (problem.message, problem.fix, problem.xero_message) == ("Now otherwise.", "Do this.", None)
    assert problem.last_seen_at >= problem.opened_at


def test_who_closes_waits_for_who_opens(
    connection: Connection[Any], other_connection: Connection[Any], insert_order: InsertOrder
) -> None:
    problem_id = open_problem(connection, "org-1", "tenant-1", ARCHIVED)
    closed: list[list[int]] = []
    with connection.transaction():
        # An order is about to be held by the problem …
        assert problem_id == open_problem(connection, "org-1", "tenant-1", ARCHIVED)
        insert_order("order-1", problem_id=problem_id)

        def close() -> None:
            with other_connection.transaction():
                closed.append(close_problems_without_orders(other_connection, [problem_id]))

        # … while the last one that was held goes through.
        thread = threading.Thread(target=close)
        thread.start()
        _wait_until_blocked(connection, other_connection)
        assert closed == []
    thread.join(timeout=20)
    assert closed == [[]]
    assert [problem.problem_id for problem in open_problems(connection)] == [problem_id]


def test_who_opens_after_a_closing_gets_a_new_problem(
    connection: Connection[Any], other_connection: Connection[Any]
) -> None:
    problem_id = open_problem(connection, "org-1", "tenant-1", ARCHIVED)
    opened: list[int] = []
    with connection.transaction():
        assert close_problems_without_orders(connection, [problem_id]) == [problem_id]
        thread = threading.Thread(
            target=lambda: opened.append(open_problem(other_connection, "org-1", "tenant-1", ARCHIVED))
        )
        thread.start()
        _wait_until_blocked(connection, other_connection)
    thread.join(timeout=20)
    assert len(opened) == 1
    assert opened != [problem_id]


@pytest.mark.parametrize("workers", [8])
def test_many_workers_open_one_problem(database_url: str, connection: Connection[Any], workers: int) -> None:
    barrier = threading.Barrier(workers)
    ids: list[int] = []

    def work() -> None:
        with connect(database_url, name="test") as own:
            barrier.wait()
            ids.extend(open_problem(own, "org-1", None, ARCHIVED) for _ in range(20))

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(ids) == 20 * workers
    assert len(set(ids)) == 1
    assert len(open_problems(connection)) == 1


def _wait_until_blocked(watcher: Connection[Any], blocked: Connection[Any]) -> None:
    pid = blocked.info.backend_pid
    while True:
        row = watcher.execute("select cardinality(pg_blocking_pids(%s))", [pid]).fetchone()
        if row is not None and row[0] > 0:
            return
