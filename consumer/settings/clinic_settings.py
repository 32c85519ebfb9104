"""A clinic's settings as the sync reads them: the organisation's defaults with the clinic's overrides in place."""

from collections.abc import Collection
from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec
from psycopg import Connection
from psycopg.rows import TupleRow, dict_row

from consumer.database import load_queries

# The keys of ClinicSettings.categories, of the TOML's tables and, as prefixes, of the columns.
CATEGORIES = ("hearing_aids", "accessories", "services", "custom_items")

# A pair of the dearest hearing aids, with all that goes with it, is some 10,000: more than ten times of that is hardly
# one patient's, in pounds, euros or dollars. Where money is counted otherwise, the settings say another limit.
AMOUNT_LIMIT = Decimal("100000.00")

_QUERIES = load_queries(__file__, "clinic_settings.sql")


class Mode(StrEnum):
    """Auto: every change is pushed. Manual: only what someone asks for."""

    AUTO = "auto"
    MANUAL = "manual"


class InvoiceStatus(StrEnum):
    """The status in which new invoices are created."""

    DRAFT = "draft"
    AUTHORISED = "authorised"


class CategorySettings(msgspec.Struct, frozen=True):
    """Where a category's lines go: an account's code or id, and Xero's code of the tax rate. None = not chosen."""

    revenue_account: str | None
    tax_type: str | None


class ClinicSettings(msgspec.Struct, frozen=True):
    """All that holds for one clinic. None = chosen neither by the clinic nor by its organisation."""

    organisation_id: str
    clinic_id: str
    synchronisation_enabled: bool
    mode: Mode
    invoice_status: InvoiceStatus
    tenant_id: str | None
    payment_account: str | None
    # One for each of CATEGORIES, always.
    categories: dict[str, CategorySettings]
    # Whether the clinic overrides anything.
    overridden: bool = False
    # No single amount beyond it is sent before somebody has looked at it.
    amount_limit: Decimal = AMOUNT_LIMIT


def load_clinic_settings(
    connection: Connection[TupleRow], organisation_id: str, clinic_ids: Collection[str] | None = None
) -> dict[str, ClinicSettings]:
    """Load the settings of `clinic_ids` (None = all known ones), by clinic id.

    A clinic is absent from the answer where its organisation has no settings at all, or where neither an event nor
    the settings file ever named it.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(
            _QUERIES["load"],
            {
                "organisation_id": organisation_id,
                "clinic_ids": None if clinic_ids is None else sorted(clinic_ids),
            },
        )
        return {row["clinic_id"]: _settings(row) for row in cursor}


def _settings(row: dict[str, Any]) -> ClinicSettings:
    return ClinicSettings(
        organisation_id=row["organisation_id"],
        clinic_id=row["clinic_id"],
        synchronisation_enabled=row["synchronisation_enabled"],
        mode=Mode(row["mode"]),
        invoice_status=InvoiceStatus(row["invoice_status"]),
        tenant_id=row["tenant_id"],
        payment_account=row["payment_account"],
        categories={
            category: CategorySettings(row[f"{category}_revenue_account"], row[f"{category}_tax_type"])
            for category in CATEGORIES
        },
        overridden=row["overridden"],
        amount_limit=AMOUNT_LIMIT if row["amount_limit"] is None else row["amount_limit"],
    )
