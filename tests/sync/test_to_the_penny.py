"""HearLink's total in Xero to the cent, in whole passes: totals, payments, edits, and what is told of a cent."""

from decimal import Decimal
from typing import Any

import pytest

from consumer.sandbox.xero.lines import LineReader
from consumer.sync.link import LinkKind
from consumer.sync.planning.totals import Reading
from consumer.sync.preview import preview_order
from consumer.sync.step import Stage, Step
from tests.sync.books import Books, Json, line
from tests.sync.conftest import describe
from tests.sync.desk import Desk, pushed_desk

RATES = {"OUTPUT2": Decimal(20), "ZERORATEDOUTPUT": Decimal(0)}


def thirds(price: str = "0.3200", count: int = 3) -> list[Json]:
    return [line(f"line-{number}", unit_price=price) for number in range(count)]


def taxes(books: Books, number: str = "WH-order-1") -> list[float]:
    return [row["TaxAmount"] for row in books.invoice(number)["LineItems"]]


def planned(books: Books) -> tuple[Step, ...]:
    """What the next push would send."""
    preview = preview_order(books.connection, "order-1", books.services.hearlink_url)
    assert preview is not None
    assert preview.plan is not None
    return preview.plan.steps


def codes(step: Step) -> list[str]:
    return [warning.code for warning in step.warnings]


def sent_lines(books: Books) -> list[Json]:
    """The lines of the last element that was sent."""
    row = books.connection.execute(
        "select detail -> 'body' -> 'LineItems' from xero_intent_element order by intent_id desc, position desc limit 1"
    ).fetchone()
    assert row is not None
    return list(row[0])


@pytest.mark.parametrize(("price", "total", "given"), [("0.3200", "1.1500", 0.07), ("0.3300", "1.1900", 0.06)])
def test_three_small_lines_come_to_hearlinks_total_and_are_paid_in_full(
    books: Books, price: str, total: str, given: float
) -> None:
    books.save_invoice(prices_include_tax=False, lines=thirds(price), total=total)
    books.save_payment(amount=total)
    books.settle()
    assert books.failures() == []
    assert (books.invoice()["Total"], books.invoice()["AmountDue"]) == (float(total), 0)
    assert taxes(books).count(given) == 1
    assert [row["warnings"] for row in books.log()] == [[]] * 3
    # Contact, invoice, payment: no call more than any other order takes.
    assert len(books.writes()) == 3
    books.forget_calls()
    books.request_sync()
    books.settle()
    assert books.calls() == []


def test_prices_with_tax_in_them_and_broken_cents(books: Books) -> None:
    books.save_invoice(lines=thirds("1.0050", 2), total="2.0100")
    books.save_payment(amount="2.0100")
    books.settle()
    assert (books.invoice()["Total"], books.invoice()["AmountDue"], books.failures()) == (2.01, 0, [])


def test_a_full_credit_note_comes_to_the_same_cent(books: Books) -> None:
    books.save_invoice(prices_include_tax=False, lines=thirds(), total="1.1500")
    books.save_credit_note(lines=thirds(), total="1.1500")
    books.settle()
    assert (books.note()["Total"], books.invoice()["AmountDue"], books.failures()) == (1.15, 0, [])
    assert books.note()["RemainingCredit"] == 0


class TestAfterwards:
    def test_a_tax_that_was_given_goes_when_its_line_changes(self, books: Books) -> None:
        books.save_invoice(prices_include_tax=False, lines=thirds(), total="1.1500")
        books.push()
        books.save_invoice(prices_include_tax=False, lines=thirds("0.3500"), total="1.2600")
        books.push()
        assert (books.invoice()["Total"], taxes(books)) == (1.26, [0.07, 0.07, 0.07])
        # Whatever Xero makes of a line that leaves its tax out, the old one can't stay.
        assert sum("TaxAmount" in item for item in sent_lines(books)) == 1

    def test_hearlinks_total_alone_moves_by_a_cent(self, books: Books) -> None:
        books.save_invoice(prices_include_tax=False, lines=thirds(), total="1.1500")
        books.push()
        books.save_invoice(prices_include_tax=False, lines=thirds(), total="1.1400")
        books.push()
        assert (books.invoice()["Total"], taxes(books)) == (1.14, [0.06, 0.06, 0.06])
        assert "rounding changed: 1.15 in Xero, 1.14 in HearLink" in books.log()[-1]["message"]
        books.forget_calls()
        books.request_sync()
        books.push()
        assert books.calls() == []

    def test_so_does_a_credit_notes(self, books: Books) -> None:
        books.save_invoice(prices_include_tax=False, lines=thirds(), total="1.1500")
        books.save_credit_note(lines=thirds(), total="1.1500")
        books.settle()
        books.save_credit_note(lines=thirds(), total="1.1400")
        books.settle()
        assert (books.note()["Total"], books.invoice()["AmountDue"], books.failures()) == (1.14, 0.01, [])

    def test_a_new_reference_leaves_the_lines_alone(self, books: Books) -> None:
        books.save_invoice(prices_include_tax=False, lines=thirds(), total="1.1500")
        books.save_payment(amount="1.1500")
        books.settle()
        books.save_invoice(prices_include_tax=False, lines=thirds(), total="1.1500", reference="PO 7")
        books.settle()
        assert (books.invoice()["Reference"], books.invoice()["AmountDue"], books.failures()) == ("PO 7", 0, [])

    def test_a_new_text_of_a_paid_line_keeps_its_tax(self, books: Books) -> None:
        books.save_invoice(prices_include_tax=False, lines=thirds(), total="1.1500")
        books.save_payment(amount="1.1500")
        books.settle()
        renamed = [{**one, "description": "Hearing test, repeated"} for one in thirds()]
        books.save_invoice(prices_include_tax=False, lines=renamed, total="1.1500")
        books.settle()
        assert books.failures() == []
        assert books.invoice()["Total"] == 1.15
        assert {row["Description"] for row in books.invoice()["LineItems"]} == {"Hearing test, repeated"}


class TestOfBefore:
    """Invoices that were sent before totals were brought together: Xero's is a cent off, and nothing is sent again."""

    @pytest.fixture
    def old(self, books: Books) -> Books:
        # Rates that aren't known leave Xero's total to Xero, as it was.
        books.connection.execute("update xero_tenant set tax_rates = '[]'")
        books.save_invoice(prices_include_tax=False, lines=thirds(), total="1.1500")
        books.push()
        assert books.invoice()["Total"] == 1.14
        books.connection.execute("update xero_link set detail = detail - 'mended' - 'taxed' where kind = 'invoice'")
        describe(books.connection, books.simulator, books.tenant_id)
        books.forget_calls()
        return books

    def test_an_order_that_stays_as_it_is_costs_no_call(self, old: Books) -> None:
        old.request_sync()
        old.settle()
        assert old.calls() == []

    def test_its_last_payment_is_what_is_due_and_the_cent_is_named(self, old: Books) -> None:
        old.save_payment(payment_id="pay-1", amount="1.0000")
        old.settle()
        old.save_payment(payment_id="pay-2", amount="0.1500")
        (step,) = planned(old)
        assert (step.body["Amount"], codes(step)) == (Decimal("0.14"), ["payment_rounded"])
        old.settle()
        assert old.payments() == [("CARD pay-1", 1.0), ("CARD pay-2", 0.14)]
        assert (old.invoice()["AmountDue"], old.failures()) == (0, [])
        (warning,) = old.log()[-1]["warnings"]
        assert "payment of 0.15" in warning
        assert "0.14 goes to Xero" in warning
        assert "differs by 0.01" in warning
        old.forget_calls()
        old.request_sync()
        old.settle()
        assert old.calls() == []

    def test_only_its_method_changes_when_that_changes(self, old: Books) -> None:
        old.save_payment(amount="1.1500")
        old.settle()
        old.save_payment(amount="1.1500", method="CASH")
        old.settle()
        assert old.payments() == [("CASH pay-1", 1.14)]
        (removed,) = (row for row in old.log() if row["operation"] == "payment_delete")
        assert "amount" not in removed["message"].split(":", 1)[1]

    def test_a_payment_whose_change_is_refused_is_put_back_as_it_was(self, old: Books) -> None:
        old.save_payment(amount="1.1500")
        old.settle()
        old.save_payment(amount="9.0000")
        old.settle()
        assert old.payments() == [("CARD pay-1", 1.14)]
        # And back again it is the payment that Xero holds.
        old.save_payment(amount="1.1500")
        old.forget_calls()
        old.settle()
        assert old.writes() == []
        assert old.payments() == [("CARD pay-1", 1.14)]

    def test_its_credit_note_is_no_more_than_what_is_due(self, old: Books) -> None:
        old.save_credit_note(lines=thirds(), total="1.1500")
        old.settle()
        assert (old.invoice()["AmountDue"], old.failures()) == (0, [])
        assert "0.01" in old.log()[-1]["warnings"][0]


class TestLargerDifferences:
    def test_are_told_before_the_call_and_after_it(self, books: Books) -> None:
        books.save_invoice(total="45.0000")
        step = planned(books)[-1]
        (warning,) = step.warnings
        assert warning.code == "totals_differ"
        assert (warning.values["hearlink_total"], warning.values["xero_total"]) == ("45.00", "40.00")
        books.push()
        (told,) = books.log()[-1]["warnings"]
        assert "45.00 in HearLink, 40.00 in Xero" in told

    def test_a_payment_refused_for_them_blames_nobody(self, books: Books) -> None:
        books.save_invoice(total="45.0000")
        books.save_payment(amount="45.0000")
        books.settle()
        row = books.failure()
        assert (row["operation"], row["problem"]) == ("payment_create", "payment_exceeds_total")
        assert "45.00 in HearLink, 40.00 in Xero" in row["message"]
        assert "by hand" not in row["message"]
        assert row["xero_message"] == "Payment amount exceeds the amount outstanding on this document"


class TestNegativePrices:
    def test_a_discount_that_goes_is_not_said_beside_one(self, books: Books) -> None:
        sold = [line("a"), line("b", unit_price="10.0000", discount="1.0000")]
        books.save_invoice(lines=sold, total="49.0000")
        books.push()
        books.save_invoice(lines=[line("a"), line("b", unit_price="-10.0000")], total="30.0000")
        books.push()
        assert (books.invoice()["Total"], books.failures()) == (30, [])
        negative = next(item for item in sent_lines(books) if item["UnitAmount"] < 0)
        assert {"DiscountAmount", "LineItemID"}.isdisjoint(negative)
        books.forget_calls()
        books.request_sync()
        books.settle()
        assert books.calls() == []

    def test_a_discount_beside_one_is_in_the_price(self, books: Books) -> None:
        books.save_invoice(lines=[line("a"), line("b", unit_price="-10.0000", discount="1.0000")], total="29.0000")
        books.push()
        assert (books.invoice()["Total"], books.failures()) == (29, [])


class TestRefusedTax:
    """Xero takes no tax of ours: what its users see is a cent off, and nothing is missing."""

    @pytest.fixture(autouse=True)
    def _refuses(self, monkeypatch: pytest.MonkeyPatch) -> None:
        read_line = LineReader._read_line

        def stubborn(reader: LineReader, index: int, element: Json, old: Any) -> Any:
            if "TaxAmount" in element:
                reader.problems[index].append("The TaxAmount is not valid")
            return read_line(reader, index, element, old)

        monkeypatch.setattr(LineReader, "_read_line", stubborn)

    def test_it_is_sent_without_and_paid_in_full(self, books: Books) -> None:
        books.save_invoice(prices_include_tax=False, lines=thirds(), total="1.1500")
        books.save_payment(amount="1.1500")
        books.settle()
        assert books.failures() == []
        assert (books.invoice()["Total"], books.invoice()["AmountDue"]) == (1.14, 0)
        assert "differs by 0.01" in books.log()[-1]["warnings"][0]
        books.forget_calls()
        books.request_sync()
        books.settle()
        assert books.calls() == []

    def test_so_is_a_credit_note(self, books: Books) -> None:
        books.save_invoice(prices_include_tax=False, lines=thirds(), total="1.1500")
        books.save_credit_note(lines=thirds(), total="1.1500")
        books.settle()
        assert (books.invoice()["AmountDue"], books.failures()) == (0, [])
        books.forget_calls()
        books.request_sync()
        books.settle()
        assert books.calls() == []


@pytest.mark.parametrize(
    ("total", "expected"),
    [
        # Two lines of whole cents: a cent is rounding, two are not.
        ("0.79", "0.79"),
        ("0.80", "0.80"),
        ("0.81", "0.81"),
        ("0.82", "0.80"),
        ("0.78", "0.80"),
    ],
)
def test_how_much_rounding_explains(total: str, expected: str) -> None:
    desk = Desk()
    desk.believe(tax_rates=RATES)
    desk.save_invoice(prices_include_tax=False, lines=thirds("0.3333", 0) + thirds("0.3300", 2), total=total)
    step = desk.step(Stage.INVOICE_CREATE)
    assert Reading(inclusive=False, rates=RATES).total(step.body["LineItems"]) == Decimal(expected)


def test_a_rate_that_is_not_known_leaves_the_total_to_xero() -> None:
    desk = Desk()
    desk.save_invoice(prices_include_tax=False, lines=thirds(), total="1.15")
    step = desk.step(Stage.INVOICE_CREATE)
    assert not any("TaxAmount" in item for item in step.body["LineItems"])
    assert step.warnings == ()


def test_a_given_tax_is_no_content() -> None:
    """So that no invoice is sent again for it."""
    told: dict[str, Any] = {}
    for rates in (RATES, {}):
        desk = pushed_desk(prices_include_tax=False, lines=thirds(), total="1.15")
        desk.links.clear()
        desk.believe(tax_rates=rates)
        desk.push()
        told[str(bool(rates))] = desk.links[LinkKind.INVOICE, "invoice-WH1"].content_hash
    assert told["True"] == told["False"]
