"""Xero lets us in, and not to everything: what is refused is told at once and held, the rest goes on."""

import pytest

from tests.sync.access import let_access_be_tried, obstacles, refused, token_calls
from tests.sync.books import Books

PAYMENTS_LEFT_OUT = ["offline_access", "accounting.contacts", "accounting.invoices", "accounting.settings.read"]


class TestMissingScope:
    def test_only_what_needs_it_is_held_and_told_at_once(self, books: Books) -> None:
        books.connect(scopes=PAYMENTS_LEFT_OUT)
        books.save_invoice("order-1")
        books.save_payment("order-1")
        books.save_invoice("order-2")
        books.settle()
        assert {row["InvoiceNumber"] for row in books.ledger()["Invoices"]} == {"WH-order-1", "WH-order-2"}
        assert books.order("order-2")["hold"] is None
        row = books.failure()
        assert (row["order_id"], row["operation"]) == ("order-1", "order_sync")
        assert (row["problem"], row["problem_class"]) == ("scope_missing", "connection")
        assert row["xero_message"] == "AuthorizationUnsuccessful"
        assert "change payments" in row["message"]
        assert books.order("order-1")["hold"] == "connection"
        assert refused(books) == [("scope_missing", "accounting.payments")]

    def test_it_is_not_asked_for_again_before_somebody_connects(self, books: Books) -> None:
        books.connect(scopes=PAYMENTS_LEFT_OUT)
        books.save_invoice()
        books.settle()
        books.forget_calls()
        for number in range(5):
            books.save_payment(payment_id=f"pay-{number}", amount="1.0000")
            books.push()
        let_access_be_tried(books)
        books.push()
        # Once with the token that there was, once with a fresh one.
        assert [(call["method"], call["path"], call["status"]) for call in books.calls()] == [
            ("PUT", "/api.xro/2.0/Payments", 401)
        ] * 2
        assert len(books.failures()) == 1
        books.reconnect()
        books.settle()
        assert len(books.payments()) == 5
        assert (refused(books), books.open_problems()) == ([], [])

    def test_settings_are_read_all_the_same(self, books: Books) -> None:
        books.connect(scopes=PAYMENTS_LEFT_OUT)
        books.save_invoice()
        books.save_payment()
        books.settle()
        books.connection.execute("update xero_tenant set base_currency = null")
        books.save_invoice("order-2")
        books.settle()
        assert books.invoice("WH-order-2")["Status"] == "AUTHORISED"

    def test_without_the_right_to_read_settings_nothing_goes_and_that_is_said(self, books: Books) -> None:
        books.connect(scopes=["offline_access", "accounting.contacts", "accounting.invoices", "accounting.payments"])
        books.connection.execute("update xero_tenant set base_currency = null")
        books.save_invoice()
        books.settle()
        assert (books.failure()["problem"], books.order()["hold"]) == ("scope_missing", "connection")
        assert refused(books) == [("scope_missing", "accounting.settings.read")]
        books.reconnect()
        books.settle()
        assert books.invoice()["Status"] == "AUTHORISED"


class TestLowRole:
    def test_mending_it_in_xero_is_enough(self, books: Books) -> None:
        control = books.simulator.control
        control.set_role(books.tenant_id, "read_only")
        for number in range(5):
            books.save_invoice(f"order-{number}")
        books.settle()
        assert {row["problem"] for row in books.failures()} == {"permission_missing"}
        assert [row["xero_message"] for row in books.failures()] == [None] * 5
        assert {books.order(f"order-{number}")["hold"] for number in range(5)} == {"connection"}
        (obstacle,) = obstacles(books)
        assert (obstacle.tenant_id, obstacle.scope, obstacle.stands) == (books.tenant_id, "accounting.contacts", True)
        assert obstacle.retry_at is not None
        control.set_role(books.tenant_id, "standard")
        books.push()
        assert books.ledger()["Invoices"] == [], "not before it is time"
        let_access_be_tried(books)
        books.settle()
        assert len(books.ledger()["Invoices"]) == 5
        assert (refused(books), books.open_problems()) == ([], [])

    def test_one_call_finds_out_and_the_next_is_later(self, books: Books) -> None:
        books.simulator.control.set_role(books.tenant_id, "read_only")
        for number in range(5):
            books.save_invoice(f"order-{number}")
        books.settle()
        waits = []
        for _ in range(8):
            books.forget_calls()
            let_access_be_tried(books)
            books.push()
            assert len(books.calls()) == 1
            waits.append(
                books.connection.execute(
                    "select round(extract(epoch from retry_at - now()) / 60) from xero_refusal"
                ).fetchone()
            )
        assert [int(row[0]) for row in waits if row is not None] == [3, 9, 27, 60, 60, 60, 60, 60]
        assert len(books.failures()) == 5, "told once an order"

    def test_the_parts_that_the_role_allows_go_on(self, books: Books) -> None:
        control = books.simulator.control
        control.set_role(books.tenant_id, "invoice_only")
        books.save_invoice()
        books.save_payment()
        books.settle()
        assert books.invoice()["Status"] == "AUTHORISED"
        assert refused(books) == [("permission_missing", "accounting.payments")]
        control.set_role(books.tenant_id, "standard")
        let_access_be_tried(books)
        books.settle()
        assert len(books.payments()) == 1
        assert refused(books) == []

    def test_a_new_order_may_find_out_too(self, books: Books) -> None:
        control = books.simulator.control
        control.set_role(books.tenant_id, "read_only")
        books.save_invoice("order-1")
        books.settle()
        control.set_role(books.tenant_id, "standard")
        books.connection.execute("update orders set hold = 'manual' where order_id = 'order-1'")
        let_access_be_tried(books)
        books.save_invoice("order-2")
        books.settle()
        assert books.invoice("WH-order-2")["Status"] == "AUTHORISED"
        assert refused(books) == []

    def test_whoever_looks_up_is_not_let_through_by_reading(self, books: Books) -> None:
        """A read that is answered says nothing of writing."""
        books.simulator.control.set_role(books.tenant_id, "read_only")
        books.save_invoice()
        books.settle()
        books.connection.execute("update xero_tenant set base_currency = null")
        books.save_invoice("order-2")
        books.settle()
        assert refused(books) == [("permission_missing", "accounting.contacts")]


class TestUnexplained:
    def test_a_fresh_token_that_is_refused_without_a_word_is_tried_again_by_itself(self, books: Books) -> None:
        books.strike("answer", status=401, detail="", method="PUT", count=None)
        books.save_invoice()
        books.settle()
        assert (books.failure()["problem"], books.order()["hold"]) == ("access_refused", "connection")
        books.simulator.control.clear_faults()
        let_access_be_tried(books)
        books.settle()
        assert books.invoice()["Status"] == "AUTHORISED"
        assert (refused(books), books.open_problems()) == ([], [])

    def test_a_tenant_that_is_gone_is_a_lost_one_whatever_the_answer_was(self, books: Books) -> None:
        books.strike("answer", status=403, detail="", method="PUT")
        books.strike_all("answer", status=200, detail="[]", path="/connections$")
        books.save_invoice()
        books.settle()
        assert (books.failure()["problem"], books.order()["hold"]) == ("xero_disconnected", "connection")
        assert refused(books) == [("xero_disconnected", "")]


@pytest.mark.parametrize(
    ("error", "problem", "problem_class"),
    [
        ("invalid_client", "app_refused", "settings"),
        ("unauthorized_client", "app_refused", "settings"),
        ("invalid_scope", "scope_missing", "connection"),
        ("unsupported_grant_type", "app_refused", "settings"),
    ],
)
def test_what_the_token_endpoint_refuses_is_told_at_once(
    books: Books, error: str, problem: str, problem_class: str
) -> None:
    books.strike_all("answer", status=400, detail=f'{{"error": "{error}"}}', path="/connect/token", count=None)
    books.connection.execute("update xero_connection set access_expires_at = now()")
    books.save_invoice("order-1")
    books.save_invoice("order-2")
    books.settle()
    rows = books.failures()
    assert [(row["problem"], row["problem_class"], row["xero_message"]) for row in rows] == [
        (problem, problem_class, error)
    ] * 2
    assert {books.order(f"order-{number}")["hold"] for number in (1, 2)} == {"connection"}
    assert token_calls(books) == 1
    assert refused(books) == [(problem, "")]
    books.simulator.control.clear_faults()
    books.reconnect()
    books.settle()
    assert len(books.ledger()["Invoices"]) == 2
    assert (refused(books), books.open_problems()) == ([], [])
