"""Someone acts in Xero: it is told in a clear row, harms nothing else, and is not fought."""

import pytest

from tests.sync.books import Books, Json, line, lines, patient


@pytest.fixture
def pushed(books: Books) -> Books:
    """An order in Xero with a payment and a credit note, and another one beside it."""
    books.save_invoice("order-1")
    books.save_payment("order-1", amount="10.0000")
    books.save_credit_note("order-1", **lines("20.0000"))
    books.save_invoice("order-2")
    books.push()
    assert books.failures() == []
    return books


def only_payment(books: Books) -> str:
    (row,) = (row for row in books.ledger()["Payments"] if row["Status"] != "DELETED")
    return str(row["PaymentID"])


def others_go_on(books: Books) -> None:
    """The other order is not harmed by what befell the first."""
    books.save_payment("order-2", "pay-of-2")
    books.settle()
    assert books.invoice("WH-order-2")["AmountPaid"] == 40
    assert books.failures("order-2") == []


def resync_sends_nothing(books: Books) -> None:
    books.forget_calls()
    books.request_sync()
    books.settle()
    assert books.writes() == []


def two_of(item: Json) -> Json:
    """The line with its quantity doubled."""
    return {"LineItemID": item["LineItemID"], "Quantity": 2, "UnitAmount": 20}


class TestPays:
    def test_in_full_before_our_payment(self, pushed: Books) -> None:
        pushed.simulator.control.pay_invoice(pushed.tenant_id, "WH-order-1")
        pushed.save_payment(payment_id="pay-2", amount="10.0000")
        pushed.settle()
        row = pushed.failure()
        assert (row["operation"], row["problem"]) == ("payment_create", "payment_exceeds_outstanding")
        assert "paid there by hand" in row["message"]
        assert ("CARD pay-2", 10.0) not in pushed.payments()
        assert ("CARD pay-1", 10.0) in pushed.payments()
        others_go_on(pushed)

    def test_in_full_before_our_credit_note(self, pushed: Books) -> None:
        pushed.simulator.control.pay_invoice(pushed.tenant_id, "WH-order-1")
        pushed.save_credit_note(credit_note_id="note-2", **lines("5.0000"))
        pushed.settle()
        row = pushed.failure()
        assert (row["operation"], row["problem"]) == ("credit_note_allocate", "invoice_already_paid")
        assert pushed.note("note-2")["RemainingCredit"] == 5
        others_go_on(pushed)

    def test_and_the_order_changes_no_more(self, pushed: Books) -> None:
        pushed.simulator.control.pay_invoice(pushed.tenant_id, "WH-order-1")
        resync_sends_nothing(pushed)
        assert pushed.failures() == []


class TestVoids:
    def test_the_invoice(self, books: Books) -> None:
        books.save_invoice()
        books.save_invoice("order-2")
        books.push()
        books.simulator.control.void_invoice(books.tenant_id, "WH-order-1")
        books.save_invoice(reference="PO 7")
        books.settle()
        row = books.failure()
        assert (row["operation"], row["problem"]) == ("invoice_update", "deleted_in_xero")
        assert "WH-order-1 was deleted or voided in Xero" in row["message"]
        books.forget_calls()
        books.save_payment()
        books.retry()
        books.settle()
        assert books.writes() == []
        assert {row["problem"] for row in books.failures()} == {"deleted_in_xero"}
        assert [row["Status"] for row in books.ledger()["Invoices"]] == ["VOIDED", "AUTHORISED"]
        others_go_on(books)

    def test_a_draft(self, books: Books) -> None:
        books.settings(invoice_status="draft")
        books.save_invoice()
        books.push()
        books.simulator.control.delete_invoice(books.tenant_id, "WH-order-1")
        books.save_payment()
        books.settle()
        assert books.failure()["problem"] == "deleted_in_xero"
        assert books.payments() == []

    def test_the_credit_note_that_is_deleted_in_hearlink_too(self, pushed: Books) -> None:
        (allocation,) = pushed.ledger()["Allocations"]
        pushed.simulator.control.remove_allocation(pushed.tenant_id, allocation["AllocationID"])
        pushed.simulator.control.edit_credit_note(pushed.tenant_id, "CN-note-1", {"Status": "VOIDED"})
        pushed.delete_credit_note()
        pushed.settle()
        assert pushed.failures() == []
        assert pushed.order()["hold"] is None

    def test_the_credit_note_that_changes_in_hearlink(self, pushed: Books) -> None:
        (allocation,) = pushed.ledger()["Allocations"]
        pushed.simulator.control.remove_allocation(pushed.tenant_id, allocation["AllocationID"])
        pushed.simulator.control.edit_credit_note(pushed.tenant_id, "CN-note-1", {"Status": "VOIDED"})
        pushed.save_credit_note(**lines("15.0000"))
        pushed.settle()
        assert pushed.failure()["problem"] == "deleted_in_xero"
        assert [row["Status"] for row in pushed.ledger()["CreditNotes"]] == ["VOIDED"]
        others_go_on(pushed)


class TestEdits:
    def test_texts_stay_until_hearlink_has_something_to_say(self, pushed: Books) -> None:
        pushed.simulator.control.edit_invoice(pushed.tenant_id, "WH-order-2", {"Reference": "by hand"})
        pushed.request_sync("order-2")
        pushed.settle()
        assert pushed.invoice("WH-order-2")["Reference"] == "by hand"
        pushed.save_invoice("order-2", reference="PO 7")
        pushed.settle()
        assert pushed.invoice("WH-order-2")["Reference"] == "PO 7"

    def test_amounts_so_that_our_payment_is_too_large(self, books: Books) -> None:
        books.save_invoice()
        books.push()
        item = {**books.invoice()["LineItems"][0]}
        smaller = {"LineItemID": item["LineItemID"], "Quantity": 1, "UnitAmount": 30}
        books.simulator.control.edit_invoice(books.tenant_id, "WH-order-1", {"LineItems": [smaller]})
        books.save_payment()
        books.settle()
        assert books.failure()["problem"] == "payment_exceeds_outstanding"
        assert books.invoice()["Total"] == 30

    def test_a_draft_that_people_approved_takes_its_payment(self, books: Books) -> None:
        books.settings(invoice_status="draft")
        books.save_invoice()
        books.push()
        books.simulator.control.approve_invoice(books.tenant_id, "WH-order-1")
        books.save_payment()
        books.settle()
        assert (books.invoice()["Status"], books.failures()) == ("PAID", [])

    def test_a_draft_that_people_approved_and_paid(self, books: Books) -> None:
        books.settings(invoice_status="draft")
        books.save_invoice()
        books.push()
        books.simulator.control.approve_invoice(books.tenant_id, "WH-order-1")
        books.simulator.control.pay_invoice(books.tenant_id, "WH-order-1", reference="by hand")
        books.save_payment()
        books.settle()
        assert books.failure()["problem"] == "payment_exceeds_outstanding"
        assert books.payments() == [("by hand", 40.0)]

    def test_a_line_they_added_goes_only_with_an_edit_of_ours(self, books: Books) -> None:
        books.save_invoice()
        books.push()
        resync_sends_nothing(books)
        known = books.invoice()["LineItems"][0]["LineItemID"]
        extra = {"Description": "By hand", "Quantity": 1, "UnitAmount": 5, "AccountCode": "200", "TaxType": "NONE"}
        body = {"LineItems": [{"LineItemID": known}, extra]}
        books.simulator.control.edit_invoice(books.tenant_id, "WH-order-1", body)
        resync_sends_nothing(books)
        assert books.invoice()["Total"] == 45


class TestPayments:
    def test_deleted_there_is_not_made_again(self, pushed: Books) -> None:
        pushed.simulator.control.delete_payment(pushed.tenant_id, only_payment(pushed))
        resync_sends_nothing(pushed)
        assert pushed.payments() == []

    def test_deleted_there_and_changed_in_hearlink_is_told(self, pushed: Books) -> None:
        pushed.simulator.control.delete_payment(pushed.tenant_id, only_payment(pushed))
        pushed.save_payment(amount="5.0000")
        pushed.settle()
        row = pushed.failure()
        assert (row["problem"], row["message"][:21]) == ("deleted_in_xero", "The payment of 10.00 ")
        pushed.retry()
        pushed.settle()
        assert pushed.payments() == []
        pushed.delete_payment()
        pushed.settle()
        assert pushed.open_problems() == []
        others_go_on(pushed)

    def test_deleted_in_both_is_done(self, pushed: Books) -> None:
        pushed.simulator.control.delete_payment(pushed.tenant_id, only_payment(pushed))
        pushed.delete_payment()
        pushed.settle()
        assert pushed.failures() == []
        assert ("payment_delete", "succeeded", None) in pushed.told("order-1")

    def test_reconciled_can_not_go_until_that_is_undone(self, pushed: Books) -> None:
        key = only_payment(pushed)
        pushed.simulator.control.reconcile_payment(pushed.tenant_id, key)
        pushed.delete_payment()
        pushed.settle()
        row = pushed.failure()
        assert (row["problem"], "reconciled" in row["message"]) == ("payment_closed", True)
        others_go_on(pushed)
        pushed.simulator.control.reconcile_payment(pushed.tenant_id, key, reconciled=False)
        pushed.retry()
        pushed.settle()
        assert ("CARD pay-1", 10.0) not in pushed.payments()
        assert pushed.open_problems() == []


class TestCreditNotes:
    def test_an_allocation_taken_off_is_not_put_on_again(self, pushed: Books) -> None:
        (allocation,) = pushed.ledger()["Allocations"]
        pushed.simulator.control.remove_allocation(pushed.tenant_id, allocation["AllocationID"])
        resync_sends_nothing(pushed)
        assert pushed.ledger()["Allocations"] == []

    def test_an_allocation_of_their_own_is_left_where_it_is(self, pushed: Books) -> None:
        (allocation,) = pushed.ledger()["Allocations"]
        pushed.simulator.control.remove_allocation(pushed.tenant_id, allocation["AllocationID"])
        theirs = pushed.simulator.control.allocate_credit_note(pushed.tenant_id, "CN-note-1", "WH-order-1", 15)
        pushed.delete_credit_note()
        pushed.settle()
        assert [row["AllocationID"] for row in pushed.ledger()["Allocations"]] == [theirs["AllocationID"]]
        assert not [row for row in pushed.log("order-1") if "allocation of 20" in row["message"]]
        row = pushed.failure()
        assert (row["operation"], row["problem"]) == ("credit_note_void", "status_has_payments")
        pushed.simulator.control.remove_allocation(pushed.tenant_id, theirs["AllocationID"])
        pushed.retry()
        pushed.settle()
        assert (pushed.note()["Status"], pushed.open_problems()) == ("VOIDED", [])

    def test_an_edit_takes_no_allocation_of_their_own_away(self, pushed: Books) -> None:
        (allocation,) = pushed.ledger()["Allocations"]
        pushed.simulator.control.remove_allocation(pushed.tenant_id, allocation["AllocationID"])
        theirs = pushed.simulator.control.allocate_credit_note(pushed.tenant_id, "CN-note-1", "WH-order-1", 15)
        pushed.save_credit_note(**lines("18.0000"))
        pushed.settle()
        assert [row["AllocationID"] for row in pushed.ledger()["Allocations"]] == [theirs["AllocationID"]]
        assert pushed.note()["Total"] == 20
        row = pushed.failure()
        assert (row["operation"], row["problem"]) == ("credit_note_create", "credit_note_has_allocations")
        others_go_on(pushed)

    def test_of_several_allocations_ours_is_the_one_of_its_amount(self, books: Books) -> None:
        books.save_invoice(**lines("100.0000"))
        books.save_credit_note(**lines("20.0000"))
        books.push()
        (ours,) = books.ledger()["Allocations"]
        control = books.simulator.control
        control.remove_allocation(books.tenant_id, ours["AllocationID"])
        control.edit_credit_note(books.tenant_id, "CN-note-1", {"LineItems": [two_of(books.note()["LineItems"][0])]})
        theirs = control.allocate_credit_note(books.tenant_id, "CN-note-1", "WH-order-1", 15)
        control.allocate_credit_note(books.tenant_id, "CN-note-1", "WH-order-1", 20)
        books.delete_credit_note()
        books.settle()
        assert [row["AllocationID"] for row in books.ledger()["Allocations"]] == [theirs["AllocationID"]]
        assert any("allocation of 20" in row["message"] for row in books.log())

    def test_an_allocation_taken_off_and_the_note_deleted_in_hearlink(self, pushed: Books) -> None:
        (allocation,) = pushed.ledger()["Allocations"]
        pushed.simulator.control.remove_allocation(pushed.tenant_id, allocation["AllocationID"])
        pushed.delete_credit_note()
        pushed.settle()
        assert (pushed.note()["Status"], pushed.failures()) == ("VOIDED", [])


class TestArchives:
    def test_the_contact(self, pushed: Books) -> None:
        pushed.simulator.control.archive_contact(pushed.tenant_id, "patient-of-order-1")
        pushed.save_invoice(reference="PO 7")
        pushed.settle()
        row = pushed.failure()
        assert (row["problem"], row["problem_class"]) == ("contact_archived", "xero")
        others_go_on(pushed)
        pushed.simulator.control.restore_contact(pushed.tenant_id, "patient-of-order-1")
        pushed.retry()
        pushed.settle()
        assert pushed.invoice()["Reference"] == "PO 7"
        assert pushed.open_problems() == []

    def test_the_contact_by_a_merge(self, pushed: Books) -> None:
        control = pushed.simulator.control
        control.merge_contacts(pushed.tenant_id, "patient-of-order-1", "patient-of-order-2")
        pushed.patients["order-3"] = patient("patient-of-order-1")
        pushed.save_invoice("order-3")
        pushed.settle()
        row = pushed.failure()
        assert (row["problem"], "merged" in row["message"]) == ("contact_archived", True)
        others_go_on(pushed)

    def test_a_contact_that_is_renamed_by_hand_keeps_that_name(self, pushed: Books) -> None:
        pushed.simulator.control.rename_contact(pushed.tenant_id, "patient-of-order-1", "By Hand")
        resync_sends_nothing(pushed)
        assert pushed.contact()["Name"] == "By Hand"

    def test_an_account(self, pushed: Books) -> None:
        pushed.simulator.control.archive_account(pushed.tenant_id, "260")
        for number in (3, 4):
            pushed.save_invoice(f"order-{number}")
        pushed.save_invoice("order-5", lines=[line(category="HEARING_AIDS")])
        pushed.settle()
        assert pushed.open_problems() == [("account_archived", 2)]
        assert pushed.invoice("WH-order-5")["Status"] == "AUTHORISED"
        pushed.simulator.control.restore_account(pushed.tenant_id, "260")
        pushed.retry("order-3", "order-4")
        pushed.settle()
        assert pushed.open_problems() == []
        assert len(pushed.ledger()["Invoices"]) == 5

    def test_the_contact_of_a_paid_invoice(self, pushed: Books) -> None:
        pushed.simulator.control.pay_invoice(pushed.tenant_id, "WH-order-1")
        pushed.simulator.control.archive_contact(pushed.tenant_id, "patient-of-order-1")
        pushed.save_invoice(reference="PO 7")
        pushed.settle()
        assert pushed.failure()["problem"] == "contact_archived"


class TestLocks:
    def test_a_period_is_the_reason_also_of_a_paid_invoice(self, pushed: Books) -> None:
        pushed.simulator.control.pay_invoice(pushed.tenant_id, "WH-order-1")
        pushed.simulator.control.set_lock_dates(pushed.tenant_id, period="2026-10-31")
        pushed.save_invoice(reference="PO 7")
        pushed.settle()
        row = pushed.failure()
        assert (row["problem"], "31-Oct-2026" in row["message"]) == ("period_locked", True)
        assert "What differs: texts, dates, reference or contact changed." in row["message"]

    def test_being_paid_is_the_reason_where_xero_says_so(self, pushed: Books) -> None:
        pushed.simulator.control.pay_invoice(pushed.tenant_id, "WH-order-1")
        pushed.save_invoice(**lines("50.0000"))
        pushed.settle()
        assert pushed.failure()["problem"] == "paid_in_xero"

    def test_a_period_holds_what_is_dated_before_and_nothing_else(self, pushed: Books) -> None:
        pushed.simulator.control.set_lock_dates(pushed.tenant_id, period="2026-10-31")
        pushed.save_invoice("order-1", reference="PO 7")
        pushed.save_invoice("order-3", issued_on="2026-11-01")
        pushed.settle()
        row = pushed.failure()
        assert (row["problem"], "31-Oct-2026" in row["message"]) == ("period_locked", True)
        assert pushed.invoice("WH-order-3")["Status"] == "AUTHORISED"
        pushed.simulator.control.set_lock_dates(pushed.tenant_id)
        pushed.retry()
        pushed.settle()
        assert (pushed.invoice()["Reference"], pushed.open_problems()) == ("PO 7", [])

    @pytest.mark.parametrize("what", ["payment", "credit_note"])
    def test_a_removal_in_a_locked_period(self, pushed: Books, what: str) -> None:
        pushed.simulator.control.set_lock_dates(pushed.tenant_id, period="2026-10-31")
        getattr(pushed, f"delete_{what}")()
        pushed.settle()
        assert pushed.failure()["problem"] == "period_locked"
        pushed.simulator.control.set_lock_dates(pushed.tenant_id)
        pushed.retry()
        pushed.settle()
        assert pushed.open_problems() == []
