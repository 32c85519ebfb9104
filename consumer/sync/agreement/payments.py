"""Payments: removed on both sides, found by our mark, or recorded by people in Xero."""

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from consumer.orders import Order, Payment
from consumer.results import Operation
from consumer.sync.agreement.held import Agreed, Document, Held, amount_of, day_of
from consumer.sync.agreement.pairs import Found, Wanted, pair
from consumer.sync.link import BY_HAND, Link, LinkKind, Links, LinkStatus
from consumer.sync.planning import bodies, content
from consumer.sync.sighting import marked_payment, one_blank, same_text


def agreed_payments(order: Order, links: Links, held: Held, blank: Link) -> Iterator[Agreed]:
    """Find the payments on which both sides agree; `blank` is a link of the order with nothing in it."""
    yield from _removed(order, links, held)
    theirs = [entry for entry in held.payments_on_invoice() if not _is_linked(links, entry)]
    wanted = {one.payment_id: one for one in order.payments if _is_missing(links, held, one)}
    known = [payment_id for payment_id, item in order.state.payments.items() if item.value is not None]
    marks = {str(entry["PaymentID"]): marked_payment(entry.get("Reference"), known) for entry in theirs}
    for entry in theirs:
        payment = wanted.pop(marks[str(entry["PaymentID"])] or "", None)
        if payment is not None:
            yield _found(payment, entry, held, blank)
    strangers = [entry for entry in theirs if marks[str(entry["PaymentID"])] is None]
    yield from _by_hand(wanted, strangers, held, blank)


def paid_twice(order: Order, held: Held) -> list[Payment]:
    """Return the payments of which more than one with our mark stands on the invoice."""
    known = [payment_id for payment_id, item in order.state.payments.items() if item.value is not None]
    marks = [marked_payment(entry.get("Reference"), known) for entry in held.payments_on_invoice()]
    return [payment for payment in order.payments if marks.count(payment.payment_id) > 1]


def _removed(order: Order, links: Links, held: Held) -> Iterator[Agreed]:
    """Payments that HearLink deleted and that are gone from Xero as well."""
    standing = {one.payment_id for one in order.payments}
    for link in links.of_kind(LinkKind.PAYMENT):
        if link.local_id in standing or links.standing(link.kind, link.local_id) is None or link.xero_id is None:
            continue
        if held.knows_invoice(link.detail.get("invoice_id")) and not held.has_payment(link.xero_id):
            removed = msgspec.structs.replace(link, status=LinkStatus.REMOVED)
            message = f"The payment of {link.detail.get('amount', '')} is settled in Xero: it is gone there as well."
            yield Agreed(removed, Operation.PAYMENT_DELETE, message, link.xero_id)


def _is_linked(links: Links, entry: Document) -> bool:
    return any(same_text(link.xero_id, entry.get("PaymentID")) for link in links.of_kind(LinkKind.PAYMENT))


def _is_missing(links: Links, held: Held, payment: Payment) -> bool:
    """Whether nothing in Xero stands for the payment, as far as its id there tells."""
    if bodies.cents(payment.amount) <= 0:
        return False
    link = links.standing(LinkKind.PAYMENT, payment.payment_id)
    return link is None or not held.has_payment(link.xero_id)


def _found(payment: Payment, entry: Document, held: Held, blank: Link) -> Agreed:
    """A payment with our own mark, with what Xero holds of it: the next plan brings in step what differs."""
    wanted = content.payment_detail(payment)
    reference = str(entry.get("Reference"))
    alike = one_blank(reference) == one_blank(wanted["reference"])
    detail = {
        "amount": str(amount_of(entry, "Amount")),
        "date": day_of(entry),
        "reference": wanted["reference"] if alike else reference,
    }
    link = _link(payment, held, blank, str(entry["PaymentID"]), {}, detail)
    if detail != wanted:
        link = msgspec.structs.replace(link, content_hash="")
    message = f"The payment of {detail['amount']} is settled in Xero: it was found there."
    return Agreed(link, Operation.PAYMENT_CREATE, message, link.xero_id)


def _by_hand(wanted: dict[str, Payment], strangers: list[Document], held: Held, blank: Link) -> Iterator[Agreed]:
    """Payments that people recorded: all of them must be accounted for, one by one or in one sum."""
    if not strangers or not wanted:
        return
    ours = [Wanted(one.payment_id, bodies.cents(one.amount), one.paid_on.isoformat()) for one in wanted.values()]
    theirs = [Found(str(one["PaymentID"]), amount_of(one, "Amount"), day_of(one)) for one in strangers]
    pairs = pair(ours, theirs)
    in_one_sum = _sum(pairs.wanted) == _sum(pairs.found)
    if pairs.found and not in_one_sum:
        # More was paid there than HearLink knows of: which of it is which is for people to say.
        return
    for local_id, found in pairs.by_id.items():
        payment = wanted[local_id]
        message = f"The payment of {found.amount} is settled in Xero: it was recorded there by hand."
        link = _link(payment, held, blank, found.xero_id, {BY_HAND: True})
        yield Agreed(link, Operation.PAYMENT_CREATE, message, found.xero_id)
    if pairs.found:
        for one in pairs.wanted:
            message = f"The payment of {one.amount} is settled in Xero: it was recorded there by hand, in another sum."
            link = _link(wanted[one.local_id], held, blank, None, {BY_HAND: True})
            yield Agreed(link, Operation.PAYMENT_CREATE, message)


def _sum(some: tuple[Wanted, ...] | tuple[Found, ...]) -> Decimal:
    return sum((one.amount for one in some), Decimal(0))


def _link(
    payment: Payment,
    held: Held,
    blank: Link,
    xero_id: str | None,
    marks: dict[str, bool],
    detail: dict[str, str] | None = None,
) -> Link:
    return msgspec.structs.replace(
        blank,
        kind=LinkKind.PAYMENT,
        local_id=payment.payment_id,
        xero_id=xero_id,
        content_hash=content.payment_hash(payment),
        detail={**(detail or content.payment_detail(payment)), "invoice_id": held.invoice_id, **marks},
    )
