"""What Xero will make of a document's lines, and how its total becomes HearLink's. Pure.

Xero takes each line to the cent, then the line's tax, and adds up; HearLink may round once, at the end. A difference
that this explains is put on the lines where it belongs: on their tax or, where tax doesn't change the total (it is in
the prices, or the rate is zero), on the fraction of a cent that a line's amount has. Amounts are in the document's
currency, rates in percent. Halves are rounded away from zero.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, TypeAlias

import msgspec

from consumer.orders import CreditNote, Invoice, Line
from consumer.sync.planning import bodies

_ZERO = Decimal(0)
_HALF_A_CENT = Decimal("0.005")
_HUNDRED = Decimal(100)

Item: TypeAlias = dict[str, Any]


class Balance(msgspec.Struct, frozen=True):
    """A document's lines as they are to be sent, and the total that Xero will make of them.

    `total` is None where the rate of a line isn't known. `mended` are the positions of the lines that were given a
    tax or an amount of their own.
    """

    items: list[Item]
    total: Decimal | None
    mended: tuple[int, ...] = ()


class Reading(msgspec.Struct, frozen=True):
    """How Xero reads the lines of one document.

    `inclusive`: their amounts contain the tax. `rates` are percentages by tax type. `takes_discounts`: the lines may
    have some (an invoice's may, a credit note's not).
    """

    inclusive: bool
    rates: Mapping[str, Decimal]
    takes_discounts: bool = True

    def balance(self, items: Sequence[Item], document: Invoice | CreditNote) -> Balance:
        """Return `items`, one a line of `document`, so that Xero's total is HearLink's where rounding explains both."""
        lines = document.lines
        own, wanted = self.total(items), bodies.cents(document.total)
        if own is None or own == wanted or not self._explains(wanted - own, items, document):
            return Balance(list(items), own)
        missing = wanted - own
        step = bodies.CENT.copy_sign(missing)
        mended = list(items)
        queue = self._by_claim(items, lines, step)
        while missing:
            before = missing
            for position in queue:
                better = self._moved(mended[position], lines[position], step)
                if missing and better is not None:
                    mended[position] = better
                    missing -= step
            if missing == before:
                break
        changed = tuple(position for position, item in enumerate(items) if mended[position] is not item)
        return Balance(mended, wanted - missing, changed)

    def total(self, items: Iterable[Item]) -> Decimal | None:
        """Return what Xero will make of `items`; None where the rate of one isn't known."""
        total = _ZERO
        for item in items:
            tax = self.tax(item)
            if tax is None:
                return None
            total += item_amount(item) + (_ZERO if self.inclusive else item.get("TaxAmount", tax))
        return total

    def tax(self, item: Item) -> Decimal | None:
        """Return the tax that Xero works out for a line that is given none; None where its rate isn't known."""
        rate = self._rate(item)
        if rate is None:
            return None
        amount = item_amount(item)
        return amount - bodies.cents(amount / (1 + rate)) if self.inclusive else bodies.cents(amount * rate)

    def _rate(self, item: Item) -> Decimal | None:
        percent = self.rates.get(str(item.get("TaxType")))
        return None if percent is None else percent / _HUNDRED

    def _exact(self, item: Item, line: Line) -> Decimal:
        """What the line adds to the total before anything is rounded."""
        amount = line.quantity * line.unit_price - (line.discount or _ZERO)
        return amount if self.inclusive else amount * (1 + (self._rate(item) or _ZERO))

    def _explains(self, difference: Decimal, items: Sequence[Item], document: Invoice | CreditNote) -> bool:
        """Whether it is small enough, or HearLink's total what the exact sum comes to, whichever way a half goes."""
        if abs(difference) <= tolerance(document.lines):
            return True
        exact = sum((self._exact(item, line) for item, line in zip(items, document.lines, strict=True)), _ZERO)
        return abs(bodies.cents(document.total) - exact) <= _HALF_A_CENT

    def _by_claim(self, items: Sequence[Item], lines: Sequence[Line], step: Decimal) -> list[int]:
        """Return the positions of the lines, first those of which rounding took most in the direction of `step`.

        A tax of nothing is a last resort: who reads the line may take it for none given.
        """

        def claim(position: int) -> tuple[bool, Decimal, Decimal]:
            item = items[position]
            lost = self._exact(item, lines[position]) - (self.total([item]) or _ZERO)
            moved = self._moved(item, lines[position], step) or item
            return moved.get("TaxAmount") == 0, -lost.copy_sign(lost * step), -abs(item_amount(item))

        return sorted(range(len(items)), key=claim)

    def _moved(self, item: Item, line: Line, step: Decimal) -> Item | None:
        """Return the line with `step` more of the total, None where that would not be true of it."""
        amount, rate = item_amount(item), self._rate(item)
        if self.inclusive or not rate:
            return self._with_amount(item, amount + step) if _uneven_amounts(line) else None
        tax = item.get("TaxAmount", self.tax(item) or _ZERO) + step
        # Tax has the sign of its amount and is never more than that.
        return {**item, "TaxAmount": tax} if tax * amount >= 0 and abs(tax) <= abs(amount) else None

    def _with_amount(self, item: Item, amount: Decimal) -> Item | None:
        """Return the line so that it comes to `amount`, None where that has not the sign of its price."""
        if amount * item["UnitAmount"] < 0:
            return None
        quantity, discount = item["Quantity"], item.get("DiscountAmount") or _ZERO
        if discount and 0 < discount - (amount - item_amount(item)) <= bodies.cents(quantity * item["UnitAmount"]):
            return {**item, "DiscountAmount": discount - (amount - item_amount(item))}
        price = ((amount + discount) / quantity).quantize(bodies.UNIT, ROUND_HALF_UP) if quantity else _ZERO
        by_price = {**item, "UnitAmount": price}
        if item_amount(by_price) == amount:
            return by_price
        # So many that a price of four places jumps over the cent.
        if not self.takes_discounts:
            return {**item, "Quantity": Decimal(1), "UnitAmount": amount}
        while item_amount(by_price) < amount:
            by_price["UnitAmount"] += bodies.UNIT
        discount += item_amount(by_price) - amount
        return {**by_price, "DiscountAmount": discount} if item["UnitAmount"] > 0 else None


def tolerance(lines: Sequence[Line]) -> Decimal:
    """Return what rounding can make of a document: half a cent a line, and a cent for each amount of broken cents."""
    return _HALF_A_CENT * len(lines) + bodies.CENT * sum(_uneven_amounts(line) for line in lines)


def is_rounding(difference: Decimal, lines: Sequence[Line]) -> bool:
    """Whether the totals of a document on both sides differ by no more than rounding can make of it, at least a cent.

    Xero doesn't tell which way a half goes, so that one line can come to another cent.
    """
    return abs(difference) <= max(tolerance(lines), bodies.CENT)


def item_amount(item: Item) -> Decimal:
    """Return what a line comes to in Xero: it takes the discount off the amount that it rounded."""
    return bodies.cents(item["Quantity"] * item["UnitAmount"]) - bodies.cents(item.get("DiscountAmount") or _ZERO)


def _uneven_amounts(line: Line) -> int:
    """Return how many of a line's amounts, before and off it, Xero has to round: those with fractions of a cent."""
    parts = (line.quantity * line.unit_price, line.discount or _ZERO)
    return sum(bodies.cents(part) != part for part in parts)
