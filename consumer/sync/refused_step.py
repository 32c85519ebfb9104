"""One element that Xero refused, and what can be told of it and of what it was to change. Pure but for one look-up."""

import msgspec

from consumer.results import Behaviour, Problem, ProblemClass
from consumer.sync.job import Job
from consumer.sync.look_up import look_up_numbers
from consumer.sync.sighting import Sight, Sighting
from consumer.sync.step import Stage, Step
from consumer.xero import TenantClient

# What Xero says of an edit that it doesn't take because the invoice is paid.
_OF_PAID = frozenset({"invoice_has_payments", "status_has_payments", "document_closed"})


class RefusedStep(msgspec.Struct, frozen=True):
    """What Xero refused of `jobs`, and the problem that its words tell."""

    step: Step
    jobs: tuple[Job, ...]
    problem: Problem
    # What Xero made, where it made it otherwise than it was asked to.
    made: Sighting | None = None
    # Something that the call named is not there, and Xero does not say what.
    nameless: bool = False


def may_be_done(refusal: RefusedStep) -> bool:
    """Whether what was refused may be so in Xero already."""
    if Behaviour.LOOK_UP in refusal.problem.behaviours or refusal.problem.code == "not_in_catalogue":
        return True
    # Someone may have made the same change by hand, or voided the invoice: one read tells for the whole call.
    return refusal.step.stage is Stage.INVOICE_UPDATE and refusal.problem.problem_class is ProblemClass.XERO


def find_holders(refusals: list[RefusedStep], sightings: list[Sighting], tenant: TenantClient) -> None:
    """Put what holds the number in the place of what was to get it, where that is what Xero minds of a change."""
    changes = {Stage.INVOICE_UPDATE, Stage.CREDIT_NOTE_UPDATE}
    clashing = [
        position
        for position, (refusal, sighting) in enumerate(zip(refusals, sightings, strict=True))
        if refusal.step.stage in changes
        and refusal.problem.code == "number_taken"
        and sighting.sight is Sight.OTHERWISE
    ]
    if not clashing:
        return
    holders = look_up_numbers(tenant, [refusals[position].step for position in clashing])
    for position, holder in zip(clashing, holders, strict=True):
        if holder.sight is Sight.STRANGER:
            sightings[position] = holder


def was_paid(refusal: RefusedStep, sighting: Sighting) -> bool:
    """Whether an edit was refused because the invoice is paid, and for no other reason that Xero gave."""
    is_paid = sighting.document.get("Status") == "PAID"
    return refusal.step.stage is Stage.INVOICE_UPDATE and is_paid and refusal.problem.code in _OF_PAID


def has_other_lines(step: Step, sighting: Sighting) -> bool:
    """Whether the step names lines of an invoice that has others by now."""
    ours = {line["LineItemID"] for line in step.body.get("LineItems", ()) if "LineItemID" in line}
    theirs = {line.get("LineItemID") for line in sighting.document.get("LineItems") or () if isinstance(line, dict)}
    return step.stage is Stage.INVOICE_UPDATE and not ours <= theirs


def deleted_by_others(step: Step) -> bool:
    """Whether a removal that is done already must not be followed by what was to take the place.

    A payment that people deleted in Xero and that changed in HearLink since is not made again.
    """
    return step.stage is Stage.PAYMENT_DELETE and "deleted in HearLink" not in step.reasons


def within_sentence(step: Step) -> str:
    """Return what `step` concerns, as it stands within a sentence."""
    kind = describe(step)
    return f"{kind[0].lower()}{kind[1:]}"


def describe(step: Step) -> str:
    """Return what `step` concerns, as it begins a sentence: "The invoice WH-1"."""
    number = step.body.get("InvoiceNumber") or step.body.get("CreditNoteNumber") or step.detail.get("number") or ""
    amount = step.detail.get("amount", "")
    return {
        "contact": "The patient's contact",
        "invoice": f"The invoice {number}",
        "credit_note": f"The credit note {number}",
        "allocation": "The allocation of the credit note",
        "payment": f"The payment of {amount}",
    }[step.kind.value].strip()
