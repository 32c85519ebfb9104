"""Tenants with few calls a minute: what a pass can do there, and what is left for the next one."""

from consumer.xero import Budget
from consumer.xero.client import XeroClient
from tests.sync.books import Books


def limit(books: Books, per_minute: int) -> None:
    """Let so many calls into a minute that has none yet."""
    budget = Budget(calls_per_minute=per_minute, calls_per_day=1_000_000)
    # The client has the rest of what it needs from the fixture.
    parts = {name: getattr(books.services.client, f"_{name}") for name in ("tokens", "connections", "transport")}
    books.use(budget=budget, client=XeroClient(api_url=books.simulator.url, budget=budget, **parts))
    another_minute(books)


def another_minute(books: Books) -> None:
    books.connection.execute("delete from xero_call")
    books.connection.execute("delete from xero_budget")
    books.hasten()


def unsynced(books: Books) -> int:
    row = books.connection.execute("select count(*) from orders where synced_revision < revision").fetchone()
    assert row is not None
    return int(row[0])
