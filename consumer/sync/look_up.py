"""Looking up in Xero what became of steps: as few reads as they need, each judged by our own marks."""

from collections.abc import Collection, Sequence
from typing import Any

from consumer.sync.link import LinkKind
from consumer.sync.sighting import (
    Sight,
    Sighting,
    judge_allocation,
    judge_by_mark,
    judge_changed_document,
    judge_contact,
    judge_new_document,
    judge_number,
    judge_payment,
    same_text,
)
from consumer.sync.step import Stage, Step
from consumer.xero import AnswerLostError, TenantClient

_OF_ALLOCATIONS = frozenset({Stage.ALLOCATE, Stage.DEALLOCATE})


def look_up(tenant: TenantClient, steps: Sequence[Step], *, linked: Collection[str] | None = None) -> list[Sighting]:
    """Return what Xero holds of each of `steps`, which are all of one stage.

    With `linked`, the ids of the invoices that we know already, a new invoice that its number does not find is looked
    for among its contact's others as well.

    Raises:
        XeroError: a read failed, or its answer can't be understood; nothing is known.
    """
    try:
        sightings = _look_up(tenant, steps)
        if linked is not None and steps[0].stage is Stage.INVOICE_CREATE:
            return _look_for_marks(tenant, steps, sightings, linked)
    except ValueError as error:
        raise AnswerLostError(f"Xero's answer has another form than it documents: {error}") from error
    return sightings


def look_up_numbers(tenant: TenantClient, steps: Sequence[Step]) -> list[Sighting]:
    """Return which other document holds the number that each of `steps` was to give an invoice, or a credit note.

    Raises:
        XeroError: a read failed; nothing is known.
    """
    documents = _by_number(tenant, steps)
    return [judge_number(step, documents) for step in steps]


def looked_up_by(step: Step) -> str:
    """Return what stands in the address of the read that looks `step` up, so that many can be cut into reads."""
    stage = step.stage
    if stage is Stage.CONTACT_CREATE:
        return f'ContactNumber=="{step.local_id}"'
    if stage is Stage.INVOICE_CREATE:
        return str(step.body["InvoiceNumber"])
    if stage is Stage.CREDIT_NOTE_CREATE:
        return f'CreditNoteNumber=="{step.body["CreditNoteNumber"]}"'
    if stage in {Stage.PAYMENT_CREATE, Stage.PAYMENT_DELETE}:
        return _paid_invoice(step)
    if stage in {Stage.CONTACT_RENAME, Stage.INVOICE_UPDATE}:
        return str(step.target_id)
    return f'CreditNoteID==guid("{_note_id(step)}")'


def _look_up(tenant: TenantClient, steps: Sequence[Step]) -> list[Sighting]:
    stage = steps[0].stage
    ids = [step.target_id for step in steps if step.target_id is not None]
    if stage in {Stage.CONTACT_CREATE, Stage.CONTACT_RENAME}:
        by_number = stage is Stage.CONTACT_CREATE
        numbers = [step.local_id for step in steps]
        contacts = tenant.contacts_by_number(numbers) if by_number else tenant.contacts_by_id(ids)
        return [judge_contact(step, contacts) for step in steps]
    if stage in {Stage.INVOICE_CREATE, Stage.CREDIT_NOTE_CREATE}:
        documents = _by_number(tenant, steps)
        return [judge_new_document(step, documents) for step in steps]
    if stage is Stage.INVOICE_UPDATE:
        invoices = tenant.invoices_by_id(ids)
        return [judge_changed_document(step, invoices) for step in steps]
    if stage in {Stage.PAYMENT_CREATE, Stage.PAYMENT_DELETE}:
        payments = tenant.standing_payments(_paid_invoice(step) for step in steps)
        return [judge_payment(step, payments) for step in steps]
    notes = tenant.credit_notes_by_id(_note_id(step) for step in steps)
    return [_judge_note(step, notes) for step in steps]


def _by_number(tenant: TenantClient, steps: Sequence[Step]) -> list[dict[str, Any]]:
    if steps[0].kind is LinkKind.INVOICE:
        return tenant.invoices_by_number(step.body["InvoiceNumber"] for step in steps)
    return tenant.credit_notes_by_number(step.body["CreditNoteNumber"] for step in steps)


def _look_for_marks(
    tenant: TenantClient, steps: Sequence[Step], sightings: Sequence[Sighting], linked: Collection[str]
) -> list[Sighting]:
    """Return `sightings`, those that their numbers led to nothing of ours judged by what their contacts have."""
    contacts = [_contact_id(step) for step in steps]
    open_ones = [
        contact
        for contact, sighting in zip(contacts, sightings, strict=True)
        if contact is not None and sighting.sight in {Sight.ABSENT, Sight.STRANGER}
    ]
    if not open_ones:
        return list(sightings)
    invoices = tenant.invoices_of_contacts(open_ones)
    found = []
    for step, sighting in zip(steps, sightings, strict=True):
        marked = judge_by_mark(step, invoices, linked)
        is_open = sighting.sight in {Sight.ABSENT, Sight.STRANGER}
        found.append(marked if is_open and marked.sight is not Sight.ABSENT else sighting)
    return found


def _contact_id(step: Step) -> str | None:
    contact: dict[str, str | None] = step.body.get("Contact") or {}
    return contact.get("ContactID")


def _paid_invoice(step: Step) -> str:
    creates = step.stage is Stage.PAYMENT_CREATE
    return str(step.body["Invoice"]["InvoiceID"] if creates else step.detail["invoice_id"])


def _note_id(step: Step) -> str:
    return str(step.detail["credit_note_xero_id"] if step.stage in _OF_ALLOCATIONS else step.target_id)


def _judge_note(step: Step, notes: Sequence[dict[str, Any]]) -> Sighting:
    found = [note for note in notes if same_text(note.get("CreditNoteID"), _note_id(step))]
    if not found:
        removal = step.stage in {Stage.DEALLOCATE, Stage.CREDIT_NOTE_VOID}
        return Sighting(Sight.DONE if removal else Sight.GONE)
    return judge_allocation(step, found[0]) if step.stage in _OF_ALLOCATIONS else judge_changed_document(step, found)
