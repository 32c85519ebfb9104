"""What goes away in Xero, before what needs its room."""

from consumer.orders import Payment
from consumer.results import Operation
from consumer.sync.link import Link, LinkKind
from consumer.sync.planning import bodies, content
from consumer.sync.planning.credit_notes import note_differs
from consumer.sync.planning.draft import Draft
from consumer.sync.planning.payments import payment_differs
from consumer.sync.step import Stage


def plan_removals(draft: Draft) -> None:
    """Plan what is to go from Xero: payments and credit notes that were deleted, or that changed."""
    order = draft.order
    payments = {payment.payment_id: payment for payment in order.payments}
    for link in draft.standing(LinkKind.PAYMENT):
        payment = payments.get(link.local_id)
        if payment is None:
            _delete_payment(draft, link, ("deleted in HearLink",))
        elif payment_differs(draft, payment, link) and _may_go(draft, payment):
            _delete_payment(draft, link, content.payment_differences(payment, link))
    notes = {note.credit_note_id: note for note in order.credit_notes}
    for link in draft.standing(LinkKind.CREDIT_NOTE):
        note = notes.get(link.local_id)
        if note is None:
            _deallocate(draft, link.local_id, Operation.CREDIT_NOTE_VOID, "deleted in HearLink")
            _void(draft, link)
        elif not draft.takes_more():
            continue
        elif note_differs(draft, note, link):
            _deallocate(draft, link.local_id, Operation.CREDIT_NOTE_ALLOCATE, "edited in HearLink")
        else:
            allocation = draft.links.standing(LinkKind.ALLOCATION, link.local_id)
            if allocation is not None and draft.on_another_invoice(allocation):
                _deallocate(draft, link.local_id, Operation.CREDIT_NOTE_ALLOCATE, content.ANOTHER_INVOICE)


def _may_go(draft: Draft, payment: Payment) -> bool:
    """Whether what is to take the payment's place can follow: else it stays until it can."""
    replaceable = draft.takes_more() and draft.settings.payment_account is not None
    return replaceable or bodies.cents(payment.amount) <= 0


def _delete_payment(draft: Draft, link: Link, reasons: tuple[str, ...]) -> None:
    draft.add(
        Stage.PAYMENT_DELETE,
        Operation.PAYMENT_DELETE,
        LinkKind.PAYMENT,
        link.local_id,
        body={"Status": "DELETED"},
        target_id=link.xero_id,
        reasons=reasons,
        detail=link.detail,
    )


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
            detail=link.detail,
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
