"""The rules of the product, each on a real database against the simulator: settings, order of things, skips."""

import pytest

from tests.sync.books import Books, line, lines, patient
from tests.sync.conftest import add_tenant

CREATED = [("contact_create", "succeeded", None), ("invoice_create", "succeeded", None)]


class TestFirstPush:
    def test_an_order_becomes_a_contact_and_an_invoice(self, books: Books) -> None:
        books.save_invoice()
        books.push()
        invoice = books.invoice()
        assert invoice["Status"] == "AUTHORISED"
        assert invoice["Url"] == "https://app.hearlink.co.uk/orders/order-1"
        assert invoice["Contact"]["ContactID"] == books.contact()["ContactID"]
        assert books.told() == CREATED
        order = books.order()
        assert (order["synced_revision"], order["due_at"], order["hold"], order["attempts"]) == (1, None, None, 0)

    def test_everything_at_once_and_back(self, books: Books) -> None:
        books.save_invoice()
        books.save_payment(amount="10.0000")
        books.save_credit_note(**lines("30.0000"))
        books.push()
        assert books.invoice()["Status"] == "PAID"
        assert books.payments() == [("CARD pay-1", 10.0)]
        books.save_payment(amount="5.0000")
        books.delete_credit_note()
        books.push()
        assert (books.invoice()["AmountDue"], books.note()["Status"]) == (35, "VOIDED")
        assert books.payments() == [("CARD pay-1", 5.0)]
        assert books.failures() == []

    def test_a_draft_and_its_payment_in_one_pass(self, books: Books) -> None:
        books.settings(invoice_status="draft")
        books.save_invoice()
        books.push()
        assert books.invoice()["Status"] == "DRAFT"
        books.save_payment()
        books.push()
        assert books.invoice()["Status"] == "PAID"
        assert books.told()[2:] == [("invoice_authorise", "succeeded", None), ("payment_create", "succeeded", None)]

    def test_four_places_discounts_and_both_kinds_of_price(self, books: Books) -> None:
        items = [line("a", quantity="3.0000", unit_price="33.3333", discount="0.5000"), line("b", unit_price="0.0050")]
        books.save_invoice("order-1", lines=items, total="99.5100")
        books.save_invoice("order-2", lines=items, total="119.4100", prices_include_tax=False)
        books.push()
        assert books.invoice("WH-order-1")["Total"] == 99.51
        assert books.invoice("WH-order-2")["Total"] == 119.41
        assert [row["warnings"] for row in books.log()] == [[]] * 4

    def test_totals_that_differ_are_warned_of_with_both(self, books: Books) -> None:
        books.save_invoice(total="40.0200")
        books.push()
        (warning,) = books.log()[-1]["warnings"]
        assert "40.02 in HearLink, 40.00 in Xero" in warning
        books.save_invoice("order-2", total="40.0100")
        books.push()
        assert books.log()[-1]["warnings"] == []


class TestSettings:
    def test_off_sends_nothing_and_says_so_once(self, books: Books) -> None:
        books.settings(synchronisation_enabled=False)
        for _ in range(3):
            books.save_invoice()
            books.push()
        assert books.calls() == []
        assert books.told() == [("order_sync", "skipped", "synchronisation_disabled")]

    def test_off_is_a_failure_for_who_asks_and_goes_once_it_is_on(self, books: Books) -> None:
        books.settings(synchronisation_enabled=False)
        books.save_invoice()
        books.request_sync()
        books.push()
        row = books.failure()
        assert (row["message"], row["trigger"], row["actor"]) == ("Synchronisation is disabled", "manual", "user-1")
        assert (books.order()["requested_revision"], books.order()["priority"]) == (None, 1)
        assert books.open_problems() == [("synchronisation_disabled", 1)]
        books.settings(synchronisation_enabled=True, wake=True)
        books.push()
        assert books.told()[1:] == CREATED
        assert books.open_problems() == []

    def test_an_operators_request_is_refused_alike(self, books: Books) -> None:
        books.settings(synchronisation_enabled=False)
        books.save_invoice()
        books.push()
        books.retry()
        books.push()
        assert books.failure()["message"] == "Synchronisation is disabled"
        assert books.calls() == []

    def test_manual_waits_until_someone_asks(self, books: Books) -> None:
        books.settings(mode="manual")
        books.save_invoice()
        books.push()
        assert (books.calls(), books.log(), books.order()["hold"]) == ([], [], "manual")
        books.request_sync()
        books.push()
        assert books.told() == CREATED
        assert {row["trigger"] for row in books.log()} == {"manual"}
        books.save_payment()
        books.push()
        assert books.payments() == []
        books.retry()
        books.push()
        assert books.payments() == [("CARD pay-1", 40.0)]
        assert (books.log()[-1]["trigger"], books.log()[-1]["actor"]) == ("manual", "operator-1")

    def test_a_request_works_in_auto_mode_as_well_and_is_answered(self, books: Books) -> None:
        books.save_invoice()
        books.push()
        books.forget_calls()
        books.request_sync()
        books.push()
        assert books.writes() == []
        row = books.log()[-1]
        assert (row["operation"], row["outcome"], row["trigger"]) == ("order_sync", "skipped", "manual")
        assert books.order()["requested_revision"] is None

    def test_a_clinic_inherits_what_it_does_not_override(self, books: Books) -> None:
        books.settings(clinic_id="clinic-2", invoice_status="draft", services_revenue_account="270")
        books.clinics = {"order-1": "clinic-1", "order-2": "clinic-2"}
        books.save_invoice("order-1")
        books.save_invoice("order-2")
        books.push()
        first, second = books.invoice("WH-order-1"), books.invoice("WH-order-2")
        assert (first["Status"], first["LineItems"][0]["AccountCode"]) == ("AUTHORISED", "260")
        assert (second["Status"], second["LineItems"][0]["AccountCode"]) == ("DRAFT", "270")
        assert second["LineItems"][0]["TaxType"] == "OUTPUT2"

    def test_a_clinic_may_be_off_or_manual_alone(self, books: Books) -> None:
        books.settings(clinic_id="clinic-2", mode="manual")
        books.settings(clinic_id="clinic-3", synchronisation_enabled=False)
        books.clinics = {f"order-{number}": f"clinic-{number}" for number in (1, 2, 3)}
        for order_id in books.clinics:
            books.save_invoice(order_id)
        books.push()
        assert [row["InvoiceNumber"] for row in books.ledger()["Invoices"]] == ["WH-order-1"]
        assert [books.order(order_id)["hold"] for order_id in books.clinics] == [None, "manual", "disabled"]

    def test_without_a_tenant_each_order_fails_and_goes_once_one_is_chosen(self, books: Books) -> None:
        books.settings(tenant_id=None)
        books.save_invoice("order-1")
        books.save_invoice("order-2")
        books.push()
        assert {row["message"] for row in books.failures()} == {"No Xero tenant selected for the clinic"}
        assert books.open_problems() == [("no_tenant", 2)]
        books.settings(tenant_id=books.tenant_id, wake=True)
        books.push()
        assert len(books.ledger()["Invoices"]) == 2
        assert books.open_problems() == []
        assert {row["trigger"] for row in books.log()[2:]} == {"retry"}

    def test_an_order_in_one_tenant_is_not_made_again_in_another(self, books: Books) -> None:
        books.save_invoice()
        books.push()
        other = add_tenant(books.simulator, "Elsewhere Hearing")
        books.add_tenant(other, "Elsewhere Hearing")
        books.settings(tenant_id=other)
        books.save_payment()
        books.push()
        row = books.failure()
        assert row["problem"] == "linked_elsewhere"
        assert "Harbour Hearing" in row["message"]
        assert books.ledger(other)["Invoices"] == []
        books.settings(tenant_id=books.tenant_id, wake=True)
        books.push()
        assert books.payments() == [("CARD pay-1", 40.0)]
        assert books.open_problems() == []

    def test_another_mapping_is_used_from_the_next_push_of_an_order_on(self, books: Books) -> None:
        books.save_invoice()
        books.push()
        books.settings(services_revenue_account="270")
        books.push()
        assert books.invoice()["LineItems"][0]["AccountCode"] == "260"
        books.save_invoice(reference="PO 7")
        books.push()
        assert books.invoice()["LineItems"][0]["AccountCode"] == "270"

    def test_what_failed_for_the_settings_goes_once_they_are_mended(self, books: Books) -> None:
        books.settings(services_revenue_account="240")
        books.save_invoice("order-1")
        books.save_invoice("order-2")
        books.save_invoice("order-3", lines=[line(category="HEARING_AIDS")])
        books.push()
        assert [row["problem"] for row in books.failures()] == ["account_archived"] * 2
        assert books.open_problems() == [("account_archived", 2)]
        books.settings(services_revenue_account="260", wake=True)
        books.push()
        assert len(books.ledger()["Invoices"]) == 3
        assert books.open_problems() == []

    def test_a_mapping_that_is_incomplete_fails_before_any_call(self, books: Books) -> None:
        books.settings(services_tax_type=None)
        books.save_invoice()
        books.push()
        row = books.failure()
        assert (row["problem"], row["operation"]) == ("mapping_incomplete", "invoice_create")
        assert books.calls() == []


class TestOrderOfThings:
    def test_a_payment_and_a_credit_note_take_each_others_place(self, books: Books) -> None:
        books.save_invoice()
        books.save_payment()
        books.push()
        books.delete_payment()
        books.save_credit_note()
        books.push()
        assert (books.payments(), books.invoice()["AmountCredited"]) == ([], 40)
        books.delete_credit_note()
        books.save_payment(payment_id="pay-2")
        books.push()
        assert (books.payments(), books.note()["Status"]) == ([("CARD pay-2", 40.0)], "VOIDED")
        assert books.failures() == []

    def test_later_steps_wait_for_a_failed_one_and_other_orders_go_on(self, books: Books) -> None:
        books.settings(services_revenue_account="240")
        books.save_invoice("order-1")
        books.save_payment("order-1")
        books.save_credit_note("order-1")
        books.save_invoice("order-2", lines=[line(category="HEARING_AIDS")])
        books.save_payment("order-2", "pay-2")
        books.push()
        assert books.payments() == [("CARD pay-2", 40.0)]
        assert books.told("order-1") == [
            ("contact_create", "succeeded", None),
            ("invoice_create", "failed", "account_archived"),
        ]
        assert books.order("order-2")["synced_revision"] == 2

    def test_an_edit_that_xero_refuses_says_what_differs_and_undoes_nothing(self, books: Books) -> None:
        books.save_invoice()
        books.save_payment(amount="10.0000")
        books.push()
        books.save_invoice(**lines("55.0000"))
        books.push()
        row = books.failure()
        assert row["problem"] == "invoice_has_payments"
        assert row["message"].startswith("The invoice has payments or credit notes allocated in Xero")
        assert "40.00 in Xero, 55.00 in HearLink" in row["message"]
        assert row["fix"].startswith("Make the change directly in Xero. Then retry")
        assert "cannot be edited as it has a payment or credit note allocated" in row["xero_message"]
        assert (books.payments(), books.invoice()["Total"]) == ([("CARD pay-1", 10.0)], 40)
        assert books.order()["due_at"] is None
        books.save_invoice()
        books.push()
        assert books.open_problems() == []

    def test_an_edit_of_a_paid_invoice_says_so_as_well(self, books: Books) -> None:
        books.save_invoice()
        books.save_payment()
        books.push()
        books.save_invoice(**lines("55.0000"))
        books.push()
        assert "has payments or credit notes" in books.failure()["message"]
        assert "40.00 in Xero, 55.00 in HearLink" in books.failure()["message"]

    def test_a_payment_moves_with_the_order_to_its_new_invoice(self, books: Books) -> None:
        books.save_invoice(number="A", invoice_id="invoice-A")
        books.save_payment()
        books.push()
        books.save_invoice(number="B", invoice_id="invoice-B")
        books.push()
        assert (books.invoice("A")["AmountPaid"], books.invoice("B")["AmountPaid"]) == (0, 40)

    def test_more_than_a_claim_of_orders_goes_through(self, books: Books) -> None:
        for number in range(205):
            books.save_invoice(f"order-{number}")
        books.push()
        assert len(books.ledger()["Invoices"]) == 205
        # 50 elements a call, and 200 orders a pass.
        assert len(books.writes()) == 10


class TestSkips:
    @pytest.mark.parametrize("outcome", ["CANCELLED", "WRITTEN_OFF"])
    def test_a_closed_order_is_left_alone_and_said_so_once(self, books: Books, outcome: str) -> None:
        books.save_invoice()
        books.close(outcome=outcome)
        books.push()
        books.save_payment()
        books.push()
        assert books.calls() == []
        assert books.told() == [("order_sync", "skipped", "order_closed")]

    def test_a_deleted_invoice_stays_and_is_said_so_once(self, books: Books) -> None:
        books.save_invoice()
        books.push()
        books.delete_invoice()
        books.push()
        books.save_payment()
        books.push()
        assert books.invoice()["Status"] == "AUTHORISED"
        assert books.told()[2:] == [("order_sync", "skipped", "invoice_deleted_in_hearlink")]

    def test_who_asks_is_told_again(self, books: Books) -> None:
        books.save_payment()
        books.push()
        books.request_sync()
        books.push()
        assert books.told() == [("order_sync", "skipped", "no_invoice")] * 2

    def test_new_contact_details_are_said_not_to_be_sent(self, books: Books) -> None:
        books.save_invoice()
        books.push()
        books.patients["order-1"] = patient("patient-of-order-1", email="new@example.com")
        for reference in ("PO 1", "PO 2"):
            books.save_invoice(reference=reference)
            books.push()
        assert books.contact()["EmailAddress"] == "patient-of-order-1@example.com"
        assert books.told().count(("contact_rename", "skipped", "contact_details_not_sent")) == 1

    def test_details_that_change_again_are_told_once_whatever_else_happens(self, books: Books) -> None:
        books.save_invoice()
        books.push()
        for number in range(4):
            # The second of them brings a new name as well, and each is asked for.
            name = {"last_name": "Married"} if number else {}
            books.patients["order-1"] = patient("patient-of-order-1", email=f"new{number}@example.com", **name)
            books.save_invoice(reference=f"PO {number // 2}")
            books.request_sync()
            books.push()
        told = books.told()
        assert told.count(("contact_rename", "skipped", "contact_details_not_sent")) == 1
        assert told.count(("contact_rename", "succeeded", None)) == 1
        assert told[-1] == ("order_sync", "skipped", None), "whoever asks has an answer"

    def test_an_unchanged_order_costs_no_call(self, books: Books) -> None:
        books.save_invoice()
        books.save_payment(amount="10.0000")
        books.save_credit_note(**lines("30.0000"))
        books.push()
        books.forget_calls()
        books.save_invoice()
        books.save_payment(amount="10.0000")
        books.request_sync()
        books.push()
        assert books.calls() == []
