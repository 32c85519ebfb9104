"""A change that takes something out of Xero first is finished, or told, whatever becomes of the order meanwhile."""

from typing import Any

import pytest

from tests.sync.books import Books, lines

MANUAL: dict[str, Any] = {"mode": "manual"}
OFF: dict[str, Any] = {"synchronisation_enabled": False}
ON: dict[str, Any] = {"synchronisation_enabled": True}


@pytest.fixture
def halfway(books: Books) -> Books:
    """The payment of 40 was taken out, because its method changed, and Xero let no more calls through."""
    books.save_invoice(**lines("100.0000"))
    books.save_payment(amount="40.0000")
    books.settle()
    books.strike("rate_limit_minute", method="PUT", path="/Payments$")
    books.save_payment(amount="40.0000", method="CASH")
    books.push_once()
    assert books.payments() == []
    return books


def finish(books: Books) -> None:
    books.simulator.control.clear_faults()
    books.settle()


def test_in_a_clinic_that_syncs_by_hand_by_now(halfway: Books) -> None:
    halfway.settings(**MANUAL)
    halfway.save_payment(payment_id="pay-2", amount="10.0000")
    finish(halfway)
    assert halfway.payments() == [("CASH pay-1", 40.0)]
    assert (halfway.order()["hold"], halfway.failures()) == ("manual", [])
    halfway.forget_calls()
    halfway.save_payment(payment_id="pay-2", amount="11.0000")
    finish(halfway)
    assert halfway.calls() == []


def test_of_an_order_that_is_closed_by_now(halfway: Books) -> None:
    halfway.save_payment(payment_id="pay-2", amount="10.0000")
    halfway.close()
    finish(halfway)
    assert halfway.payments() == [("CASH pay-1", 40.0)]
    assert [row["problem"] for row in halfway.log() if row["outcome"] == "skipped"] == ["order_closed"]
    order = halfway.order()
    assert (order["hold"], order["due_at"], order["synced_revision"]) == (None, None, order["revision"])


@pytest.mark.parametrize("mode", [{"mode": "auto"}, MANUAL])
def test_while_synchronisation_is_off_it_is_told_and_finished_once_it_is_on(
    halfway: Books, mode: dict[str, Any]
) -> None:
    halfway.settings(**OFF)
    finish(halfway)
    assert halfway.failure()["problem"] == "left_unfinished"
    assert "the payment of 40.00" in halfway.failure()["message"]
    halfway.save_payment(payment_id="pay-2", amount="10.0000")
    finish(halfway)
    assert len(halfway.failures()) == 1
    assert halfway.payments() == []
    halfway.settings(**ON, **mode, wake=True)
    finish(halfway)
    assert ("CASH pay-1", 40.0) in halfway.payments()
    assert halfway.open_problems() == []


def test_what_hearlink_deleted_since_is_not_put_in(halfway: Books) -> None:
    halfway.settings(**OFF)
    halfway.delete_payment()
    finish(halfway)
    assert (halfway.failures(), halfway.order()["hold"]) == ([], "disabled")


def test_while_xero_is_disconnected_it_waits_and_goes_by_itself_also_in_a_manual_clinic(halfway: Books) -> None:
    halfway.settings(**MANUAL)
    halfway.simulator.control.disconnect(halfway.tenant_id)
    finish(halfway)
    assert halfway.order()["hold"] == "connection"
    halfway.reconnect()
    finish(halfway)
    assert halfway.payments() == [("CASH pay-1", 40.0)]
    assert halfway.order()["hold"] == "manual"


def test_what_was_told_is_over_once_hearlink_deletes_the_payment(halfway: Books) -> None:
    halfway.settings(**OFF)
    finish(halfway)
    assert halfway.failure()["problem"] == "left_unfinished"
    halfway.delete_payment()
    finish(halfway)
    assert (halfway.order()["hold"], halfway.open_problems()) == ("disabled", [])


def test_without_an_invoice_to_put_it_on_it_is_told_once(halfway: Books) -> None:
    halfway.delete_invoice()
    finish(halfway)
    assert [row["problem"] for row in halfway.failures()] == ["change_not_finished"]
    assert "the payment of 40.00" in halfway.failure()["message"]
    halfway.save_payment(payment_id="pay-2", amount="10.0000")
    finish(halfway)
    assert len(halfway.failures()) == 1
    halfway.save_invoice(**lines("100.0000"))
    finish(halfway)
    assert halfway.payments() == [("CARD pay-2", 10.0), ("CASH pay-1", 40.0)]
    assert halfway.open_problems() == []


def test_what_keeps_it_out_says_so(halfway: Books) -> None:
    halfway.save_invoice(number=" ", **lines("100.0000"))
    finish(halfway)
    assert halfway.failure()["problem"] == "number_missing"
    assert halfway.failure()["message"].endswith("Missing in Xero meanwhile: the payment of 40.00.")


def test_an_edited_credit_note_is_allocated_again(books: Books) -> None:
    books.save_invoice(**lines("100.0000"))
    books.save_credit_note(**lines("40.0000"))
    books.settle()
    books.strike("rate_limit_minute", method="POST", path="/CreditNotes$")
    books.save_credit_note(**lines("30.0000"))
    books.push_once()
    assert books.note()["RemainingCredit"] == 40
    books.settings(**MANUAL)
    finish(books)
    assert (books.note()["Total"], books.note()["RemainingCredit"]) == (30, 0)
    assert books.order()["hold"] == "manual"


def test_a_lost_answer_of_the_removal_is_looked_up_first(books: Books) -> None:
    books.save_invoice(**lines("100.0000"))
    books.save_payment(amount="40.0000")
    books.settle()
    books.strike("drop_after", method="POST", path="/Payments/")
    books.save_payment(amount="40.0000", method="CASH")
    books.push_once()
    books.settings(**MANUAL)
    finish(books)
    assert books.payments() == [("CASH pay-1", 40.0)]


def test_few_payments_are_out_of_xero_at_a_time(books: Books) -> None:
    orders = [f"order-{number}" for number in range(25)]
    for order_id in orders:
        books.save_invoice(order_id, **lines("100.0000"))
        books.save_payment(order_id, f"pay-{order_id}", amount="40.0000")
    books.settle()
    books.forget_calls()
    for order_id in orders:
        books.save_payment(order_id, f"pay-{order_id}", amount="40.0000", method="CASH")
    books.push_once()
    out = most = 0
    for call in books.writes():
        out += 1 if call["method"] == "POST" else -call["elements"]
        most = max(most, out)
    assert (out, most) == (0, 10)
    assert len(books.writes()) == 25 + 3


def test_what_is_out_goes_before_a_backlog(halfway: Books) -> None:
    for number in range(3):
        halfway.save_invoice(f"other-{number}")
    assert halfway.order()["priority"] == 0
    halfway.forget_calls()
    finish(halfway)
    assert halfway.writes()[0]["path"].endswith("/Payments")
    assert halfway.order()["priority"] == 1
