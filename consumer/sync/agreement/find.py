"""Everything of an order on which both sides agree by now, and what still differs."""

from decimal import Decimal

import msgspec

from consumer.orders import Order
from consumer.results import ProblemClass
from consumer.sync.agreement.credit_notes import agreed_notes, notes_by_hand
from consumer.sync.agreement.held import Agreed, Held, amount_of, is_gone
from consumer.sync.agreement.invoices import agreed_invoice
from consumer.sync.agreement.payments import agreed_payments
from consumer.sync.link import LinkKind, Links, LinkStatus
from consumer.sync.planning import bodies
from consumer.sync.step import Plan


def may_agree(problem_class: ProblemClass | None, links: Links) -> bool:
    """Whether what an order failed for may be done in Xero by now: people had to act there, on its invoice."""
    return problem_class is ProblemClass.XERO and is_on_invoice(links)


def is_on_invoice(links: Links) -> bool:
    """Whether there is an invoice in Xero that tells how the order stands there."""
    return any(link.xero_id is not None for link in links.of_kind(LinkKind.INVOICE))


def find_agreed(order: Order, links: Links, plan: Plan, held: Held) -> list[Agreed]:
    """Return what needs no more to be done of `order`; `plan` is what would be sent of it.

    Raises:
        ValueError: an amount or a date of Xero's is none.
    """
    document = held.invoice
    invoice_link = next((one for one in links.of_kind(LinkKind.INVOICE) if one.xero_id == held.invoice_id), None)
    if document is None or invoice_link is None:
        return []
    blank = msgspec.structs.replace(invoice_link, status=LinkStatus.ACTIVE, content_hash="", detail={})
    agreed = list(agreed_payments(order, links, held, blank)) if not is_gone(document) else []
    agreed += agreed_notes(order, links, plan, held, blank)
    by_hand = notes_by_hand(order, links, held, blank)
    of_invoice: list[Agreed] = []
    if order.invoice is not None and order.invoice.invoice_id == invoice_link.local_id:
        of_invoice += agreed_invoice(order.invoice, invoice_link, plan, document, by_hand.other_amount)
    if by_hand.other_amount == 0 or of_invoice:
        # Else more was credited there than HearLink knows of: which of it is which is for people to say.
        agreed += by_hand.agreed
    return agreed + of_invoice


def tell_difference(order: Order, held: Held) -> str:
    """Say how the sums of both sides differ; "" where they don't.

    Raises:
        ValueError: an amount of Xero's is none.
    """
    document, invoice = held.invoice, order.invoice
    if document is None or invoice is None:
        return ""
    theirs = tuple(amount_of(document, field) for field in ("Total", "AmountPaid", "AmountCredited"))
    paid = sum((bodies.cents(one.amount) for one in order.payments), Decimal(0))
    credited = sum((bodies.cents(one.total) for one in order.credit_notes), Decimal(0))
    ours = (bodies.cents(invoice.total), paid, credited)
    if ours == theirs:
        return ""
    return f"In Xero: {_sums(theirs)}. In HearLink: {_sums(ours)}."


def _sums(sums: tuple[Decimal, ...]) -> str:
    total, paid, credited = sums
    return f"total {total:.2f}, paid {paid:.2f}, credited {credited:.2f}"
