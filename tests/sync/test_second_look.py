"""A person asks again for what failed in Xero: where its books say by now what HearLink says, the failure is over."""

import pytest

from consumer.console.plan_view import view_plan
from consumer.sync.preview import preview_order
from tests.sync.books import Books, line, lines
from tests.sync.limits import another_minute, limit
from tests.sync.second_looks import INVOICE, fails, is_over


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
            view = view_plan(preview, paid_by_hand.services.catalogue, with_patient=False)
            assert preview.looks_again == ("looks_again" in [remark.code for remark in view.remarks])
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


def test_many_that_nobody_settled_use_up_no_minute_and_get_their_answer(books: Books) -> None:
    """Each needs a read of its own: were all of them read first, none would ever be sent."""
    orders = [f"order-{number}" for number in range(45)]
    books.simulator.control.show_payment_references(books.tenant_id, shown=False)
    for order_id in orders:
        books.save_invoice(order_id)
    books.push()
    for order_id in orders:
        books.simulator.control.pay_invoice(books.tenant_id, f"WH-{order_id}", 10)
        books.save_payment(order_id, f"pay-{order_id}")
    books.settle()
    assert books.open_problems() == [("payment_exceeds_outstanding", 1)] * len(orders)
    limit(books, 60)
    books.retry(*orders)
    unanswered = "select count(*) from orders where requested_revision is not null"
    for _ in range(4):
        books.push()
        another_minute(books)
    assert books.connection.execute(unanswered).fetchone() == (0,)
    assert {row["trigger"] for row in books.failures()[len(orders) :]} == {"retry"}
