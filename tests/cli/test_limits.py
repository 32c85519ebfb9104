"""A statement that Postgres stops is told as one by commands, and as no outage."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from consumer.database import connect
from tests.cli.service import Answer, Service


@pytest.mark.parametrize(
    ("arguments", "statement"),
    [
        (["verify"], "verification.sql: count"),
        (["status"], "status.sql: orders"),
        (["logs"], "log_search.sql: entries"),
    ],
)
def test_what_was_stopped_is_named_and_no_outage_is_told(office: Service, arguments: list[str], statement: str) -> None:
    with connect(office.environment["DATABASE_URL"], name="holder") as holder, holder.transaction():
        holder.execute("lock table orders, sync_log in access exclusive mode")
        answer = cancelled(office, arguments)
    assert answer.code == 1, answer.err
    assert answer.err.startswith("Postgres stopped a statement after ")
    assert statement in answer.err
    assert "can't be reached" not in answer.err
    assert "postgres-slow.md" in answer.err


def cancelled(service: Service, arguments: list[str]) -> Answer:
    """Run a command, and have Postgres stop the statement that waits for a lock, as statement_timeout does."""
    name = f"hearlink-xero {arguments[0]}"
    with ThreadPoolExecutor(1) as executor, connect(service.environment["DATABASE_URL"], name="test") as owner:
        answer = executor.submit(service.run_apart, *arguments)
        while not answer.done():
            owner.execute(
                "select pg_cancel_backend(pid) from pg_stat_activity"
                " where application_name = %s and wait_event_type = 'Lock' and datname = current_database()",
                [name],
            )
            time.sleep(0.05)
        return answer.result()
