"""Credit notes: gone on both sides, changed alike, used up by people, or written by them."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec

from consumer.orders import CreditNote, Order
from consumer.results import Operation
from consumer.sync.agreement.held import Agreed, Document, Held, amount_of, day_of, is_gone
from consumer.sync.agreement.pairs import Found, Wanted, pair
from consumer.sync.link import BY_HAND, Link, LinkKind, Links, LinkStatus
from consumer.sync.outcome import link_after
from consumer.sync.planning import bodies
from consumer.sync.sighting import same_text
from consumer.sync.step import Plan, Stage


def agreed_notes(order: Order, links: Links, plan: Plan, held: Held, blank: Link) -> Iterator[Agreed]:
    """Find the credit notes of ours on which both sides agree; `blank` is a link of the order with nothing in it."""
    notes = {note.credit_note_id: note for note in order.credit_notes}
    for link in links.of_kind(LinkKind.CREDIT_NOTE):
        document = held.note(link.xero_id)
        if document is None or links.standing(link.kind, link.local_id) is None:
            continue
        note = notes.get(link.local_id)
        if note is None and is_gone(document):
            yield from _removed(links, link)
        elif note is not None and not is_gone(document):
            yield from _changed_alike(note, link, plan, document)
            yield from _used_up(note, link, links, held, document, blank)


def _removed(links: Links, link: Link) -> Iterator[Agreed]:
    """A credit note that HearLink deleted and that people voided."""
    name = f"The credit note {link.detail.get('number', '')}"
    message = f"{name} is settled in Xero: it is voided there."
    removed = msgspec.structs.replace(link, status=LinkStatus.REMOVED)
    yield Agreed(removed, Operation.CREDIT_NOTE_VOID, message, link.xero_id)
    allocation = links.standing(LinkKind.ALLOCATION, link.local_id)
    if allocation is not None:
        gone = msgspec.structs.replace(allocation, status=LinkStatus.REMOVED)
        message = f"The allocation of {name[0].lower()}{name[1:]} is settled in Xero: it is gone there."
        yield Agreed(gone, Operation.CREDIT_NOTE_VOID, message, link.xero_id)


def _changed_alike(note: CreditNote, link: Link, plan: Plan, document: Document) -> Iterator[Agreed]:
    """A change of HearLink's that people made in Xero as well: the note comes to the same there."""
    steps = [step for step in plan.steps if step.stage is Stage.CREDIT_NOTE_UPDATE and step.local_id == link.local_id]
    was = link.detail.get("total")
    total = amount_of(document, "Total")
    if (
        steps
        and _is_used(document)
        and total == bodies.cents(note.total)
        and was is not None
        and Decimal(str(was)) != total
    ):
        made = link_after(
            steps[0],
            tenant_id=link.tenant_id,
            organisation_id=link.organisation_id,
            xero_id=link.xero_id,
            document=document,
        )
        message = f"The credit note {note.number} is settled in Xero: it comes to {total} there, as in HearLink."
        yield Agreed(made, Operation.CREDIT_NOTE_CREATE, message, link.xero_id)


def _used_up(
    note: CreditNote, link: Link, links: Links, held: Held, document: Document, blank: Link
) -> Iterator[Agreed]:
    """The credit of a note of ours that people allocated or paid back: none of it is left."""
    total = amount_of(document, "Total")
    applied = held.credit_on_invoice(document)
    known = links.standing(LinkKind.ALLOCATION, link.local_id)
    is_as_known = known is not None and Decimal(str(known.detail.get("amount", applied))) == applied
    if not _is_used(document) or total <= 0 or total != bodies.cents(note.total) or is_as_known:
        return
    detail: dict[str, Any] = {
        "credit_note_xero_id": link.xero_id,
        "amount": str(applied),
        "invoice_id": held.invoice_id,
    }
    if applied == total:
        how = "it is allocated to the invoice there"
    else:
        how = "its credit is used up there, by hand"
        detail[BY_HAND] = True
    yield Agreed(
        msgspec.structs.replace(
            blank, kind=LinkKind.ALLOCATION, local_id=link.local_id, xero_id=None, content_hash="", detail=detail
        ),
        Operation.CREDIT_NOTE_ALLOCATE,
        f"The credit note {note.number} is settled in Xero: {how}.",
        link.xero_id,
    )


def _is_used(document: Document) -> bool:
    """Whether nothing is left of the credit: it stands on invoices, or was paid back."""
    return "RemainingCredit" in document and amount_of(document, "RemainingCredit") == 0


class NotesByHand(msgspec.Struct, frozen=True):
    """Credit notes that people wrote for the invoice: those that stand for ours, and what the others come to."""

    agreed: tuple[Agreed, ...]
    other_amount: Decimal


def notes_by_hand(order: Order, links: Links, held: Held, blank: Link) -> NotesByHand:
    """Pair HearLink's credit notes that are not in Xero with those that people put on the invoice there."""
    marks = {note_id for note_id, item in order.state.credit_notes.items() if item.value is not None}
    theirs = [
        Found(str(document["CreditNoteID"]), applied, day_of(document))
        for document in held.notes
        if (applied := held.credit_on_invoice(document)) > 0
        and not is_gone(document)
        and document.get("Reference") not in marks
        and not any(same_text(link.xero_id, document["CreditNoteID"]) for link in links.of_kind(LinkKind.CREDIT_NOTE))
    ]
    notes = {note.credit_note_id: note for note in order.credit_notes if _is_missing(links, held, note)}
    ours = [Wanted(note_id, bodies.cents(note.total), note.issued_on.isoformat()) for note_id, note in notes.items()]
    pairs = pair(ours, theirs)
    agreed = []
    for note_id, found in pairs.by_id.items():
        detail = {"number": notes[note_id].number, "total": str(found.amount), BY_HAND: True}
        link = msgspec.structs.replace(
            blank,
            kind=LinkKind.CREDIT_NOTE,
            local_id=note_id,
            xero_id=found.xero_id,
            status=LinkStatus.AUTHORISED,
            content_hash="",
            detail=detail,
        )
        of_invoice = {
            "credit_note_xero_id": found.xero_id,
            "amount": str(found.amount),
            "invoice_id": held.invoice_id,
            BY_HAND: True,
        }
        allocation = msgspec.structs.replace(
            blank, kind=LinkKind.ALLOCATION, local_id=note_id, xero_id=None, content_hash="", detail=of_invoice
        )
        message = f"The credit note {notes[note_id].number} is settled in Xero: it was written there by hand."
        agreed.append(Agreed(link, Operation.CREDIT_NOTE_CREATE, message, found.xero_id))
        message = f"{found.amount} of the credit note is settled in Xero: it is on the invoice there."
        agreed.append(Agreed(allocation, Operation.CREDIT_NOTE_ALLOCATE, message, found.xero_id))
    return NotesByHand(tuple(agreed), sum((one.amount for one in pairs.found), Decimal(0)))


def _is_missing(links: Links, held: Held, note: CreditNote) -> bool:
    """Whether no credit note in Xero stands for it, or one that people voided."""
    link = links.standing(LinkKind.CREDIT_NOTE, note.credit_note_id)
    document = None if link is None else held.note(link.xero_id)
    return bodies.cents(note.total) > 0 and (link is None or (document is not None and is_gone(document)))
