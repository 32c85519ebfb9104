"""What is exported, read back by Postgres's own CSV reader and compared with the orders it was made from."""

import io
import tracemalloc
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from consumer.export import (
    HEADER,
    ExportKind,
    ExportReport,
    FolderNotEmptyError,
    UnknownScopeError,
    export_pieces,
    require_known,
    write_folder,
    zip_chunks,
)
from consumer.export.delivery import NOTES_NAME
from consumer.orders import ChangeKind
from tests.export.conftest import SECOND_TENANT, Shop
from tests.export.sheets import has_contact, in_xero, read_csv, rows, selection, texts
from tests.sync.books import line, patient


def test_an_invoice_comes_out_as_it_is_in_hearlink(shop: Shop) -> None:
    lines = [
        line(
            "a",
            category="HEARING_AIDS",
            description='Pair "Aria",\nwith case',
            quantity="2.0000",
            unit_price="995.5000",
        ),
        line("b", category="SERVICES", quantity="1.0000", unit_price="40.1250"),
    ]
    shop.invoice(
        "order-1", lines=lines, due_on="2026-11-05", reference="PO 7", patient=patient("p-1", first_name="Zoë")
    )
    first, second = rows(shop)
    assert first == {
        **dict.fromkeys(HEADER, ""),
        "*ContactName": "Zoë Person p-1",
        "EmailAddress": "p-1@example.com",
        "POAddressLine1": "1 High Street",
        "POCity": "Leeds",
        "POPostalCode": "LS1 1AA",
        "POCountry": "GB",
        "*InvoiceNumber": "WH-order-1",
        "Reference": "PO 7",
        "*InvoiceDate": "01/10/2026",
        "*DueDate": "05/11/2026",
        "*Description": 'Pair "Aria",\nwith case',
        "*Quantity": "2",
        "*UnitAmount": "995.50",
        "*AccountCode": "210",
        "*TaxType": "Zero Rated Income",
        "Currency": "GBP",
    }
    assert (second["*Description"], second["*UnitAmount"], second["*AccountCode"]) == ("Hearing test", "40.125", "200")
    assert second["*TaxType"] == "20% (VAT on Income)"


def test_a_discount_is_in_the_price_to_the_penny(shop: Shop) -> None:
    shop.invoice("order-1", lines=[line(quantity="3.0000", unit_price="10.0000", discount="10.0000")])
    (row,) = rows(shop)
    amount = Decimal(row["*Quantity"]) * Decimal(row["*UnitAmount"])
    assert amount.quantize(Decimal("0.01")) == Decimal("20.00")
    assert row["Discount"] == ""


def test_american_books_read_the_month_first(shop: Shop) -> None:
    shop.connection.execute("update xero_tenant set country_code = 'US'")
    shop.invoice("order-1", issued_on="2026-10-09")
    (row,) = rows(shop)
    assert row["*InvoiceDate"] == "10/09/2026"


def test_each_tenant_and_kind_of_prices_has_its_own_file(shop: Shop) -> None:
    shop.tenant(SECOND_TENANT, "Hilltop Hearing")
    shop.override("clinic-2", tenant_id=SECOND_TENANT)
    shop.invoice("order-1")
    shop.invoice("order-2", prices_include_tax=False)
    shop.invoice("order-3", clinic="clinic-2")
    report = ExportReport()
    files = texts(shop, selection(), report)
    span = "2026-10-01-to-2026-10-31"
    assert sorted(files) == [
        f"invoices-harbour-hearing-11111111-{span}-tax-exclusive-1.csv",
        f"invoices-harbour-hearing-11111111-{span}-tax-inclusive-1.csv",
        f"invoices-hilltop-hearing-22222222-{span}-tax-inclusive-1.csv",
    ]
    assert [file.documents for file in report.files] == [1, 1, 1]
    assert [row["*InvoiceNumber"] for row in rows(shop, selection(clinic_id="clinic-2"))] == ["WH-order-3"]


def test_only_the_days_asked_for(shop: Shop) -> None:
    for number, day in enumerate(("2026-09-30", "2026-10-01", "2026-10-31", "2026-11-01")):
        shop.invoice(f"order-{number}", issued_on=day)
    assert [row["*InvoiceNumber"] for row in rows(shop)] == ["WH-order-1", "WH-order-2"]


def test_credit_notes_are_negative_and_carry_their_id(shop: Shop) -> None:
    shop.invoice("order-1", issued_on="2025-01-01")
    shop.credit_note("order-1", "note-1")
    shop.credit_note("order-1", "note-2")
    shop.event("order-1", ChangeKind.CREDIT_NOTE_DELETED, {"credit_note_id": "note-2"})
    (row,) = rows(shop, selection(ExportKind.CREDIT_NOTES))
    assert (row["*InvoiceNumber"], row["Reference"], row["*UnitAmount"]) == ("CN-note-1", "note-1", "-40")
    assert row["*InvoiceDate"] == row["*DueDate"] == "03/10/2026"


@pytest.mark.parametrize("text", ["=1+1", "+44", "-1", "@here", "  =cmd|' /C calc'!A0", "\t=1", "\uff1d1+1"])
def test_no_text_is_taken_for_a_formula(shop: Shop, text: str) -> None:
    shop.invoice("order-1", reference=text, lines=[line(description=f"{text}")], patient=patient("p", first_name=text))
    (row,) = rows(shop)
    for column in ("*ContactName", "Reference", "*Description"):
        assert row[column].startswith("'"), column


def test_patients_of_one_name_are_told_apart_as_the_sync_does(shop: Shop) -> None:
    for number in range(3):
        namesake = patient(f"p-{number}", first_name="Pat", last_name="Same")
        shop.invoice(f"order-{number}", patient=namesake)
    has_contact(shop, "p-2", name="Pat Same", full_name="Pat Same (HL-p-2)")
    names = [row["*ContactName"] for row in rows(shop)]
    assert names == ["Pat Same (HL-p-0)", "Pat Same (HL-p-1)", "Pat Same (HL-p-2)"]


def test_what_cannot_be_exported_is_told_with_its_reason(shop: Shop) -> None:
    shop.override("clinic-2", tenant_id="never-read")
    shop.invoice("order-1", lines=[line(category="CUSTOM_ITEMS")])
    shop.invoice("order-2")
    shop.event("order-2", ChangeKind.ORDER_CLOSED, {"outcome": "WRITTEN_OFF"})
    shop.invoice("order-3", lines=[])
    shop.invoice("order-4", clinic="clinic-2")
    report = ExportReport()
    assert rows(shop, report=report) == []
    assert dict(report.left_out) == {
        "no revenue account is chosen for custom items": 1,
        "the order was written off; the live sync does not send it either": 1,
        "without any line": 1,
        "the clinic's Xero organisation was never read: connect, or refresh it on the settings page": 1,
    }
    assert report.notes().startswith("Left out: 4 of 4 documents.\n  1: ")
    assert "  1: without any line." in report.notes()


def test_what_somebody_settled_is_left_out_while_that_stands(shop: Shop) -> None:
    shop.invoice("order-1")
    shop.invoice("order-2")
    shop.connection.execute(
        "insert into settlement (order_id, organisation_id, settled_as, reason, actor, content)"
        " select order_id, organisation_id, 'done-in-xero', 'entered by hand', 'finance', settled_content(state)"
        " from orders where order_id = 'order-1'"
    )
    report = ExportReport()
    assert [row["*InvoiceNumber"] for row in rows(shop, report=report)] == ["WH-order-2"]
    assert "somebody settled" in report.notes()
    shop.invoice("order-1", reference="changed")
    assert len(rows(shop)) == 2


def test_what_xero_holds_already_is_left_out_and_counted_unless_it_is_asked_for(shop: Shop) -> None:
    shop.invoice("order-1")
    shop.invoice("order-2")
    in_xero(shop, "order-1", "WH-order-1")
    report = ExportReport()
    assert [row["*InvoiceNumber"] for row in rows(shop, report=report)] == ["WH-order-2"]
    first, second, *_ = report.notes().splitlines()
    assert first == "Left out: 1 of 2 documents."
    assert second.startswith("  1: in Xero already, put there by the live sync")
    report = ExportReport()
    found = rows(shop, selection(missing_only=False), report)
    assert [row["*InvoiceNumber"] for row in found] == ["WH-order-1", "WH-order-2"]
    assert report.notes().startswith("Left out: 0 of 2 documents.\n\n1 documents in these files are in Xero already")


def test_credit_notes_that_xero_holds_are_left_out_alike(shop: Shop) -> None:
    shop.invoice("order-1")
    shop.credit_note("order-1", "note-1")
    shop.credit_note("order-1", "note-2")
    in_xero(shop, "order-1", "CN-note-1", kind="credit_note", local_id="note-1")
    report = ExportReport()
    (row,) = rows(shop, selection(ExportKind.CREDIT_NOTES), report)
    assert row["Reference"] == "note-2"
    assert report.left_out.total() == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"organisation_id": "org-9"}, "There is no organisation org-9."),
        ({"clinic_id": "clinic-9"}, "There is no clinic clinic-9 in org-1."),
    ],
)
def test_what_nobody_ever_named_is_refused(shop: Shop, changes: dict[str, Any], said: str) -> None:
    shop.invoice("order-1")
    shop.override("clinic-2")
    require_known(shop.connection, selection())
    require_known(shop.connection, selection(clinic_id="clinic-1"))
    require_known(shop.connection, selection(clinic_id="clinic-2"))
    with pytest.raises(UnknownScopeError) as refused:
        require_known(shop.connection, selection(**changes))
    assert str(refused.value) == said


def test_a_folder_gets_whole_files_and_is_not_mixed_up(shop: Shop, tmp_path: Path) -> None:
    shop.invoice("order-1")
    report = ExportReport()
    write_folder(export_pieces(shop.connection, selection(), report), tmp_path / "new", report)
    path, notes = sorted((tmp_path / "new").iterdir())
    assert read_csv(shop, path.read_bytes().decode())[0]["*InvoiceNumber"] == "WH-order-1"
    assert notes.name == NOTES_NAME
    assert notes.read_text(encoding="utf-8") == report.notes()
    for taken in (notes, path):
        with pytest.raises(FolderNotEmptyError, match=taken.name):
            write_folder(export_pieces(shop.connection, selection(), ExportReport()), tmp_path / "new", ExportReport())
        taken.unlink()


def bulk(shop: Shop, count: int) -> None:
    shop.invoice("order-1")
    shop.connection.execute(
        "insert into orders (order_id, organisation_id, clinic_id, patient_id, invoice_id, invoice_number, issued_on,"
        " sequence, revision, event_id, occurred_at, state)"
        " select 'bulk-' || n, organisation_id, clinic_id, 'patient-' || n, 'i-' || n, 'N' || n, issued_on, 1, 1, 'e',"
        " now(), jsonb_set(jsonb_set(state, '{patient,patient_id}', to_jsonb('patient-' || n)),"
        " '{patient,last_name}', to_jsonb('Person ' || n))"
        " from orders cross join generate_series(1, %s) n where order_id = 'order-1'",
        [count - 1],
    )


def test_at_most_five_hundred_invoices_a_file(shop: Shop) -> None:
    bulk(shop, 1_001)
    report = ExportReport()
    texts(shop, selection(), report)
    assert [file.documents for file in report.files] == [500, 500, 1]
    assert [file.name[-5:] for file in report.files] == ["1.csv", "2.csv", "3.csv"]


def test_memory_does_not_grow_with_the_export(shop: Shop) -> None:
    def peak_bytes() -> int:
        tracemalloc.start()
        chunks = zip_chunks(export_pieces(shop.connection, selection(), report := ExportReport()), report)
        size = sum(len(chunk) for chunk in chunks)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert size > 5_000
        return peak

    bulk(shop, 1_500)
    small = peak_bytes()
    shop.connection.execute("delete from orders")
    shop.orders.clear()
    bulk(shop, 6_000)
    assert peak_bytes() < small * 1.3


def test_the_zip_holds_the_files_and_notes(shop: Shop) -> None:
    shop.invoice("order-1")
    report = ExportReport()
    body = b"".join(zip_chunks(export_pieces(shop.connection, selection(), report), report))
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.testzip() is None
        name, notes = archive.namelist()
        assert read_csv(shop, archive.read(name).decode())[0]["*InvoiceNumber"] == "WH-order-1"
        assert "amounts are tax inclusive" in archive.read(notes).decode()
