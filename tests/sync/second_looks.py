"""How an order fails for something in Xero, and how a retry finds that it was settled there."""

from tests.sync.books import Books

INVOICE = "WH-order-1"


def fails(books: Books, code: str) -> None:
    books.settle()
    assert books.failures()[-1]["problem"] == code
    assert books.open_problems() == [(code, 1)]


def is_over(books: Books, *operations: str) -> None:
    """A retry finds these settled, writes nothing, and no failure is left, today or at the next request."""
    failed, logged = len(books.failures()), len(books.log())
    books.forget_calls()
    books.retry()
    books.settle()
    assert books.writes() == []
    settled = [row for row in books.log()[logged:] if row["outcome"] == "succeeded"]
    assert [row["operation"] for row in settled] == list(operations)
    assert all("settled in Xero" in row["message"] for row in settled)
    order = books.order()
    assert (order["synced_revision"], order["hold"], books.open_problems()) == (order["revision"], None, [])
    books.forget_calls()
    books.request_sync()
    books.settle()
    assert (books.calls(), len(books.failures())) == ([], failed)
