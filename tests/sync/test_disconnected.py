"""Xero lets nobody in: said once an order, nothing lost, and all of it goes after the reconnect."""

from tests.sync.access import let_access_be_tried, token_calls
from tests.sync.books import Books


class TestDisconnected:
    def test_said_once_an_order_and_nothing_is_lost(self, books: Books) -> None:
        books.save_invoice("order-1")
        books.push()
        books.simulator.control.disconnect(books.tenant_id)
        for _ in range(3):
            for order_id in ("order-1", "order-2"):
                books.save_payment(order_id)
                books.save_invoice(order_id)
            books.push()
        rows = books.failures()
        assert [row["message"] for row in rows] == ["Xero is disconnected"] * 2
        assert {row["order_id"] for row in rows} == {"order-1", "order-2"}
        assert books.order()["hold"] == "connection"
        books.reconnect()
        books.push()
        assert len(books.payments()) == 2
        assert books.open_problems() == []

    def test_who_asks_is_told_each_time_and_what_waits_for_nobody_is_not(self, books: Books) -> None:
        books.save_invoice()
        books.push()
        books.simulator.control.disconnect(books.tenant_id)
        books.save_payment()
        books.push()
        assert [row["trigger"] for row in books.failures()] == ["auto"]
        for count in (2, 3):
            books.retry()
            books.push()
            assert [row["trigger"] for row in books.failures()] == ["auto", *["retry"] * (count - 1)]
            # The request is not answered yet: what comes by itself meanwhile is no request.
            books.save_payment(amount=f"{count}.0000")
            books.push()
            books.connection.execute("update orders set due_at = now()")
            books.push()
            assert len(books.failures()) == count
        assert books.failures()[-1]["actor"] == "operator-1"
        books.request_sync()
        books.push()
        assert [row["message"] for row in books.failures()] == ["Xero is disconnected"] * 4
        books.reconnect()
        books.push()
        assert [amount for _, amount in books.payments()] == [3.0]
        assert (books.order()["requested_revision"], books.open_problems()) == (None, [])

    def test_manual_clinics_wait_for_who_asks(self, books: Books) -> None:
        books.settings(mode="manual")
        books.simulator.control.disconnect(books.tenant_id)
        books.save_invoice("order-1")
        books.request_sync("order-1")
        books.save_invoice("order-2")
        books.push()
        books.reconnect()
        books.push()
        assert [row["InvoiceNumber"] for row in books.ledger()["Invoices"]] == ["WH-order-1"]

    def test_a_resync_that_met_the_disconnect_is_answered_after_it(self, books: Books) -> None:
        books.save_invoice()
        books.push()
        books.settings(mode="manual")
        books.connection.execute("update xero_connection set state = 'disconnected'")
        books.retry()
        books.push()
        books.reconnect()
        books.push()
        order = books.order()
        assert (order["hold"], order["requested_revision"], order["problem_id"]) == (None, None, None)


def test_a_wrong_secret_of_our_app_is_no_orders_fault(books: Books) -> None:
    control, app = books.simulator.control, books.simulator.client_id
    control.register_app(app, "another secret")
    control.expire_access_tokens()
    books.connection.execute("update xero_connection set access_expires_at = now()")
    books.save_invoice()
    books.push()
    try:
        assert books.order()["hold"] == "connection"
        told = books.failure()
        assert (told["problem"], told["problem_class"], told["xero_message"]) == (
            "app_refused",
            "settings",
            "invalid_client",
        )
        books.push()
        assert token_calls(books) == 1, "nobody asks again before it is time"
    finally:
        control.register_app(app, books.simulator.client_secret)
    let_access_be_tried(books)
    books.settle()
    assert books.invoice()["Status"] == "AUTHORISED"
    assert books.open_problems() == []
