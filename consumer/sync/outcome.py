"""What an accepted step leaves behind: the link to remember, the words for the log. Pure."""

from decimal import Decimal
from typing import Any

from consumer.orders import CreditNote, Invoice, Order
from consumer.results import Catalogue, Operation
from consumer.sync.exchange import StepResult
from consumer.sync.link import PUT_BACK, Link, LinkKind, LinkStatus
from consumer.sync.planning import bodies, content, totals
from consumer.sync.sighting import match_lines, same_text
from consumer.sync.step import Stage, Step
from consumer.xero import read_amount, read_date

REMOVALS = frozenset({Stage.PAYMENT_DELETE, Stage.DEALLOCATE, Stage.CREDIT_NOTE_VOID})
_DOCUMENTS = frozenset({LinkKind.INVOICE, LinkKind.CREDIT_NOTE})


def link_after(
    step: Step, *, tenant_id: str, organisation_id: str, xero_id: str | None, document: dict[str, Any]
) -> Link:
    """Return the link once Xero holds what `step` asked for; `document` is Xero's answer, or what was found there."""
    detail = {key: value for key, value in step.detail.items() if key != "line_ids"}
    if step.stage is Stage.CONTACT_CREATE and "Name" in document:
        detail.update(_contact_detail(step, str(document["Name"])))
    elif step.kind is LinkKind.INVOICE:
        detail.update(_invoice_detail(step, document))
    elif step.kind is LinkKind.CREDIT_NOTE:
        detail.update(found_total(document))
    elif step.stage in {Stage.PAYMENT_CREATE, Stage.ALLOCATE}:
        detail["invoice_id"] = step.body["Invoice"]["InvoiceID"]
    return Link(
        tenant_id=tenant_id,
        kind=step.kind,
        order_id=step.order_id,
        local_id=step.local_id,
        organisation_id=organisation_id,
        xero_id=xero_id if step.stage is Stage.ALLOCATE else xero_id or step.target_id,
        status=_status(step, document),
        content_hash=step.content_hash,
        detail=detail,
    )


def shown_id(step: Step, xero_id: str | None) -> str | None:
    """Return Xero's id that the log shows: the document's. People can't open an allocation, but its credit note."""
    if step.stage is Stage.ALLOCATE:
        return step.target_id
    if step.stage is Stage.DEALLOCATE:
        note_id: str | None = step.detail.get("credit_note_xero_id")
        return note_id
    return xero_id


def found_total(document: dict[str, Any]) -> dict[str, str]:
    """Return what a link keeps of the document's total: nothing where Xero did not tell it."""
    total = _total(document)
    return {} if total is None else {"total": str(total)}


def success_message(step: Step, document: dict[str, Any]) -> str:
    """Say for people what was done; no patient is named."""
    number = step.body.get("InvoiceNumber") or step.body.get("CreditNoteNumber") or step.detail.get("number") or ""
    amount = step.detail.get("amount", "")
    status = str(document.get("Status") or step.body.get("Status") or "").lower()
    if step.stage is Stage.CREDIT_NOTE_UPDATE:
        return f"Credit note {number} was changed in Xero."
    if step.stage is Stage.DEALLOCATE:
        return f"The allocation of {amount} was removed from the invoice in Xero, before the credit note changes."
    if step.detail.get(PUT_BACK):
        what = "The payment" if step.kind is LinkKind.PAYMENT else "The allocation"
        return f"{what} of {amount} was put back in Xero as it was, because a change was refused."
    messages = {
        Operation.CONTACT_CREATE: "The patient's contact was created in Xero.",
        Operation.CONTACT_RENAME: "The patient's contact was renamed in Xero.",
        Operation.INVOICE_CREATE: f"Invoice {number} was created in Xero as {status}.",
        Operation.INVOICE_UPDATE: f"Invoice {number} was updated in Xero: {', '.join(step.reasons)}.",
        Operation.INVOICE_AUTHORISE: f"Invoice {number} was authorised in Xero.",
        Operation.CREDIT_NOTE_CREATE: f"Credit note {number} was created in Xero.",
        Operation.CREDIT_NOTE_ALLOCATE: f"{amount} of the credit note was allocated to the invoice in Xero.",
        Operation.CREDIT_NOTE_VOID: f"Credit note {number} was voided in Xero.",
        Operation.PAYMENT_CREATE: f"The payment of {amount} was recorded in Xero.",
        Operation.PAYMENT_DELETE: f"The payment of {amount} was removed from Xero: {', '.join(step.reasons)}.",
    }
    return messages[step.operation]


def warnings(result: StepResult, order: Order, catalogue: Catalogue) -> tuple[str, ...]:
    """Return sentences about what went through, but not quite as wished."""
    step = result.step
    theirs = _total(result.document)
    document = _document(step, order)
    is_told = document is not None and theirs is not None
    said = [
        catalogue.local(remark.code, **remark.values).message
        for remark in step.warnings
        # What Xero made of the total tells more than what was expected of it.
        if not (is_told and remark.code == "totals_differ")
    ]
    said.extend(result.warnings)
    if document is not None and theirs is not None:
        ours = bodies.cents(document.total)
        if not totals.is_rounding(theirs - ours, document.lines):
            values = {"hearlink_total": f"{ours:.2f}", "xero_total": f"{theirs:.2f}"}
            said.append(catalogue.local("totals_differ", order_id=order.order_id, **values).message)
    return tuple(said)


def _document(step: Step, order: Order) -> Invoice | CreditNote | None:
    """Return the document of HearLink's whose lines the step sends."""
    if "LineItems" not in step.body:
        return None
    if step.kind is LinkKind.INVOICE:
        return order.invoice
    return next((note for note in order.credit_notes if note.credit_note_id == step.local_id), None)


def _total(document: dict[str, Any]) -> Decimal | None:
    """Return the document's total as Xero answered it, None where it did not, or not as a number."""
    try:
        return read_amount(document["Total"]) if document.get("Total") is not None else None
    except ValueError:
        return None


def _status(step: Step, document: dict[str, Any]) -> LinkStatus:
    if step.stage in REMOVALS:
        return LinkStatus.REMOVED
    if step.kind not in _DOCUMENTS:
        return LinkStatus.ACTIVE
    status = document.get("Status") or step.body.get("Status")
    if status in {"DRAFT", "SUBMITTED"}:
        return LinkStatus.DRAFT
    return LinkStatus.GONE if status in {"VOIDED", "DELETED"} else LinkStatus.AUTHORISED


def _invoice_detail(step: Step, document: dict[str, Any]) -> dict[str, Any]:
    """Return the invoice's contact, total, and the ids of its lines by HearLink's, where both sides tell them apart."""
    detail: dict[str, Any] = {**found_total(document)}
    contact_id = (document.get("Contact") or step.body.get("Contact") or {}).get("ContactID")
    if contact_id:
        detail["contact_id"] = contact_id
    frame = _frame(document)
    if frame is not None:
        detail["frame"] = frame
    line_ids = step.detail.get("line_ids", [])
    items = document.get("LineItems") or []
    if "LineItems" in step.body:
        detail["line_item_ids"] = {}
        if len(items) == len(line_ids) == len(set(line_ids)):
            matched = match_lines(items, step.body["LineItems"], whatever_tax=True)
            detail["line_item_ids"] = {
                line_id: item["LineItemID"]
                for line_id, item in zip(line_ids, matched, strict=True)
                if item is not None and "LineItemID" in item
            }
    return detail


def _frame(document: dict[str, Any]) -> str | None:
    """Return the hash of what Xero reads the lines by, as it is there: a change that was lost left the old one."""
    try:
        day = read_date(document.get("Date"))
    except ValueError:
        return None
    if day is None or not document.get("CurrencyCode") or not document.get("LineAmountTypes"):
        return None
    return content.frame_hash({**document, "Date": day.isoformat()})


def _contact_detail(step: Step, shown: str) -> dict[str, str]:
    """Return what a contact that was made, or found, is called: a call whose answer was lost may have used an old name.

    With `name` another one than the patient's now, the next plan renames it.
    """
    name = str(step.detail.get("name", ""))
    if same_text(shown, name):
        return {}
    numbered = [bodies.suffixed_name(name, step.local_id, whole_id=whole_id) for whole_id in (False, True)]
    return {"full_name": shown} if any(same_text(shown, other) for other in numbered) else {"name": shown}
