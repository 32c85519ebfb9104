"""Whatever an order fails for, a person can close it: it neither fails nor waits then, and nothing of it is sent."""

import pytest

from consumer.sync.settlement import SettledAs
from tests.sync.books import Books
from tests.sync.walk.settlements import leave, take_back
from tests.sync.walk.test_walks import WALKS, unfinished
from tests.sync.walk.walks import Act, Ends, Walk, both, push

FAILING = [walk for walk in WALKS if walk.ends in {Ends.ITSELF, Ends.RETRY}]


@pytest.mark.parametrize("walk", FAILING, ids=lambda walk: walk.name)
def test_a_person_can_close_whatever_an_order_fails_for(books: Books, walk: Walk) -> None:
    walk.arrange(books)
    books.push()
    way = list(SettledAs)[FAILING.index(walk) % len(SettledAs)]
    leave(books, way)
    # What is not known of Xero is looked up first.
    books.simulator.control.clear_faults()
    books.settle()
    assert (books.order()["hold"], books.open_problems()) == ("settled", [])
    books.forget_calls()
    books.hasten()
    books.settle()
    assert books.writes() == []
    assert "order-1" not in unfinished(books)


def change(books: Books) -> None:
    books.save_payment(payment_id="pay-2", amount="5.0000")


@pytest.mark.parametrize("bring_back", [change, both(take_back, push, change)], ids=["changed", "taken back"])
@pytest.mark.parametrize("way", [SettledAs.DONE_IN_XERO, SettledAs.UNTIL_IT_CHANGES])
def test_what_comes_back_is_compared_with_what_people_did_in_xero(
    books: Books, way: SettledAs, bring_back: Act
) -> None:
    """Without that, the payment that somebody recorded there would be recorded again."""
    books.save_invoice()
    books.push()
    books.settings(payment_account="999")
    books.save_payment(amount="10.0000")
    books.push()
    books.simulator.control.pay_invoice(books.tenant_id, "WH-order-1", 10, reference="by hand")
    leave(books, way)
    books.settings(payment_account="090", wake=True)
    books.settle()
    assert books.order()["hold"] == "settled"
    bring_back(books)
    books.settle()
    assert books.payments() == [("CARD pay-2", 5.0), ("by hand", 10.0)]
    assert books.open_problems() == []
