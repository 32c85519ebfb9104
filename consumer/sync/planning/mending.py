"""The lines of an invoice or credit note as they go to Xero, with what brings its total to HearLink's. Pure."""

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from consumer.orders import CreditNote, Invoice
from consumer.sync.link import Link
from consumer.sync.planning import bodies, totals
from consumer.sync.planning.totals import Item, Reading
from consumer.sync.step import Remark

# What of a line may be sent otherwise than HearLink has it, for the sake of the total.
_MENDED = ("TaxAmount", "UnitAmount", "DiscountAmount", "Quantity")


class Mending(msgspec.Struct, frozen=True):
    """A document's lines as they are to be sent, what its link keeps of them, and the total that Xero will make.

    `total` is None where the rate of a line isn't known.
    """

    items: list[Item]
    detail: dict[str, Any]
    total: Decimal | None

    def differs(self, link: Link, document: Invoice | CreditNote) -> bool:
        """Whether HearLink's total has moved by so little since the lines were sent that they are the same.

        Of what was sent before any line was mended that isn't asked: what stands, stands.
        """
        sent, total = link.detail.get("mended"), link.detail.get("total")
        if sent is None or total is None or link.content_hash == "" or sent == self.detail["mended"]:
            return False
        return Decimal(total) != bodies.cents(document.total)


def leave(items: Sequence[Item], document: Invoice | CreditNote, reading: Reading, link: Link | None) -> Mending:
    """Return `items` as HearLink has them: the total is what Xero makes it, and no reason to send them again.

    Lines that have a tax of ours are made anew: none is given, and what is left out of a line keeps its value.
    """
    ids, taxed = [line.line_id for line in document.lines], _taxed(link)
    plain = [_anew(item) if line_id in taxed else item for line_id, item in zip(ids, items, strict=True)]
    return Mending(plain, _detail(ids, plain, None), reading.total(plain))


def mend(items: Sequence[Item], document: Invoice | CreditNote, reading: Reading, link: Link | None) -> Mending:
    """Return `items`, one a line of `document`, so that Xero's total is HearLink's where rounding explains both."""
    balance = reading.balance(items, document)
    ids = [line.line_id for line in document.lines]
    mended = {
        ids[position]: {
            field: str(balance.items[position][field])
            for field in _MENDED
            if field in balance.items[position] and balance.items[position][field] != items[position].get(field)
        }
        for position in balance.mended
    }
    return _mending(balance.items, ids, mended, reading, link)


def keep(items: Sequence[Item], document: Invoice | CreditNote, reading: Reading, link: Link) -> Mending:
    """Return `items` mended as they were when they were sent: their amounts can't change any more."""
    ids = [line.line_id for line in document.lines]
    mended: dict[str, dict[str, str]] = link.detail.get("mended") or {}
    kept = [
        {**item, **{field: Decimal(value) for field, value in mended.get(line_id, {}).items()}}
        for line_id, item in zip(ids, items, strict=True)
    ]
    return _mending(kept, ids, mended, reading, link)


def _mending(
    items: Sequence[Item],
    ids: Sequence[str],
    mended: Mapping[str, Mapping[str, str]],
    reading: Reading,
    link: Link | None,
) -> Mending:
    taxed = _taxed(link)
    said = [
        _with_own_tax(item, reading) if line_id in taxed else item for line_id, item in zip(ids, items, strict=True)
    ]
    return Mending(said, _detail(ids, said, mended), reading.total(said))


def _detail(
    ids: Sequence[str], items: Sequence[Item], mended: Mapping[str, Mapping[str, str]] | None
) -> dict[str, Any]:
    lines = list(zip(ids, items, strict=True))
    return {
        "mended": mended,
        "taxed": [line_id for line_id, item in lines if "TaxAmount" in item],
        "discounted": [line_id for line_id, item in lines if item.get("DiscountAmount")],
    }


def _taxed(link: Link | None) -> Collection[str]:
    """Return the ids of the lines that have a tax of our making in Xero, or of all where that isn't known."""
    if link is None:
        return ()
    known: Mapping[str, str] = link.detail.get("line_item_ids", {})
    return tuple(known) if link.content_hash == "" else tuple(link.detail.get("taxed", ()))


def _with_own_tax(item: Item, reading: Reading) -> Item:
    """Return a line so that a tax that it was given before doesn't stay: what is left out of a line keeps its value."""
    if "TaxAmount" in item or "LineItemID" not in item:
        return item
    tax = reading.tax(item)
    return _anew(item) if tax is None else {**item, "TaxAmount": tax}


def _anew(item: Item) -> Item:
    """Return a line without Xero's id of it, so that it is made anew, and the old one goes."""
    return {field: value for field, value in item.items() if field != "LineItemID"}


def other_total(total: Decimal | None, document: Invoice | CreditNote) -> tuple[Remark, ...]:
    """Warn that Xero's total will be another one than rounding explains."""
    wanted = bodies.cents(document.total)
    if total is None or totals.is_rounding(wanted - total, document.lines):
        return ()
    return (Remark("totals_differ", {"hearlink_total": f"{wanted:.2f}", "xero_total": f"{total:.2f}"}),)
