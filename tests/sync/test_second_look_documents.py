"""A person asks again for an invoice or credit note that Xero refused: what people did there in their way counts."""

import pytest

from tests.sync.books import Books, lines
from tests.sync.second_looks import INVOICE, fails, is_over


class TestAnEditOfAnInvoiceWithPayments:
    @pytest.fixture
    def edited(self, books: Books) -> Books:
        books.save_invoice(**lines("100.0000"))
        books.save_payment(amount="40.0000")
        books.push()
        books.save_invoice(**lines("90.0000"))
        fails(books, "invoice_has_payments")
        return books

    def rewrite(self, books: Books, price: int) -> None:
        """What the bookkeeper does: take the payment off, change the invoice, put the payment on again."""
        control = books.simulator.control
        (paid,) = (row for row in books.ledger()["Payments"] if row["Status"] != "DELETED")
        control.delete_payment(books.tenant_id, paid["PaymentID"])
        item = {
            "Description": "By hand",
            "Quantity": 1,
            "UnitAmount": price,
            "AccountCode": "260",
            "TaxType": "OUTPUT2",
        }
        control.edit_invoice(books.tenant_id, INVOICE, {"LineItems": [item]})
        control.pay_invoice(books.tenant_id, INVOICE, 40, reference="anew")

    def test_is_over_once_it_comes_to_the_same(self, edited: Books) -> None:
        self.rewrite(edited, 90)
        is_over(edited, "payment_create", "invoice_update")
        assert edited.payments() == [("anew", 40.0)]

    def test_is_over_once_less_is_asked_for_by_a_credit_note(self, edited: Books) -> None:
        item = {"Description": "Less", "Quantity": 1, "UnitAmount": 10, "AccountCode": "260", "TaxType": "OUTPUT2"}
        body = {
            "Type": "ACCRECCREDIT",
            "Contact": {"ContactID": edited.contact()["ContactID"]},
            "CreditNoteNumber": "THEIRS",
            "Status": "AUTHORISED",
            "LineAmountTypes": "Inclusive",
            "LineItems": [item],
        }
        edited.simulator.control.create_credit_note(edited.tenant_id, body)
        edited.simulator.control.allocate_credit_note(edited.tenant_id, "THEIRS", INVOICE, 10)
        is_over(edited, "invoice_update")

    def test_goes_on_failing_while_it_comes_to_something_else(self, edited: Books) -> None:
        self.rewrite(edited, 95)
        edited.retry()
        edited.settle()
        assert edited.failures()[-1]["problem"] == "invoice_has_payments"
        assert "In Xero: total 95.00, paid 40.00" in edited.failures()[-1]["message"]

    def test_texts_that_changed_with_it_are_sent(self, books: Books) -> None:
        books.save_invoice(**lines("100.0000"))
        books.save_payment(amount="40.0000")
        books.push()
        books.save_invoice(reference="PO 7", **lines("90.0000"))
        fails(books, "invoice_has_payments")
        self.rewrite(books, 90)
        books.retry()
        books.settle()
        assert (books.invoice()["Reference"], books.invoice()["Total"]) == ("PO 7", 90)
        assert books.open_problems() == []

    def test_a_later_edit_is_sent_as_any(self, edited: Books) -> None:
        self.rewrite(edited, 90)
        is_over(edited, "payment_create", "invoice_update")
        (paid,) = (row for row in edited.ledger()["Payments"] if row["Status"] != "DELETED")
        edited.simulator.control.delete_payment(edited.tenant_id, paid["PaymentID"])
        edited.save_invoice(**lines("80.0000"))
        edited.settle()
        assert edited.invoice()["Total"] == 80


class TestAReconciledPaymentDeletedInHearLink:
    def test_is_over_once_it_is_gone_in_xero(self, books: Books) -> None:
        books.save_invoice()
        books.save_payment()
        books.push()
        (paid,) = books.ledger()["Payments"]
        books.simulator.control.reconcile_payment(books.tenant_id, paid["PaymentID"])
        books.delete_payment()
        fails(books, "payment_closed")
        books.retry()
        fails(books, "payment_closed")
        assert (
            "In Xero: total 40.00, paid 40.00, credited 0.00. In HearLink: total 40.00, paid 0.00"
            in (books.failures()[-1]["message"])
        )
        books.simulator.control.reconcile_payment(books.tenant_id, paid["PaymentID"], reconciled=False)
        books.simulator.control.delete_payment(books.tenant_id, paid["PaymentID"])
        is_over(books, "payment_delete")


class TestACreditNoteThatPeopleWroteFirst:
    def write(self, books: Books, price: int, number: str = "THEIRS") -> None:
        item = {"Description": "Back", "Quantity": 1, "UnitAmount": price, "AccountCode": "260", "TaxType": "OUTPUT2"}
        body = {
            "Type": "ACCRECCREDIT",
            "Contact": {"ContactID": books.contact()["ContactID"]},
            "CreditNoteNumber": number,
            "Status": "AUTHORISED",
            "LineAmountTypes": "Inclusive",
            "Date": "2026-11-03",
            "LineItems": [item],
        }
        books.simulator.control.create_credit_note(books.tenant_id, body)
        books.simulator.control.allocate_credit_note(books.tenant_id, number, INVOICE, price)

    @pytest.fixture
    def locked(self, books: Books) -> Books:
        """The period is locked, so that ours does not go in."""
        books.save_invoice(**lines("100.0000"))
        books.push()
        books.simulator.control.set_lock_dates(books.tenant_id, period="2026-10-31")
        books.save_credit_note(**lines("20.0000"))
        fails(books, "period_locked")
        return books

    def test_is_theirs_and_ours(self, locked: Books) -> None:
        self.write(locked, 20)
        is_over(locked, "credit_note_create", "credit_note_allocate")
        locked.delete_credit_note()
        fails(locked, "made_by_hand")
        (theirs,) = locked.ledger()["Allocations"]
        locked.simulator.control.remove_allocation(locked.tenant_id, theirs["AllocationID"])
        locked.simulator.control.edit_credit_note(locked.tenant_id, "THEIRS", {"Status": "VOIDED"})
        is_over(locked, "credit_note_void", "credit_note_void")

    def test_one_of_another_amount_is_not_taken_for_it(self, locked: Books) -> None:
        self.write(locked, 15)
        locked.retry()
        fails(locked, "period_locked")
        assert locked.connection.execute("select from xero_link where kind = 'credit_note'").fetchall() == []

    def test_an_edit_that_people_made_as_well(self, books: Books) -> None:
        books.save_invoice(**lines("100.0000"))
        books.save_credit_note(**lines("20.0000"))
        books.push()
        control = books.simulator.control
        (ours,) = books.ledger()["Allocations"]
        control.remove_allocation(books.tenant_id, ours["AllocationID"])
        control.allocate_credit_note(books.tenant_id, "CN-note-1", INVOICE, 15)
        books.save_credit_note(**lines("18.0000"))
        books.settle()
        assert books.failures()[-1]["problem"] == "credit_note_has_allocations"
        (theirs,) = books.ledger()["Allocations"]
        control.remove_allocation(books.tenant_id, theirs["AllocationID"])
        item = {"LineItemID": books.note()["LineItems"][0]["LineItemID"], "Quantity": 1, "UnitAmount": 18}
        control.edit_credit_note(books.tenant_id, "CN-note-1", {"LineItems": [item]})
        control.allocate_credit_note(books.tenant_id, "CN-note-1", INVOICE, 18)
        is_over(books, "credit_note_create", "credit_note_allocate")


def test_what_people_did_on_an_invoice_that_was_replaced_is_not_for_the_new_one(books: Books) -> None:
    books.save_invoice()
    books.push()
    control = books.simulator.control
    item = {"Description": "Theirs", "Quantity": 1, "UnitAmount": 5}
    theirs = {"Type": "ACCREC", "Contact": {"Name": "Stranger"}, "InvoiceNumber": "TAKEN", "LineItems": [item]}
    control.create_invoice(books.tenant_id, theirs)
    control.pay_invoice(books.tenant_id, INVOICE)
    books.delete_invoice()
    books.save_invoice(number="TAKEN", invoice_id="invoice-new")
    books.save_payment()
    fails(books, "number_taken_by_other")
    control.edit_invoice(books.tenant_id, "TAKEN", {"InvoiceNumber": "FREE"})
    books.retry()
    books.settle()
    assert books.payments() == [("", 40.0), ("CARD pay-1", 40.0)]
    assert (books.invoice("TAKEN")["AmountDue"], books.open_problems()) == (0, [])
