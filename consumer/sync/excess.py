"""Amounts beyond reason: a schema read wrongly, a slip of the finger. Pure."""

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from consumer.orders import CreditNote, Invoice, Line, Order


class Excess(msgspec.Struct, frozen=True):
    """The largest amount of an order, where it is beyond the limit; `kind` says of what it is."""

    kind: str
    amount: Decimal


def find_excess(order: Order, limit: Decimal) -> Excess | None:
    """Return the largest amount that stands in `order`, with or without a minus, if it is more than `limit`."""
    largest = max(_amounts(order), key=lambda excess: abs(excess.amount), default=None)
    return None if largest is None or abs(largest.amount) <= limit else largest


def _amounts(order: Order) -> Iterator[Excess]:
    if order.invoice is not None:
        yield from _of_document(f"invoice {order.invoice.number}", order.invoice)
    for note in order.credit_notes:
        yield from _of_document(f"credit note {note.number}", note)
    for payment in order.payments:
        yield Excess("The payment", payment.amount)


def _of_document(name: str, document: Invoice | CreditNote) -> Iterator[Excess]:
    yield Excess(f"The {name}", document.total)
    for line in document.lines:
        yield Excess(f"A line of the {name}", _of_line(line))


def _of_line(line: Line) -> Decimal:
    # The discount says nothing: it may hide how large the price is.
    return line.quantity * line.unit_price
