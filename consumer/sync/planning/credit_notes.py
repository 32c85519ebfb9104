"""Credit notes and their allocation."""

from decimal import Decimal
from typing import Any

from consumer.orders import CreditNote, Invoice
from consumer.results import Operation
from consumer.sync.link import PUT_BACK, Link, LinkKind, LinkStatus
from consumer.sync.planning import bodies, closing, content, mending, texts
from consumer.sync.planning.draft import Draft
from consumer.sync.planning.mending import Mending
from consumer.sync.step import Stage


def plan_credit_note(draft: Draft, note: CreditNote, invoice: Invoice) -> None:
    """Plan a credit note and its allocation to the order's invoice."""
    link = draft.links.get(LinkKind.CREDIT_NOTE, note.credit_note_id)
    if not bodies.document_number(note.number):
        values = {"kind": "A credit note"}
        draft.fail(Operation.CREDIT_NOTE_CREATE, note.credit_note_id, "number_missing", values, blocking=False)
        return
    if draft.number_is_refused(LinkKind.CREDIT_NOTE, note.credit_note_id, note.number):
        values = {"kind": "A credit note"}
        draft.fail(Operation.CREDIT_NOTE_CREATE, note.credit_note_id, "number_refused", values, blocking=False)
        return
    if draft.is_kept(LinkKind.CREDIT_NOTE, note.credit_note_id):
        _put_back_allocation(draft, note, draft.links.standing(LinkKind.CREDIT_NOTE, note.credit_note_id))
        return
    if link is not None and is_used_by_hand(draft, link):
        # Its removal was not planned either.
        return
    body = _note_body(draft, note, invoice)
    hashes = content.document_hashes(body, note.lines)
    hashed = hashes["content"]
    mended = _mend(draft, note, invoice, body)
    body["LineItems"] = mended.items
    detail = {"order": hashes["order"], "number": note.number, "mended": mended.detail["mended"]}
    warnings = (*texts.document_remarks(note, body), *mending.other_total(mended.total, note))
    if link is None or link.status is LinkStatus.REMOVED:
        draft.add(
            Stage.CREDIT_NOTE_CREATE,
            Operation.CREDIT_NOTE_CREATE,
            LinkKind.CREDIT_NOTE,
            note.credit_note_id,
            body=body,
            content_hash=hashed,
            reasons=("not in Xero yet",),
            warnings=warnings,
            detail=detail,
        )
    elif link.status is LinkStatus.GONE:
        if link.content_hash != hashed:
            values = {"kind": f"The credit note {note.number}"}
            draft.fail(Operation.CREDIT_NOTE_CREATE, note.credit_note_id, "deleted_in_xero", values, blocking=False)
        return
    elif note_differs(draft, note, link):
        draft.add(
            Stage.CREDIT_NOTE_UPDATE,
            Operation.CREDIT_NOTE_CREATE,
            LinkKind.CREDIT_NOTE,
            note.credit_note_id,
            body={"CreditNoteID": link.xero_id, **body},
            content_hash=hashed,
            target_id=link.xero_id,
            reasons=("edited in HearLink",),
            warnings=warnings,
            detail=detail,
        )
    _allocation(draft, note, link, invoice, mended.total)


def _allocation(
    draft: Draft, note: CreditNote, link: Link | None, invoice: Invoice, total_to_be: Decimal | None
) -> None:
    allocation = draft.links.get(LinkKind.ALLOCATION, note.credit_note_id)
    replaced = link is not None and note_differs(draft, note, link)
    standing = draft.links.standing(LinkKind.ALLOCATION, note.credit_note_id)
    moves = standing is not None and link is not None and allocation_differs(draft, link, standing)
    if allocation is not None and allocation.status is not LinkStatus.REMOVED and not replaced and not moves:
        return
    invoice_link = draft.links.standing(LinkKind.INVOICE, invoice.invoice_id)
    total = total_to_be if link is None or replaced else closing.in_xero(link)
    whole = bodies.cents(note.total if total is None else total)
    amount = closing.credit_amount(draft.order, draft.links, note, whole, draft.invoice_total)
    if amount <= 0:
        draft.skip(Operation.CREDIT_NOTE_ALLOCATE, note.credit_note_id, "zero_amount", {"kind": "The credit note"})
        return
    body = {
        "Amount": amount,
        "Date": max(note.issued_on, invoice.issued_on).isoformat(),
        "Invoice": {"InvoiceID": None if invoice_link is None else invoice_link.xero_id},
    }
    _allocate(draft, note, link, body, "not allocated to the order's invoice yet", whole=whole)


def _put_back_allocation(draft: Draft, note: CreditNote, link: Link | None) -> None:
    """Plan the allocation anew as it was before it made way for a change that Xero then refused."""
    was = draft.links.get(LinkKind.ALLOCATION, note.credit_note_id)
    if link is None or was is None or not was.makes_way or not {"amount", "invoice_id"} <= was.detail.keys():
        return
    body = {
        "Amount": Decimal(str(was.detail["amount"])),
        "Date": note.issued_on.isoformat(),
        "Invoice": {"InvoiceID": was.detail["invoice_id"]},
    }
    _allocate(draft, note, link, body, "a change was refused, so it is allocated again as it was", put_back=True)


def _allocate(
    draft: Draft,
    note: CreditNote,
    link: Link | None,
    body: dict[str, Any],
    reason: str,
    *,
    whole: Decimal | None = None,
    put_back: bool = False,
) -> None:
    note_id = None if link is None else link.xero_id
    detail = {"credit_note_xero_id": note_id, "amount": str(body["Amount"]), "number": note.number}
    draft.add(
        Stage.ALLOCATE,
        Operation.CREDIT_NOTE_ALLOCATE,
        LinkKind.ALLOCATION,
        note.credit_note_id,
        body=body,
        target_id=note_id,
        reasons=(reason,),
        warnings=() if whole is None else closing.rounded("credit_rounded", whole, body["Amount"]),
        detail={**detail, PUT_BACK: True} if put_back else detail,
    )


def allocation_differs(draft: Draft, link: Link, allocation: Link) -> bool:
    """Whether the allocation of the note behind `link` must make way for another one."""
    if draft.on_another_invoice(allocation):
        return True
    # Put back as it was, while the note itself had changed already: what is missing of it is still to come.
    amount, total = allocation.detail.get("amount"), link.detail.get("total")
    partial = amount is not None and total is not None and Decimal(str(amount)) != Decimal(str(total))
    return bool(allocation.detail.get(PUT_BACK)) and partial


def is_used_by_hand(draft: Draft, link: Link) -> bool:
    """Whether people made the credit note in Xero, or used it up there: refunded it, say."""
    allocation = draft.links.standing(LinkKind.ALLOCATION, link.local_id)
    return link.status not in {LinkStatus.REMOVED, LinkStatus.GONE} and (
        link.by_hand or (allocation is not None and allocation.by_hand)
    )


def _note_body(draft: Draft, note: CreditNote, invoice: Invoice) -> dict[str, Any]:
    return bodies.credit_note_body(note, invoice, draft.settings, contact_id=draft.contact_id())


def _mend(draft: Draft, note: CreditNote, invoice: Invoice, body: dict[str, Any]) -> Mending:
    mend = mending.leave if draft.circumstances.leaves_totals else mending.mend
    return mend(body["LineItems"], note, draft.reading(invoice, takes_discounts=False), None)


def note_differs(draft: Draft, note: CreditNote, link: Link) -> bool:
    """Whether the credit note changed in HearLink since it was sent."""
    invoice = draft.order.invoice
    refused = draft.number_is_refused(LinkKind.CREDIT_NOTE, note.credit_note_id, note.number)
    if invoice is None or refused or not bodies.document_number(note.number):
        # Without a number that Xero takes it can't be sent, so what Xero holds of it stays as it is until it has one.
        return False
    if link.by_hand:
        # Its number, texts and lines are as people wrote them.
        return Decimal(str(link.detail.get("total"))) != bodies.cents(note.total)
    body = _note_body(draft, note, invoice)
    # Accounts and tax rates that were re-mapped since are no reason to take an allocated note apart.
    if link.content_hash == "" or link.detail.get("order") != content.document_hashes(body, note.lines)["order"]:
        return True
    return _mend(draft, note, invoice, body).differs(link, note)
