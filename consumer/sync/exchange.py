"""From steps to calls: which call carries them, and which answer belongs to which step."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from consumer.sync.step import Stage, Step
from consumer.xero import ElementResult, Grant, TenantClient
from consumer.xero.payloads import BATCH_ELEMENTS

# Xero removes payments and allocations, and makes allocations, one at a time.
SINGLE_STAGES = frozenset({Stage.PAYMENT_DELETE, Stage.DEALLOCATE, Stage.ALLOCATE})

# Method and path of each stage's call, as the intent records them.
ADDRESSES = {
    Stage.CONTACT_CREATE: ("PUT", "Contacts"),
    Stage.CONTACT_RENAME: ("POST", "Contacts"),
    Stage.PAYMENT_DELETE: ("POST", "Payments/{id}"),
    Stage.DEALLOCATE: ("DELETE", "CreditNotes/{id}/Allocations/{id}"),
    Stage.CREDIT_NOTE_VOID: ("POST", "CreditNotes"),
    Stage.INVOICE_CREATE: ("PUT", "Invoices"),
    Stage.INVOICE_UPDATE: ("POST", "Invoices"),
    Stage.CREDIT_NOTE_CREATE: ("PUT", "CreditNotes"),
    Stage.CREDIT_NOTE_UPDATE: ("POST", "CreditNotes"),
    Stage.ALLOCATE: ("PUT", "CreditNotes/{id}/Allocations"),
    Stage.PAYMENT_CREATE: ("PUT", "Payments"),
}


class StepResult(NamedTuple):
    """What Xero said to one step. `messages` are its sentences, verbatim; empty where it was accepted.

    `kind` is the type of an error of the whole call, `unmade` that Xero said neither no nor what it made.
    """

    step: Step
    ok: bool
    xero_id: str | None
    document: dict[str, Any]
    messages: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    kind: str = ""
    unmade: bool = False


def elements_per_call(stage: Stage) -> int:
    """How many steps of `stage` one call takes."""
    return 1 if stage in SINGLE_STAGES else BATCH_ELEMENTS


def send(tenant: TenantClient, steps: Sequence[Step], *, idempotency_key: str, grant: Grant) -> list[StepResult]:
    """Send `steps`, which are of one stage and no more than a call takes; return what became of each.

    Raises:
        XeroError: the call as a whole; see its classes for what each asks for.
    """
    results = _send(tenant, steps, idempotency_key, grant)
    return [
        StepResult(
            step,
            result.ok,
            result.xero_id,
            result.document,
            result.messages,
            result.warnings,
            unmade=result.unmade,
        )
        for step, result in zip(steps, results, strict=True)
    ]


def _send(tenant: TenantClient, steps: Sequence[Step], key: str, grant: Grant) -> list[ElementResult]:
    stage = steps[0].stage
    if stage in SINGLE_STAGES:
        (step,) = steps
        return [_send_single(tenant, step, key, grant)]
    write = {
        Stage.CONTACT_CREATE: tenant.put_contacts,
        Stage.CONTACT_RENAME: tenant.post_contacts,
        Stage.CREDIT_NOTE_VOID: tenant.post_credit_notes,
        Stage.INVOICE_CREATE: tenant.put_invoices,
        Stage.INVOICE_UPDATE: tenant.post_invoices,
        Stage.CREDIT_NOTE_CREATE: tenant.put_credit_notes,
        Stage.CREDIT_NOTE_UPDATE: tenant.post_credit_notes,
        Stage.PAYMENT_CREATE: tenant.put_payments,
    }[stage]
    return write([step.body for step in steps], idempotency_key=key, grant=grant)


def _send_single(tenant: TenantClient, step: Step, key: str, grant: Grant) -> ElementResult:
    assert step.target_id is not None  # noqa: S101 -- the stages before brought it, or the step would not be sent
    if step.stage is Stage.PAYMENT_DELETE:
        return tenant.delete_payment(step.target_id, idempotency_key=key, grant=grant)
    if step.stage is Stage.ALLOCATE:
        return tenant.put_allocation(step.target_id, step.body, idempotency_key=key, grant=grant)
    return tenant.delete_allocation(step.detail["credit_note_xero_id"], step.target_id, grant=grant)
