"""The columns of Xero's sales invoice import, and the rows of one document. Pure.

The header is that of Xero's own template. Not known for sure, and to be tried once before it is relied on: credit
notes are written as documents with negative prices, which Xero's import is said to turn into credit notes.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from consumer.export.identity import can_stand_plain, harmless
from consumer.orders import CreditNote, Invoice, Line, Patient
from consumer.settings import ClinicSettings
from consumer.sync.planning import bodies
from consumer.xero.payloads import REFERENCE_CHARACTERS

HEADER = (
    "*ContactName",
    "EmailAddress",
    "POAddressLine1",
    "POAddressLine2",
    "POAddressLine3",
    "POAddressLine4",
    "POCity",
    "PORegion",
    "POPostalCode",
    "POCountry",
    "*InvoiceNumber",
    "Reference",
    "*InvoiceDate",
    "*DueDate",
    "Total",
    "InventoryItemCode",
    "*Description",
    "*Quantity",
    "*UnitAmount",
    "Discount",
    "*AccountCode",
    "*TaxType",
    "TaxAmount",
    "TrackingName1",
    "TrackingOption1",
    "TrackingName2",
    "TrackingOption2",
    "Currency",
    "BrandingTheme",
)
# An apostrophe would make another number of it, and without one it may do harm.
_LIKE_A_FORMULA = (
    "with a number that a spreadsheet could take for a formula; give it one of letters and digits in HearLink"
)


class Bookkeeping(NamedTuple):
    """What a tenant calls things: account codes by code and id (in lower case), tax rates' names by their type."""

    account_codes: Mapping[str, str]
    tax_names: Mapping[str, str]
    # Xero reads dates as the organisation's country writes them.
    month_first: bool
    # None where it was not read yet.
    base_currency: str | None


class Mapped(NamedTuple):
    """Where a line goes, as the import wants it."""

    account_code: str
    tax_name: str


class CannotMapError(Exception):
    """A document can't be exported; the text says what is missing, in words that group several of a kind."""


def document_rows(
    document: Invoice | CreditNote,
    invoice: Invoice,
    *,
    contact_name: str,
    patient: Patient,
    settings: ClinicSettings,
    bookkeeping: Bookkeeping,
) -> list[tuple[str, ...]]:
    """Return the rows of `document`, one a line, in the order of `HEADER`; `invoice` is its order's.

    Raises:
        CannotMapError: a line has no account or tax rate that the tenant knows, there is no line, the currency is not
            that of the books, or the number can't be written as it is.
    """
    base = bookkeeping.base_currency
    if base is not None and invoice.currency != base:
        raise CannotMapError(f"in {invoice.currency}, but the books in Xero are kept in {base}")
    if not document.lines:
        raise CannotMapError("without any line")
    common = _common_fields(document, invoice, contact_name, patient, bookkeeping)
    sign = -1 if isinstance(document, CreditNote) else 1
    rows = []
    for line in document.lines:
        # The import takes discounts as percentages only, which need not come out to the penny.
        plain = bodies.without_discount(line)
        mapped = _map(line, settings, bookkeeping)
        fields = common | {
            "*Description": harmless(bodies.line_description(line)),
            "*Quantity": _number(plain.quantity),
            "*UnitAmount": _number(sign * plain.unit_price),
            "*AccountCode": harmless(mapped.account_code),
            "*TaxType": harmless(mapped.tax_name),
        }
        rows.append(tuple(fields.get(column, "") for column in HEADER))
    return rows


def _common_fields(
    document: Invoice | CreditNote, invoice: Invoice, contact_name: str, patient: Patient, bookkeeping: Bookkeeping
) -> dict[str, str]:
    identity = {"*InvoiceNumber": bodies.document_number(document.number)}
    if isinstance(document, CreditNote):
        # As the live sync has it: by its id in the reference it knows the note for its own.
        identity["Reference"] = document.credit_note_id[:REFERENCE_CHARACTERS]
        reference, due_on = "", document.issued_on
    else:
        reference, due_on = document.reference or "", document.due_on or document.issued_on
    if not all(can_stand_plain(text) for text in identity.values()):
        raise CannotMapError(_LIKE_A_FORMULA)
    fields = {
        "*ContactName": contact_name,
        "Reference": reference[:REFERENCE_CHARACTERS],
        "Currency": invoice.currency,
        **dict(_contact_fields(patient)),
    }
    return {
        **{name: harmless(text) for name, text in fields.items()},
        **identity,
        "*InvoiceDate": _date(document.issued_on, bookkeeping),
        "*DueDate": _date(due_on, bookkeeping),
    }


def _contact_fields(patient: Patient) -> Iterator[tuple[str, str]]:
    yield "EmailAddress", patient.email or ""
    address = patient.address
    if address is not None:
        yield "POAddressLine1", address.line1
        yield "POAddressLine2", address.line2 or ""
        yield "POCity", address.city or ""
        yield "PORegion", address.region or ""
        yield "POPostalCode", address.postal_code or ""
        yield "POCountry", address.country or ""


def _map(line: Line, settings: ClinicSettings, bookkeeping: Bookkeeping) -> Mapped:
    chosen = settings.categories[line.category.value.lower()]
    category = line.category.value.lower().replace("_", " ")
    if not chosen.revenue_account:
        raise CannotMapError(f"no revenue account is chosen for {category}")
    if not chosen.tax_type:
        raise CannotMapError(f"no tax rate is chosen for {category}")
    account_code = bookkeeping.account_codes.get(chosen.revenue_account.casefold())
    if account_code is None:
        raise CannotMapError(f"account {chosen.revenue_account} for {category} is not among those last read from Xero")
    tax_name = bookkeeping.tax_names.get(chosen.tax_type)
    if tax_name is None:
        raise CannotMapError(f"tax rate {chosen.tax_type} for {category} is not among those last read from Xero")
    return Mapped(account_code, tax_name)


def _date(day: date, bookkeeping: Bookkeeping) -> str:
    return day.strftime("%m/%d/%Y" if bookkeeping.month_first else "%d/%m/%Y")


def _number(value: Decimal) -> str:
    """Return a plain decimal without needless zeros, but with two places where it has any."""
    text = format(value.normalize() + 0, "f")
    whole, point, places = text.partition(".")
    return f"{whole}{point}{places.ljust(2, '0')}" if point else text
