"""What Xero is asked to do of an order's invoice, rule by rule, without a Xero."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from consumer.results import Operation
from consumer.settings import InvoiceStatus
from consumer.sync.link import LinkKind, LinkStatus
from consumer.sync.step import Stage
from tests.sync.books import line
from tests.sync.desk import NEW_INVOICE, Desk, pushed_desk, remapped, with_settings


class TestInvoices:
    def test_a_new_order_needs_a_contact_and_an_invoice(self) -> None:
        desk = Desk()
        desk.save_invoice()
        assert desk.steps() == NEW_INVOICE

    @pytest.mark.parametrize("status", list(InvoiceStatus))
    def test_created_in_the_status_that_the_clinic_chose(self, status: InvoiceStatus) -> None:
        desk = Desk(settings=with_settings(invoice_status=status))
        desk.save_invoice()
        assert desk.step(Stage.INVOICE_CREATE).body["Status"] == status.upper()

    @pytest.mark.parametrize("what", ["payment", "credit_note"])
    def test_created_authorised_where_a_payment_or_credit_note_came_with_it(self, what: str) -> None:
        desk = Desk(settings=with_settings(invoice_status=InvoiceStatus.DRAFT))
        desk.save_invoice()
        getattr(desk, f"save_{what}")()
        assert desk.step(Stage.INVOICE_CREATE).body["Status"] == "AUTHORISED"

    @pytest.mark.parametrize("what", ["payment", "credit_note"])
    def test_a_draft_is_authorised_before_its_first_payment_or_credit_note(self, what: str) -> None:
        desk = Desk(settings=with_settings(invoice_status=InvoiceStatus.DRAFT))
        desk.save_invoice()
        desk.push()
        getattr(desk, f"save_{what}")()
        first, *later = desk.push()
        assert (first.stage, first.operation) == (Stage.INVOICE_UPDATE, Operation.INVOICE_AUTHORISE)
        assert first.body == {"InvoiceID": first.target_id, "Status": "AUTHORISED"}
        assert later

    def test_a_draft_that_changed_is_authorised_with_its_change_in_one_step(self) -> None:
        desk = Desk(settings=with_settings(invoice_status=InvoiceStatus.DRAFT))
        desk.save_invoice()
        desk.push()
        desk.save_invoice(reference="PO 7")
        desk.save_payment()
        update, payment = desk.push()
        assert update.operation is Operation.INVOICE_AUTHORISE
        assert (update.body["Reference"], update.body["Status"]) == ("PO 7", "AUTHORISED")
        assert payment.stage is Stage.PAYMENT_CREATE

    def test_a_draft_without_payments_stays_one_when_it_changes(self) -> None:
        desk = Desk(settings=with_settings(invoice_status=InvoiceStatus.DRAFT))
        desk.save_invoice()
        desk.push()
        desk.settings = with_settings(invoice_status=InvoiceStatus.AUTHORISED)
        desk.save_invoice(reference="PO 7")
        (update,) = desk.push()
        assert "Status" not in update.body
        assert desk.links[LinkKind.INVOICE, "invoice-WH1"].status is LinkStatus.DRAFT

    def test_a_payment_of_nothing_does_not_authorise_a_draft(self) -> None:
        desk = Desk(settings=with_settings(invoice_status=InvoiceStatus.DRAFT))
        desk.save_invoice()
        desk.save_payment(amount="0.0000")
        assert desk.step(Stage.INVOICE_CREATE).body["Status"] == "DRAFT"

    @pytest.mark.parametrize(
        "changes",
        [
            {"number": "WH2", "invoice_id": "invoice-WH1"},
            {"issued_on": "2026-10-05"},
            {"due_on": "2026-11-01"},
            {"reference": "PO 7"},
            {"prices_include_tax": False},
            {"lines": [line(quantity="2.0000")]},
            {"lines": [line(unit_price="40.0001")]},
            {"lines": [line(discount="0.0100")]},
            {"lines": [line(description="Hearing test, long")]},
            {"lines": [line(category="ACCESSORIES")]},
            {"lines": [line(), line("line-2")]},
        ],
        ids=str,
    )
    def test_every_edit_is_sent(self, changes: dict[str, Any]) -> None:
        desk = pushed_desk()
        desk.save_invoice(**changes)
        assert desk.steps() == [(Stage.INVOICE_UPDATE, "invoice-WH1")]
        desk.push()
        assert desk.steps() == []

    @pytest.mark.parametrize(
        "changes",
        [{}, {"total": "41.0000"}, {"lines": [line(quantity="1", unit_price="40.00", discount="0")]}],
        ids=["repeated", "HearLink's own total", "other digits"],
    )
    def test_what_is_no_change_for_xero_is_not_sent(self, changes: dict[str, Any]) -> None:
        desk = pushed_desk()
        desk.save_invoice(**changes)
        assert desk.steps() == []

    def test_lines_keep_their_line_item_ids(self) -> None:
        desk = pushed_desk(lines=[line("a"), line("b"), line("c")])
        ids = desk.links[LinkKind.INVOICE, "invoice-WH1"].detail["line_item_ids"]
        desk.save_invoice(lines=[line("c"), line("new"), line("a", quantity="3.0000")])
        sent = desk.step(Stage.INVOICE_UPDATE).body["LineItems"]
        assert [item.get("LineItemID") for item in sent] == [ids["c"], None, ids["a"]]

    def test_a_discount_that_is_gone_is_taken_off_the_line(self) -> None:
        desk = pushed_desk(lines=[line(discount="5.0000")])
        desk.save_invoice(lines=[line()])
        (item,) = desk.step(Stage.INVOICE_UPDATE).body["LineItems"]
        assert item["DiscountAmount"] == 0
        desk.push()
        assert desk.steps() == []

    def test_lines_that_share_an_id_are_sent_without_line_item_ids(self) -> None:
        desk = pushed_desk(lines=[line("a"), line("a", quantity="2.0000")])
        desk.save_invoice(lines=[line("a"), line("a", quantity="3.0000")])
        assert all("LineItemID" not in item for item in desk.step(Stage.INVOICE_UPDATE).body["LineItems"])

    def test_another_account_is_used_from_the_next_push_on(self) -> None:
        desk = pushed_desk()
        desk.settings = remapped("services", revenue_account="270")
        update = desk.step(Stage.INVOICE_UPDATE)
        assert update.body["LineItems"][0]["AccountCode"] == "270"
        assert update.reasons == ("accounts or tax rates of its categories changed",)

    @pytest.mark.parametrize("what", ["payment", "credit_note"])
    def test_a_settled_invoice_is_not_touched_for_a_mapping_that_changed(self, what: str) -> None:
        desk = Desk()
        desk.save_invoice()
        getattr(desk, f"save_{what}")()
        desk.push()
        desk.settings = remapped("services", tax_type="ZERORATEDOUTPUT")
        assert desk.steps() == []

    @pytest.mark.parametrize("what", ["payment", "credit_note"])
    def test_what_xero_takes_of_a_settled_invoice_goes_without_the_mapping_that_changed(self, what: str) -> None:
        desk = Desk()
        desk.save_invoice()
        getattr(desk, f"save_{what}")()
        desk.push()
        before = desk.links[LinkKind.INVOICE, "invoice-WH1"]
        desk.settings = remapped("services", tax_type="ZERORATEDOUTPUT")
        desk.save_invoice(reference="PO 7", due_on="2026-11-01")
        (update,) = desk.push()
        assert (update.body["Reference"], update.body["DueDate"]) == ("PO 7", "2026-11-01")
        assert not {"LineItems", "Date", "CurrencyCode", "LineAmountTypes"} & update.body.keys()
        assert update.reasons == ("texts, dates, reference or contact changed",)
        after = desk.links[LinkKind.INVOICE, "invoice-WH1"]
        assert after.detail["lines"] == before.detail["lines"]
        assert desk.steps() == []
        # Nothing is applied any more.
        getattr(desk, f"delete_{what}")()
        *_, mapping = desk.push()
        assert mapping.body["LineItems"][0]["TaxType"] == "ZERORATEDOUTPUT"
        assert mapping.reasons == ("accounts or tax rates of its categories changed",)
        assert desk.steps() == []

    def test_a_mapping_that_came_back_meanwhile_is_in_step(self) -> None:
        desk = Desk()
        desk.save_invoice()
        desk.save_payment()
        desk.push()
        desk.settings = remapped("services", tax_type="ZERORATEDOUTPUT")
        desk.save_invoice(reference="PO 7")
        desk.push()
        desk.settings = with_settings()
        assert desk.steps() == []
        desk.delete_payment()
        assert [step.stage for step in desk.push()] == [Stage.PAYMENT_DELETE]

    def test_links_from_before_are_sent_as_before(self) -> None:
        desk = Desk()
        desk.save_invoice()
        desk.save_payment()
        desk.push()
        old = desk.links[LinkKind.INVOICE, "invoice-WH1"]
        detail = {key: value for key, value in old.detail.items() if key not in {"order_lines", "amounts"}}
        desk.links[LinkKind.INVOICE, "invoice-WH1"] = msgspec.structs.replace(old, detail=detail)
        assert desk.steps() == []
        desk.save_invoice(reference="PO 7")
        assert "LineItems" not in desk.step(Stage.INVOICE_UPDATE).body
        desk.settings = remapped("services", tax_type="ZERORATEDOUTPUT")
        assert "LineItems" in desk.step(Stage.INVOICE_UPDATE).body

    def test_another_mapping_and_another_text_are_no_other_amounts(self) -> None:
        desk = pushed_desk()
        desk.settings = remapped("services", tax_type="ZERORATEDOUTPUT")
        desk.save_invoice(reference="PO 7")
        assert desk.step(Stage.INVOICE_UPDATE).reasons == (
            "texts, dates, reference or contact changed",
            "accounts or tax rates of its categories changed",
        )
        desk.save_invoice(lines=[line(description="Hearing test, long")])
        assert desk.step(Stage.INVOICE_UPDATE).reasons == ("texts, dates, reference or contact changed",)

    def test_a_settled_invoice_whose_line_went_to_another_category_is_sent(self) -> None:
        desk = Desk()
        desk.save_invoice()
        desk.save_payment()
        desk.push()
        desk.save_invoice(lines=[line(category="HEARING_AIDS")])
        assert desk.steps() == [(Stage.INVOICE_UPDATE, "invoice-WH1")]

    def test_a_settled_invoice_gets_its_texts_changed(self) -> None:
        desk = Desk()
        desk.save_invoice()
        desk.save_payment(amount="10.0000")
        desk.push()
        desk.save_invoice(due_on="2026-12-01", lines=[line(description="Fitting")])
        (update,) = desk.push()
        assert update.reasons == ("texts, dates, reference or contact changed",)
        assert "LineItemID" in update.body["LineItems"][0]

    def test_amounts_that_changed_are_named(self) -> None:
        desk = pushed_desk()
        desk.save_invoice(lines=[line(unit_price="55.0000")], total="55.0000")
        (reason,) = desk.step(Stage.INVOICE_UPDATE).reasons
        assert reason == "amounts changed: 40.00 in Xero, 55.00 in HearLink"

    def test_accounts_by_id(self) -> None:
        account = "8e19b8a5-0d38-4d11-9f42-0f0f4a3d6c11"
        desk = Desk(settings=remapped("services", revenue_account=account))
        desk.save_invoice()
        (item,) = desk.step(Stage.INVOICE_CREATE).body["LineItems"]
        assert item["AccountID"] == account
        assert "AccountCode" not in item


class TestInvoiceBody:
    def body(self, desk: Desk | None = None, **invoice: Any) -> dict[str, Any]:
        desk = desk or Desk()
        desk.save_invoice(**invoice)
        return desk.step(Stage.INVOICE_CREATE).body

    def test_due_date_defaults_to_the_issue_date(self) -> None:
        assert self.body(issued_on="2026-10-01", due_on=None)["DueDate"] == "2026-10-01"
        assert self.body(due_on="2026-10-31")["DueDate"] == "2026-10-31"

    @pytest.mark.parametrize(("included", "types"), [(True, "Inclusive"), (False, "Exclusive")])
    def test_prices_with_and_without_tax(self, included: bool, types: str) -> None:  # noqa: FBT001 -- a parameter
        assert self.body(prices_include_tax=included)["LineAmountTypes"] == types

    def test_prices_keep_four_places(self) -> None:
        (item,) = self.body(lines=[line(quantity="3.0000", unit_price="33.3333")])["LineItems"]
        assert (item["Quantity"], item["UnitAmount"]) == (Decimal(3), Decimal("33.3333"))

    def test_a_discount_is_an_amount_off_the_line(self) -> None:
        (item,) = self.body(lines=[line(discount="4.5000")])["LineItems"]
        assert item["DiscountAmount"] == Decimal("4.50")

    def test_reference_is_cut_to_what_xero_takes(self) -> None:
        assert self.body(reference=None)["Reference"] == ""
        assert self.body(reference="x" * 300)["Reference"] == "x" * 255

    @pytest.mark.parametrize(
        ("description", "sku", "sent"),
        [
            ("  Fitting ", None, "Fitting"),
            (" ", "HA-1", "HA-1"),
            ("", None, "Services"),
            ("x" * 5000, None, "x" * 4000),
        ],
    )
    def test_every_line_has_a_description(self, description: str, sku: str | None, sent: str) -> None:
        (item,) = self.body(lines=[line(description=description, sku=sku)])["LineItems"]
        assert item["Description"] == sent

    def test_the_url_is_quoted(self) -> None:
        desk = Desk(order_id="order 1/ä?")
        desk.save_invoice()
        assert desk.step(Stage.INVOICE_CREATE).body["Url"] == "https://app.example/orders/order%201%2F%C3%A4%3F"

    def test_the_contact_is_named_by_its_id_alone(self) -> None:
        desk = Desk()
        desk.save_invoice()
        desk.accept(desk.step(Stage.CONTACT_CREATE))
        contact = desk.links[LinkKind.CONTACT, "patient-1"]
        assert desk.step(Stage.INVOICE_CREATE).body["Contact"] == {"ContactID": contact.xero_id}


class TestWhatCanNotBeSent:
    def test_another_currency_than_the_books(self) -> None:
        desk = Desk()
        desk.believe(base_currency="GBP")
        desk.save_invoice(currency="EUR")
        (failure,) = desk.plan().failures
        assert (desk.steps(), failure.code, failure.blocking) == ([], "currency_mismatch", True)
        assert failure.values["currency"] == "EUR"

    @pytest.mark.parametrize("currency", ["GBP", "EUR"])
    def test_no_currency_goes_where_that_of_the_books_is_not_known(self, currency: str) -> None:
        desk = Desk()
        desk.believe(base_currency=None)
        desk.save_invoice(currency=currency)
        assert (desk.steps(), desk.codes()) == ([], ["base_currency_unknown"])

    @pytest.mark.parametrize("missing", ["revenue_account", "tax_type"])
    def test_a_category_without_account_or_tax_rate(self, missing: str) -> None:
        desk = Desk(settings=remapped("services", **{missing: None}))
        desk.save_invoice()
        (failure,) = desk.plan().failures
        assert (failure.code, failure.blocking) == ("mapping_incomplete", True)
        assert desk.steps() == []

    def test_only_the_categories_that_an_order_uses_must_be_mapped(self) -> None:
        desk = Desk(settings=remapped("hearing_aids", revenue_account=None))
        desk.save_invoice()
        assert desk.steps() == NEW_INVOICE
        desk.save_credit_note(lines=[line(category="HEARING_AIDS")])
        assert desk.codes() == ["mapping_incomplete"]

    def test_an_order_without_an_invoice(self) -> None:
        desk = Desk()
        desk.save_payment()
        assert (desk.steps(), desk.codes()) == ([], ["no_invoice"])

    def test_a_deleted_invoice_stays_as_it_is_in_xero(self) -> None:
        desk = Desk()
        desk.save_invoice()
        desk.save_payment()
        desk.push()
        desk.delete_invoice()
        assert (desk.steps(), desk.codes()) == ([], ["invoice_deleted_in_hearlink"])

    def test_only_a_deletion_was_ever_seen(self) -> None:
        desk = Desk()
        desk.delete_invoice()
        desk.delete_payment()
        desk.delete_credit_note()
        assert (desk.steps(), desk.codes()) == ([], ["invoice_deleted_in_hearlink"])

    def test_deletions_of_payments_and_notes_are_carried_over_even_then(self) -> None:
        desk = Desk()
        desk.save_invoice()
        desk.save_payment(amount="10.0000")
        desk.save_credit_note(total="30.0000", lines=[line(unit_price="30.0000")])
        desk.push()
        desk.delete_invoice()
        desk.delete_payment()
        desk.delete_credit_note()
        assert [step.stage for step in desk.push()] == [
            Stage.PAYMENT_DELETE,
            Stage.DEALLOCATE,
            Stage.CREDIT_NOTE_VOID,
        ]

    def test_an_invoice_that_people_voided_in_xero_is_not_made_again(self) -> None:
        desk = pushed_desk()
        desk.mark(LinkKind.INVOICE, "invoice-WH1", LinkStatus.GONE)
        assert (desk.steps(), desk.codes()) == ([], [])
        desk.save_payment()
        assert (desk.steps(), desk.codes()) == ([], ["deleted_in_xero"])
        assert desk.plan().failures[0].blocking
