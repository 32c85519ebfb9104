"""Requests, retries and trouble that is one order's own."""

from typing import Any

import pytest

from tests.sync.books import CLINIC, ORGANISATION, Books, line, lines


class TestRequests:
    def test_who_asks_during_a_pass_is_heard(self, books: Books) -> None:
        """The cause is mended and the retry asked for while the pass that fails for it is still under way."""
        books.settings(services_revenue_account="240")
        books.save_invoice()
        mended = False

        class Mending:
            def batch_sent(self, stage: str, _elements: int) -> None:
                nonlocal mended
                if stage == "invoice_create" and not mended:
                    mended = True
                    books.simulator.control.restore_account(books.tenant_id, "240")
                    books.retry()

            def __getattr__(self, name: str) -> Any:
                return lambda *_: None

        books.use(metrics=Mending())
        books.push()
        assert [row["outcome"] for row in books.log() if row["operation"] == "invoice_create"] == [
            "failed",
            "succeeded",
        ]
        order = books.order()
        assert (order["requested_revision"], order["problem_id"], order["hold"]) == (None, None, None)
        assert books.open_problems() == []

    def test_an_event_during_a_pass_is_heard(self, books: Books) -> None:
        books.save_invoice()

        class Editing:
            def batch_sent(self, stage: str, _elements: int) -> None:
                if stage == "invoice_create":
                    books.save_payment()

            def __getattr__(self, name: str) -> Any:
                return lambda *_: None

        books.use(metrics=Editing())
        books.push()
        assert books.payments() == [("CARD pay-1", 40.0)]
        assert books.order()["synced_revision"] == 2

    def test_a_failed_entry_retried_runs_the_whole_order(self, books: Books) -> None:
        books.settings(services_revenue_account="240")
        books.save_invoice()
        books.save_payment(amount="10.0000")
        books.save_credit_note(**lines("30.0000"))
        books.push()
        books.simulator.control.restore_account(books.tenant_id, "240")
        books.retry()
        books.push()
        assert books.invoice()["Status"] == "PAID"
        assert {row["trigger"] for row in books.log()[2:]} == {"retry"}

    def test_retries_without_a_cure_neither_pile_up_nor_shrink_the_calls(self, books: Books) -> None:
        books.settings(services_revenue_account="240")
        orders = [f"order-{number}" for number in range(5)]
        for order_id in orders:
            books.save_invoice(order_id)
        books.push()
        for _ in range(5):
            books.retry(*orders)
            books.push()
        books.forget_calls()
        books.retry(*orders)
        books.push()
        assert [call["elements"] for call in books.writes()] == [5]
        assert books.open_problems() == [("account_archived", 5)]


class TestOneOrdersTroubleIsItsOwn:
    def test_a_document_larger_than_a_call(self, books: Books) -> None:
        huge = [line(f"line-{number}", description="\u4e2d" * 4000) for number in range(260)]
        books.save_invoice("order-1", lines=huge)
        books.save_invoice("order-2")
        books.push()
        assert books.failure("order-1")["problem"] == "request_too_large"
        assert books.invoice("WH-order-2")["Status"] == "AUTHORISED"

    def test_large_documents_travel_in_several_calls(self, books: Books) -> None:
        large = [line(f"line-{number}", description="\u4e2d" * 4000) for number in range(100)]
        for number in range(4):
            books.save_invoice(f"order-{number}", lines=large)
        books.push()
        assert len(books.ledger()["Invoices"]) == 4
        assert books.failures() == []

    def test_a_record_that_can_not_be_read(self, books: Books) -> None:
        books.save_invoice("order-1")
        books.save_invoice("order-2")
        books.connection.execute(
            "update orders set state = jsonb_set(state, '{invoice,value,total}', '\"much\"') where order_id = 'order-1'"
        )
        books.push()
        assert books.failure("order-1")["problem"] == "not_projected"
        assert books.invoice("WH-order-2")["Status"] == "AUTHORISED"

    def test_amounts_beyond_all_bounds(self, books: Books) -> None:
        many = "99999999999999.9999"
        books.save_invoice("order-1")
        books.save_credit_note("order-1", lines=[line(quantity=many, unit_price=many, discount="1.0000")])
        books.save_invoice("order-2")
        books.push()
        assert books.failure("order-1")["problem"] == "amount_beyond_limit"
        assert books.invoice("WH-order-2")["Status"] == "AUTHORISED"


@pytest.mark.parametrize("change", [{"mode": "manual"}, {"synchronisation_enabled": False}])
def test_what_failed_stays_failed_until_it_is_tried_again(books: Books, change: dict[str, Any]) -> None:
    books.settings(services_revenue_account="240")
    books.save_invoice()
    books.push()
    books.settings(**change)
    books.save_payment()
    books.push()
    assert (books.order()["hold"], books.open_problems()) == ("problem", [("account_archived", 1)])
    books.simulator.control.restore_account(books.tenant_id, "240")
    books.settings(mode="manual", synchronisation_enabled=True)
    books.retry("order-1")
    books.push()
    assert (books.order()["hold"], books.open_problems()) == (None, [])
    assert books.invoice()["Status"] == "PAID"


def test_an_organisation_without_settings_gets_no_rows(books: Books) -> None:
    books.connection.execute("delete from organisation where organisation_id = %s", [ORGANISATION])
    books.save_invoice()
    books.push()
    assert books.log() == []
    assert books.order()["hold"] == "disabled"
    assert books.order()["clinic_id"] == CLINIC


def test_a_request_while_it_is_off_is_answered_and_then_over(books: Books) -> None:
    books.settings(synchronisation_enabled=False)
    books.save_invoice()
    books.retry("order-1")
    books.push()
    assert books.failure()["problem"] == "synchronisation_disabled"
    books.save_payment()
    books.push()
    assert (books.order()["hold"], books.open_problems()) == ("disabled", [])


def test_of_two_failures_the_problem_that_holds_nothing_is_closed(books: Books) -> None:
    books.settings(accessories_revenue_account="240", custom_items_revenue_account="999")
    books.save_invoice(lines=[line(category="HEARING_AIDS")])
    books.save_credit_note(lines=[line(category="ACCESSORIES")])
    books.save_credit_note(credit_note_id="note-2", lines=[line(category="CUSTOM_ITEMS")])
    books.push()
    assert [row["problem"] for row in books.failures()] == ["account_archived", "account_not_usable"]
    assert books.open_problems() == [("account_archived", 1)]
