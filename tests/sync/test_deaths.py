"""Workers that die, or lose their answers, while orders change: nobody is blamed for it, nothing newer is forgotten."""

from typing import Any

import pytest

from consumer.sync.admission import Admission
from consumer.sync.back_off import ALONE_FROM, ATTEMPTS, CRASHES_MAX
from consumer.sync.services import Patience
from tests.sync.books import Books, KilledError


def die_with(monkeypatch: pytest.MonkeyPatch, books: Books, *order_ids: str) -> int:
    """Push until nothing is ready, with a worker that dies of `order_ids`; return how many died."""
    decide = Admission.decide

    def die(self: Admission, job: Any) -> None:
        if job.row.order_id in order_ids and job.row.crashes <= CRASHES_MAX:
            raise KilledError
        decide(self, job)

    deaths = 0
    with monkeypatch.context() as patched:
        patched.setattr(Admission, "decide", die)
        while True:
            try:
                books.push()
            except KilledError:
                deaths += 1
            else:
                return deaths


def test_an_order_that_workers_die_of_is_left_alone_and_the_others_get_through(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        books.save_invoice(f"order-{number}")
    assert die_with(monkeypatch, books, "order-1") == CRASHES_MAX + 1
    assert sorted(row["InvoiceNumber"] for row in books.ledger()["Invoices"]) == [
        "WH-order-0",
        "WH-order-2",
        "WH-order-3",
    ]
    assert books.failure()["problem"] == "workers_died"
    assert books.order("order-1")["hold"] == "problem"
    books.retry("order-1")
    books.settle()
    assert len(books.ledger()["Invoices"]) == 4
    assert books.open_problems() == []


def test_workers_that_die_use_up_nobodys_attempts(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        books.save_invoice(f"order-{number}")
    for _ in range(ATTEMPTS + 3):
        books.die_at(monkeypatch, "invoice_create", committed=False)
        books.hasten()
    books.settle()
    assert books.failures() == []
    assert len(books.ledger()["Invoices"]) == 4
    assert {row["attempt"] for row in books.log() if row["operation"] == "invoice_create"} <= {1, 2}
    assert books.order("order-1")["unended_claims"] == 0


def test_alone_means_that_the_rest_is_not_held_up(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    books.save_invoice("order-0")
    for _ in range(ALONE_FROM):
        books.die_at(monkeypatch, "contact_create", committed=False)
        books.use(patience=Patience(safe_wait_seconds=0.0))
        books.hasten()
    for number in range(1, 4):
        books.save_invoice(f"order-{number}")
    books.forget_calls()
    books.settle()
    assert len(books.ledger()["Invoices"]) == 4
    assert sorted(call["elements"] for call in books.writes() if call["path"].endswith("/Invoices")) == [1, 3]


class TestChangedWhileInDoubt:
    """The number of the lost call belongs to another order; meanwhile the order has become something else."""

    @pytest.fixture(autouse=True)
    def lost(self, books: Books) -> None:
        books.save_invoice("order-1", number="DUP")
        books.push()
        books.use(patience=Patience(safe_wait_seconds=3600.0))
        books.strike("drop_before", method="PUT", path="/Invoices$")
        books.save_invoice("order-2", number="DUP")
        books.push()
        assert books.order("order-2")["hold"] == "in_doubt"
        books.use(patience=Patience(safe_wait_seconds=0.0))

    def test_as_it_was_it_is_told_whose_the_number_is(self, books: Books) -> None:
        books.settle()
        assert books.failure()["problem"] == "number_taken_by_other_order"
        assert "order-1" in books.failure()["message"]
        assert books.order("order-2")["hold"] == "problem"

    def test_corrected_and_paid_it_goes_through(self, books: Books) -> None:
        books.save_invoice("order-2", number="DUP-corrected")
        books.save_payment("order-2")
        books.settle()
        assert books.invoice("DUP-corrected")["Status"] == "PAID"
        order = books.order("order-2")
        assert (order["hold"], order["synced_revision"]) == (None, order["revision"])
        assert books.open_problems() == []

    def test_closed_it_is_said_to_be_skipped(self, books: Books) -> None:
        books.close("order-2")
        books.settle()
        assert ("order_sync", "skipped", "order_closed") in books.told("order-2")
        assert books.order("order-2")["hold"] is None

    def test_asked_for_it_is_answered(self, books: Books) -> None:
        books.save_invoice("order-2", number="DUP-corrected")
        books.request_sync("order-2")
        books.settle()
        assert books.order("order-2")["requested_revision"] is None
        assert books.invoice("DUP-corrected")["Status"] == "AUTHORISED"
