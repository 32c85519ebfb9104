"""What is to be exported."""

from datetime import date
from enum import StrEnum

import msgspec


class ExportKind(StrEnum):
    """Xero imports the two separately."""

    INVOICES = "invoices"
    CREDIT_NOTES = "credit-notes"


class ExportSelection(msgspec.Struct, frozen=True, kw_only=True):
    """Documents issued from `since` to `until`, both included.

    `clinic_id` None = all clinics. `missing_only` leaves out what the live sync has put into Xero already: imported
    again it would be there twice; the report counts it.
    """

    organisation_id: str
    kind: ExportKind
    since: date
    until: date
    clinic_id: str | None = None
    missing_only: bool = True
