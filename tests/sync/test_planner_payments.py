"""What Xero is asked to do of payments and credit notes, and in what order."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from consumer.results import Operation
from consumer.sync.link import LinkKind, LinkStatus
from consumer.sync.step import Stage
from tests.sync.books import line
from tests.sync.desk import NEW_INVOICE, Desk, pushed_desk, remapped, with_settings


class TestPayments:
    def desk(self) -> Desk:
        desk = Desk()
        desk.save_invoice()
        desk.save_payment()
        desk.push()
        return desk

    def test_goes_to_the_clinics_account_with_method_and_id_in_its_reference(self) -> None:
        desk = Desk()
        desk.save_invoice()
        desk.save_payment(method="BANK_TRANSFER", amount="12.3400", paid_on="2026-10-09")
        desk.accept(desk.step(Stage.CONTACT_CREATE))
        desk.accept(desk.step(Stage.INVOICE_CREATE))
        assert desk.step(Stage.PAYMENT_CREATE).body == {
            "Invoice": {"InvoiceID": desk.links[LinkKind.INVOICE, "invoice-WH1"].xero_id},
            "Account": {"Code": "090"},
            "Date": "2026-10-09",
            "Amount": Decimal("12.34"),
            "Reference": "BANK_TRANSFER pay-1",
        }

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"amount": "30.0000"}, "amount 40.00 → 30.00"),
            ({"paid_on": "2026-10-03"}, "date 2026-10-02 → 2026-10-03"),
            ({"method": "CASH"}, "method CARD pay-1 → CASH pay-1"),
        ],
    )
    def test_a_change_of_amount_date_or_method_deletes_and_creates(self, change: dict[str, str], reason: str) -> None:
        desk = self.desk()
        desk.save_payment(**change)
        delete, create = desk.push()
        assert (delete.stage, create.stage) == (Stage.PAYMENT_DELETE, Stage.PAYMENT_CREATE)
        assert delete.reasons == (reason,)
        assert desk.steps() == []

    @pytest.mark.parametrize("change", [{}, {"reference": "terminal 3"}, {"amount": "40.00"}], ids=str)
    def test_nothing_else_of_it_matters(self, change: dict[str, str]) -> None:
        desk = self.desk()
        desk.save_payment(**change)
        assert desk.steps() == []

    def test_another_payment_account_moves_no_old_payment(self) -> None:
        desk = self.desk()
        desk.settings = with_settings(payment_account="092")
        assert desk.steps() == []

    def test_deleted_in_hearlink_is_removed(self) -> None:
        desk = self.desk()
        desk.delete_payment()
        (delete,) = desk.push()
        assert (delete.stage, delete.body) == (Stage.PAYMENT_DELETE, {"Status": "DELETED"})

    def test_changed_without_an_invoice_it_stays_as_it_is(self) -> None:
        desk = self.desk()
        desk.delete_invoice()
        desk.save_payment(amount="30.0000")
        assert desk.steps() == []
        desk.save_invoice()
        assert [step.stage for step in desk.push()] == [Stage.PAYMENT_DELETE, Stage.PAYMENT_CREATE]

    def test_recorded_again_after_its_deletion_is_made_again(self) -> None:
        desk = self.desk()
        desk.delete_payment()
        desk.push()
        desk.save_payment()
        assert desk.steps() == [(Stage.PAYMENT_CREATE, "pay-1")]

    def test_a_payment_of_nothing_is_skipped(self) -> None:
        desk = pushed_desk()
        desk.save_payment(amount="0.0040")
        assert desk.steps() == []
        assert desk.codes() == ["zero_amount"]

    def test_a_payment_that_became_nothing_is_removed(self) -> None:
        desk = self.desk()
        desk.save_payment(amount="0.0000")
        assert desk.steps() == [(Stage.PAYMENT_DELETE, "pay-1")]
        assert desk.codes() == ["zero_amount"]

    def test_without_a_payment_account_it_fails_and_the_invoice_goes(self) -> None:
        desk = Desk(settings=with_settings(payment_account=None))
        desk.save_invoice()
        desk.save_payment()
        assert desk.steps() == NEW_INVOICE
        (failure,) = desk.plan().failures
        assert (failure.operation, failure.code, failure.blocking) == (
            Operation.PAYMENT_CREATE,
            "mapping_incomplete",
            False,
        )

    def test_a_changed_payment_that_could_not_be_made_again_is_not_removed(self) -> None:
        desk = self.desk()
        desk.settings = with_settings(payment_account=None)
        desk.save_payment(amount="30.0000")
        assert desk.steps() == []
        assert desk.codes() == ["mapping_incomplete"]

    def test_what_people_deleted_in_xero_is_not_made_again(self) -> None:
        desk = self.desk()
        desk.mark(LinkKind.PAYMENT, "pay-1", LinkStatus.GONE)
        assert (desk.steps(), desk.codes()) == ([], [])
        desk.save_payment(amount="30.0000")
        assert (desk.steps(), desk.codes()) == ([], ["deleted_in_xero"])
        desk.delete_payment()
        assert (desk.steps(), desk.codes()) == ([], [])


class TestCreditNotes:
    def desk(self, **note: Any) -> Desk:
        desk = Desk()
        desk.save_invoice()
        desk.save_credit_note(**note)
        desk.push()
        return desk

    def note_lines(self, *lines: dict[str, Any]) -> list[dict[str, Any]]:
        desk = Desk()
        desk.save_invoice()
        desk.save_credit_note(lines=list(lines))
        found: list[dict[str, Any]] = desk.step(Stage.CREDIT_NOTE_CREATE).body["LineItems"]
        return found

    def test_created_authorised_and_allocated_to_the_orders_invoice(self) -> None:
        desk = Desk()
        desk.save_invoice()
        desk.push()
        desk.save_credit_note()
        create, allocate = desk.push()
        assert (create.stage, create.body["Status"], create.body["Reference"]) == (
            Stage.CREDIT_NOTE_CREATE,
            "AUTHORISED",
            "note-1",
        )
        assert (allocate.stage, allocate.target_id) == (
            Stage.ALLOCATE,
            desk.links[LinkKind.CREDIT_NOTE, "note-1"].xero_id,
        )
        assert allocate.body == {
            "Amount": Decimal(40),
            "Date": "2026-10-03",
            "Invoice": {"InvoiceID": desk.links[LinkKind.INVOICE, "invoice-WH1"].xero_id},
        }

    def test_allocated_is_what_xero_made_of_it(self) -> None:
        desk = Desk()
        desk.save_invoice()
        desk.push()
        desk.save_credit_note(total="40.0100")
        desk.accept(desk.step(Stage.CREDIT_NOTE_CREATE), Total=Decimal("40.00"))
        assert desk.step(Stage.ALLOCATE).body["Amount"] == Decimal(40)

    def test_a_discount_is_folded_into_the_price(self) -> None:
        (item,) = self.note_lines(line(quantity="4.0000", unit_price="10.0000", discount="5.0000"))
        assert (item["Quantity"], item["UnitAmount"]) == (Decimal(4), Decimal("8.75"))
        assert "DiscountAmount" not in item

    def test_a_discount_that_no_price_of_four_places_gives_makes_the_line_one_piece(self) -> None:
        (item,) = self.note_lines(line(quantity="3000.0000", unit_price="1.0000", discount="0.1000"))
        assert (item["Quantity"], item["UnitAmount"]) == (Decimal(1), Decimal("2999.90"))

    def test_three_for_ten(self) -> None:
        (item,) = self.note_lines(line(quantity="3.0000", unit_price="4.0000", discount="2.0000"))
        assert (item["Quantity"] * item["UnitAmount"]).quantize(Decimal("0.01")) == Decimal(10)

    @pytest.mark.parametrize("included", [True, False])
    def test_prices_include_tax_where_the_invoices_do(self, included: bool) -> None:  # noqa: FBT001 -- a parameter
        desk = Desk()
        desk.save_invoice(prices_include_tax=included)
        desk.save_credit_note()
        types = desk.step(Stage.CREDIT_NOTE_CREATE).body["LineAmountTypes"]
        assert types == desk.step(Stage.INVOICE_CREATE).body["LineAmountTypes"]

    def test_deleted_in_hearlink_is_taken_off_the_invoice_and_voided(self) -> None:
        desk = self.desk()
        desk.delete_credit_note()
        deallocate, void = desk.push()
        assert (deallocate.stage, void.stage) == (Stage.DEALLOCATE, Stage.CREDIT_NOTE_VOID)
        assert void.body == {"CreditNoteID": void.target_id, "Status": "VOIDED"}

    def test_an_edit_takes_it_off_changes_it_and_puts_it_on_again(self) -> None:
        desk = self.desk()
        desk.save_credit_note(total="30.0000", lines=[line(unit_price="30.0000")])
        steps = desk.push()
        assert [step.stage for step in steps] == [Stage.DEALLOCATE, Stage.CREDIT_NOTE_UPDATE, Stage.ALLOCATE]
        assert steps[-1].body["Amount"] == Decimal(30)

    def test_a_mapping_that_changed_takes_no_note_apart(self) -> None:
        desk = self.desk()
        desk.settings = remapped("services", revenue_account="270")
        assert desk.steps() == []

    def test_a_line_of_another_category_takes_the_note_apart(self) -> None:
        desk = self.desk()
        desk.save_credit_note(lines=[line(category="ACCESSORIES")])
        assert [step.stage for step in desk.push()] == [Stage.DEALLOCATE, Stage.CREDIT_NOTE_UPDATE, Stage.ALLOCATE]

    def test_a_note_over_nothing_is_not_allocated(self) -> None:
        desk = Desk()
        desk.save_invoice()
        desk.save_credit_note(total="0.0000", lines=[line(unit_price="0.0000")])
        assert Stage.ALLOCATE not in {stage for stage, _ in desk.steps()}
        assert desk.codes() == ["zero_amount"]

    def test_what_people_voided_in_xero_is_not_made_again(self) -> None:
        desk = self.desk()
        desk.mark(LinkKind.CREDIT_NOTE, "note-1", LinkStatus.GONE)
        assert (desk.steps(), desk.codes()) == ([], [])
        desk.save_credit_note(total="30.0000", lines=[line(unit_price="30.0000")])
        assert (desk.steps(), desk.codes()) == ([], ["deleted_in_xero"])

    def test_an_allocation_that_people_removed_is_not_made_again(self) -> None:
        desk = self.desk()
        desk.mark(LinkKind.ALLOCATION, "note-1", LinkStatus.GONE)
        assert desk.steps() == []


class TestOrderOfThings:
    def test_a_payment_makes_room_for_the_credit_note_that_replaces_it(self) -> None:
        desk = Desk()
        desk.save_invoice()
        desk.save_payment()
        desk.push()
        desk.delete_payment()
        desk.save_credit_note()
        assert [step.stage for step in desk.push()] == [
            Stage.PAYMENT_DELETE,
            Stage.CREDIT_NOTE_CREATE,
            Stage.ALLOCATE,
        ]

    def test_a_credit_note_makes_room_for_the_payment_that_replaces_it(self) -> None:
        desk = Desk()
        desk.save_invoice()
        desk.save_credit_note()
        desk.push()
        desk.delete_credit_note()
        desk.save_payment()
        assert [step.stage for step in desk.push()] == [
            Stage.DEALLOCATE,
            Stage.CREDIT_NOTE_VOID,
            Stage.PAYMENT_CREATE,
        ]

    def test_payments_that_go_make_the_invoice_editable(self) -> None:
        desk = Desk()
        desk.save_invoice()
        desk.save_payment()
        desk.push()
        desk.save_invoice(lines=[line(unit_price="50.0000")], total="50.0000")
        desk.save_payment(amount="50.0000")
        assert [step.stage for step in desk.push()] == [
            Stage.PAYMENT_DELETE,
            Stage.INVOICE_UPDATE,
            Stage.PAYMENT_CREATE,
        ]

    def test_what_another_invoice_takes_over_moves_to_it(self) -> None:
        desk = Desk()
        desk.save_invoice()
        desk.save_payment(amount="10.0000")
        desk.save_credit_note(total="30.0000", lines=[line(unit_price="30.0000")])
        desk.push()
        desk.delete_invoice()
        assert desk.steps() == []
        desk.save_invoice("WH2")
        assert [step.stage for step in desk.push()] == [
            Stage.INVOICE_CREATE,
            Stage.PAYMENT_DELETE,
            Stage.DEALLOCATE,
            Stage.ALLOCATE,
            Stage.PAYMENT_CREATE,
        ]
        new = desk.links[LinkKind.INVOICE, "invoice-WH2"]
        assert desk.links[LinkKind.PAYMENT, "pay-1"].detail["invoice_id"] == new.xero_id
        assert desk.links[LinkKind.ALLOCATION, "note-1"].detail["invoice_id"] == new.xero_id


@pytest.mark.parametrize("kind", [LinkKind.INVOICE, LinkKind.CREDIT_NOTE])
def test_what_xero_holds_for_sure_is_not_known_so_it_is_sent_again(kind: LinkKind) -> None:
    desk = Desk()
    desk.save_invoice()
    desk.save_credit_note()
    desk.push()
    local_id = {LinkKind.INVOICE: "invoice-WH1", LinkKind.CREDIT_NOTE: "note-1"}[kind]
    desk.links[kind, local_id] = msgspec.structs.replace(desk.links[kind, local_id], content_hash="")
    sent = desk.push()
    assert {step.kind for step in sent} >= {kind}
    assert desk.steps() == []
