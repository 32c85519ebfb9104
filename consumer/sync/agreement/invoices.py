"""The invoice: a change of its amounts that Xero refused, and that people made there in their own way."""

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from consumer.orders import Invoice
from consumer.sync.agreement.held import Agreed, Document, amount_of
from consumer.sync.link import Link
from consumer.sync.outcome import link_after
from consumer.sync.planning import bodies, content
from consumer.sync.planning.totals import is_rounding
from consumer.sync.sighting import holds
from consumer.sync.step import Plan, Stage, Step

_OPEN_STATUSES = frozenset({"AUTHORISED", "PAID"})


def agreed_invoice(
    invoice: Invoice, link: Link, plan: Plan, document: Document, credited_by_hand: Decimal
) -> Iterator[Agreed]:
    """Find whether the invoice comes to what HearLink says, where it did not before.

    `credited_by_hand` is what people credited on it for no credit note of HearLink's: less is asked for all the same.
    A change of anything but the amounts is not judged here: it has to be there as HearLink says it.
    """
    steps = [step for step in plan.steps if step.stage is Stage.INVOICE_UPDATE and step.local_id == invoice.invoice_id]
    was = link.detail.get("total")
    if not steps or "LineItems" not in steps[0].body or was is None or document.get("Status") not in _OPEN_STATUSES:
        return
    wanted, total = bodies.cents(invoice.total), amount_of(document, "Total")
    if is_rounding(Decimal(str(was)) - wanted, invoice.lines):
        return
    if is_rounding(total - wanted, invoice.lines):
        how = f"it comes to {total} there, as in HearLink"
    elif credited_by_hand > 0 and is_rounding(total - credited_by_hand - wanted, invoice.lines):
        how = f"it comes to {total - credited_by_hand} there, as in HearLink, less {credited_by_hand} credited by hand"
    else:
        return
    message = f"The invoice {invoice.number} is settled in Xero: {how}."
    yield Agreed(_link(steps[0], link, document), steps[0].operation, message, link.xero_id)


def _link(step: Step, link: Link, document: Document) -> Link:
    """The link as after the change, but that texts which differ are still to be sent: Xero takes those at any time."""
    made = link_after(
        step,
        tenant_id=link.tenant_id,
        organisation_id=link.organisation_id,
        xero_id=link.xero_id,
        document=document,
    )
    made = msgspec.structs.replace(made, detail={**made.detail, "frame": step.detail["frame"]})
    texts = {field: value for field, value in step.body.items() if field not in {"LineItems", *content.FRAME}}
    if holds(document, {field: value for field, value in texts.items() if field not in _IDS}):
        return made
    return msgspec.structs.replace(made, content_hash=f"not {made.content_hash}", detail={**made.detail, "order": ""})


_IDS = frozenset({"InvoiceID", "Type"})
