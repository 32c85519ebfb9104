from typing import Any

import pytest

from tests.sandbox.xero.client import DAY, Api, payment_body

NOT_AUTHORISED = "Payments can only be made against Authorised documents"
TOO_LARGE = "Payment amount exceeds the amount outstanding on this document"
NOT_VALID = "Payment not of valid status for modification"


@pytest.fixture
def invoice_id(api: Api) -> str:
    return str(api.invoice(api.contact(), InvoiceNumber="HL-1")["InvoiceID"])


def test_payments_cover_an_invoice_and_their_deletion_opens_it(api: Api, invoice_id: str) -> None:
    first = api.pay(invoice_id, 40, Reference="CARD p-1").body["Payments"][0]
    assert (first["PaymentType"], first["Status"]) == ("ACCRECPAYMENT", "AUTHORISED")
    assert (first["Invoice"]["AmountDue"], first["Invoice"]["Status"]) == (60, "AUTHORISED")
    assert api.pay(invoice_id, 60, Date="2026-03-12").status == 200
    paid = api.one("Invoices", invoice_id)
    assert (paid["Status"], paid["AmountDue"], paid["AmountPaid"]) == ("PAID", 0, 100)
    assert paid["FullyPaidOnDate"] == "/Date(1773273600000+0000)/"
    assert [row["Amount"] for row in paid["Payments"]] == [40, 60]
    deleted = api.post(f"Payments/{first['PaymentID']}", {"Status": "DELETED"}).body["Payments"][0]
    assert deleted["Status"] == "DELETED"
    opened = api.one("Invoices", invoice_id)
    assert (opened["Status"], opened["AmountDue"]) == ("AUTHORISED", 40)
    assert "FullyPaidOnDate" not in opened
    assert len(opened["Payments"]) == 1
    assert api.one("Payments", first["PaymentID"])["Status"] == "DELETED"


def test_nothing_stops_a_second_equal_payment_but_the_amount_due(api: Api, invoice_id: str) -> None:
    assert [api.pay(invoice_id, 50).status for _ in range(3)] == [200, 200, 400]


def test_what_can_be_paid(api: Api, invoice_id: str) -> None:
    assert api.pay(invoice_id, 100.01).messages == [TOO_LARGE]
    api.pay(invoice_id, 100)
    assert api.pay(invoice_id, 1).messages == [TOO_LARGE, NOT_AUTHORISED]
    contact_id = api.contact("Two")
    draft = api.invoice(contact_id, Status="DRAFT")["InvoiceID"]
    assert api.pay(draft, 1).messages == [NOT_AUTHORISED]
    voided = api.invoice(contact_id)["InvoiceID"]
    api.control.void_invoice(api.tenant_id, voided)
    assert api.pay(voided, 1).messages == [NOT_AUTHORISED]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"Account": {"Code": "999"}}, "Account could not be found"),
        ({"Account": {}}, "Account could not be found"),
        ({"Account": {"Code": "200"}}, "Payments to this account are not enabled"),
        ({"Invoice": {}}, "A payment must name exactly one document that can be found"),
        ({"InvoiceNumber": "HL-1"}, "A payment must name exactly one document that can be found"),
        ({"Invoice": {"InvoiceNumber": "No such"}}, "A payment must name exactly one document that can be found"),
        ({"Amount": 0}, "The payment amount must be greater than zero"),
        ({"Date": None}, "The Date field must be specified."),
        ({"Reference": "x" * 256}, "Reference must be at most 255 characters"),
    ],
)
def test_what_a_payment_may_not_be(api: Api, invoice_id: str, changes: dict[str, Any], message: str) -> None:
    reply = api.put("Payments", payment_body(invoice_id, 10, **changes))
    assert reply.status == 400
    assert reply.messages == [message]
    assert reply.body["Elements"][0]["PaymentID"] == "00000000-0000-0000-0000-000000000000"


def test_accounts_that_take_payments(api: Api, invoice_id: str) -> None:
    assert api.pay(invoice_id, 10, Account={"Code": "092"}).status == 200
    api.control.enable_payments_to_account(api.tenant_id, "092", enabled=False)
    assert api.pay(invoice_id, 10, Account={"Code": "092"}).status == 400
    bank = next(row for row in api.get("Accounts").body["Accounts"] if row.get("Code") == "090")
    assert bank["EnablePaymentsToAccount"] is False, "as Xero shows bank accounts"
    assert api.pay(invoice_id, 10, Account={"AccountID": bank["AccountID"]}).status == 200
    api.control.archive_account(api.tenant_id, "090")
    assert api.pay(invoice_id, 10).messages == ["Account could not be found"]


def test_a_payment_can_only_be_deleted_and_only_once(api: Api, invoice_id: str) -> None:
    payment_id = api.pay(invoice_id, 10).body["Payments"][0]["PaymentID"]
    for body in ({"Amount": 5}, {"Status": "AUTHORISED"}, {"Status": "DELETED", "Amount": 5}):
        assert api.post(f"Payments/{payment_id}", body).body["ErrorNumber"] == 14
    assert api.post(f"Payments/{payment_id}", {"Status": "DELETED"}).status == 200
    assert api.post(f"Payments/{payment_id}", {"Status": "DELETED"}).messages == [NOT_VALID]
    assert api.post("Payments/11111111-1111-1111-1111-111111111111", {"Status": "DELETED"}).status == 404


def test_a_reconciled_payment_stays(api: Api, invoice_id: str) -> None:
    payment_id = api.pay(invoice_id, 10).body["Payments"][0]["PaymentID"]
    api.control.reconcile_payment(api.tenant_id, payment_id)
    assert api.post(f"Payments/{payment_id}", {"Status": "DELETED"}).messages == [NOT_VALID]
    api.control.reconcile_payment(api.tenant_id, payment_id, reconciled=False)
    assert api.post(f"Payments/{payment_id}", {"Status": "DELETED"}).status == 200


def test_post_makes_one_payment_and_always_summarises(api: Api, invoice_id: str) -> None:
    assert api.post("Payments?summarizeErrors=false", payment_body(invoice_id, 10)).status == 200
    assert api.post("Payments?summarizeErrors=false", payment_body(invoice_id, 999)).status == 400
    two = {"Payments": [payment_body(invoice_id, 1), payment_body(invoice_id, 2)]}
    assert api.post("Payments", two).body["ErrorNumber"] == 14
    many = api.put("Payments?summarizeErrors=false", {"Payments": [*two["Payments"], payment_body(invoice_id, 999)]})
    assert [row["StatusAttributeString"] for row in many.body["Payments"]] == ["OK", "OK", "ERROR"]
    assert api.one("Invoices", invoice_id)["AmountPaid"] == 13


def test_response_flags_are_refused_but_has_account_is_taken(api: Api, invoice_id: str) -> None:
    assert api.pay(invoice_id, 10, HasAccount=True).status == 200
    assert api.pay(invoice_id, 10, HasValidationErrors=False).status == 200, "the SDKs send it"
    assert api.pay(invoice_id, 10, HasValidationErrors=True).body["ErrorNumber"] == 14


def test_a_credit_note_can_be_paid_back(api: Api) -> None:
    note = api.note(api.contact())
    refund = {
        "CreditNote": {"CreditNoteID": note["CreditNoteID"]},
        "Account": {"Code": "090"},
        "Date": DAY,
        "Amount": 60,
    }
    made = api.made("Payments", refund)
    assert made["PaymentType"] == "ARCREDITPAYMENT"
    paid = api.one("CreditNotes", note["CreditNoteID"])
    assert (paid["Status"], paid["RemainingCredit"]) == ("PAID", 0)


def test_payments_are_found_by_their_invoice_and_reference(api: Api, invoice_id: str) -> None:
    other = api.invoice(api.contact("Two"))["InvoiceID"]
    api.pay(invoice_id, 10, Reference="CARD p-1")
    gone = api.pay(invoice_id, 20, Reference="CASH p-2").body["Payments"][0]["PaymentID"]
    api.pay(other, 30, Reference="CARD p-3")
    api.post(f"Payments/{gone}", {"Status": "DELETED"})

    def found(where: str) -> list[str]:
        return [row["Reference"] for row in api.get(f"Payments?where={where}").body["Payments"]]

    assert found(f'Invoice.InvoiceID==guid("{invoice_id}")') == ["CARD p-1", "CASH p-2"]
    assert found(f'Invoice.InvoiceID==guid("{invoice_id}") AND Status=="AUTHORISED"') == ["CARD p-1"]
    assert found('Reference=="CARD p-3"') == ["CARD p-3"]
    assert found('PaymentType=="ACCRECPAYMENT" AND Status=="DELETED"') == ["CASH p-2"]
    page = api.get("Payments?page=2&pageSize=2").body
    assert page["pagination"] == {"page": 2, "pageSize": 2, "pageCount": 2, "itemCount": 3}
    assert len(page["Payments"]) == 1
