"""What is known without asking Xero: what may not go yet, what never goes, and what is told of it."""

import pytest

from consumer.orders import ChangeKind
from tests.sync.books import Books, line, lines


def test_without_the_currency_of_the_books_no_invoice_goes(books: Books) -> None:
    books.simulator.control.set_currencies(books.tenant_id, ["GBP", "EUR"])
    books.connection.execute("update xero_tenant set base_currency = null")
    books.save_invoice(currency="EUR")
    books.save_invoice("order-2")
    books.push()
    assert "EUR" not in [row["CurrencyCode"] for row in books.ledger()["Invoices"]]
    books.connection.execute("update xero_tenant set base_currency = 'GBP'")
    books.settle()
    assert [row["CurrencyCode"] for row in books.ledger()["Invoices"]] == ["GBP"]
    assert books.open_problems() == [("currency_mismatch", 1)]


def test_an_invoice_below_zero_is_not_sent(books: Books) -> None:
    books.save_invoice(lines=[line(), line("line-2", unit_price="-50.0000")], total="-10.0000")
    books.settle()
    assert books.writes() == []
    assert books.failure()["problem"] == "total_negative"


@pytest.mark.parametrize("deleted", [True, False])
def test_an_invoice_that_was_replaced_is_told_once(books: Books, *, deleted: bool) -> None:
    books.save_invoice(number="A", invoice_id="invoice-A")
    books.settle()
    if deleted:
        books.event("order-1", ChangeKind.INVOICE_DELETED, {"invoice_id": "invoice-A"})
    books.save_invoice(number="B", invoice_id="invoice-B")
    books.settle()
    books.save_payment()
    books.settle()
    (skip,) = [row for row in books.log() if row["outcome"] == "skipped"]
    assert (skip["problem"], skip["local_id"]) == ("invoice_deleted_in_hearlink", "invoice-A")
    assert "The invoice A" in skip["message"]


def test_a_credit_note_that_was_deleted_and_comes_again_needs_a_new_number(books: Books) -> None:
    books.save_invoice(**lines("100.0000"))
    books.save_credit_note(**lines("30.0000"))
    books.settle()
    books.delete_credit_note()
    books.settle()
    books.save_credit_note(**lines("30.0000"))
    books.settle()
    assert books.failure()["problem"] == "number_used_up"
    assert "CN-note-1" in books.failure()["message"]
    books.save_credit_note(number="CN-2", **lines("30.0000"))
    books.settle()
    assert books.invoice()["AmountDue"] == 70
    assert books.open_problems() == []


@pytest.mark.parametrize("inclusive", [True, False])
def test_a_full_credit_comes_to_the_cent_whatever_the_discount(books: Books, *, inclusive: bool) -> None:
    sold = [
        line("a", quantity="3.0000", unit_price="33.3350", discount="0.0051"),
        line("b", quantity="1.0000", unit_price="10.0000", discount="1.0049"),
        line("c", quantity="1.2500", unit_price="99.9999", discount="1.2345"),
    ]
    books.save_invoice(prices_include_tax=inclusive, lines=sold)
    books.save_credit_note(lines=sold)
    books.settle()
    assert books.failures() == []
    assert books.invoice()["AmountDue"] == 0
