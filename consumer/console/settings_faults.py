"""Which faults of settings a change is to blame for: only those are a reason not to save it. Pure."""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from consumer.settings import Difference, Finding

# With these nothing could ever be pushed: what is chosen is not there, or not for that. Each with the ends of the names
# of those settings that can bring it about.
_CAUSES = {
    "unknown_tenant": ("tenant_id",),
    "tenant_without_books": ("tenant_id",),
    "revenue_account_unusable": ("tenant_id", "_revenue_account"),
    "payment_account_unusable": ("tenant_id", "payment_account"),
    "tax_type_unusable": ("tenant_id", "_tax_type"),
}


def split_findings(
    before: Iterable[Finding], after: Sequence[Finding], differences: Sequence[Difference]
) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """Return what of `after` the change brings about and can't work, and all the rest.

    What was wrong before is no reason to refuse: else one account that was archived in Xero would lock every other
    setting, and even turning the synchronisation off. Nor is what a clinic inherits once it gives up an override.
    """
    known = {(finding.code, finding.message, clinic_id) for finding in before for clinic_id in finding.clinic_ids}
    introduced: list[Finding] = []
    others: list[Finding] = []
    for finding in after:
        blamed = tuple(
            clinic_id
            for clinic_id in finding.clinic_ids
            if (finding.code, finding.message, clinic_id) not in known and _is_chosen(finding, clinic_id, differences)
        )
        rest = tuple(clinic_id for clinic_id in finding.clinic_ids if clinic_id not in blamed)
        if blamed:
            introduced.append(msgspec.structs.replace(finding, clinic_ids=blamed))
        if rest or not blamed:
            others.append(msgspec.structs.replace(finding, clinic_ids=rest))
    return tuple(introduced), tuple(others)


def name_clinics(finding: Finding) -> str:
    """Return what comes before a finding's message: the clinics that it concerns."""
    return f"{', '.join(finding.clinic_ids)}: " if finding.clinic_ids else ""


def _is_chosen(finding: Finding, clinic_id: str, differences: Iterable[Difference]) -> bool:
    """Whether the change chooses something, for the clinic or for all, that `finding` may come from."""
    causes = _CAUSES.get(finding.code)
    return causes is not None and any(field.endswith(causes) for field in _chosen_fields(clinic_id, differences))


def _chosen_fields(clinic_id: str, differences: Iterable[Difference]) -> Iterator[str]:
    for difference in differences:
        if difference.after is not None and difference.clinic_id in {None, clinic_id}:
            yield difference.field
