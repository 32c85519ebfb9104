"""What goes away in Xero, before what needs its room."""

from typing import Any

from consumer.orders import CreditNote, Payment
from consumer.results import Operation
from consumer.sync.link import MAKES_WAY, PUT_BACK, Link, LinkKind
from consumer.sync.planning import bodies, content
from consumer.sync.planning.credit_notes import allocation_differs, is_used_by_hand, note_differs
from consumer.sync.planning.draft import Draft
from consumer.sync.planning.payments import may_be_replaced, payment_differs
from consumer.sync.step import Stage


def plan_removals(draft: Draft) -> None:
    """Plan what is to go from Xero: payments and credit notes that were deleted, or that changed."""
    payments = {payment.payment_id: payment for payment in draft.order.payments}
    for link in draft.standing(LinkKind.PAYMENT):
        _plan_payment(draft, payments.get(link.local_id), link)
    notes = {note.credit_note_id: note for note in draft.order.credit_notes}
    for link in draft.standing(LinkKind.CREDIT_NOTE):
        if is_used_by_hand(draft, link):
            _leave_note(draft, notes.get(link.local_id), link)
        else:
            _plan_note(draft, notes.get(link.local_id), link)


def _plan_payment(draft: Draft, payment: Payment | None, link: Link) -> None:
    if link.by_hand:
        if payment is None or payment_differs(draft, payment, link):
            kind = f"The payment of {link.detail.get('amount', '')}"
            draft.leave_by_hand(Operation.PAYMENT_DELETE, link.local_id, kind)
    elif payment is None:
        _delete_payment(draft, link, ("deleted in HearLink",))
    elif payment_differs(draft, payment, link) and may_be_replaced(draft, payment):
        _delete_payment(
            draft, link, content.payment_differences(payment, link), makes_way=bodies.cents(payment.amount) > 0
        )


def _plan_note(draft: Draft, note: CreditNote | None, link: Link) -> None:
    if note is None:
        _deallocate(draft, link.local_id, Operation.CREDIT_NOTE_VOID, "deleted in HearLink")
        _void(draft, link)
    elif not draft.invoice_stands() or draft.is_kept(LinkKind.CREDIT_NOTE, link.local_id):
        return
    elif note_differs(draft, note, link):
        _deallocate(draft, link.local_id, Operation.CREDIT_NOTE_ALLOCATE, "edited in HearLink")
    else:
        allocation = draft.links.standing(LinkKind.ALLOCATION, link.local_id)
        if allocation is not None and allocation_differs(draft, link, allocation):
            _deallocate(draft, link.local_id, Operation.CREDIT_NOTE_ALLOCATE, content.ANOTHER_INVOICE)


def _leave_note(draft: Draft, note: CreditNote | None, link: Link) -> None:
    if note is None or note_differs(draft, note, link):
        operation = Operation.CREDIT_NOTE_VOID if note is None else Operation.CREDIT_NOTE_CREATE
        draft.leave_by_hand(operation, link.local_id, f"The credit note {link.detail.get('number', '')}")


def _delete_payment(draft: Draft, link: Link, reasons: tuple[str, ...], *, makes_way: bool = False) -> None:
    draft.add(
        Stage.PAYMENT_DELETE,
        Operation.PAYMENT_DELETE,
        LinkKind.PAYMENT,
        link.local_id,
        body={"Status": "DELETED"},
        target_id=link.xero_id,
        reasons=reasons,
        detail=_detail(link, makes_way=makes_way),
    )


def _detail(link: Link, *, makes_way: bool) -> dict[str, Any]:
    """What is to be known of `link` once it is removed."""
    detail = {key: value for key, value in link.detail.items() if key != PUT_BACK}
    return {**detail, MAKES_WAY: True} if makes_way else detail


def _deallocate(draft: Draft, note_id: str, operation: Operation, reason: str) -> None:
    link = draft.links.standing(LinkKind.ALLOCATION, note_id)
    if link is not None:
        draft.add(
            Stage.DEALLOCATE,
            operation,
            LinkKind.ALLOCATION,
            note_id,
            body={},
            target_id=link.xero_id,
            reasons=(f"allocation removed first: {reason}",),
            detail=_detail(link, makes_way=operation is Operation.CREDIT_NOTE_ALLOCATE),
        )


def _void(draft: Draft, link: Link) -> None:
    draft.add(
        Stage.CREDIT_NOTE_VOID,
        Operation.CREDIT_NOTE_VOID,
        LinkKind.CREDIT_NOTE,
        link.local_id,
        body={"CreditNoteID": link.xero_id, "Status": "VOIDED"},
        target_id=link.xero_id,
        reasons=("deleted in HearLink",),
        detail=link.detail,
    )
