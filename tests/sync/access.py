"""What the tests of access share: time that passes, and calls that are counted."""

from consumer.xero import Obstacle, load_access
from tests.sync.books import Books


def let_access_be_tried(books: Books) -> None:
    """Have it be time to try again what Xero refused, where that happens by itself."""
    books.connection.execute("update xero_refusal set retry_at = now() where retry_at > now()")


def token_calls(books: Books) -> int:
    return sum(call["path"] == "/connect/token" for call in books.simulator.control.calls())


def obstacles(books: Books) -> list[Obstacle]:
    return load_access(books.connection)


def refused(books: Books) -> list[tuple[str, str]]:
    """What Xero refuses, as (code, scope)."""
    return [(obstacle.code.value, obstacle.scope) for obstacle in obstacles(books)]
