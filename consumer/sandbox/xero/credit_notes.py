"""Sales credit notes: creating, updating, approving and voiding them."""

from dataclasses import replace

from consumer.sandbox.xero import errors
from consumer.sandbox.xero.contacts import contact_for_document
from consumer.sandbox.xero.documents import (
    FIRST_STATUSES,
    Writing,
    check_applied_edit,
    check_contact_usable,
    check_lock_dates,
    check_number,
    check_status_change,
    read_header,
    read_lines,
)
from consumer.sandbox.xero.errors import Refused
from consumer.sandbox.xero.ledger import Ledger
from consumer.sandbox.xero.records import CreditNote
from consumer.sandbox.xero.values import Json, fold


def find_credit_note(ledger: Ledger, reference: str) -> CreditNote | None:
    """A credit note by its id or its number."""
    by_id = ledger.credit_notes.get(reference.lower())
    if by_id:
        return by_id
    by_number = ledger.credit_note_by_number.get(fold(reference))
    return ledger.credit_notes[by_number] if by_number else None


def create_credit_note(ledger: Ledger, element: Json, writing: Writing) -> CreditNote:
    """PUT: a new credit note; a draft needs a type and a contact only.

    Raises:
        Refused: Xero's validation messages.
    """
    if element.get("Type") != "ACCRECCREDIT":
        raise Refused(errors.TYPE_INVALID)
    status = element.get("Status", "DRAFT")
    if status not in FIRST_STATUSES:
        raise Refused(errors.CREDIT_NOTE_NOT_VALID_FOR_CREATION)
    if status != "DRAFT" and not element.get("LineItems"):
        raise Refused(errors.LINES_REQUIRED)
    number = element.get("CreditNoteNumber") or ledger.next_number("CN", ledger.credit_note_by_number)
    check_number(number, ledger.credit_note_by_number.get(fold(number)), "", errors.CREDIT_NOTE_NUMBER_TAKEN)
    contact = contact_for_document(ledger, element.get("Contact", {}), writing.actor)
    blank = CreditNote(
        document_id=ledger.new_id(),
        number=number,
        contact_id=contact.contact_id,
        status=status,
        date=ledger.clock.today(),
        currency_code=ledger.organisation.base_currency,
        created_by=writing.actor,
        updated_at=ledger.clock.now(),
    )
    without_contact = {name: value for name, value in element.items() if name != "Contact"}
    note = _read(ledger, None, blank, without_contact, writing)
    ledger.save(note, writing.actor, "created")
    return note


def update_credit_note(ledger: Ledger, note: CreditNote, element: Json, writing: Writing) -> CreditNote:
    """POST on an existing credit note: what is absent keeps its value.

    Raises:
        Refused: Xero's validation messages.
    """
    if element.get("Type", "ACCRECCREDIT") != "ACCRECCREDIT":
        raise Refused(errors.TYPE_INVALID)
    status = element.get("Status", note.status)
    not_valid = errors.CREDIT_NOTE_NOT_VALID_FOR_MODIFICATION
    check_status_change(ledger, note, status, "credit note", not_valid)
    check_contact_usable(ledger, note)
    if status in {"VOIDED", "DELETED"}:
        return end_credit_note(ledger, note, status, writing.actor)
    number = element.get("CreditNoteNumber") or note.number
    holder = ledger.credit_note_by_number.get(fold(number))
    check_number(number, holder, note.document_id, errors.CREDIT_NOTE_NUMBER_TAKEN)
    if note.status != "DRAFT" and element.get("LineItems") == []:
        raise Refused(errors.LINES_REQUIRED)
    if note.status in {"AUTHORISED", "PAID"}:
        check_lock_dates(ledger, note.date)
    changed = _read(
        ledger,
        note,
        replace(note, number=number, status=status, updated_at=ledger.clock.now()),
        element,
        writing,
    )
    check_applied_edit(ledger, note, changed)
    ledger.save(changed, writing.actor, "updated" if note.status == status else "approved")
    if ledger.has_applied(changed):
        ledger.settle(changed, writing.actor)
    return ledger.credit_notes[changed.document_id]


def post_credit_note(ledger: Ledger, element: Json, writing: Writing, path_key: str | None = None) -> CreditNote:
    """POST: update by CreditNoteID, else by CreditNoteNumber (a stranger's too), else create.

    Raises:
        Refused: Xero's validation messages.
        NotFound: The path or the CreditNoteID names nothing.
    """
    reference = path_key or element.get("CreditNoteID")
    if reference:
        note = find_credit_note(ledger, reference)
        if note is None:
            raise errors.NotFound
        return update_credit_note(ledger, note, element, writing)
    existing = find_credit_note(ledger, element.get("CreditNoteNumber", ""))
    if existing:
        return update_credit_note(ledger, existing, element, writing)
    return create_credit_note(ledger, element, writing)


def end_credit_note(ledger: Ledger, note: CreditNote, status: str, actor: str) -> CreditNote:
    """Void an approved credit note, or delete a draft.

    Raises:
        Refused: Its period is closed.
    """
    if status == "VOIDED":
        check_lock_dates(ledger, note.date)
    ended = replace(note, status=status, updated_at=ledger.clock.now())
    ledger.save(ended, actor, status.lower())
    return ended


def _read(ledger: Ledger, old: CreditNote | None, note: CreditNote, element: Json, writing: Writing) -> CreditNote:
    note = read_header(ledger, note, element, writing)
    note = read_lines(ledger, old, note, element, writing, discounts=False)
    if note.status != "DRAFT" and not note.lines:
        raise Refused(errors.LINES_REQUIRED)
    if note.status == "AUTHORISED":
        check_lock_dates(ledger, note.date)
    return note
