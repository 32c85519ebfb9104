"""What Xero's import would take for one: numbers and names, within a file and across exports."""

from datetime import date
from typing import Any

import pytest

from consumer.export import ExportKind, ExportReport
from consumer.export.identity import can_stand_plain
from consumer.orders import ChangeKind
from tests.export.conftest import SECOND_TENANT, TENANT, Shop
from tests.export.sheets import has_contact, in_xero, numbers, rows, selection
from tests.sync.books import patient

NOTES: dict[str, Any] = {"kind": ExportKind.CREDIT_NOTES}


def reasons(report: ExportReport) -> list[str]:
    """The beginnings of the reasons, which is where they differ, as often as they hold."""
    return sorted(why.split(";")[0] for why in report.left_out.elements())


# Numbers.


@pytest.mark.parametrize("other", ["WH1", "wh1", " WH1\t", "\u00a0WH1"])
def test_of_invoices_with_one_number_none_is_written(shop: Shop, other: str) -> None:
    shop.invoice("order-1", number="WH1")
    shop.invoice("order-2", clinic="clinic-2", number=other)
    shop.invoice("order-3", number="WH3")
    report = ExportReport()
    assert numbers(shop, report) == ["WH3"]
    assert reasons(report) == ["with a number that another one has too"] * 2
    assert [remark.split(".")[0] for remark in sorted(report.remarks, key=str.casefold)] == [
        f"{'WH1' if order == 1 else other.strip()} of order order-{order} is left out: "
        f"order order-{3 - order} has the same number"
        for order in (1, 2)
    ]
    assert all(remark in report.notes() for remark in report.remarks)


def test_a_number_is_as_taken_by_what_is_not_in_the_selection(shop: Shop) -> None:
    shop.invoice("order-1", number="WH1", issued_on="2026-03-01")
    shop.invoice("order-2", clinic="clinic-2", number="WH1")
    for wanted in ({}, {"clinic_id": "clinic-2"}):
        report = ExportReport()
        assert numbers(shop, report, **wanted) == []
        (remark,) = report.remarks
        assert remark.startswith("WH1 of order order-2 is left out: order order-1 has the same number.")


def test_a_number_is_free_of_what_is_gone_or_in_other_books(shop: Shop) -> None:
    shop.tenant(SECOND_TENANT, "Hilltop Hearing")
    shop.override("clinic-2", tenant_id=SECOND_TENANT)
    for order_id, clinic in (("order-1", "clinic-1"), ("order-2", "clinic-2"), ("order-3", "clinic-1")):
        shop.invoice(order_id, clinic=clinic, number="WH1")
    shop.event("order-3", ChangeKind.INVOICE_DELETED, {"invoice_id": "invoice-WH1"})
    shop.invoice("order-4", number="WH1")
    shop.event("order-4", ChangeKind.ORDER_CLOSED, {"outcome": "CANCELLED"})
    report = ExportReport()
    assert numbers(shop, report) == ["WH1", "WH1"]
    assert len(report.files) == 2
    assert reasons(report) == ["the order was cancelled"]


def test_the_number_stays_with_the_one_that_xero_holds(shop: Shop) -> None:
    for order_id, clinic in (("order-1", "clinic-1"), ("order-2", "clinic-2"), ("order-3", "clinic-1")):
        shop.invoice(order_id, clinic=clinic, number="WH1" if order_id != "order-3" else "WH3")
    in_xero(shop, "order-2", "WH1")
    report = ExportReport()
    assert numbers(shop, report) == ["WH3"]
    (remark,) = report.remarks
    assert remark.startswith("WH1 of order order-1 is left out: Xero holds this number already, for order order-2.")
    # Asked for with what Xero holds, the holder is written, and nothing beside it.
    assert numbers(shop, missing_only=False) == ["WH1", "WH3"]


def test_xero_holds_a_number_also_for_what_hearlink_calls_otherwise_by_now(shop: Shop) -> None:
    shop.invoice("order-1", number="WH7", invoice_id="invoice-1")
    in_xero(shop, "order-1", "WH1", local_id="invoice-1")
    in_xero(shop, "order-9", "WH2")
    shop.invoice("order-2", number="WH1")
    shop.invoice("order-3", number="WH2")
    report = ExportReport()
    assert numbers(shop, report) == []
    assert [remark.split(".")[0][-33:] for remark in report.remarks] == [
        "number already, for order order-1",
        "number already, for order order-9",
    ]


def test_of_credit_notes_with_one_number_none_is_written(shop: Shop) -> None:
    for order_id in ("order-1", "order-2"):
        shop.invoice(order_id)
        shop.credit_note(order_id, f"note-{order_id}", number="CN1" if order_id == "order-1" else "cn1 ")
    shop.credit_note("order-1", "twin-1", number="CN2")
    shop.credit_note("order-1", "twin-2", number="CN2")
    shop.credit_note("order-1", "alone", number=" CN3")
    # An invoice's number is no credit note's.
    shop.invoice("order-4", number="CN3")
    report = ExportReport()
    assert numbers(shop, report, **NOTES) == ["CN3"]
    assert report.left_out.total() == 4
    assert [remark.split(".")[0] for remark in report.remarks] == [
        "CN1 of order order-1 is left out: order order-2 has the same number",
        *["CN2 of order order-1 is left out: another document of this order has the same number"] * 2,
        "cn1 of order order-2 is left out: order order-1 has the same number",
    ]


def test_remarks_are_told_up_to_a_hundred() -> None:
    report = ExportReport()
    for number in range(103):
        report.remark_number(f"WH{number}", "order-1", "order-2", in_xero=False)
    assert len(report.remarks) == 100
    assert "... and 3 more of that kind." in report.notes()


@pytest.mark.parametrize("number", ["", "  ", "\u200b"])
def test_without_a_number_nothing_is_written(shop: Shop, number: str) -> None:
    shop.invoice("order-1", number=number)
    shop.invoice("order-2", number=number)
    shop.invoice("order-3", number=" WH3 ")
    shop.credit_note("order-3", "note-1", number=number)
    shop.credit_note("order-3", "note-2", number="\tCN2")
    for wanted, whole, count in (({}, "WH3", 2), (NOTES, "CN2", 1)):
        report = ExportReport()
        assert numbers(shop, report, **wanted) == [whole]
        assert reasons(report) == ["without a number in HearLink"] * count
        assert report.remarks == []


@pytest.mark.parametrize("number", ["-N2", "+44", "=A1", "@WH/1", "-2026-001", "\uff0d12", "=WH 1+#2"])
def test_a_number_that_can_do_no_harm_stands_as_it_is(shop: Shop, number: str) -> None:
    shop.invoice("order-1", number=number)
    shop.credit_note("order-1", "-note_1", number=number)
    assert numbers(shop) == numbers(shop, **NOTES) == [number]
    (row,) = rows(shop, selection(ExportKind.CREDIT_NOTES))
    assert row["Reference"] == "-note_1"


@pytest.mark.parametrize("number", ["=cmd|' /C calc'!A0", "=HYPERLINK(1)", "@SUM(1)", '-"x"', "+A1:B2", "=[book]a"])
def test_a_number_that_could_do_harm_is_left_out_rather_than_changed(shop: Shop, number: str) -> None:
    shop.invoice("order-1", number=number)
    shop.credit_note("order-1", "note-1", number=number)
    shop.credit_note("order-1", number, number="CN2")
    for wanted, count in (({}, 1), (NOTES, 2)):
        report = ExportReport()
        assert numbers(shop, report, **wanted) == []
        assert reasons(report) == ["with a number that a spreadsheet could take for a formula"] * count
        assert "Numbers stand in the files just as in HearLink" in report.notes()


def test_only_the_beginning_makes_a_formula() -> None:
    assert can_stand_plain("WH(1)!|'=")
    assert can_stand_plain("")
    assert not can_stand_plain("-1\t=2")


# Names.


def names(shop: Shop, **wanted: Any) -> list[str]:
    return [row["*ContactName"] for row in rows(shop, selection(**wanted))]


def test_namesakes_are_called_alike_in_every_export(shop: Shop) -> None:
    days = ("2026-10-01", "2026-11-01", "2026-10-02")
    for number, day in enumerate(days):
        namesake = patient(f"p-{number}", first_name="Pat", last_name="Same")
        shop.invoice(f"order-{number}", clinic=f"clinic-{number}", patient=namesake, issued_on=day)
    shop.invoice("order-3", patient=patient("p-3", first_name="Al", last_name="One"), issued_on="2026-10-03")
    whole = {"until": date.fromisoformat(days[1])}
    assert names(shop, **whole) == ["Pat Same (HL-p-0)", "Pat Same (HL-p-2)", "Al One", "Pat Same (HL-p-1)"]
    assert names(shop) == ["Pat Same (HL-p-0)", "Pat Same (HL-p-2)", "Al One"]
    for number in range(3):
        assert f"Pat Same (HL-p-{number})" in names(shop, clinic_id=f"clinic-{number}", **whole)


def test_a_contact_in_xero_keeps_its_name(shop: Shop) -> None:
    for number in range(2):
        namesake = patient(f"p-{number}", first_name="Pat", last_name="Same")
        shop.invoice(f"order-{number}", clinic=f"clinic-{number}", patient=namesake)
    has_contact(shop, "p-1", name="Pat Same")
    # A namesake whose orders are not there any more.
    shop.invoice("order-2", clinic="clinic-2", patient=patient("p-2", first_name="Lee", last_name="Gone"))
    has_contact(shop, "p-9", name="LEE Gone")
    expected = ["Pat Same (HL-p-0)", "Pat Same", "Lee Gone (HL-p-2)"]
    assert names(shop) == expected
    for number, name in enumerate(expected):
        assert names(shop, clinic_id=f"clinic-{number}") == [name]


@pytest.mark.parametrize(
    "other", ["pat SAME", "Pat\u00a0Same", "Pat <Same>", " Pat\tSame", "Pat \u200b Same", "Pat\ue000Same"]
)
def test_names_are_the_same_where_xero_would_see_the_same(shop: Shop, other: str) -> None:
    shop.invoice("order-1", patient=patient("p-1", first_name="Pat", last_name="Same"))
    shop.invoice("order-2", clinic="clinic-2", patient=patient("p-2", first_name=other, last_name=""))
    assert [name[-9:] for name in names(shop)] == [" (HL-p-1)", " (HL-p-2)"]


def test_namesakes_whose_ids_begin_alike_are_told_apart_by_the_whole_id(shop: Shop) -> None:
    for order_id, patient_id in (
        ("order-1", "patient-000000001"),
        ("order-2", "patient-000000002"),
        ("order-3", "0f3b6c1e-0000-4000"),
    ):
        shop.invoice(order_id, patient=patient(patient_id, first_name="Pat", last_name="Same"))
    assert names(shop) == [
        "Pat Same (HL-patient-000000001)",
        "Pat Same (HL-patient-000000002)",
        "Pat Same (HL-0f3b6c1e)",
    ]


def test_a_name_that_was_borne_before_is_not_given_to_another(shop: Shop) -> None:
    married = patient("p-1", first_name="Pat", last_name="Wed")
    shop.invoice("order-1", patient=patient("p-1", first_name="Pat", last_name="Same"))
    shop.invoice("order-2", patient=married)
    shop.invoice("order-3", patient=patient("p-2", first_name="Pat", last_name="Same"))
    assert names(shop) == ["Pat Wed", "Pat Wed", "Pat Same (HL-p-2)"]


# What became of it in Xero, and the currency.


@pytest.mark.parametrize("missing_only", [True, False])
def test_what_was_voided_in_xero_stays_out(shop: Shop, missing_only: bool) -> None:  # noqa: FBT001 -- a parameter
    shop.invoice("order-1")
    shop.credit_note("order-1", "note-1")
    shop.invoice("order-2")
    for note_id in ("note-2", "note-3"):
        shop.credit_note("order-2", note_id)
    in_xero(shop, "order-1", "WH-order-1", status="gone")
    in_xero(shop, "order-2", "CN-note-2", kind="credit_note", local_id="note-2", status="gone")
    report = ExportReport()
    assert numbers(shop, report, missing_only=missing_only) == ["WH-order-2"]
    assert reasons(report) == ["deleted or voided in Xero"]
    report = ExportReport()
    assert numbers(shop, report, missing_only=missing_only, **NOTES) == ["CN-note-3"]
    assert reasons(report) == [
        "a credit note for an invoice that was deleted or voided in Xero",
        "deleted or voided in Xero",
    ]
    assert "  1: deleted or voided in Xero" in report.notes()


def test_a_credit_note_that_we_voided_comes_again_under_another_number(shop: Shop) -> None:
    shop.invoice("order-1")
    shop.credit_note("order-1", "note-1", number="CN1")
    shop.credit_note("order-1", "note-2", number="CN3")
    in_xero(shop, "order-1", "CN1", kind="credit_note", local_id="note-1", status="removed")
    in_xero(shop, "order-1", "CN2", kind="credit_note", local_id="note-2", status="removed")
    report = ExportReport()
    assert numbers(shop, report, **NOTES) == ["CN3"]
    (reason,) = reasons(report)
    assert reason.startswith("with a number that is used up in Xero")


def test_another_currency_than_that_of_the_books_is_left_out(shop: Shop) -> None:
    shop.invoice("order-1", currency="EUR")
    shop.credit_note("order-1", "note-1")
    shop.invoice("order-2")
    # What the books are kept in is not known yet.
    assert numbers(shop) == ["WH-order-1", "WH-order-2"]
    shop.connection.execute("update xero_tenant set base_currency = 'GBP' where tenant_id = %s", [TENANT])
    report = ExportReport()
    assert numbers(shop, report) == ["WH-order-2"]
    assert numbers(shop, report, **NOTES) == []
    assert dict(report.left_out) == {"in EUR, but the books in Xero are kept in GBP": 2}
