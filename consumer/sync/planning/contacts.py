"""The contact of the patient."""

from consumer.results import Operation
from consumer.sync.link import LinkKind
from consumer.sync.planning import bodies, texts
from consumer.sync.planning.draft import Draft
from consumer.sync.step import Remark, Stage


def plan_contact(draft: Draft) -> bool:
    """Plan the patient's contact: made at the first sync, later kept in step by its name alone.

    Return whether an invoice may follow it.
    """
    patient = draft.patient
    name = bodies.contact_name(patient)
    details = bodies.contact_details_hash(patient)
    link = draft.links.get(LinkKind.CONTACT, patient.patient_id)
    if link is None:
        return _create_contact(draft, name, details)
    if link.detail.get("details", details) != details:
        draft.skip(
            Operation.CONTACT_RENAME, patient.patient_id, "contact_details_not_sent", {"patient_id": patient.patient_id}
        )
    refused = link.detail.get("refused_name") == name and not draft.circumstances.rename_again
    if link.detail.get("name") != name and not refused:
        stale = {"full_name"} if link.detail.get("refused_name") == name else {"full_name", "refused_name"}
        # A name that was refused before stays on record: whether it is free by now is worth a look first.
        known = {key: value for key, value in link.detail.items() if key not in stale}
        body = bodies.rename_body(patient, name, link.xero_id or "")
        draft.add(
            Stage.CONTACT_RENAME,
            Operation.CONTACT_RENAME,
            LinkKind.CONTACT,
            patient.patient_id,
            body=body,
            target_id=link.xero_id,
            reasons=("the patient's name changed",),
            warnings=texts.name_remarks(patient),
            detail={**known, "name": name},
        )
    return True


def _create_contact(draft: Draft, name: str, details: str) -> bool:
    patient = draft.patient
    if not texts.takes_contact_number(patient.patient_id):
        draft.fail(Operation.CONTACT_CREATE, patient.patient_id, "patient_number_refused", {})
        return False
    suffix = draft.circumstances.suffix
    full_name = bodies.numbered_name(name, patient.patient_id, suffix)
    body, warnings = bodies.contact_body(patient, full_name, draft.circumstances.left_out)
    warnings += texts.name_remarks(patient, room=bodies.room_for_name(patient.patient_id, suffix))
    if suffix:
        warnings.append(Remark("name_with_number"))
    draft.add(
        Stage.CONTACT_CREATE,
        Operation.CONTACT_CREATE,
        LinkKind.CONTACT,
        patient.patient_id,
        body=body,
        reasons=("the patient has no contact in this Xero organisation yet",),
        warnings=warnings,
        # `name` is what later renames are judged by, `full_name` what Xero shows where it wanted another one.
        detail={"name": name, "details": details, **({"full_name": full_name} if suffix else {})},
    )
    return True
