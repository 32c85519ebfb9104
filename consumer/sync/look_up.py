"""Looking up in Xero what became of steps: as few reads as they need, each judged by our own marks."""

from collections.abc import Sequence
from typing import Any

from consumer.sync.sighting import (
    Sight,
    Sighting,
    judge_allocation,
    judge_changed_document,
    judge_contact,
    judge_new_document,
    judge_payment,
)
from consumer.sync.step import Stage, Step
from consumer.xero import AnswerLostError, NotFoundError, TenantClient


def look_up(tenant: TenantClient, steps: Sequence[Step]) -> list[Sighting]:
    """Return what Xero holds of each of `steps`, which are all of one stage.

    Raises:
        XeroError: a read failed, or its answer can't be understood; nothing is known.
    """
    try:
        return _look_up(tenant, steps)
    except ValueError as error:
        raise AnswerLostError(f"Xero's answer has another form than it documents: {error}") from error


def _look_up(tenant: TenantClient, steps: Sequence[Step]) -> list[Sighting]:
    stage = steps[0].stage
    ids = [step.target_id for step in steps if step.target_id is not None]
    if stage in {Stage.CONTACT_CREATE, Stage.CONTACT_RENAME}:
        by_number = stage is Stage.CONTACT_CREATE
        numbers = [step.local_id for step in steps]
        contacts = tenant.contacts_by_number(numbers) if by_number else tenant.contacts_by_id(ids)
        return [judge_contact(step, contacts) for step in steps]
    if stage in {Stage.INVOICE_CREATE, Stage.CREDIT_NOTE_CREATE}:
        documents = _by_number(tenant, stage, steps)
        return [judge_new_document(step, documents) for step in steps]
    if stage is Stage.INVOICE_UPDATE:
        invoices = tenant.invoices_by_id(ids)
        return [judge_changed_document(step, invoices) for step in steps]
    if stage in {Stage.PAYMENT_CREATE, Stage.PAYMENT_DELETE}:
        payments = tenant.standing_payments(_paid_invoice(step) for step in steps)
        return [judge_payment(step, payments) for step in steps]
    return [_look_up_note(tenant, step) for step in steps]


def _by_number(tenant: TenantClient, stage: Stage, steps: Sequence[Step]) -> list[dict[str, Any]]:
    if stage is Stage.INVOICE_CREATE:
        return tenant.invoices_by_number(step.body["InvoiceNumber"] for step in steps)
    return tenant.credit_notes_by_number(step.body["CreditNoteNumber"] for step in steps)


def _paid_invoice(step: Step) -> str:
    creates = step.stage is Stage.PAYMENT_CREATE
    return str(step.body["Invoice"]["InvoiceID"] if creates else step.detail["invoice_id"])


def _look_up_note(tenant: TenantClient, step: Step) -> Sighting:
    of_allocation = step.stage in {Stage.ALLOCATE, Stage.DEALLOCATE}
    note_id = step.detail["credit_note_xero_id"] if of_allocation else step.target_id
    assert note_id is not None  # noqa: S101 -- only notes that Xero has are changed or allocated
    try:
        note = tenant.credit_note(note_id)
    except NotFoundError:
        removal = step.stage in {Stage.DEALLOCATE, Stage.CREDIT_NOTE_VOID}
        return Sighting(Sight.DONE if removal else Sight.GONE)
    return judge_allocation(step, note) if of_allocation else judge_changed_document(step, [note])
