"""What closes an invoice to the cent: where Xero's total is a cent off all the same, the last amount yields. Pure."""

from collections.abc import Iterator
from decimal import Decimal

from consumer.orders import CreditNote, Invoice, Line, Order, Payment
from consumer.sync.link import Link, LinkKind, Links
from consumer.sync.planning import bodies, content, totals
from consumer.sync.step import Remark

_ZERO = Decimal(0)


def payment_amount(order: Order, links: Links, payment: Payment, total: Decimal | None) -> Decimal:
    """Return what is to be posted of `payment`: its amount, or what is due in Xero where it closes the invoice.

    `total` is the invoice's in Xero, None where that isn't known.
    """
    amount = bodies.cents(payment.amount)
    invoice = order.invoice
    open_payments = [one for one in _payments(order) if not _is_posted(one, links)]
    is_last = bool(open_payments) and open_payments[-1].payment_id == payment.payment_id
    if invoice is None or total is None or not is_last or not _is_covered(order, invoice):
        return amount
    others = sum(
        (_posted(one, links) for one in _payments(order) if one.payment_id != payment.payment_id), _ZERO
    ) + sum((credited(note, links) for note in order.credit_notes), _ZERO)
    return _what_is_due(amount, total - others, order, invoice)


def credit_amount(order: Order, links: Links, note: CreditNote, amount: Decimal, total: Decimal | None) -> Decimal:
    """Return how much of `amount`, the whole of `note` in Xero, is to be allocated: no more than is due there."""
    invoice = order.invoice
    open_notes = [one for one in order.credit_notes if links.standing(LinkKind.ALLOCATION, one.credit_note_id) is None]
    is_last = bool(open_notes) and open_notes[-1].credit_note_id == note.credit_note_id
    paid = all(_is_posted(payment, links) for payment in _payments(order))
    if invoice is None or total is None or not (is_last and paid) or not _is_covered(order, invoice):
        return amount
    others = sum((_posted(payment, links) for payment in _payments(order)), _ZERO) + sum(
        (credited(one, links) for one in order.credit_notes if one.credit_note_id != note.credit_note_id), _ZERO
    )
    return min(amount, _what_is_due(amount, total - others, order, invoice))


def rounded(code: str, amount: Decimal, posted: Decimal) -> tuple[Remark, ...]:
    """Warn, with `code`, that another amount is posted than HearLink's; () where it is the same."""
    if amount == posted:
        return ()
    values = {"amount": f"{amount:.2f}", "posted": f"{posted:.2f}", "difference": f"{abs(amount - posted):.2f}"}
    return (Remark(code, values),)


def is_same_payment(order: Order, links: Links, payment: Payment, found: dict[str, str]) -> bool:
    """Whether `found`, the parts of a payment in Xero, are those of `payment`, as it was or would be posted."""
    wanted = content.payment_detail(payment)
    if found == wanted or order.invoice is None or {**found, "amount": wanted["amount"]} != wanted:
        return found == wanted
    link = links.get(LinkKind.INVOICE, order.invoice.invoice_id)
    total = None if link is None else in_xero(link)
    return Decimal(found["amount"]) == payment_amount(order, links, payment, total)


def exceeds(order: Order, links: Links, amount: Decimal, total: Decimal, *, but_not: Decimal) -> bool:
    """Whether a payment of `amount` is more than what is left of `total` by what we know, but not of `but_not`."""
    posted = sum((_posted(one, links) for one in _payments(order) if _is_posted(one, links)), _ZERO)
    applied = posted + sum((credited(note, links) for note in order.credit_notes), _ZERO)
    return total < applied + amount <= but_not


def in_xero(link: Link) -> Decimal | None:
    """Return the total of a document as Xero last told it."""
    total = link.detail.get("total")
    return None if total is None else Decimal(str(total))


def credited(note: CreditNote, links: Links) -> Decimal:
    """Return what a credit note takes, or will take, off the invoice in Xero."""
    allocation = links.standing(LinkKind.ALLOCATION, note.credit_note_id)
    if allocation is not None and "amount" in allocation.detail:
        return Decimal(str(allocation.detail["amount"]))
    link = links.standing(LinkKind.CREDIT_NOTE, note.credit_note_id)
    known = None if link is None else in_xero(link)
    return bodies.cents(note.total) if known is None else known


def _what_is_due(amount: Decimal, due: Decimal, order: Order, invoice: Invoice) -> Decimal:
    return due if due > 0 and totals.is_rounding(due - amount, list(_lines(order, invoice))) else amount


def _is_covered(order: Order, invoice: Invoice) -> bool:
    """Whether HearLink's payments and credit come to HearLink's total."""
    paid = sum((bodies.cents(payment.amount) for payment in _payments(order)), _ZERO)
    credit = sum((bodies.cents(note.total) for note in order.credit_notes), _ZERO)
    return paid + credit == bodies.cents(invoice.total)


def _payments(order: Order) -> list[Payment]:
    return [payment for payment in order.payments if bodies.cents(payment.amount) > 0]


def _is_posted(payment: Payment, links: Links) -> bool:
    link = links.standing(LinkKind.PAYMENT, payment.payment_id)
    return link is not None and link.content_hash == content.payment_hash(payment)


def _posted(payment: Payment, links: Links) -> Decimal:
    link = links.standing(LinkKind.PAYMENT, payment.payment_id)
    if link is None or not _is_posted(payment, links) or "amount" not in link.detail:
        return bodies.cents(payment.amount)
    return Decimal(str(link.detail["amount"]))


def _lines(order: Order, invoice: Invoice) -> Iterator[Line]:
    yield from invoice.lines
    for note in order.credit_notes:
        yield from note.lines
