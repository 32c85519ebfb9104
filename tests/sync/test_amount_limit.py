"""Amounts beyond reason are held with a problem; money that Xero has already stays there meanwhile."""

from decimal import Decimal
from typing import Any

import pytest

from consumer.sync.excess import Excess, find_excess
from consumer.sync.gate import BEYOND_LIMIT, Gate, Hold, decide
from consumer.sync.preview import preview_order
from tests.sync.books import Books, line, lines
from tests.sync.desk import TENANT, Desk, with_settings

ABSURD = "33891716.8600"


def test_the_order_is_held_until_it_is_mended(books: Books) -> None:
    books.save_invoice(**lines(ABSURD))
    books.save_payment()
    books.push()
    failure = books.failure()
    assert (failure["operation"], failure["problem"]) == ("order_sync", BEYOND_LIMIT)
    assert failure["message"].startswith(
        "The invoice WH-order-1 is 33,891,716.86, which is more than the amount limit of 100,000.00."
    )
    assert books.ledger()["Invoices"] == books.writes() == []
    assert books.order()["hold"] == "problem"
    # Told once, however often the order changes meanwhile.
    books.save_payment(payment_id="pay-2", amount="1.0000")
    books.push()
    assert len(books.failures()) == 1
    preview = preview_order(books.connection, "order-1", "https://app.example")
    assert preview is not None
    assert (preview.gate.code, preview.plan) == (BEYOND_LIMIT, None)
    books.save_invoice(**lines("1450.0000"))
    books.push()
    assert books.invoice()["Total"] == 1450.0
    assert books.payments() == [("CARD pay-1", 40.0), ("CARD pay-2", 1.0)]
    assert books.order()["problem_id"] is None


def test_raising_the_limit_sends_it_and_a_clinic_may_have_its_own(books: Books) -> None:
    books.settings(clinic_id="clinic-1", amount_limit=1000)
    books.save_invoice(**lines("1450.0000"))
    books.push()
    assert books.failure()["problem"] == BEYOND_LIMIT
    books.settings(clinic_id="clinic-1", amount_limit=1450, wake=True)
    books.push()
    assert books.invoice()["Total"] == 1450.0


def test_a_payment_that_became_absurd_takes_nothing_out_of_xero(books: Books) -> None:
    books.save_invoice()
    books.save_payment()
    books.push()
    books.save_payment(amount=ABSURD)
    books.push()
    assert books.failure()["problem"] == BEYOND_LIMIT
    assert books.payments() == [("CARD pay-1", 40.0)]


def _invoice(**changes: Any) -> Desk:
    desk = Desk()
    desk.save_invoice(**changes)
    return desk


def _paid(amount: str) -> Desk:
    desk = _invoice()
    desk.save_payment(amount=amount)
    return desk


def _credited(amount: str) -> Desk:
    desk = _invoice()
    desk.save_credit_note(**lines(amount))
    return desk


@pytest.mark.parametrize(
    ("desk", "kind", "amount"),
    [
        (_invoice(total="101.0000"), "The invoice WH1", "101"),
        (_invoice(lines=[line(quantity="2.5250")]), "A line of the invoice WH1", "101"),
        # What the line comes to in the end says nothing of what it was made from.
        (_invoice(lines=[line(unit_price="101.0000", discount="100.0000")]), "A line of the invoice WH1", "101"),
        (_invoice(lines=[line(unit_price="-101.0000")]), "A line of the invoice WH1", "-101"),
        (_paid("101.0000"), "The payment", "101"),
        (_credited("101.0000"), "The credit note CN-note-1", "101"),
    ],
)
def test_the_largest_amount_decides_wherever_it_stands(desk: Desk, kind: str, amount: str) -> None:
    assert find_excess(desk.order(), Decimal(100)) == Excess(kind, Decimal(amount))
    assert find_excess(desk.order(), Decimal(101)) is None


def test_what_was_deleted_is_beyond_nothing() -> None:
    desk = _invoice(**lines(ABSURD))
    desk.delete_invoice()
    assert find_excess(desk.order(), Decimal(100)) is None


def test_no_gap_is_closed_with_an_absurd_amount() -> None:
    desk = _paid("101.0000")
    settings = with_settings(amount_limit=Decimal(100))
    gaps = ("the payment of 40.00",)
    decided = decide(desk.order(), settings, requested=False, gaps=gaps)
    assert (decided.tenant_id, decided.hold, decided.code, decided.failed) == (None, Hold.PROBLEM, BEYOND_LIMIT, True)
    assert decide(desk.order(), with_settings(), requested=False, gaps=gaps) == Gate(tenant_id=TENANT)
