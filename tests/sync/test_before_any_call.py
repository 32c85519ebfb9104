"""What is known without asking Xero: what may not go yet, what never goes, and what is told of it."""

import pytest

from consumer.orders import ChangeKind
from tests.sync.books import Books, line, lines, patient


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


@pytest.mark.parametrize("number", ["Rechnung-Ä1", "WH-€1", "W" * 256])
def test_a_number_that_xeros_rules_refuse_is_told_in_its_own_words(books: Books, number: str) -> None:
    books.save_invoice(number=number)
    books.settle()
    assert books.writes() == []
    row = books.failure()
    assert (row["operation"], row["problem"]) == ("invoice_create", "number_refused")
    assert "a number that Xero does not take" in row["message"]
    assert row["xero_message"] is None
    books.save_invoice(number="WH-1")
    books.settle()
    assert books.invoice("WH-1")["Status"] == "AUTHORISED"
    assert books.open_problems() == []
    books.save_credit_note(number="CN-€1")
    books.settle()
    assert [row["problem"] for row in books.failures()] == ["number_refused"] * 2
    assert books.ledger()["CreditNotes"] == []
    books.save_credit_note(number="CN-1")
    books.settle()
    assert books.open_problems() == []


def test_a_number_that_xero_has_taken_is_not_doubted_later(books: Books) -> None:
    books.save_invoice()
    books.settle()
    books.connection.execute("update xero_link set detail = detail || '{\"number\": \"WH-€1\"}' where kind = 'invoice'")
    books.save_invoice(number="WH-€1", invoice_id="invoice-WH-order-1")
    books.save_payment()
    books.settle()
    assert "number_refused" not in [row["problem"] for row in books.failures()]


def test_what_is_cut_is_told_in_the_log(books: Books) -> None:
    books.patients["order-1"] = patient("patient-of-order-1", last_name="y" * 300)
    books.save_invoice(lines=[line(description="x" * 4001)], reference="r" * 256)
    books.save_credit_note(lines=[line(description="x" * 4001)])
    books.settle()
    assert books.failures() == []
    told = {row["operation"]: row["warnings"] for row in books.log()}
    assert told["contact_create"] == ["The patient's name is longer than Xero takes: it is cut after 255 characters."]
    assert told["invoice_create"] == [
        f"The {part} of the invoice WH-order-1 is longer than Xero takes: it is cut after {limit} characters."
        for part, limit in [("reference", 255), ("description of a line", 4000)]
    ]
    assert ["cut after 4000" in warning for warning in told["credit_note_create"]] == [True]


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
