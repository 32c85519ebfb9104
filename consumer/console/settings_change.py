"""A change of settings: tried out in a transaction that is taken back, to see what it would do; then made to hold."""

import hashlib
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from psycopg import Connection
from psycopg.rows import class_row

from consumer.console.refusal import Refusal, unusable
from consumer.console.settings_faults import name_clinics, split_findings
from consumer.database import load_queries
from consumer.results import left_behind_count
from consumer.settings import (
    CATEGORIES,
    FIELDS,
    Difference,
    FileSettings,
    Finding,
    SettingsError,
    apply_settings,
    check_settings,
    load_overview,
    lock_settings,
    read_settings_document,
)
from consumer.sync.queue import wake_after_settings

_QUERIES = load_queries(__file__, "settings_change.sql")
Document = dict[str, Any]


class Effects(msgspec.Struct, frozen=True):
    """What a change does.

    Orders: tried again at once · that the next push touches · saved while synchronisation was off, in clinics where it
    is on then · linked to another tenant.

    `impossible` are the faults that it brings about, and that keep it from being saved; `findings` all others.
    """

    differences: tuple[Difference, ...]
    impossible: tuple[Finding, ...]
    findings: tuple[Finding, ...]
    tried_again: int
    to_push: int
    left_behind: int
    linked_elsewhere: int


class _Counts(msgspec.Struct, frozen=True):
    to_push: int
    linked_elsewhere: int


def load_document(connection: Connection[Any], organisation_id: str) -> Document:
    """Return the settings as they are, in the shape of the settings file."""
    overview = load_overview(connection, organisation_id)
    if overview is None:
        return {"organisation": {"id": organisation_id}, "clinic": []}
    return {
        "organisation": {"id": organisation_id, **nested(overview.defaults)},
        "clinic": [
            {"id": clinic_id, **nested(clinic.overrides)}
            for clinic_id, clinic in overview.clinics.items()
            if clinic.settings.overridden
        ],
    }


def nested(values: Mapping[str, Any]) -> Document:
    """Return `values`, by the names of FIELDS, in the shape of one table of the settings file."""
    table: Document = {}
    for field in FIELDS:
        value = values.get(field)
        if value is None:
            continue
        category = next((name for name in CATEGORIES if field.startswith(f"{name}_")), None)
        if category is None:
            table[field] = value
        else:
            table.setdefault("categories", {}).setdefault(category, {})[field.removeprefix(f"{category}_")] = value
    return table


def fingerprint(document: Document) -> str:
    """Return a mark of settings as somebody saw them."""
    return hashlib.sha256(msgspec.json.encode(document, order="deterministic")).hexdigest()[:16]


def tenant_ids(wanted: FileSettings) -> frozenset[str]:
    """Return the tenants that settings name, in lower case."""
    return frozenset(str(values.get("tenant_id")).lower() for values in (wanted.defaults, *wanted.clinics.values()))


def read_document(document: Document) -> FileSettings:
    """Check `document`. Raises Refusal, naming every fault in it."""
    try:
        return read_settings_document(document, "settings")
    except SettingsError as error:
        raise unusable("These settings can't be used.", " ".join(error.errors)) from error


def try_settings(connection: Connection[Any], wanted: FileSettings, *, actor: str) -> Effects:
    """Return what `wanted` would do; nothing of it stays."""
    with connection.transaction(force_rollback=True):
        return make_settings(connection, wanted, actor=actor)


def make_settings(connection: Connection[Any], wanted: FileSettings, *, actor: str) -> Effects:
    """Make `wanted` hold, and let go what had failed for the old settings' sake; return what it did."""
    organisation_id = wanted.organisation_id
    before = check_settings(connection, organisation_id)
    differences = apply_settings(connection, wanted, actor=actor)
    impossible, findings = split_findings(before, check_settings(connection, organisation_id), differences)
    clinic_ids = {difference.clinic_id for difference in differences}
    tried_again = wake_after_settings(connection, organisation_id)
    with connection.cursor(row_factory=class_row(_Counts)) as cursor:
        counts = cursor.execute(
            _QUERIES["counts"],
            {
                "organisation_id": organisation_id,
                # A change of the defaults may concern any clinic.
                "clinic_ids": None if None in clinic_ids else sorted(clinic_ids - {None}, key=str),
            },
        ).fetchone()
    assert counts is not None  # noqa: S101 -- the query gives one row in every case
    return Effects(
        differences=tuple(differences),
        impossible=impossible,
        findings=findings,
        tried_again=tried_again,
        to_push=counts.to_push,
        left_behind=left_behind_count(connection, organisation_id),
        linked_elsewhere=counts.linked_elsewhere,
    )


def refuse_impossible(effects: Effects) -> None:
    """Raise Refusal where the change brings about what could never work."""
    if effects.impossible:
        raise unusable(
            "These settings can't work in Xero.",
            " ".join(f"{name_clinics(fault)}{fault.message} {fault.fix}" for fault in effects.impossible),
        )


def refuse_stale(
    connection: Connection[Any], organisation_id: str, *seen: str, status: HTTPStatus = HTTPStatus.CONFLICT
) -> None:
    """Raise Refusal where the settings are not any more what somebody saw before changing them.

    Nobody else can change them from then on, until the transaction ends.
    """
    lock_settings(connection, organisation_id)
    if fingerprint(load_document(connection, organisation_id)) not in seen:
        raise Refusal(
            status,
            "Somebody changed the settings meanwhile.",
            "Nothing was saved. Look at them again.",
        )
