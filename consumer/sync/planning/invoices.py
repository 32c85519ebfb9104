"""The order's invoice: made, changed, authorised, or why not."""

from collections.abc import Collection, Iterator
from typing import Any

from consumer.orders import Invoice, Line
from consumer.results import Operation
from consumer.settings import InvoiceStatus
from consumer.sync.link import Link, LinkKind, LinkStatus
from consumer.sync.planning import bodies, closing, content, mending, texts
from consumer.sync.planning.draft import Draft
from consumer.sync.planning.mending import Mending
from consumer.sync.planning.totals import Item
from consumer.sync.step import Remark, Stage

# The hashes of what Xero makes its total of.
_AMOUNTS = ("money", "frame")


def explain_missing_invoice(draft: Draft) -> None:
    """Say why there is no invoice to send."""
    item = draft.order.state.invoice
    if item is not None and item.deleted:
        local_id = item.value.invoice_id if item.value is not None else ""
        number = f" {item.value.number}" if item.value is not None else ""
        draft.skip(Operation.ORDER_SYNC, local_id, "invoice_deleted_in_hearlink", {"kind": f"The invoice{number}"})
    else:
        draft.skip(Operation.ORDER_SYNC, "", "no_invoice", {})


def tell_replaced_invoices(draft: Draft) -> None:
    """Say which invoices stay in Xero although the order has none, or another one, in HearLink by now."""
    item = draft.order.state.invoice
    current = item.value.invoice_id if item is not None and item.value is not None else None
    for link in draft.standing(LinkKind.INVOICE):
        if link.local_id != current:
            kind = f"The invoice {link.detail.get('number', '')}".strip()
            draft.skip(Operation.ORDER_SYNC, link.local_id, "invoice_deleted_in_hearlink", {"kind": kind})


def can_bill(draft: Draft, invoice: Invoice) -> bool:
    """Check what needs no call to be known; every failure keeps all later steps back."""
    operation = _invoice_operation(draft, invoice)
    if not bodies.document_number(invoice.number):
        draft.fail(operation, invoice.invoice_id, "number_missing", {"kind": "The invoice"})
        return False
    if draft.number_is_refused(LinkKind.INVOICE, invoice.invoice_id, invoice.number):
        draft.fail(operation, invoice.invoice_id, "number_refused", {"kind": "The invoice"})
        return False
    base = draft.circumstances.base_currency
    if base is None:
        draft.fail(operation, invoice.invoice_id, "base_currency_unknown", {})
        return False
    if invoice.currency != base:
        values = {"currency": invoice.currency, "base_currency": base}
        draft.fail(operation, invoice.invoice_id, "currency_mismatch", values)
        return False
    if sum(bodies.line_amount(line) for line in invoice.lines) < 0:
        draft.fail(operation, invoice.invoice_id, "total_negative", {"number": invoice.number})
        return False
    lines = [*invoice.lines, *(line for note in draft.order.credit_notes for line in note.lines)]
    missing = sorted({words for line in lines for words in _unmapped(draft, line)})
    for words in missing:
        draft.fail(operation, invoice.invoice_id, "mapping_incomplete", {"missing": words})
    return not missing


def _unmapped(draft: Draft, line: Line) -> Iterator[str]:
    category = draft.settings.categories[line.category.value.lower()]
    name = line.category.value.lower().replace("_", " ")
    if not category.revenue_account:
        yield f"the revenue account for {name}"
    if not category.tax_type:
        yield f"the tax rate for {name}"


def _invoice_operation(draft: Draft, invoice: Invoice) -> Operation:
    link = draft.links.get(LinkKind.INVOICE, invoice.invoice_id)
    return Operation.INVOICE_CREATE if link is None else Operation.INVOICE_UPDATE


def plan_invoice(draft: Draft, invoice: Invoice) -> bool:
    """Plan the invoice; return whether credit notes and payments may follow it."""
    link = draft.links.get(LinkKind.INVOICE, invoice.invoice_id)
    body = bodies.invoice_body(
        invoice,
        draft.settings,
        order_url=bodies.order_url(draft.circumstances.hearlink_url, draft.order.order_id),
        contact_id=draft.contact_id(),
        line_item_ids={} if link is None else link.detail.get("line_item_ids", {}),
        discounted=() if link is None else _discounted(link),
    )
    # What is mended for the total's sake is no content: an order that stays as it is, is not sent again for it.
    hashes = _expected_hashes(draft, link, content.document_hashes(body, invoice.lines))
    mended = _mend(draft, link, body["LineItems"], invoice, hashes)
    body["LineItems"] = mended.items
    detail = {**hashes, "number": invoice.number, "line_ids": [line.line_id for line in invoice.lines]}
    needs_authorised = bool(draft.payments() or draft.order.credit_notes)
    if link is None:
        draft.invoice_total = mended.total
        authorised = needs_authorised or draft.settings.invoice_status is InvoiceStatus.AUTHORISED
        draft.add(
            Stage.INVOICE_CREATE,
            Operation.INVOICE_CREATE,
            LinkKind.INVOICE,
            invoice.invoice_id,
            body={**body, "Status": "AUTHORISED" if authorised else "DRAFT"},
            content_hash=hashes["content"],
            reasons=("not in Xero yet",),
            warnings=(*texts.document_remarks(invoice, body), *mending.other_total(mended.total, invoice)),
            detail={**detail, **mended.detail},
        )
        return True
    if link.status is LinkStatus.GONE:
        return _explain_gone_invoice(draft, link, hashes)
    draft.invoice_total = closing.in_xero(link)
    authorise = needs_authorised and link.status is LinkStatus.DRAFT
    reasons = _differences(draft, link, invoice, hashes, mended)
    if reasons or authorise:
        _update_invoice(draft, invoice, link, body, detail, mended, reasons, authorise=authorise)
    return True


def _mend(draft: Draft, link: Link | None, items: list[Item], invoice: Invoice, hashes: dict[str, str]) -> Mending:
    """Bring the total to HearLink's; where something is applied to the same amounts, those stay as they were sent."""
    reading = draft.reading(invoice)
    if draft.circumstances.leaves_totals:
        return mending.leave(items, invoice, reading, link)
    if link is not None and _is_settled(draft) and all(link.detail.get(part) == hashes[part] for part in _AMOUNTS):
        return mending.keep(items, invoice, reading, link)
    return mending.mend(items, invoice, reading, link)


def _differences(
    draft: Draft, link: Link, invoice: Invoice, hashes: dict[str, str], mended: Mending
) -> tuple[str, ...]:
    """Say in words why the invoice is to be sent; () where Xero holds it as it would be."""
    if not content.is_in_step(link, hashes) and not _only_mapping_of_settled(draft, link, hashes):
        return tuple(content.document_differences(link, hashes, invoice))
    return (content.total_moved(link, invoice),) if mended.differs(link, invoice) and not _is_settled(draft) else ()


def _expected_hashes(draft: Draft, link: Link | None, hashes: dict[str, str]) -> dict[str, str]:
    """Return the hashes of the invoice as Xero is to hold it.

    Something is applied to it: Xero would refuse lines that were re-mapped since, and with them an edit of something
    else that it takes. They stay as they are until nothing is applied any more.
    """
    if link is None or not _is_settled(draft):
        return hashes
    return content.as_mapped_before(link, hashes) or hashes


def _update_invoice(
    draft: Draft,
    invoice: Invoice,
    link: Link,
    body: dict[str, Any],
    detail: dict[str, Any],
    mended: Mending,
    reasons: tuple[str, ...],
    *,
    authorise: bool,
) -> None:
    part = _changed_part(link, body, detail, moved=mended.differs(link, invoice)) if reasons else {}
    element = {"InvoiceID": link.xero_id, **part}
    known = {**link.detail, **(detail if reasons else {})}
    remarks: tuple[Remark, ...] = ()
    if "LineItems" in part:
        draft.invoice_total = mended.total
        known.update(mended.detail)
        remarks = mending.other_total(mended.total, invoice)
    if authorise:
        # Left out otherwise: what people did to the status in Xero is theirs.
        element["Status"] = "AUTHORISED"
    draft.add(
        Stage.INVOICE_UPDATE,
        Operation.INVOICE_AUTHORISE if authorise else Operation.INVOICE_UPDATE,
        LinkKind.INVOICE,
        link.local_id,
        body=element,
        content_hash=detail["content"] if reasons else link.content_hash,
        target_id=link.xero_id,
        reasons=(*reasons, "a payment or credit note needs it authorised") if authorise else reasons,
        warnings=(*texts.document_remarks(invoice, element), *remarks),
        detail=known,
    )


def _changed_part(link: Link, body: dict[str, Any], hashes: dict[str, str], *, moved: bool) -> dict[str, Any]:
    """Return `body` without its lines and what they are read by, where those are as they were sent.

    Xero leaves untouched what it isn't given, and takes a new reference or due date also for an invoice that was paid.
    `moved`: the lines are the same, but not what is sent of them for the total's sake.
    """
    same = link.content_hash != "" and all(link.detail.get(part) == hashes[part] for part in ("lines", "frame"))
    return {
        field: value for field, value in body.items() if moved or not same or field not in {"LineItems", *content.FRAME}
    }


def _discounted(link: Link) -> Collection[str]:
    """Return the ids of the lines that have a discount in Xero, or of all of them where that isn't known."""
    if link.content_hash == "" or "discounted" not in link.detail:
        return tuple(link.detail.get("line_item_ids", {}))
    return tuple(link.detail["discounted"])


def _only_mapping_of_settled(draft: Draft, link: Link, hashes: dict[str, str]) -> bool:
    """Whether just accounts or tax rates were re-mapped, of an invoice that has something applied to it.

    Xero would refuse that, and with it every later payment of the order, for a change that nobody made to it.
    """
    return link.detail.get("order") == hashes["order"] and link.content_hash != "" and _is_settled(draft)


def _is_settled(draft: Draft) -> bool:
    return any(draft.standing(LinkKind.PAYMENT)) or any(draft.standing(LinkKind.ALLOCATION))


def _explain_gone_invoice(draft: Draft, link: Link, hashes: dict[str, str]) -> bool:
    wants = not content.is_in_step(link, hashes)
    wants |= any(_is_missing(draft, LinkKind.PAYMENT, payment.payment_id) for payment in draft.payments())
    wants |= any(_is_missing(draft, LinkKind.CREDIT_NOTE, note.credit_note_id) for note in draft.order.credit_notes)
    if wants:
        number = link.detail.get("number", "")
        draft.fail(Operation.INVOICE_UPDATE, link.local_id, "deleted_in_xero", {"kind": f"The invoice {number}"})
    return False


def _is_missing(draft: Draft, kind: LinkKind, local_id: str) -> bool:
    link = draft.links.get(kind, local_id)
    return link is None or link.status is LinkStatus.REMOVED
