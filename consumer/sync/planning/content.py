"""Fingerprints of what is sent: how the planner sees that nothing, or only a certain part, has changed. Pure."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from consumer.orders import Invoice, Line, Payment
from consumer.sync.link import Link
from consumer.sync.planning import bodies, totals

_MAPPING = frozenset({"AccountCode", "AccountID", "TaxType"})
_REMAPPED = "accounts or tax rates of its categories changed"
ANOTHER_INVOICE = "the order has another invoice now"
# What can't change any more once something is applied to the document.
FRAME = ("Date", "CurrencyCode", "LineAmountTypes")
# What a payment is, by the names that its link keeps.
PAYMENT_PARTS = ("amount", "date", "reference")
_AMOUNTS = ("Quantity", "UnitAmount", "DiscountAmount")


def document_hashes(body: dict[str, Any], lines_of_order: Sequence[Line]) -> dict[str, str]:
    """Return the hashes of an invoice or credit note, made from `lines_of_order`.

    `content` is all of it, `order` what comes from the order alone (categories, not their accounts and tax rates),
    `lines` its lines with their accounts and tax rates, `order_lines` its lines as the order has them, `money` their
    amounts with, `amounts` without what the settings make of their categories, and `frame` what Xero reads them by.
    """
    lines = [_essence(line) for line in body["LineItems"]]
    from_order = [
        {key: value for key, value in line.items() if key not in _MAPPING} | {"category": ours.category.value}
        for line, ours in zip(lines, lines_of_order, strict=True)
    ]
    money = [{key: line.get(key) for key in (*_AMOUNTS, "TaxType")} for line in lines]
    amounts = [{key: line.get(key) for key in (*_AMOUNTS, "category")} for line in from_order]
    return {
        "content": bodies.content_hash({**body, "LineItems": lines}),
        "order": bodies.content_hash({**body, "LineItems": from_order}),
        "money": bodies.content_hash({"lines": money, "types": body["LineAmountTypes"]}),
        "amounts": bodies.content_hash({"lines": amounts, "types": body["LineAmountTypes"]}),
        "lines": bodies.content_hash({"lines": lines}),
        "order_lines": bodies.content_hash({"lines": from_order}),
        "frame": frame_hash(body),
    }


def frame_hash(body: Mapping[str, Any]) -> str:
    """Return the hash of what an invoice's lines are read by: FRAME's fields of `body`."""
    return bodies.content_hash({field: body[field] for field in FRAME})


def as_mapped_before(link: Link, hashes: dict[str, str]) -> dict[str, str] | None:
    """Return the hashes of a document whose lines stay in Xero as they are, with the accounts and tax rates of then.

    None where the order has changed the lines, or it isn't known what Xero holds of them.
    """
    stay = ("order_lines", "frame")
    if link.content_hash == "" or any(link.detail.get(part) != hashes[part] for part in stay):
        return None
    held = {part: str(link.detail[part]) for part in ("lines", "money")}
    if held["lines"] == hashes["lines"]:
        return hashes
    return {**hashes, **held, "content": bodies.content_hash({"order": hashes["order"], "lines": held["lines"]})}


def is_in_step(link: Link, hashes: dict[str, str]) -> bool:
    """Whether Xero holds a document as it would be sent."""
    if link.content_hash in {"", hashes["content"]}:
        return link.content_hash != ""
    # Mapped another way meanwhile, and back again: that shows in its parts.
    return all(link.detail.get(part) == hashes[part] for part in ("order", "lines"))


def _essence(line: dict[str, Any]) -> dict[str, Any]:
    """The line without what says nothing about its content: Xero's id of it, a discount of nothing."""
    discount: set[str] = set() if line.get("DiscountAmount") else {"DiscountAmount"}
    return {key: value for key, value in line.items() if key not in {"LineItemID", *discount}}


def document_differences(link: Link, hashes: dict[str, str], invoice: Invoice) -> list[str]:
    """Say in words what differs between what was sent, or found there, and what would be sent of `invoice`."""
    if link.content_hash == "":
        # Its total was read where it was found. Rounded by the line it may be other cents than HearLink's own.
        differs = _totals_differ(link, invoice, by_more_than=totals.tolerance(invoice.lines))
        return [_amounts_changed(link, invoice) if differs else "what Xero holds is not known for sure"]
    if link.detail.get("order") == hashes["order"]:
        return [_REMAPPED]
    if any(link.detail.get(part) == hashes[part] for part in ("money", "amounts")):
        is_remapped = (
            link.detail.get("order_lines") == hashes["order_lines"] and link.detail["lines"] != hashes["lines"]
        )
        return ["texts, dates, reference or contact changed", *([_REMAPPED] if is_remapped else [])]
    return [_amounts_changed(link, invoice)]


def total_moved(link: Link, invoice: Invoice) -> str:
    """Say in words that only the rounding of the total is another one."""
    in_xero, in_hearlink = Decimal(link.detail["total"]), bodies.cents(invoice.total)
    return f"rounding changed: {in_xero:.2f} in Xero, {in_hearlink:.2f} in HearLink"


def _amounts_changed(link: Link, invoice: Invoice) -> str:
    if not _totals_differ(link, invoice):
        return "amounts changed"
    in_xero, in_hearlink = Decimal(link.detail["total"]), bodies.cents(invoice.total)
    return f"amounts changed: {in_xero:.2f} in Xero, {in_hearlink:.2f} in HearLink"


def _totals_differ(link: Link, invoice: Invoice, *, by_more_than: Decimal = Decimal(0)) -> bool:
    in_xero = link.detail.get("total")
    return in_xero is not None and abs(Decimal(in_xero) - bodies.cents(invoice.total)) > by_more_than


def payment_detail(payment: Payment) -> dict[str, str]:
    """Return what a payment is, and by what it is found again in Xero.

    Not its account: a payment stays where it was booked when the clinic's payment account changes.
    """
    return {
        "amount": str(bodies.cents(payment.amount)),
        "date": payment.paid_on.isoformat(),
        "reference": bodies.payment_reference(payment),
    }


def posted(payment: Payment, amount: Decimal) -> dict[str, str]:
    """Return what a payment's link keeps where another amount than HearLink's was posted: both."""
    own = bodies.cents(payment.amount)
    return {} if amount == own else {"amount": str(amount), "hearlink_amount": str(own)}


def posted_for(link: Link) -> dict[str, str]:
    """Return what `posted` put into a payment's link, to be kept with what takes its place."""
    return {key: str(link.detail[key]) for key in ("hearlink_amount",) if key in link.detail}


def as_in_hearlink(parts: dict[str, str], link: Link) -> dict[str, str]:
    """Return the parts of a payment in Xero as HearLink had them."""
    return {**parts, "amount": str(link.detail.get("hearlink_amount", parts.get("amount", "")))}


def payment_hash(payment: Payment) -> str:
    """Return the hash of what makes a payment another one when it changes: amount, date and method."""
    return bodies.content_hash(payment_detail(payment))


def payment_differences(payment: Payment, link: Link) -> tuple[str, ...]:
    """Say in words what changed since the payment was sent."""
    now = payment_detail(payment)
    words = {"amount": "amount", "date": "date", "reference": "method"}
    was = as_in_hearlink({key: str(link.detail.get(key, now[key])) for key in now}, link)
    changed = [f"{words[key]} {was[key]} → {now[key]}" for key in now if was[key] != now[key]]
    return tuple(changed) or (ANOTHER_INVOICE,)
