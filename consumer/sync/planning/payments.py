"""Payments."""

from consumer.orders import Invoice, Payment
from consumer.results import Operation
from consumer.sync.link import Link, LinkKind, LinkStatus
from consumer.sync.planning import bodies, content
from consumer.sync.planning.draft import Draft
from consumer.sync.step import Stage


def plan_payment(draft: Draft, payment: Payment, invoice: Invoice) -> None:
    """Plan a payment that stands in HearLink; what it replaces is planned as a removal."""
    if bodies.cents(payment.amount) <= 0:
        draft.skip(Operation.PAYMENT_CREATE, payment.payment_id, "zero_amount", {"kind": "The payment"})
        return
    link = draft.links.get(LinkKind.PAYMENT, payment.payment_id)
    hashed = content.payment_hash(payment)
    if link is not None and link.status is LinkStatus.GONE:
        if link.content_hash != hashed:
            values = {"kind": f"The payment of {bodies.cents(payment.amount)}"}
            draft.fail(Operation.PAYMENT_CREATE, payment.payment_id, "deleted_in_xero", values, blocking=False)
        return
    if link is not None and link.status is not LinkStatus.REMOVED and not payment_differs(draft, payment, link):
        return
    if draft.settings.payment_account is None:
        values = {"missing": "the payment account"}
        draft.fail(Operation.PAYMENT_CREATE, payment.payment_id, "mapping_incomplete", values, blocking=False)
        return
    invoice_link = draft.links.standing(LinkKind.INVOICE, invoice.invoice_id)
    draft.add(
        Stage.PAYMENT_CREATE,
        Operation.PAYMENT_CREATE,
        LinkKind.PAYMENT,
        payment.payment_id,
        body=bodies.payment_body(
            payment,
            draft.settings.payment_account,
            invoice_id=None if invoice_link is None else invoice_link.xero_id,
        ),
        content_hash=hashed,
        reasons=("not in Xero yet" if link is None else "the changed payment takes the old one's place",),
        detail=dict(content.payment_detail(payment)),
    )


def payment_differs(draft: Draft, payment: Payment, link: Link) -> bool:
    """Whether the payment that Xero holds must make way for another one: Xero's payments can't be edited."""
    return link.content_hash != content.payment_hash(payment) or draft.on_another_invoice(link)
