"""Numbers of invoices and credit notes: those that are missing, and those that Xero changes."""

from typing import Any

import pytest

from consumer.xero.tenant import TenantClient
from tests.sync.books import Books, lines

BLANK = ["", "   ", "\t", "\u00a0", "\u200b"]


@pytest.mark.parametrize("number", BLANK)
def test_an_invoice_without_a_number_waits_for_one(books: Books, number: str) -> None:
    books.save_invoice(number=number)
    books.save_payment()
    books.settle()
    assert books.writes() == []
    assert books.failure()["problem"] == "number_missing"
    books.save_invoice(number="WH7", invoice_id=f"invoice-{number}")
    books.settle()
    assert books.invoice("WH7")["Status"] == "PAID"
    assert books.open_problems() == []


@pytest.mark.parametrize("number", BLANK)
def test_a_credit_note_without_a_number_waits_for_one(books: Books, number: str) -> None:
    books.save_invoice(**lines("100.0000"))
    books.save_payment(amount="60.0000")
    books.save_credit_note(number=number, **lines("30.0000"))
    books.settle()
    assert books.ledger()["CreditNotes"] == []
    assert books.payments() == [("CARD pay-1", 60.0)]
    assert books.failure()["problem"] == "number_missing"
    books.save_credit_note(number="CN7", **lines("30.0000"))
    books.settle()
    assert books.note()["CreditNoteNumber"] == "CN7"
    assert books.invoice()["AmountDue"] == 10


def test_what_loses_its_number_stays_in_xero_as_it_is(books: Books) -> None:
    books.save_invoice(**lines("100.0000"))
    books.save_credit_note(**lines("30.0000"))
    books.settle()
    books.forget_calls()
    books.save_credit_note(number="", **lines("20.0000"))
    books.settle()
    assert books.writes() == []
    assert books.failure()["problem"] == "number_missing"


def test_a_number_goes_without_the_blanks_around_it(books: Books) -> None:
    """Xero trims it: found again after a lost answer, it is as it was sent."""
    books.strike("drop_after", method="PUT", path="/Invoices$")
    books.save_invoice(number=" WH 7 ")
    books.settle()
    assert books.invoice("WH 7")["Status"] == "AUTHORISED"
    assert not [call for call in books.writes() if call["method"] == "POST"]


@pytest.mark.parametrize(("path", "field"), [("Invoices", "InvoiceNumber"), ("CreditNotes", "CreditNoteNumber")])
def test_what_xero_numbers_otherwise_is_linked_and_told_and_never_made_again(
    books: Books, monkeypatch: pytest.MonkeyPatch, path: str, field: str
) -> None:
    call = TenantClient._call

    def numbering(self: TenantClient, method: str, to: str, **more: Any) -> Any:
        if (method, to) == ("PUT", path):
            elements = [{**element, field: "X-0001"} for element in more["body"][path]]
            more["body"] = {path: elements}
        return call(self, method, to, **more)

    with monkeypatch.context() as patched:
        patched.setattr(TenantClient, "_call", numbering)
        books.save_invoice(**lines("100.0000"))
        books.save_credit_note(**lines("30.0000"))
        books.settle()
        books.retry()
    assert [row[field] for row in books.ledger()[path]] == ["X-0001"]
    failure = books.failure()
    assert failure["problem"] == "numbered_otherwise"
    assert "X-0001" in failure["message"]
    assert failure["xero_id"] is not None
    # The document is known by its id, so its number can be put right there.
    books.settle()
    assert [row[field] for row in books.ledger()[path]] == ["CN-note-1" if path == "CreditNotes" else "WH-order-1"]
    assert books.open_problems() == []
    assert books.invoice()["AmountDue"] == 70
