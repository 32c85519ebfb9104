"""The export as a stream: a server-side cursor in, pieces of files out, with as much memory for any size."""

import csv
import io
from collections.abc import Generator, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec
from psycopg import Connection
from psycopg.rows import class_row, dict_row

from consumer.database import load_queries
from consumer.export import identity
from consumer.export.columns import HEADER, Bookkeeping, CannotMapError, document_rows
from consumer.export.report import ExportedFile, ExportReport
from consumer.export.selection import ExportKind, ExportSelection
from consumer.orders import CreditNote, Invoice, Order, Patient, read_order
from consumer.settings import ClinicSettings, load_clinic_settings
from consumer.sync.planning import bodies

# As many as Xero's import takes at once.
DOCUMENTS_A_FILE = 500
_ROWS_AT_ONCE = 500
_CURSOR = "export"
# Why a document is left out for what Xero was last seen to hold; by the query's `fate`.
_FATES = {
    # Why most are, of clinics whose orders are pushed.
    "standing": "in Xero already, put there by the live sync; imported again it would be there twice",
    "gone": "deleted or voided in Xero; if that was a mistake, enter it there by hand",
    "used_up": "with a number that is used up in Xero: the credit note was deleted in HearLink before, so voided there",
    "without_invoice": "a credit note for an invoice that was deleted or voided in Xero",
    "settled": "of an order that somebody settled: not to be sent, or entered in Xero by hand; unsettle it first",
}
_NO_NUMBER = "without a number in HearLink; Xero's import tells documents apart by it"
_SHARED_NUMBER = "with a number that another one has too; imported, the two would become one"

_QUERIES = load_queries(__file__, "queries.sql")


class Piece(NamedTuple):
    """The next lines of the file `name`; all pieces of a file come together. `documents` are in it (0 = a header)."""

    name: str
    text: str
    documents: int


class _Row(msgspec.Struct, frozen=True):
    order_id: str
    organisation_id: str
    clinic_id: str
    revision: int
    # What became of it in Xero, a key of _FATES; None where it never was there, or may come again.
    fate: str | None
    # None where it is left out for its fate.
    state: str | None
    credit_note_id: str | None
    tenant_id: str | None
    patient: str
    # As the live sync has it; None where the patient has no contact in Xero yet.
    contact_name: str | None
    # Another patient bears the name; and one of those has an id that begins alike.
    name_is_taken: bool
    start_is_taken: bool
    # The order of another document with the same number for the same books, and whether Xero holds it.
    other_order_id: str | None
    other_is_in_xero: bool


class UnknownScopeError(Exception):
    """The organisation or the clinic is not known: an export of it would be empty, and look as if all were well."""


class _SharedNumberError(CannotMapError):
    """Another document has the same number."""

    def __init__(self, number: str, other_order_id: str) -> None:
        super().__init__(_SHARED_NUMBER)
        self.number = number
        self.other_order_id = other_order_id


class _Tenant(NamedTuple):
    name: str
    bookkeeping: Bookkeeping


def require_known(connection: Connection[Any], selection: ExportSelection) -> None:
    """Check that what is asked for is there.

    Raises:
        UnknownScopeError: neither settings nor events have ever named the organisation, or the clinic.
    """
    where = msgspec.structs.asdict(selection)
    row = connection.execute(_QUERIES["is_known_organisation"], where).fetchone()
    if row is None or not row[0]:
        raise UnknownScopeError(f"There is no organisation {selection.organisation_id}.")
    if selection.clinic_id is None:
        return
    row = connection.execute(_QUERIES["is_known_clinic"], where).fetchone()
    if row is None or not row[0]:
        raise UnknownScopeError(f"There is no clinic {selection.clinic_id} in {selection.organisation_id}.")


def count_documents(connection: Connection[Any], selection: ExportSelection) -> int:
    """Return how many documents the selection has at most: for a progress bar."""
    query = "count_invoices" if selection.kind is ExportKind.INVOICES else "count_credit_notes"
    row = connection.execute(_QUERIES[query], msgspec.structs.asdict(selection)).fetchone()
    return 0 if row is None else int(row[0])


def export_pieces(
    connection: Connection[Any], selection: ExportSelection, report: ExportReport
) -> Generator[Piece, None, None]:
    """Yield the files of `selection`, piece by piece, and fill `report` on the way.

    One transaction of `connection` lasts from the first piece to the last: the export shows one moment.
    """
    with connection.transaction():
        connection.execute(_QUERIES["patience"])
        settings = load_clinic_settings(connection, selection.organisation_id)
        tenants = _load_tenants(connection, selection.organisation_id)
        files = _Files(selection, report)
        with connection.cursor(name=_CURSOR, row_factory=class_row(_Row)) as cursor:
            cursor.itersize = _ROWS_AT_ONCE
            where = {**msgspec.structs.asdict(selection), "kind": selection.kind.value, **identity.patterns()}
            cursor.execute(_QUERIES["documents"], where)
            for row in cursor:
                if row.state is None:
                    report.left_out[_FATES[row.fate or "standing"]] += 1
                    continue
                try:
                    tenant_id, tenant, inclusive, rows = _read(row, row.state, settings, tenants)
                except _SharedNumberError as error:
                    report.left_out[_SHARED_NUMBER] += 1
                    report.remark_number(error.number, row.order_id, error.other_order_id, in_xero=row.other_is_in_xero)
                    continue
                except CannotMapError as error:
                    report.left_out[str(error)] += 1
                    continue
                if row.fate == "standing":
                    report.in_xero += 1
                yield from files.add(tenant_id, tenant.name, inclusive=inclusive, rows=rows)


class _Files:
    """Which file a document goes into: one for each tenant and kind of prices, and a next one when it is full."""

    def __init__(self, selection: ExportSelection, report: ExportReport) -> None:
        self._selection = selection
        self._report = report
        self._group: tuple[str, bool] | None = None
        self._number = 0

    def add(self, tenant_id: str, tenant_name: str, *, inclusive: bool, rows: list[tuple[str, ...]]) -> Iterator[Piece]:
        group = (tenant_id, inclusive)
        if group != self._group:
            self._group, self._number = group, 0
        if self._number == 0 or self._report.files[-1].documents == DOCUMENTS_A_FILE:
            self._number += 1
            file = ExportedFile(
                name=self._name(tenant_id, tenant_name, inclusive=inclusive),
                tenant_id=tenant_id,
                tenant_name=tenant_name,
                prices="inclusive" if inclusive else "exclusive",
            )
            self._report.files.append(file)
            yield Piece(file.name, csv_text([HEADER]), 0)
        file = self._report.files[-1]
        file.documents += 1
        file.rows += len(rows)
        yield Piece(file.name, csv_text(rows), 1)

    def _name(self, tenant_id: str, tenant_name: str, *, inclusive: bool) -> str:
        word = "".join(char if char.isascii() and char.isalnum() else "-" for char in tenant_name.lower())
        # Two tenants of one name must not share a file.
        tenant = "-".join(part for part in word.split("-") if part)[:40] + f"-{tenant_id[:8]}"
        prices = "tax-inclusive" if inclusive else "tax-exclusive"
        span = f"{self._selection.since.isoformat()}-to-{self._selection.until.isoformat()}"
        return f"{self._selection.kind.value}-{tenant}-{span}-{prices}-{self._number}.csv"


def csv_text(rows: Iterable[tuple[str, ...]]) -> str:
    """Return `rows` as CSV (RFC 4180)."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerows(rows)
    return buffer.getvalue()


def _read(
    row: _Row, state: str, settings: Mapping[str, ClinicSettings], tenants: Mapping[str, _Tenant]
) -> tuple[str, _Tenant, bool, list[tuple[str, ...]]]:
    order = read_order(
        order_id=row.order_id,
        organisation_id=row.organisation_id,
        clinic_id=row.clinic_id,
        revision=row.revision,
        state=state,
    )
    document, invoice = _documents(order, row.credit_note_id)
    number = bodies.document_number(document.number)
    if not number:
        raise CannotMapError(_NO_NUMBER)
    if row.other_order_id is not None:
        raise _SharedNumberError(number, row.other_order_id)
    if row.tenant_id is None or row.clinic_id not in settings:
        raise CannotMapError("No Xero tenant selected for the clinic")
    tenant = tenants.get(row.tenant_id.lower())
    if tenant is None:
        raise CannotMapError(
            "the clinic's Xero organisation was never read: connect, or refresh it on the settings page"
        )
    patient = msgspec.json.decode(row.patient, type=Patient)
    rows = document_rows(
        document,
        invoice,
        contact_name=_contact_name(row, patient),
        patient=patient,
        settings=settings[row.clinic_id],
        bookkeeping=tenant.bookkeeping,
    )
    return row.tenant_id, tenant, invoice.prices_include_tax, rows


def _documents(order: Order, credit_note_id: str | None) -> tuple[Invoice | CreditNote, Invoice]:
    if order.state.closed is not None:
        outcome = order.state.closed.outcome.lower().replace("_", " ")
        raise CannotMapError(f"the order was {outcome}; the live sync does not send it either")
    invoice = order.invoice
    if invoice is None:
        raise CannotMapError("the order's invoice was deleted in HearLink, or is not there yet")
    if credit_note_id is None:
        return invoice, invoice
    return next(note for note in order.credit_notes if note.credit_note_id == credit_note_id), invoice


def _contact_name(row: _Row, patient: Patient) -> str:
    """Return the name of the contact that the live sync uses, or would create."""
    if row.contact_name is not None:
        return row.contact_name
    return identity.contact_name(patient, is_taken=row.name_is_taken, start_is_taken=row.start_is_taken)


def _load_tenants(connection: Connection[Any], organisation_id: str) -> dict[str, _Tenant]:
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_QUERIES["tenants"], {"organisation_id": organisation_id}).fetchall()
    return {row["tenant_id"].lower(): _Tenant(row["name"], _bookkeeping(row)) for row in rows}


def _bookkeeping(row: dict[str, Any]) -> Bookkeeping:
    codes = {}
    for account in row["accounts"] or ():
        if account.get("Code"):
            codes[str(account["Code"]).casefold()] = str(account["Code"])
            codes[str(account.get("AccountID", "")).casefold()] = str(account["Code"])
    return Bookkeeping(
        account_codes=codes,
        tax_names={rate["TaxType"]: rate["Name"] for rate in row["tax_rates"] or () if "TaxType" in rate},
        month_first=row["country_code"] == "US",
        base_currency=row["base_currency"],
    )
