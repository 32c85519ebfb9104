"""Payments."""

from decimal import Decimal

from consumer.orders import Invoice, Payment
from consumer.results import Operation
from consumer.sync.link import PUT_BACK, Link, LinkKind, LinkStatus
from consumer.sync.planning import bodies, closing, content
from consumer.sync.planning.draft import Draft
from consumer.sync.step import Stage
from consumer.xero import account_reference


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
    if draft.is_kept(LinkKind.PAYMENT, payment.payment_id):
        if link is not None and link.makes_way:
            _put_back(draft, link)
        return
    stands = link is not None and link.status is not LinkStatus.REMOVED
    # Of what people made, the removal was not planned either.
    if link is not None and stands and (link.by_hand or not payment_differs(draft, payment, link)):
        return
    if draft.settings.payment_account is None:
        values = {"missing": "the payment account"}
        draft.fail(Operation.PAYMENT_CREATE, payment.payment_id, "mapping_incomplete", values, blocking=False)
        return
    if stands and not draft.invoice_stands():
        # It moves once the invoice is there that it is to move to.
        return
    invoice_link = draft.links.standing(LinkKind.INVOICE, invoice.invoice_id)
    detail = content.payment_detail(payment)
    amount = closing.payment_amount(draft.order, draft.links, payment, draft.invoice_total)
    draft.add(
        Stage.PAYMENT_CREATE,
        Operation.PAYMENT_CREATE,
        LinkKind.PAYMENT,
        payment.payment_id,
        body=bodies.payment_body(
            payment,
            draft.settings.payment_account,
            amount=amount,
            invoice_id=None if invoice_link is None else invoice_link.xero_id,
        ),
        content_hash=hashed,
        reasons=("not in Xero yet" if link is None else "the changed payment takes the old one's place",),
        warnings=closing.rounded("payment_rounded", bodies.cents(payment.amount), amount),
        detail={**detail, **content.posted(payment, amount), "account": draft.settings.payment_account},
    )


def _put_back(draft: Draft, link: Link) -> None:
    """Plan the payment anew as it was before it made way for a change that Xero then refused."""
    was = {key: str(link.detail.get(key, "")) for key in content.PAYMENT_PARTS}
    account = link.detail.get("account") or draft.settings.payment_account
    if not all(was.values()) or "invoice_id" not in link.detail or account is None:
        return
    draft.add(
        Stage.PAYMENT_CREATE,
        Operation.PAYMENT_CREATE,
        LinkKind.PAYMENT,
        link.local_id,
        body={
            "Invoice": {"InvoiceID": link.detail["invoice_id"]},
            "Account": account_reference(account, code_key="Code"),
            "Date": was["date"],
            "Amount": Decimal(was["amount"]),
            "Reference": was["reference"],
        },
        content_hash=bodies.content_hash(content.as_in_hearlink(was, link)),
        reasons=("its change was refused, so it is put back as it was",),
        detail={**was, **content.posted_for(link), "account": account, PUT_BACK: True},
    )


def may_be_replaced(draft: Draft, payment: Payment) -> bool:
    """Whether what is to take the payment's place can follow: else it stays until it can."""
    replaceable = draft.invoice_stands() and draft.settings.payment_account is not None
    return replaceable or bodies.cents(payment.amount) <= 0


def payment_differs(draft: Draft, payment: Payment, link: Link) -> bool:
    """Whether the payment that Xero holds must make way for another one: Xero's payments can't be edited."""
    if draft.is_kept(LinkKind.PAYMENT, payment.payment_id):
        return False
    if link.by_hand:
        # Its date and its text are as people wrote them.
        moved = draft.on_another_invoice(link)
        return moved or Decimal(str(link.detail.get("amount"))) != bodies.cents(payment.amount)
    return link.content_hash != content.payment_hash(payment) or draft.on_another_invoice(link)
