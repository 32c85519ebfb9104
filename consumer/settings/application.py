"""Settings of a file into the tables, whole: what the file doesn't say does not hold any more."""

import json
from typing import NamedTuple

from psycopg import Connection
from psycopg.rows import TupleRow, dict_row

from consumer.database import load_queries
from consumer.settings.settings_file import FIELDS, FileSettings, Value

_QUERIES = load_queries(__file__, "application.sql")

# What holds where [organisation] is silent: nothing is sent by itself until someone says so.
_DEFAULTS: dict[str, Value] = {"synchronisation_enabled": False, "mode": "manual", "invoice_status": "draft"}

_Row = dict[str, Value | None]


class Difference(NamedTuple):
    """One changed setting. `clinic_id` is None for the organisation's defaults; a value None is "not set".

    A clinic that enters or leaves the file is a difference of the field `listed`.
    """

    clinic_id: str | None
    field: str
    before: Value | None
    after: Value | None


def apply_settings(connection: Connection[TupleRow], settings: FileSettings, *, actor: str) -> list[Difference]:
    """Make `settings` hold for their organisation, in one transaction; return what changed.

    The file is the whole truth: defaults that it leaves out go back to "not set" (and synchronisation to off, the
    mode to manual, invoices to draft), and clinics that it doesn't name lose what they overrode. Applying the same
    file again changes nothing.
    """
    organisation_id = settings.organisation_id
    with connection.transaction():
        lock_settings(connection, organisation_id)
        before = _read(connection, organisation_id)
        after = _wanted(settings)
        _write_tenants_as_xero_does(connection, organisation_id, after)
        differences = _compare(before, after)
        if differences or None not in before:
            _write(connection, organisation_id, after, actor)
            detail = [difference._asdict() for difference in differences]
            connection.execute(
                _QUERIES["audit"],
                {"organisation_id": organisation_id, "actor": actor, "detail": json.dumps({"changed": detail})},
            )
    return differences


def lock_settings(connection: Connection[TupleRow], organisation_id: str) -> None:
    """Let nobody else apply settings of the organisation until the transaction ends."""
    connection.execute(_QUERIES["lock"], {"organisation_id": organisation_id})


def _wanted(settings: FileSettings) -> dict[str | None, _Row]:
    wanted: dict[str | None, _Row] = {None: _full(_DEFAULTS | settings.defaults)}
    for clinic_id, overrides in settings.clinics.items():
        wanted[clinic_id] = _full(overrides)
    return wanted


def _write_tenants_as_xero_does(
    connection: Connection[TupleRow], organisation_id: str, rows: dict[str | None, _Row]
) -> None:
    """Give ids of tenants the case in which Xero lists them: the push asks for the very same text."""
    found = connection.execute(_QUERIES["tenant_ids"], {"organisation_id": organisation_id}).fetchall()
    listed = {tenant_id.lower(): tenant_id for (tenant_id,) in found}
    for row in rows.values():
        wanted = row["tenant_id"]
        if isinstance(wanted, str):
            row["tenant_id"] = listed.get(wanted.lower(), wanted)


def _full(values: dict[str, Value]) -> _Row:
    return {field: values.get(field) for field in FIELDS}


def _read(connection: Connection[TupleRow], organisation_id: str) -> dict[str | None, _Row]:
    """Return the rows of the organisation (under None) and of its clinics."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_QUERIES["read"], {"organisation_id": organisation_id}).fetchall()
    return {row["clinic_id"]: {field: row[field] for field in FIELDS} for row in rows}


def _write(connection: Connection[TupleRow], organisation_id: str, wanted: dict[str | None, _Row], actor: str) -> None:
    scope = {"organisation_id": organisation_id, "actor": actor}
    connection.execute(_QUERIES["write_organisation"], wanted[None] | scope)
    connection.execute(_QUERIES["remove_clinics"], scope)
    with connection.cursor() as cursor:
        cursor.executemany(
            _QUERIES["write_clinic"],
            [row | scope | {"clinic_id": clinic_id} for clinic_id, row in wanted.items() if clinic_id is not None],
        )


def _compare(before: dict[str | None, _Row], after: dict[str | None, _Row]) -> list[Difference]:
    differences = []
    for clinic_id in sorted(before.keys() | after.keys(), key=lambda key: (key is not None, key or "")):
        old, new = before.get(clinic_id), after.get(clinic_id)
        if clinic_id is not None and (old is None or new is None):
            differences.append(Difference(clinic_id, "listed", old is not None, new is not None))
        for field in FIELDS:
            was, becomes = (old or {}).get(field), (new or {}).get(field)
            if was != becomes:
                differences.append(Difference(clinic_id, field, was, becomes))
    return differences
