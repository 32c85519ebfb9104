"""Which of the documents that people made stands for which of HearLink's: nothing of a stranger's, each for one."""

from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.sync.agreement import Held, find_agreed, paid_twice, tell_difference
from consumer.sync.agreement.pairs import Found, Wanted, pair
from consumer.sync.link import LinkKind, Links
from tests.sync.books import lines
from tests.sync.desk import Desk

AMOUNTS = st.sampled_from([Decimal(amount) for amount in ("10.00", "20.00", "30.00")])
DAYS = st.sampled_from(["2026-10-01", "2026-10-02"])


def wanted() -> st.SearchStrategy[list[Wanted]]:
    ids = st.sampled_from([f"pay-{number}" for number in range(6)])
    return st.lists(st.builds(Wanted, ids, AMOUNTS, DAYS), unique_by=lambda one: one.local_id, max_size=6)


def found() -> st.SearchStrategy[list[Found]]:
    ids = st.sampled_from([f"xero-{number}" for number in range(6)])
    return st.lists(st.builds(Found, ids, AMOUNTS, DAYS), unique_by=lambda one: one.xero_id, max_size=6)


@given(ours=wanted(), theirs=found())
def test_each_document_stands_for_one_of_ours_of_its_amount_at_most(ours: list[Wanted], theirs: list[Found]) -> None:
    pairs = pair(ours, theirs)
    amounts = {one.local_id: one.amount for one in ours}
    assert all(other.amount == amounts[local_id] for local_id, other in pairs.by_id.items())
    assert max(Counter(other.xero_id for other in pairs.by_id.values()).values(), default=1) == 1
    assert sorted([*pairs.by_id, *(one.local_id for one in pairs.wanted)]) == sorted(amounts)
    assert {one.xero_id for one in pairs.found} | {one.xero_id for one in pairs.by_id.values()} == {
        one.xero_id for one in theirs
    }
    # Nothing that fits is left over.
    assert not {one.amount for one in pairs.wanted} & {one.amount for one in pairs.found}
    assert pair(ours[::-1], theirs[::-1]) == pairs, "in whatever order Xero tells them"


def test_what_is_of_one_day_goes_together() -> None:
    ours = [Wanted("pay-1", Decimal(10), "2026-10-02"), Wanted("pay-2", Decimal(10), "2026-10-01")]
    theirs = [Found("a", Decimal(10), "2026-10-01"), Found("b", Decimal(10), "2026-10-05")]
    assert {key: one.xero_id for key, one in pair(ours, theirs).by_id.items()} == {"pay-2": "a", "pay-1": "b"}


class TestHeld:
    """An invoice of 100 in Xero, and payments of 40 and 30 that HearLink has and we could not send."""

    @pytest.fixture
    def desk(self) -> Desk:
        desk = Desk()
        desk.save_invoice(**lines("100.0000"))
        desk.push()
        desk.save_payment("pay-1", amount="40.0000")
        desk.save_payment("pay-2", amount="30.0000")
        return desk

    def held(self, desk: Desk, *payments: tuple[str, str], **invoice: Any) -> Held:
        invoice_id = str(desk.links[LinkKind.INVOICE, "invoice-WH1"].xero_id)
        paid = sum((Decimal(amount) for amount, _ in payments), Decimal(0))
        document = {"InvoiceID": invoice_id, "Status": "AUTHORISED", "Total": 100, "AmountPaid": paid, **invoice}
        entries = tuple(
            {
                "PaymentID": f"theirs-{number}",
                "Amount": Decimal(amount),
                "Date": "2026-10-02",
                "Reference": reference,
                "Invoice": {"InvoiceID": invoice_id.upper()},
            }
            for number, (amount, reference) in enumerate(payments)
        )
        return Held(invoice_id, (document,), entries)

    def agreed(self, desk: Desk, held: Held) -> dict[str, tuple[str | None, bool]]:
        """What is linked, as Xero's id and whether people made it."""
        settled = find_agreed(desk.order(), Links(desk.links.values()), desk.plan(), held)
        assert all("settled in Xero" in one.message for one in settled)
        return {one.link.local_id: (one.link.xero_id, one.link.by_hand) for one in settled}

    def test_one_by_one(self, desk: Desk) -> None:
        held = self.held(desk, ("30.00", ""), ("40.00", "bank"))
        assert self.agreed(desk, held) == {"pay-1": ("theirs-1", True), "pay-2": ("theirs-0", True)}

    def test_one_of_them(self, desk: Desk) -> None:
        assert self.agreed(desk, self.held(desk, ("30.00", ""))) == {"pay-2": ("theirs-0", True)}

    def test_in_one_sum(self, desk: Desk) -> None:
        held = self.held(desk, ("70.00", ""))
        assert self.agreed(desk, held) == {"pay-1": (None, True), "pay-2": (None, True)}

    @pytest.mark.parametrize("amounts", [("35.00",), ("40.00", "40.00"), ("40.00", "30.00", "5.00"), ("100.00",)])
    def test_more_than_hearlink_knows_of_is_nobodys(self, desk: Desk, amounts: tuple[str, ...]) -> None:
        assert self.agreed(desk, self.held(desk, *((amount, "") for amount in amounts))) == {}

    def test_our_own_mark_comes_first_and_tells_whose_it_is(self, desk: Desk) -> None:
        held = self.held(desk, ("40.00", "CARD pay-2"), ("30.00", ""))
        assert self.agreed(desk, held) == {"pay-2": ("theirs-0", False)}

    def test_another_payments_mark_is_no_strangers(self, desk: Desk) -> None:
        desk.delete_payment("pay-2")
        assert self.agreed(desk, self.held(desk, ("40.00", "CARD pay-2"))) == {}

    def test_nothing_on_an_invoice_that_is_gone(self, desk: Desk) -> None:
        assert self.agreed(desk, self.held(desk, ("40.00", ""), Status="VOIDED")) == {}

    def test_ours_twice(self, desk: Desk) -> None:
        held = self.held(desk, ("40.00", "CARD pay-1"), ("40.00", "CASH pay-1"))
        assert [one.payment_id for one in paid_twice(desk.order(), held)] == ["pay-1"]

    def test_what_differs_is_told_in_sums(self, desk: Desk) -> None:
        assert tell_difference(desk.order(), self.held(desk, ("40.00", ""), ("30.00", ""))) == ""
        assert tell_difference(desk.order(), self.held(desk, ("40.00", ""), Total=99)) == (
            "In Xero: total 99.00, paid 40.00, credited 0.00. In HearLink: total 100.00, paid 70.00, credited 0.00."
        )
