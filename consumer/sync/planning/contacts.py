"""The contact of the patient."""

from consumer.results import Operation
from consumer.sync.link import LinkKind
from consumer.sync.planning import bodies
from consumer.sync.planning.draft import Draft
from consumer.sync.step import Stage


def plan_contact(draft: Draft) -> None:
    """Plan the patient's contact: made at the first sync, later kept in step by its name alone."""
    patient = draft.patient
    name = bodies.contact_name(patient)
    details = bodies.contact_details_hash(patient)
    link = draft.links.get(LinkKind.CONTACT, patient.patient_id)
    if link is None:
        _create_contact(draft, name, details)
        return
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
            detail={**known, "name": name},
        )


def _create_contact(draft: Draft, name: str, details: str) -> None:
    patient = draft.patient
    suffix = draft.circumstances.suffix
    full_name = bodies.suffixed_name(name, patient.patient_id, whole_id=suffix > 1) if suffix else name
    body, warnings = bodies.contact_body(patient, full_name, draft.circumstances.left_out)
    if name != " ".join(f"{patient.first_name} {patient.last_name}".split()):
        warnings = (*warnings, "name_mended")
    if suffix:
        warnings = (*warnings, "name_with_number")
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
