"""What a look-up found of one element of a call whose answer was lost, and the link that comes of it. Pure."""

import msgspec

from consumer.sync.intents import OpenElement, OpenIntent
from consumer.sync.link import Link
from consumer.sync.outcome import link_after
from consumer.sync.sighting import Sight, Sighting
from consumer.sync.step import Stage, Step

OF_NEW_DOCUMENTS = frozenset({Stage.INVOICE_CREATE, Stage.CREDIT_NOTE_CREATE})


class Verdict(msgspec.Struct, frozen=True):
    """An element, the step that it was, and what Xero holds of it."""

    element: OpenElement
    step: Step
    sighting: Sighting


def link_of(intent: OpenIntent, tenant_id: str, verdict: Verdict) -> Link | None:
    """Return the link to remember; None where Xero holds nothing of it."""
    sighting = verdict.sighting
    # Voided meanwhile by people: remembered too, or nothing but the clash of numbers kept us from making it again.
    is_gone = sighting.sight is Sight.GONE and verdict.step.stage in OF_NEW_DOCUMENTS
    if sighting.sight not in {Sight.DONE, Sight.OTHERWISE, Sight.TWICE} and not is_gone:
        return None
    # Of two the first counts as ours, so that no third is made; a person sees to the other.
    if sighting.sight is Sight.OTHERWISE:
        if verdict.step.stage not in {Stage.INVOICE_UPDATE, Stage.CREDIT_NOTE_UPDATE}:
            return None
        # Not carried out: what Xero holds is the old content, which no hash of ours stands for any more.
        verdict = Verdict(verdict.element, msgspec.structs.replace(verdict.step, content_hash=""), sighting)
    link = link_after(
        verdict.step,
        tenant_id=tenant_id,
        organisation_id=intent.organisation_id,
        xero_id=sighting.xero_id,
        document=sighting.document,
    )
    if verdict.step.stage is Stage.CREDIT_NOTE_UPDATE and sighting.sight is Sight.OTHERWISE:
        return msgspec.structs.replace(link, detail={**link.detail, "order": ""})
    return link
