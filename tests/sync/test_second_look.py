"""A person asks again for what failed in Xero: where its books say by now what HearLink says, the failure is over."""

import pytest

from consumer.sync.preview import preview_order
from tests.sync.books import Books, line, lines

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


class TestACreditNoteOnAPaidInvoice:
    """A returned aid."""

    @pytest.fixture
    def returned(self, books: Books) -> Books:
        books.save_invoice()
        books.save_payment()
        books.push()
        books.save_credit_note()
        fails(books, "invoice_already_paid")
        return books

    def test_is_over_once_the_credit_was_paid_back(self, returned: Books) -> None:
        returned.simulator.control.refund_credit_note(returned.tenant_id, "CN-note-1")
        is_over(returned, "credit_note_allocate")

    def test_is_over_once_the_credit_was_used_on_another_invoice(self, returned: Books) -> None:
        contact = returned.contact()["ContactID"]
        body = {"Type": "ACCREC", "Contact": {"ContactID": contact}, "Status": "AUTHORISED", "DueDate": "2026-12-01"}
        item = {"Description": "Theirs", "Quantity": 1, "UnitAmount": 40, "AccountCode": "200", "TaxType": "NONE"}
        control = returned.simulator.control
        control.create_invoice(returned.tenant_id, {**body, "InvoiceNumber": "THEIRS", "LineItems": [item]})
        control.allocate_credit_note(returned.tenant_id, "CN-note-1", "THEIRS", 40)
        is_over(returned, "credit_note_allocate")

    def test_is_over_once_it_was_allocated_by_hand(self, returned: Books) -> None:
        control = returned.simulator.control
        (paid,) = returned.ledger()["Payments"]
        control.delete_payment(returned.tenant_id, paid["PaymentID"])
        control.allocate_credit_note(returned.tenant_id, "CN-note-1", INVOICE, 40)
        is_over(returned, "credit_note_allocate")

    def test_goes_on_failing_while_some_of_the_credit_is_left(self, returned: Books) -> None:
        returned.simulator.control.refund_credit_note(returned.tenant_id, "CN-note-1", 15)
        returned.retry()
        fails(returned, "invoice_already_paid")
        told = returned.failures()[-1]["message"]
        assert "In Xero: total 40.00, paid 40.00, credited 0.00. In HearLink: total 40.00, paid 40.00" in told

    @pytest.mark.parametrize("change", ["deleted", "edited"])
    def test_what_was_paid_back_is_left_alone_when_the_note_changes(self, returned: Books, change: str) -> None:
        returned.simulator.control.refund_credit_note(returned.tenant_id, "CN-note-1")
        is_over(returned, "credit_note_allocate")
        returned.forget_calls()
        if change == "deleted":
            returned.delete_credit_note()
        else:
            returned.save_credit_note(**lines("30.0000"))
        fails(returned, "made_by_hand")
        assert returned.calls() == []
        assert (returned.note()["Status"], returned.note()["RemainingCredit"]) == ("PAID", 0)
        returned.save_credit_note()
        returned.settle()
        assert returned.open_problems() == []


class TestAPaymentThatPeopleRecordedFirst:
    @pytest.fixture
    def paid_by_hand(self, books: Books) -> Books:
        books.save_invoice()
        books.push()
        books.simulator.control.pay_invoice(books.tenant_id, INVOICE, 40, reference="by hand")
        books.save_payment()
        fails(books, "payment_exceeds_outstanding")
        return books

    def test_is_theirs_and_ours(self, paid_by_hand: Books) -> None:
        is_over(paid_by_hand, "payment_create")
        assert paid_by_hand.payments() == [("by hand", 40.0)]

    @pytest.mark.parametrize("shown", [True, False])
    def test_takes_one_read_where_the_invoice_tells_all(self, paid_by_hand: Books, *, shown: bool) -> None:
        paid_by_hand.simulator.control.show_payment_references(paid_by_hand.tenant_id, shown=shown)
        paid_by_hand.forget_calls()
        paid_by_hand.retry()
        paid_by_hand.settle()
        reads = ["/api.xro/2.0/Invoices"] if shown else ["/api.xro/2.0/Invoices", "/api.xro/2.0/Payments"]
        assert [call["path"] for call in paid_by_hand.calls()] == reads
        assert paid_by_hand.open_problems() == []

    def test_a_change_without_a_retry_reads_nothing_more(self, paid_by_hand: Books) -> None:
        paid_by_hand.forget_calls()
        paid_by_hand.save_invoice(reference="PO 7")
        paid_by_hand.settle()
        methods = [call["method"] for call in paid_by_hand.calls()]
        assert methods[0] == "POST"

    def test_the_plan_says_that_xero_is_read_first(self, paid_by_hand: Books) -> None:
        def reads_first() -> bool:
            preview = preview_order(paid_by_hand.connection, "order-1", "https://app.hearlink.co.uk")
            assert preview is not None
            return preview.looks_again

        assert reads_first()
        is_over(paid_by_hand, "payment_create")
        assert not reads_first()

    def test_deleted_in_hearlink_it_stays_until_people_delete_it(self, paid_by_hand: Books) -> None:
        is_over(paid_by_hand, "payment_create")
        paid_by_hand.forget_calls()
        paid_by_hand.delete_payment()
        fails(paid_by_hand, "made_by_hand")
        assert paid_by_hand.calls() == []
        assert "The payment of 40.00 was made or used in Xero by hand" in paid_by_hand.failures()[-1]["message"]
        paid_by_hand.retry()
        fails(paid_by_hand, "made_by_hand")
        (theirs,) = paid_by_hand.ledger()["Payments"]
        paid_by_hand.simulator.control.delete_payment(paid_by_hand.tenant_id, theirs["PaymentID"])
        is_over(paid_by_hand, "payment_delete")

    def test_of_another_amount_it_stays_until_people_change_it(self, paid_by_hand: Books) -> None:
        is_over(paid_by_hand, "payment_create")
        paid_by_hand.save_payment(amount="30.0000")
        fails(paid_by_hand, "made_by_hand")
        (theirs,) = paid_by_hand.ledger()["Payments"]
        paid_by_hand.simulator.control.delete_payment(paid_by_hand.tenant_id, theirs["PaymentID"])
        paid_by_hand.simulator.control.pay_invoice(paid_by_hand.tenant_id, INVOICE, 30, reference="again by hand")
        is_over(paid_by_hand, "payment_create")
        assert paid_by_hand.payments() == [("again by hand", 30.0)]

    def test_another_date_or_method_is_no_reason_to_touch_it(self, paid_by_hand: Books) -> None:
        is_over(paid_by_hand, "payment_create")
        paid_by_hand.forget_calls()
        paid_by_hand.save_payment(paid_on="2026-10-09", method="CASH")
        paid_by_hand.settle()
        assert (paid_by_hand.calls(), paid_by_hand.open_problems()) == ([], [])

    def test_one_of_another_amount_is_not_taken_for_it(self, books: Books) -> None:
        books.save_invoice()
        books.push()
        books.simulator.control.pay_invoice(books.tenant_id, INVOICE, 10)
        books.save_payment()
        fails(books, "payment_exceeds_outstanding")
        books.retry()
        fails(books, "payment_exceeds_outstanding")
        assert "In Xero: total 40.00, paid 10.00, credited 0.00" in books.failures()[-1]["message"]
        assert books.connection.execute("select from xero_link where kind = 'payment'").fetchall() == []

    def test_more_than_hearlink_knows_of_is_not_taken_for_it(self, books: Books) -> None:
        books.save_invoice()
        books.push()
        for amount in (30, 10):
            books.simulator.control.pay_invoice(books.tenant_id, INVOICE, amount)
        books.save_payment(amount="30.0000")
        fails(books, "payment_exceeds_outstanding")
        books.retry()
        fails(books, "payment_exceeds_outstanding")

    def test_two_in_one_sum(self, books: Books) -> None:
        books.save_invoice(**lines("70.0000"))
        books.push()
        books.simulator.control.pay_invoice(books.tenant_id, INVOICE, 70, reference="both")
        books.save_payment(amount="40.0000")
        books.save_payment(payment_id="pay-2", amount="30.0000")
        fails(books, "payment_exceeds_outstanding")
        is_over(books, "payment_create", "payment_create")
        assert [row["message"].endswith("by hand, in another sum.") for row in books.log()[-3:]] == [True, True, False]
        assert books.payments() == [("both", 70.0)]

    def test_what_people_did_not_record_is_sent(self, books: Books) -> None:
        books.save_invoice(**lines("100.0000"))
        books.push()
        books.simulator.control.pay_invoice(books.tenant_id, INVOICE, 70, reference="by hand")
        books.save_payment(amount="70.0000")
        fails(books, "payment_exceeds_outstanding")
        books.simulator.control.set_lock_dates(books.tenant_id, period="2026-10-31")
        books.save_payment(payment_id="pay-2", amount="20.0000")
        books.settle()
        books.simulator.control.set_lock_dates(books.tenant_id)
        books.retry()
        books.settle()
        assert books.payments() == [("CARD pay-2", 20.0), ("by hand", 70.0)]
        assert books.open_problems() == []


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
        assert books.failures()[-1]["problem"] == "invoice_has_payments"
        (theirs,) = books.ledger()["Allocations"]
        control.remove_allocation(books.tenant_id, theirs["AllocationID"])
        item = {"LineItemID": books.note()["LineItems"][0]["LineItemID"], "Quantity": 1, "UnitAmount": 18}
        control.edit_credit_note(books.tenant_id, "CN-note-1", {"LineItems": [item]})
        control.allocate_credit_note(books.tenant_id, "CN-note-1", INVOICE, 18)
        is_over(books, "credit_note_create", "credit_note_allocate")


def test_an_invoice_that_people_voided_is_told_so_and_over_once_it_is_deleted_in_hearlink(books: Books) -> None:
    books.save_invoice()
    books.push()
    books.simulator.control.void_invoice(books.tenant_id, INVOICE)
    books.save_payment()
    fails(books, "invoice_not_authorised")
    books.retry()
    fails(books, "deleted_in_xero")
    books.delete_payment()
    books.delete_invoice()
    books.settle()
    assert books.open_problems() == []


def test_the_read_fails_and_the_order_waits(books: Books) -> None:
    books.save_invoice()
    books.push()
    books.simulator.control.pay_invoice(books.tenant_id, INVOICE)
    books.save_payment()
    fails(books, "payment_exceeds_outstanding")
    books.strike("rate_limit_minute", method="GET", path="/Invoices$")
    books.retry()
    books.push()
    assert (books.order()["hold"], books.open_problems()) == ("limit", [("payment_exceeds_outstanding", 1)])
    books.hasten()
    books.settle()
    assert books.open_problems() == []


def test_others_of_the_same_pass_go_on(books: Books) -> None:
    for number in (1, 2, 3):
        books.save_invoice(f"order-{number}", lines=[line()])
    books.push()
    for number in (1, 2):
        books.simulator.control.pay_invoice(books.tenant_id, f"WH-order-{number}")
        books.save_payment(f"order-{number}", f"pay-of-{number}")
    books.settle()
    books.save_payment("order-3", "pay-of-3")
    books.forget_calls()
    books.retry("order-1", "order-2")
    books.settle()
    assert books.open_problems() == []
    assert [call["method"] for call in books.calls()] == ["GET", "PUT"]
