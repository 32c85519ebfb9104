"""Ten thousand invoices at random: Xero's total is HearLink's, and what is paid in full leaves nothing due.

What Xero makes of the lines is worked out by the simulator's ledger, which knows nothing of the planner's arithmetic.
"""

import json
import random
from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest

from consumer.sandbox import xero as sandbox
from consumer.sandbox.xero.clock import Clock
from consumer.sandbox.xero.ledger import Ledger
from consumer.sandbox.xero.lines import LineReader, LineRules, totals_of
from consumer.sandbox.xero.tenants import demo_ledger
from consumer.settings import CategorySettings
from consumer.sync.step import Stage, Step
from consumer.xero.payloads import encode_body
from tests.sync.books import line
from tests.sync.desk import Desk, with_settings

CENT = Decimal("0.01")
RATES = {"SERVICES": Decimal(20), "ACCESSORIES": Decimal(5), "HEARING_AIDS": Decimal(0), "CUSTOM_ITEMS": Decimal(20)}
SETTINGS = with_settings(
    categories={
        "hearing_aids": CategorySettings("200", "ZERORATEDOUTPUT"),
        "accessories": CategorySettings("210", "RROUTPUT"),
        "services": CategorySettings("260", "OUTPUT2"),
        "custom_items": CategorySettings("270", "OUTPUT2"),
    }
)
BY_TAX_TYPE = {"OUTPUT2": Decimal(20), "RROUTPUT": Decimal(5), "ZERORATEDOUTPUT": Decimal(0)}

# One line of HearLink's: quantity, price and discount multiplied out, and its rate.
Row = tuple[Decimal, Decimal]


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_UP)


def _rounded_once(rows: Sequence[Row], *, inclusive: bool) -> Decimal:
    return cents(sum((amount * (1 if inclusive else 1 + rate / 100) for amount, rate in rows), Decimal(0)))


def _tax_once(rows: Sequence[Row], *, inclusive: bool) -> Decimal:
    """Each line to the cent, tax on the sum."""
    tax = sum((cents(amount) * rate / 100 for amount, rate in rows), Decimal(0))
    return sum((cents(amount) for amount, _ in rows), Decimal(0)) + (Decimal(0) if inclusive else cents(tax))


def _tax_by_line(rows: Sequence[Row], *, inclusive: bool) -> Decimal:
    net = sum((cents(amount) for amount, _ in rows), Decimal(0))
    return net + (0 if inclusive else sum((cents(cents(amount) * rate / 100) for amount, rate in rows), Decimal(0)))


def _gross_by_line(rows: Sequence[Row], *, inclusive: bool) -> Decimal:
    return sum((cents(amount * (1 if inclusive else 1 + rate / 100)) for amount, rate in rows), Decimal(0))


WAYS: dict[str, Callable[..., Decimal]] = {
    "rounded once": _rounded_once,
    "tax once": _tax_once,
    "tax by line": _tax_by_line,
    "gross by line": _gross_by_line,
}


def _random_line(chance: random.Random, number: int) -> dict[str, Any]:
    places = chance.choice([2, 2, 2, 4])
    quantity = chance.choice([Decimal(1)] * 4 + [Decimal(chance.randint(2, 12)), Decimal("0.5"), Decimal("2.3333")])
    if chance.random() < 0.02:
        quantity = Decimal(chance.randint(101, 900))
    price = Decimal(chance.randint(1, chance.choice([500, 20_000, 400_000]))).scaleb(-2)
    if places == 4:
        price += Decimal(chance.randint(0, 99)).scaleb(-4)
    discount = None
    if chance.random() < 0.3:
        off = cents(quantity * price) * Decimal(chance.randint(0, 100)) / 100
        discount = off.quantize(Decimal(1).scaleb(-places), rounding="ROUND_DOWN")
    return line(
        f"line-{number}",
        category=chance.choice(list(RATES)),
        quantity=f"{quantity:.4f}",
        unit_price=f"{price:.4f}",
        discount=None if discount is None else f"{discount:.4f}",
    )


def _rows(lines: Sequence[dict[str, Any]]) -> list[Row]:
    return [
        (
            Decimal(one["quantity"]) * Decimal(one["unit_price"]) - Decimal(one["discount"] or 0),
            RATES[one["category"]],
        )
        for one in lines
    ]


def in_xero(ledger: Ledger, step: Step, *, obeys: bool = True) -> Decimal:
    """The total that the simulator's ledger makes of a step's document; one that does not obey works tax out itself."""
    sent = json.loads(encode_body(step.body), parse_float=Decimal, parse_int=Decimal)
    items = [{key: value for key, value in item.items() if obeys or key != "TaxAmount"} for item in sent["LineItems"]]
    types = sent["LineAmountTypes"]
    reader = LineReader(ledger, LineRules(types, 4, complete=True, discounts=step.stage is Stage.INVOICE_CREATE))
    lines = reader.read(items, ())
    assert not any(reader.problems.values()), reader.problems
    return totals_of(lines, types).total


def _desk() -> Desk:
    desk = Desk(settings=SETTINGS)
    desk.believe(tax_rates=BY_TAX_TYPE)
    return desk


def _next(desk: Desk) -> Step:
    plan = desk.plan()
    assert not plan.failures
    return next(step for step in plan.steps if step.stage is plan.next_stage)


def test_the_ledger_knows_nothing_of_the_planner() -> None:
    """Else both sides of this proof could be wrong in the same way."""
    folder = Path(str(sandbox.__file__)).parent
    for file in folder.glob("*.py"):
        assert "consumer.sync" not in file.read_text(encoding="utf-8"), file.name


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    return demo_ledger("Harbour Hearing", "tenant-1", Clock())


@pytest.mark.parametrize("inclusive", [True, False])
def test_totals_agree_and_a_full_payment_leaves_nothing_due(ledger: Ledger, *, inclusive: bool) -> None:
    chance = random.Random(20261201 + inclusive)
    mended = 0
    for number in range(5_000):
        lines = [_random_line(chance, index) for index in range(chance.randint(1, 8))]
        way = chance.choice(list(WAYS))
        total = WAYS[way](_rows(lines), inclusive=inclusive)
        if total <= 0:
            continue
        obeys = number % 5 != 0
        desk = _desk()
        desk.save_invoice(lines=lines, prices_include_tax=inclusive, total=f"{total:.4f}")
        desk.save_payment(amount=f"{total:.4f}")
        while (step := _next(desk)).stage is not Stage.PAYMENT_CREATE:
            if step.stage is Stage.INVOICE_CREATE:
                theirs = in_xero(ledger, step, obeys=obeys)
                told = (way, lines, step.body["LineItems"])
                assert theirs == total or not obeys, (theirs, total, told)
                assert step.warnings == ()
                mended += bool(step.detail["mended"])
                desk.accept(step, Total=theirs)
            else:
                desk.accept(step)
        assert theirs - step.body["Amount"] == 0, (theirs, total, told)
        assert [one.code for one in step.warnings] == ([] if theirs == total else ["payment_rounded"])
    # Else the test would prove nothing.
    assert mended > 500


@pytest.mark.parametrize("inclusive", [True, False])
def test_a_full_credit_note_comes_to_the_invoices_total(ledger: Ledger, *, inclusive: bool) -> None:
    chance = random.Random(4711 + inclusive)
    for _ in range(300):
        lines = [_random_line(chance, index) for index in range(chance.randint(1, 8))]
        total = chance.choice(list(WAYS.values()))(_rows(lines), inclusive=inclusive)
        if total <= 0:
            continue
        desk = _desk()
        desk.save_invoice(lines=lines, prices_include_tax=inclusive, total=f"{total:.4f}")
        desk.save_credit_note(lines=lines, total=f"{total:.4f}")
        while (step := _next(desk)).stage is not Stage.ALLOCATE:
            is_document = step.stage in {Stage.INVOICE_CREATE, Stage.CREDIT_NOTE_CREATE}
            answer = {"Total": in_xero(ledger, step)} if is_document else {}
            assert not is_document or answer["Total"] == total, (lines, step.body["LineItems"], total)
            desk.accept(step, **answer)
        assert step.body["Amount"] == total
        assert step.warnings == ()


def test_xero_never_gives_way_by_more_than_rounding(ledger: Ledger) -> None:
    """A total that is off by more is left alone, and told before the call."""
    chance = random.Random(99)
    for _ in range(500):
        lines = [_random_line(chance, index) for index in range(chance.randint(1, 8))]
        total = _tax_by_line(_rows(lines), inclusive=False) + chance.choice([-1, 1]) * Decimal("0.25")
        if total <= 0:
            continue
        desk = _desk()
        desk.save_invoice(lines=lines, prices_include_tax=False, total=f"{total:.4f}")
        step = desk.step(Stage.INVOICE_CREATE)
        assert step.detail["mended"] == {}
        (warning,) = step.warnings
        assert warning.code == "totals_differ"
        assert warning.values["xero_total"] == f"{in_xero(ledger, step):.2f}"
