"""Exports as a person would look at them: files read back, row by row."""

from datetime import date
from typing import Any

import msgspec

from consumer.export import HEADER, ExportKind, ExportReport, ExportSelection, export_pieces
from tests.export.conftest import ORGANISATION, TENANT, Shop

Row = dict[str, str]


def selection(kind: ExportKind = ExportKind.INVOICES, **changes: Any) -> ExportSelection:
    span = {"since": date(2026, 10, 1), "until": date(2026, 10, 31)}
    return ExportSelection(**{"organisation_id": ORGANISATION, "kind": kind, **span, **changes})


def texts(shop: Shop, wanted: ExportSelection, report: ExportReport | None = None) -> dict[str, str]:
    files: dict[str, str] = {}
    for piece in export_pieces(shop.connection, wanted, report or ExportReport()):
        files[piece.name] = files.get(piece.name, "") + piece.text
    return files


def read_csv(shop: Shop, text: str) -> list[Row]:
    """Read `text` with a parser that knows nothing of the one that wrote it."""
    columns = [f"c{number}" for number in range(len(HEADER))]
    with shop.connection.transaction(force_rollback=True):
        shop.connection.execute(f"create temp table sheet ({', '.join(f'{name} text' for name in columns)})")
        with shop.connection.cursor().copy("copy sheet from stdin (format csv, null '')") as copy:
            copy.write(text)
        rows = shop.connection.execute("select * from sheet").fetchall()
    header, *data = [[cell or "" for cell in row] for row in rows]
    assert tuple(header) == HEADER
    return [dict(zip(HEADER, row, strict=True)) for row in data]


def rows(shop: Shop, wanted: ExportSelection | None = None, report: ExportReport | None = None) -> list[Row]:
    files = texts(shop, wanted or selection(), report)
    return [row for text in files.values() for row in read_csv(shop, text)]


def numbers(shop: Shop, report: ExportReport | None = None, **wanted: Any) -> list[str]:
    return sorted(row["*InvoiceNumber"] for row in rows(shop, selection(**wanted), report))


def in_xero(
    shop: Shop,
    order_id: str,
    number: str,
    *,
    kind: str = "invoice",
    local_id: str | None = None,
    status: str = "authorised",
) -> None:
    shop.connection.execute(
        "insert into xero_link (tenant_id, kind, order_id, local_id, organisation_id, xero_id, status, content_hash,"
        " detail) values (%s, %s, %s, %s, %s, 'x', %s, '', jsonb_build_object('number', %s::text))",
        [TENANT, kind, order_id, local_id or f"invoice-{number}", ORGANISATION, status, number],
    )


def has_contact(shop: Shop, patient_id: str, **detail: str) -> None:
    shop.connection.execute(
        "insert into xero_link (tenant_id, kind, order_id, local_id, organisation_id, xero_id, status, content_hash,"
        " detail) values (%s, 'contact', '', %s, %s, 'x', 'active', '', %s::jsonb)",
        [TENANT, patient_id, ORGANISATION, msgspec.json.encode(detail).decode()],
    )
