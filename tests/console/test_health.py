"""What watches over the console: its requests counted, its readiness, and a database that takes too long."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from psycopg import Connection
from psycopg.rows import TupleRow

from consumer.console import ConsoleHealth, health
from consumer.database import connect
from consumer.operations.assembly import Assembly
from consumer.operations.health import HttpServer
from tests.console.conftest import Visitor, serving
from tests.sync.books import Books


@pytest.fixture
def probes(assembly: Assembly, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Where the probes of the test's console are; they look anew each time."""
    monkeypatch.setattr(health, "CACHE_SECONDS", 0.0)
    with HttpServer(("127.0.0.1", 0), ConsoleHealth(assembly), variable="CONSOLE_METRICS_ADDRESS") as server:
        yield server.url


@pytest.fixture
def console_url(assembly: Assembly) -> Iterator[str]:
    """A console whose requests the probes count: of the same parts."""
    with serving(assembly) as url:
        yield url


@pytest.fixture
def owner(database_url: str) -> Iterator[Connection[TupleRow]]:
    with connect(database_url, name="test") as connection:
        yield connection


def shown(probes: str) -> dict[str, float]:
    lines = requests.get(f"{probes}/metrics", timeout=10).text.splitlines()
    rows = [line.rpartition(" ") for line in lines if line.startswith("hearlink_xero_console")]
    return {name.removeprefix("hearlink_xero_console_"): float(value) for name, _, value in rows}


def count(probes: str, result: str) -> float:
    return shown(probes)[f'requests_total{{result="{result}"}}']


def test_it_is_ready_while_the_database_lets_it_work(probes: str, owner: Connection[TupleRow]) -> None:
    assert requests.get(f"{probes}/readyz", timeout=10).status_code == 200
    assert shown(probes)["ready"] == 1
    owner.execute("drop policy console on orders")
    answer = requests.get(f"{probes}/readyz", timeout=10)
    assert answer.status_code == 503
    assert "the policy console on orders" in answer.json()["postgres"]["reason"]
    assert shown(probes)["ready"] == 0
    # It is not stuck, and starting it again would mend nothing.
    assert requests.get(f"{probes}/healthz", timeout=10).status_code == 200


def test_requests_are_counted_by_what_became_of_them(
    probes: str, books: Books, visitor: Visitor, owner: Connection[TupleRow]
) -> None:
    assert count(probes, "failed") == 0
    books.save_invoice()
    visitor.page()
    assert visitor.get("/nowhere").status_code == 404
    assert count(probes, "ok") == 2
    owner.execute("update orders set state = '{}'")
    assert visitor.get("/organisations/org-1/orders/order-1").status_code == 500
    assert count(probes, "failed") == 1
    assert shown(probes)["request_seconds_count"] == 3


def test_a_database_that_takes_too_long_is_told_as_that(
    probes: str, books: Books, visitor: Visitor, database_url: str
) -> None:
    assert books.tenant_id
    with connect(database_url, name="holder") as holder, holder.transaction():
        holder.execute("lock table sync_log in access exclusive mode")
        page = cancelled(visitor, "/organisations/org-1/log", database_url)
        api = cancelled(visitor, "/api/organisations/org-1/log", database_url)
    assert page.status_code == 503
    assert "The database took too long." in page.text
    assert api.status_code == 503
    assert api.json()["title"] == "The database took too long."
    assert count(probes, "unavailable") == 2


def cancelled(visitor: Visitor, path: str, database_url: str) -> requests.Response:
    """Ask for `path`, and have Postgres stop the statement that waits for it, as statement_timeout does."""
    with ThreadPoolExecutor(1) as executor, connect(database_url, name="test") as owner:
        answer = executor.submit(visitor.get, path)
        while not answer.done():
            owner.execute(
                "select pg_cancel_backend(pid) from pg_stat_activity"
                " where application_name = 'hearlink-xero console' and wait_event_type = 'Lock'"
                " and datname = current_database()"
            )
            time.sleep(0.05)
        return answer.result()
