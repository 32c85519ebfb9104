"""An update carries what changed: Xero takes a new reference for a paid invoice, and no new amounts."""

from typing import Any

from tests.sync.books import Books, line, lines


def last_sent(books: Books) -> dict[str, Any]:
    row = books.connection.execute(
        "select detail -> 'body' from xero_intent_element order by intent_id desc, position desc limit 1"
    ).fetchone()
    assert row is not None
    return dict(row[0])


def test_a_reference_alone_is_sent_without_lines_also_when_it_is_paid(books: Books) -> None:
    books.save_invoice()
    books.save_payment()
    books.push()
    books.save_invoice(reference="PO 7", due_on="2026-11-30")
    books.push()
    assert books.failures() == []
    assert (books.invoice()["Reference"], books.invoice()["Status"]) == ("PO 7", "PAID")
    assert set(last_sent(books)) == {
        "InvoiceID",
        "Type",
        "Contact",
        "InvoiceNumber",
        "Url",
        "DueDate",
        "Reference",
    }


def test_a_description_is_sent_with_the_lines_and_no_discount_that_was_never_there(books: Books) -> None:
    books.save_invoice()
    books.save_payment()
    books.push()
    books.save_invoice(lines=[line(description="Hearing test at home")])
    books.push()
    assert books.failures() == []
    (sent,) = last_sent(books)["LineItems"]
    assert "DiscountAmount" not in sent
    assert books.invoice()["LineItems"][0]["Description"] == "Hearing test at home"


def test_a_discount_that_is_gone_is_said_once(books: Books) -> None:
    books.save_invoice(lines=[line(discount="5.0000")], total="35.0000")
    books.push()
    books.save_invoice()
    books.push()
    (sent,) = last_sent(books)["LineItems"]
    assert float(sent["DiscountAmount"]) == 0
    assert books.invoice()["Total"] == 40
    books.save_invoice(**lines("41.0000"))
    books.push()
    (sent,) = last_sent(books)["LineItems"]
    assert "DiscountAmount" not in sent
    assert books.invoice()["Total"] == 41


def test_another_date_is_sent_with_what_it_is_read_by(books: Books) -> None:
    books.save_invoice()
    books.push()
    books.save_invoice(issued_on="2026-10-05")
    books.push()
    assert {"Date", "CurrencyCode", "LineAmountTypes", "LineItems"} <= set(last_sent(books))
    assert books.failures() == []
    books.forget_calls()
    books.request_sync()
    books.settle()
    assert books.writes() == []


def test_lines_that_people_replaced_in_xero_are_replaced_again(books: Books) -> None:
    books.save_invoice()
    books.push()
    theirs = {"Description": "Theirs", "Quantity": 1, "UnitAmount": 30, "AccountCode": "200", "TaxType": "OUTPUT2"}
    books.simulator.control.edit_invoice(books.tenant_id, "WH-order-1", {"LineItems": [theirs]})
    books.save_invoice(**lines("50.0000"))
    books.settle()
    assert books.failures() == []
    assert [row["Description"] for row in books.invoice()["LineItems"]] == ["Hearing test"]
    assert books.invoice()["Total"] == 50
    books.forget_calls()
    books.request_sync()
    books.settle()
    assert books.writes() == []


def test_an_edited_credit_note_is_told_as_one_note_under_its_own_id(books: Books) -> None:
    books.save_invoice()
    books.save_credit_note(**lines("20.0000"))
    books.push()
    books.save_credit_note(**lines("25.0000"))
    books.push()
    (note,) = books.ledger()["CreditNotes"]
    rows = [row for row in books.log() if row["operation"].startswith("credit_note")]
    assert [row["operation"] for row in rows] == [
        "credit_note_create",
        "credit_note_allocate",
        "credit_note_allocate",
        "credit_note_create",
        "credit_note_allocate",
    ]
    assert {row["xero_id"] for row in rows} == {note["CreditNoteID"]}
    assert note["Total"] == 25


def test_a_mapping_that_changed_keeps_no_reference_back_from_a_paid_invoice(books: Books) -> None:
    edited: dict[str, Any] = {"lines": [line(category="ACCESSORIES", unit_price="100.0000")], "total": "100.0000"}
    books.save_invoice(**edited)
    books.save_payment(amount="50.0000")
    books.push()
    books.settings(accessories_tax_type="ZERORATEDOUTPUT")
    books.save_invoice(reference="PO 7", due_on="2026-11-30", **edited)
    books.save_payment(payment_id="pay-2", amount="10.0000")
    books.push()
    assert books.failures() == []
    assert books.invoice()["Reference"] == "PO 7"
    assert books.invoice()["LineItems"][0]["TaxType"] == "OUTPUT2"
    assert books.payments() == [("CARD pay-1", 50.0), ("CARD pay-2", 10.0)]
    books.forget_calls()
    books.request_sync()
    books.push()
    assert books.writes() == []
    books.delete_payment()
    books.delete_payment(payment_id="pay-2")
    books.push()
    assert books.invoice()["LineItems"][0]["TaxType"] == "ZERORATEDOUTPUT"
    assert books.failures() == []
