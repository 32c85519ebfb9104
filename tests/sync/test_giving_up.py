"""Transient failures are tried again for so many attempts and so long, then a person is asked."""

import pytest

from consumer.sync.back_off import ATTEMPTS, LONGEST_PENDING_SECONDS, is_hopeless
from tests.sync.books import Books


@pytest.mark.parametrize(
    ("attempts", "pending_seconds", "expected"),
    [
        (1, 0.0, False),
        (ATTEMPTS - 1, 0.0, False),
        (ATTEMPTS, 0.0, True),
        # Long disconnected, and then one failure: that is no reason yet.
        (1, 3 * LONGEST_PENDING_SECONDS, False),
        (3, LONGEST_PENDING_SECONDS, False),
        (3, LONGEST_PENDING_SECONDS + 1, True),
    ],
)
def test_when_an_order_is_hopeless(attempts: int, pending_seconds: float, expected: bool) -> None:  # noqa: FBT001 -- a parameter
    assert is_hopeless(attempts, pending_seconds) is expected


def test_an_order_that_fails_for_a_day_becomes_a_persons(books: Books) -> None:
    books.save_invoice()
    books.simulator.stop()
    try:
        books.push()
        assert books.order()["hold"] == "retry"
        books.connection.execute("update orders set projected_at = now() - interval '25 hours', attempts = 2")
        books.hasten()
        books.push()
    finally:
        books.simulator.start()
    order = books.order()
    assert (order["hold"], order["due_at"]) == ("problem", None)
    assert [code for code, _ in books.open_problems()] == ["gave_up"]
    books.retry()
    books.settle()
    assert books.invoice()["Status"] == "AUTHORISED"
    assert books.open_problems() == []
