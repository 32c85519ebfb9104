"""What was found in Xero when a step's fate had to be looked up. Pure: judged by our own marks alone.

A contact is ours by its ContactNumber, an invoice by its number and its Url, a credit note by its number and its
Reference, a payment by its Reference on the order's invoice, an allocation by the note and the invoice.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec

from consumer.sync.step import Stage, Step
from consumer.xero import read_amount, read_date


class Sight(StrEnum):
    """What the look-up says of a step."""

    # As the step wants it: it was carried out.
    DONE = "done"
    # Ours and there, but not as the step wants it.
    OTHERWISE = "otherwise"
    ABSENT = "absent"
    # The number belongs to a document that isn't this order's, or to a contact that isn't this patient's.
    STRANGER = "stranger"
    TWICE = "twice"
    # Deleted, voided or archived there.
    GONE = "gone"


class Sighting(msgspec.Struct, frozen=True):
    """The verdict on one step, with the document that it rests on."""

    sight: Sight
    xero_id: str | None = None
    document: dict[str, Any] = {}


_GONE_STATUSES = frozenset({"VOIDED", "DELETED"})


def judge_contact(step: Step, contacts: Iterable[Mapping[str, Any]]) -> Sighting:
    """Judge the creation or renaming of a contact by what was found under its number or id."""
    wanted = step.target_id
    if wanted is None:
        same_number = [contact for contact in contacts if same_text(contact.get("ContactNumber"), step.local_id)]
        # Xero takes ids that differ in case for one number; in HearLink they are two people.
        ours = [contact for contact in same_number if _is_mark(contact.get("ContactNumber"), step.local_id)]
        if same_number and not ours:
            return _sighting(Sight.STRANGER, same_number[0], "ContactID")
    else:
        ours = [contact for contact in contacts if same_text(contact.get("ContactID"), wanted)]
    active = [contact for contact in ours if contact.get("ContactStatus", "ACTIVE") == "ACTIVE"]
    if not ours:
        return Sighting(Sight.ABSENT)
    if not active:
        return _sighting(Sight.GONE, ours[0], "ContactID")
    if len(active) > 1:
        return _sighting(Sight.TWICE, active[0], "ContactID")
    done = wanted is None or same_text(active[0].get("Name"), step.body.get("Name", step.detail.get("name")))
    return _sighting(Sight.DONE if done else Sight.OTHERWISE, active[0], "ContactID")


def judge_new_document(step: Step, documents: Iterable[Mapping[str, Any]]) -> Sighting:
    """Judge the creation of an invoice or credit note by what was found under its number."""
    invoice = step.stage is Stage.INVOICE_CREATE
    id_field, number_field = ("InvoiceID", "InvoiceNumber") if invoice else ("CreditNoteID", "CreditNoteNumber")
    mark_field, kind = ("Url", "ACCREC") if invoice else ("Reference", "ACCRECCREDIT")
    same_number = [
        document
        for document in documents
        if same_text(document.get(number_field), step.body[number_field]) and document.get("Type") == kind
    ]
    ours = [document for document in same_number if _is_mark(document.get(mark_field), step.body[mark_field])]
    standing = [document for document in ours if document.get("Status") not in _GONE_STATUSES]
    if len(standing) > 1:
        return _sighting(Sight.TWICE, standing[0], id_field)
    if standing:
        return _sighting(Sight.DONE, standing[0], id_field)
    if ours:
        return _sighting(Sight.GONE, ours[0], id_field)
    if same_number:
        return _sighting(Sight.STRANGER, same_number[0], id_field)
    return Sighting(Sight.ABSENT)


def judge_number(step: Step, documents: Iterable[Mapping[str, Any]]) -> Sighting:
    """Judge the number that a changed document was refused, by what was found under it: whether another one has it."""
    invoice = step.stage is Stage.INVOICE_UPDATE
    id_field, number_field = ("InvoiceID", "InvoiceNumber") if invoice else ("CreditNoteID", "CreditNoteNumber")
    for document in documents:
        is_same = same_text(document.get(number_field), step.body.get(number_field))
        is_sale = document.get("Type") == ("ACCREC" if invoice else "ACCRECCREDIT")
        if is_same and is_sale and not same_text(document.get(id_field), step.target_id):
            return _sighting(Sight.STRANGER, document, id_field)
    return Sighting(Sight.ABSENT)


def judge_by_mark(step: Step, invoices: Iterable[Mapping[str, Any]], linked: Collection[str]) -> Sighting:
    """Judge the creation of an invoice by its Url alone: its number may have been changed, here or there.

    `linked` are the ids of invoices that we know as something else: the order may have had another one before.
    """
    known = {invoice_id.lower() for invoice_id in linked}
    ours = [
        invoice
        for invoice in invoices
        if _is_mark(invoice.get("Url"), step.body["Url"])
        and invoice.get("Type") == "ACCREC"
        and invoice.get("Status") not in _GONE_STATUSES
        and str(invoice.get("InvoiceID")).lower() not in known
    ]
    if not ours:
        return Sighting(Sight.ABSENT)
    return _sighting(Sight.TWICE if len(ours) > 1 else Sight.DONE, ours[0], "InvoiceID")


def judge_changed_document(step: Step, documents: Iterable[Mapping[str, Any]]) -> Sighting:
    """Judge a change of an invoice or credit note by what was found under its id."""
    id_field = "InvoiceID" if step.stage is Stage.INVOICE_UPDATE else "CreditNoteID"
    found = [document for document in documents if same_text(document.get(id_field), step.target_id)]
    if not found:
        return Sighting(Sight.ABSENT)
    document = found[0]
    if step.stage is Stage.CREDIT_NOTE_VOID:
        return _sighting(
            Sight.DONE if document.get("Status") in _GONE_STATUSES else Sight.OTHERWISE, document, id_field
        )
    if document.get("Status") in _GONE_STATUSES:
        return _sighting(Sight.GONE, document, id_field)
    return _sighting(Sight.DONE if holds(document, step.body) else Sight.OTHERWISE, document, id_field)


def judge_allocation(step: Step, note: Mapping[str, Any]) -> Sighting:
    """Judge the making or removal of an allocation by the allocations of its note."""
    allocations = [entry for entry in note.get("Allocations") or () if not entry.get("IsDeleted")]
    if step.stage is Stage.DEALLOCATE:
        return _judge_removal(step, allocations)
    wanted = step.body["Invoice"]["InvoiceID"]
    ours = [entry for entry in allocations if same_text(_invoice_of(entry), wanted)]
    if not ours:
        status = note.get("Status")
        return _sighting(Sight.GONE if status in _GONE_STATUSES else Sight.ABSENT, note, "CreditNoteID")
    # Parts of one note on one invoice add up: what counts is that our amount is there, once.
    amount = sum((read_amount(entry.get("Amount")) for entry in ours), Decimal(0))
    wanted_amount = Decimal(step.body["Amount"])
    if amount < wanted_amount:
        # Someone's own, of a part of the note.
        return _sighting(Sight.ABSENT, note, "CreditNoteID")
    return _sighting(Sight.DONE if amount == wanted_amount else Sight.TWICE, ours[0], "AllocationID")


def _judge_removal(step: Step, allocations: Iterable[Mapping[str, Any]]) -> Sighting:
    """Judge the removal of an allocation by those that are left: the one of its id or, without that, of its amount."""
    if step.target_id is not None:
        left = [entry for entry in allocations if same_text(entry.get("AllocationID"), step.target_id)]
        return _sighting(Sight.OTHERWISE, left[0], "AllocationID") if left else Sighting(Sight.DONE, step.target_id)
    left = [entry for entry in allocations if same_text(_invoice_of(entry), step.detail.get("invoice_id"))]
    if not left:
        return Sighting(Sight.DONE)
    amount = step.detail.get("amount")
    ours = [entry for entry in left if amount is None or _amount(entry.get("Amount")) == Decimal(str(amount))]
    # One of another amount was put there by people, in the place of ours.
    return _sighting(Sight.OTHERWISE, ours[0], "AllocationID") if ours else Sighting(Sight.GONE)


def judge_payment(step: Step, payments: Iterable[Mapping[str, Any]]) -> Sighting:
    """Judge the making or removal of a payment by the payments on its invoice."""
    if step.stage is Stage.PAYMENT_DELETE:
        found = [payment for payment in payments if same_text(payment.get("PaymentID"), step.target_id)]
        deleted = not found or found[0].get("Status") == "DELETED"
        return Sighting(Sight.DONE, step.target_id) if deleted else _sighting(Sight.OTHERWISE, found[0], "PaymentID")
    wanted = step.body["Invoice"]["InvoiceID"]
    ours = [
        payment
        for payment in payments
        if payment.get("Status") != "DELETED"
        and _is_mark(payment.get("Reference"), step.body["Reference"])
        and same_text(_invoice_of(payment), wanted)
    ]
    if not ours:
        return Sighting(Sight.ABSENT)
    return _sighting(Sight.TWICE if len(ours) > 1 else Sight.DONE, ours[0], "PaymentID")


def marked_payment(reference: Any, payment_ids: Iterable[str]) -> str | None:
    """Return which of an order's payments bears the mark `reference`, whatever its method was when that was written.

    An id may have blanks in it and end as another one does: the longest that fits is meant.
    """
    text = one_blank(reference)
    fitting = [
        payment_id
        for payment_id in payment_ids
        if (mark := one_blank(payment_id)) and (text == mark or text.endswith(f" {mark}"))
    ]
    return max(fitting, key=lambda payment_id: len(one_blank(payment_id)), default=None)


def holds(document: Mapping[str, Any], body: Mapping[str, Any]) -> bool:
    """Whether an invoice or credit note in Xero has all that `body` asks for."""
    return all(_field_holds(document, field, wanted) for field, wanted in body.items())


def _field_holds(document: Mapping[str, Any], field: str, wanted: Any) -> bool:
    found = document.get(field)
    if field == "LineItems":
        lines = found or []
        return len(lines) == len(wanted) and None not in match_lines(lines, wanted)
    if field == "Contact":
        return same_text((found or {}).get("ContactID"), wanted["ContactID"])
    if field in {"Date", "DueDate"}:
        day = read_date(found)
        return day is not None and day.isoformat() == wanted
    if field == "Status":
        # Paid is authorised and then some.
        return found == wanted or (wanted == "AUTHORISED" and found == "PAID")
    return bool((found or "") == wanted)


def match_lines(
    lines: Sequence[Mapping[str, Any]], wanted: Sequence[Mapping[str, Any]], *, whatever_tax: bool = False
) -> list[Mapping[str, Any] | None]:
    """Return for each of `wanted` the line of a document in Xero that has all it asks for, each once; else None.

    Lines are matched by what they hold: Xero promises no order of them. `whatever_tax`: one whose tax Xero worked out
    otherwise than it was asked to is the same line.
    """
    left = list(lines)
    found: list[Mapping[str, Any] | None] = []
    for one in wanted:
        known = one.get("LineItemID")
        # Of lines alike, the one that was named.
        least = {field: value for field, value in one.items() if field != "TaxAmount"} if whatever_tax else one
        fitting = [line for line in left if _line_holds(line, least)]
        by_tax = {id(line): not _line_holds(line, one) for line in fitting}
        fitting.sort(key=lambda line: (known is None or not same_text(line.get("LineItemID"), known), by_tax[id(line)]))
        found.append(fitting[0] if fitting else None)
        if fitting:
            left.remove(fitting[0])
    return found


def _line_holds(line: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    # What is left out of a line keeps its value there: no discount is asked for, so none may stand.
    if "DiscountAmount" not in wanted and _amount(line.get("DiscountAmount")) != 0:
        return False
    for field, value in wanted.items():
        if field == "LineItemID":
            continue
        found = line.get(field)
        if isinstance(value, Decimal | int):
            if _amount(found) != value:
                return False
        elif field == "AccountID":
            # Reads name the account by its code; that it is the same one can't be told from here.
            continue
        elif found != value:
            return False
    return True


def _amount(value: Any) -> Decimal | None:
    try:
        return read_amount(value)
    except ValueError:
        return None


def one_blank(text: Any) -> str:
    """Return `text` as Xero may keep it; case tells HearLink's ids apart."""
    return " ".join(str(text or "").split())


def _is_mark(found: Any, ours: Any) -> bool:
    return one_blank(found) == one_blank(ours)


def _invoice_of(entry: Mapping[str, Any]) -> Any:
    invoice = entry.get("Invoice") or {}
    # Xero's own samples show a list here for removed allocations.
    if isinstance(invoice, list):
        invoice = invoice[0] if invoice else {}
    return invoice.get("InvoiceID")


def _sighting(sight: Sight, document: Mapping[str, Any], id_field: str) -> Sighting:
    return Sighting(sight, document.get(id_field), dict(document))


def same_text(one: Any, other: Any) -> bool:
    """Whether Xero takes both for the same: it ignores case and outer spaces in numbers, names and ids."""
    if one is None or other is None:
        return False
    return " ".join(str(one).split()).casefold() == " ".join(str(other).split()).casefold()
