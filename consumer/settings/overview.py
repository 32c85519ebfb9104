"""What holds for an organisation: its defaults, what each clinic overrides, and what comes of both."""

import msgspec
from psycopg import Connection
from psycopg.rows import TupleRow, dict_row

from consumer.database import load_queries
from consumer.settings.clinic_settings import ClinicSettings, load_clinic_settings
from consumer.settings.settings_file import FIELDS, Value

_QUERIES = load_queries(__file__, "application.sql")


class ClinicOverview(msgspec.Struct, frozen=True):
    """One clinic: what it overrides itself, by the names of `FIELDS`, and what holds for it."""

    overrides: dict[str, Value]
    settings: ClinicSettings


class SettingsOverview(msgspec.Struct, frozen=True):
    """One organisation: its defaults as far as they are set, and its clinics by id."""

    organisation_id: str
    defaults: dict[str, Value]
    clinics: dict[str, ClinicOverview]


def load_overview(connection: Connection[TupleRow], organisation_id: str) -> SettingsOverview | None:
    """Load the settings of `organisation_id`; None where none were ever applied."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_QUERIES["read"], {"organisation_id": organisation_id}).fetchall()
    set_values = {row["clinic_id"]: {field: row[field] for field in FIELDS if row[field] is not None} for row in rows}
    if None not in set_values:
        return None
    resolved = load_clinic_settings(connection, organisation_id)
    return SettingsOverview(
        organisation_id=organisation_id,
        defaults=set_values[None],
        clinics={
            clinic_id: ClinicOverview(set_values.get(clinic_id, {}), settings)
            for clinic_id, settings in resolved.items()
        },
    )
