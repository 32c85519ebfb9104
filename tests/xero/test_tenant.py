"""The named calls, against the simulator."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from consumer.sandbox.xero import Fault
from consumer.xero import (
    AnswerLostError,
    DisconnectedError,
    ElementResult,
    NotFoundError,
    RateLimitedError,
    RequestRefusedError,
    describe_tenant,
)
from tests.xero.conftest import ORGANISATION, Access

Keys = Callable[[], str]


def saved_id(results: list[ElementResult]) -> str:
    [result] = results
    assert result.ok, result.messages
    assert result.xero_id is not None
    return result.xero_id


def line(**changes: Any) -> dict[str, Any]:
    return {
        "Description": "Batteries",
        "Quantity": Decimal(1),
        "UnitAmount": Decimal("100.00"),
        "AccountCode": "200",
        "TaxType": "NONE",
    } | changes


def document(contact_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "Type": "ACCREC",
        "Contact": {"ContactID": contact_id},
        "Date": "2026-01-31",
        "DueDate": "2026-02-28",
        "Status": "AUTHORISED",
        "LineItems": [line()],
    } | changes


@pytest.fixture
def contact_id(access: Access, keys: Keys) -> str:
    contact = {"Name": "A Patient", "ContactNumber": "p-1"}
    return saved_id(access.tenant.put_contacts([contact], idempotency_key=keys()))


@pytest.fixture
def invoice_id(access: Access, keys: Keys, contact_id: str) -> str:
    invoice = document(contact_id, InvoiceNumber="HL-1")
    return saved_id(access.tenant.put_invoices([invoice], idempotency_key=keys()))


@pytest.fixture
def credit_note_id(access: Access, keys: Keys, contact_id: str) -> str:
    note = document(contact_id, Type="ACCRECCREDIT", CreditNoteNumber="CN-1", LineItems=[line(UnitAmount=40)])
    del note["DueDate"]
    return saved_id(access.tenant.put_credit_notes([note], idempotency_key=keys()))


def test_an_element_that_fails_leaves_the_others_alone(access: Access, keys: Keys, contact_id: str) -> None:
    invoices = [
        document(contact_id, InvoiceNumber="HL-1"),
        document(contact_id, InvoiceNumber="HL-2", LineItems=[line(AccountCode="999")]),
        document(contact_id, InvoiceNumber="HL-3"),
    ]
    results = access.tenant.put_invoices(invoices, idempotency_key=keys())
    assert [result.ok for result in results] == [True, False, True]
    assert "999" in results[1].messages[0]
    assert results[1].xero_id is None


def test_an_invoice_is_changed_by_its_id(access: Access, keys: Keys, invoice_id: str) -> None:
    change = {"InvoiceID": invoice_id, "Reference": "changed"}
    assert saved_id(access.tenant.post_invoices([change], idempotency_key=keys())) == invoice_id
    [found] = access.tenant.invoices_by_id([invoice_id])
    assert found["Reference"] == "changed"


def test_a_contact_is_changed_by_its_id(access: Access, keys: Keys, contact_id: str) -> None:
    change = {"ContactID": contact_id, "Name": "A Renamed Patient"}
    assert saved_id(access.tenant.post_contacts([change], idempotency_key=keys())) == contact_id
    [found] = access.tenant.contacts_by_id([contact_id])
    assert found["Name"] == "A Renamed Patient"


def test_a_payment_is_made_found_and_removed(access: Access, keys: Keys, invoice_id: str) -> None:
    payment = {
        "Invoice": {"InvoiceID": invoice_id},
        "Account": {"Code": "090"},
        "Date": "2026-01-31",
        "Amount": Decimal("60.00"),
        "Reference": "card pay-1",
    }
    payment_id = saved_id(access.tenant.put_payments([payment], idempotency_key=keys()))
    assert [found["Reference"] for found in access.tenant.payments_on_invoices([invoice_id])] == ["card pay-1"]
    removed = access.tenant.delete_payment(payment_id, idempotency_key=keys())
    assert (removed.ok, removed.xero_id) == (True, payment_id)
    again = access.tenant.delete_payment(payment_id, idempotency_key=keys())
    assert not again.ok
    assert again.messages


def test_removing_an_unknown_payment_says_so(access: Access, keys: Keys) -> None:
    with pytest.raises(NotFoundError):
        access.tenant.delete_payment("0e8e1d2c-6d6d-4c39-9bd1-6a1c30a4c0b8", idempotency_key=keys())


def test_a_credit_note_is_allocated_deallocated_and_voided(
    access: Access, keys: Keys, invoice_id: str, credit_note_id: str
) -> None:
    allocation = {"Amount": Decimal("40.00"), "Invoice": {"InvoiceID": invoice_id}, "Date": "2026-01-31"}
    assert access.tenant.put_allocation(credit_note_id, allocation, idempotency_key=keys()).ok
    note = access.tenant.credit_note(credit_note_id)
    assert note["Status"] == "PAID"
    [allocated] = note["Allocations"]
    refused = access.tenant.put_allocation(credit_note_id, allocation, idempotency_key=keys())
    assert not refused.ok
    assert refused.messages

    void = {"CreditNoteID": credit_note_id, "Status": "VOIDED"}
    [too_early] = access.tenant.post_credit_notes([void], idempotency_key=keys())
    assert not too_early.ok
    assert access.tenant.delete_allocation(credit_note_id, allocated["AllocationID"]).ok
    assert saved_id(access.tenant.post_credit_notes([void], idempotency_key=keys())) == credit_note_id
    with pytest.raises(NotFoundError):
        access.tenant.delete_allocation(credit_note_id, allocated["AllocationID"])


def test_an_unknown_credit_note_is_not_found(access: Access) -> None:
    with pytest.raises(NotFoundError):
        access.tenant.credit_note("0e8e1d2c-6d6d-4c39-9bd1-6a1c30a4c0b8")


def test_look_ups_find_by_number_what_exists(
    access: Access, contact_id: str, invoice_id: str, credit_note_id: str
) -> None:
    tenant = access.tenant
    assert [found["ContactID"] for found in tenant.contacts_by_number(["p-1", "p-2"])] == [contact_id]
    assert [found["InvoiceID"] for found in tenant.invoices_by_number(["HL-1", "HL-2"])] == [invoice_id]
    assert [found["CreditNoteID"] for found in tenant.credit_notes_by_number(["CN-1"])] == [credit_note_id]
    assert tenant.invoices_by_number([]) == []


def test_look_ups_find_archived_contacts(access: Access, contact_id: str) -> None:
    access.simulator.control.archive_contact(access.tenant_id, contact_id)
    assert [found["ContactStatus"] for found in access.tenant.contacts_by_number(["p-1"])] == ["ARCHIVED"]
    assert [found["ContactStatus"] for found in access.tenant.contacts_by_id([contact_id])] == ["ARCHIVED"]


@pytest.mark.parametrize("number", ['p"1', "p\\1", "p,1", "p 1/2&x=y+z", "pé"])
def test_look_ups_find_odd_numbers(access: Access, keys: Keys, number: str) -> None:
    contact = {"Name": "Odd", "ContactNumber": number}
    contact_id = saved_id(access.tenant.put_contacts([contact], idempotency_key=keys()))
    assert [found["ContactID"] for found in access.tenant.contacts_by_number([number])] == [contact_id]


def test_an_invoice_number_with_a_comma_is_found(access: Access, keys: Keys, contact_id: str) -> None:
    invoice = document(contact_id, InvoiceNumber="HL,1")
    invoice_id = saved_id(access.tenant.put_invoices([invoice], idempotency_key=keys()))
    assert [found["InvoiceID"] for found in access.tenant.invoices_by_number(["HL,1"])] == [invoice_id]


def test_long_look_ups_take_several_calls_and_pages(access: Access, keys: Keys, contact_id: str) -> None:
    numbers = [f"HL-{number}" for number in range(50)]
    invoices = [document(contact_id, InvoiceNumber=number) for number in numbers]
    access.tenant.put_invoices(invoices, idempotency_key=keys())
    before = access.count_calls("/api.xro/2.0/Invoices")
    found = access.tenant.invoices_by_number([*numbers, *numbers])
    assert sorted(invoice["InvoiceNumber"] for invoice in found) == sorted(numbers)
    assert all(invoice["LineItems"] for invoice in found)
    assert access.count_calls("/api.xro/2.0/Invoices") == before + 2


def test_payments_are_read_to_the_last_page(access: Access, keys: Keys, invoice_id: str) -> None:
    payment = {
        "Invoice": {"InvoiceID": invoice_id},
        "Account": {"Code": "090"},
        "Date": "2026-01-31",
        "Amount": Decimal("0.10"),
    }
    for _ in range(3):
        results = access.tenant.put_payments([payment] * 40, idempotency_key=keys())
        assert all(result.ok for result in results)
    assert len(access.tenant.payments_on_invoices([invoice_id])) == 120


def test_a_field_that_xero_does_not_know_refuses_the_request(access: Access, keys: Keys) -> None:
    with pytest.raises(RequestRefusedError) as caught:
        access.tenant.put_contacts([{"Name": "A", "Nonsense": False}], idempotency_key=keys())
    assert caught.value.kind == "PostDataInvalidException"


@pytest.mark.parametrize(
    ("kind", "committed"),
    [("drop_before", 0), ("drop_after", 1), ("internal_error_before", 0), ("internal_error_after", 1)],
)
def test_a_lost_answer_is_in_doubt_and_sent_once(access: Access, keys: Keys, kind: Any, committed: int) -> None:
    access.simulator.control.add_fault(Fault(kind=kind, path="/Contacts$"))
    with pytest.raises(AnswerLostError):
        access.tenant.put_contacts([{"Name": "A Patient", "ContactNumber": "p-1"}], idempotency_key=keys())
    assert access.count_calls("/api.xro/2.0/Contacts") == 1
    assert len(access.tenant.contacts_by_number(["p-1"])) == committed


def test_a_limit_of_the_day_freezes_the_tenant(access: Access) -> None:
    access.simulator.control.add_fault(Fault(kind="rate_limit_day", retry_after_seconds=3600))
    with pytest.raises(RateLimitedError) as caught:
        access.tenant.organisation()
    assert caught.value.problem == "day"
    assert caught.value.wait_seconds == pytest.approx(3600, abs=5)


def test_a_disconnected_tenant_costs_no_further_call(access: Access) -> None:
    access.simulator.control.disconnect(access.tenant_id)
    for _ in range(3):
        with pytest.raises(DisconnectedError):
            access.tenant.organisation()
    assert access.count_calls("/api.xro/2.0/Organisation") == 1


def test_a_tenant_is_described(access: Access) -> None:
    with access.connections() as connection:
        describe_tenant(connection, access.tenant, ORGANISATION, access.tenant_id)
        row = connection.execute(
            "select base_currency, country_code, accounts, tax_rates, described_at is not null from xero_tenant"
        ).fetchone()
    assert row is not None
    currency, country, accounts, tax_rates, described = row
    assert (currency, country, described) == ("GBP", "GB", True)
    assert {account["Code"] for account in accounts} >= {"090", "200", "240"}
    assert {rate["TaxType"] for rate in tax_rates} >= {"OUTPUT2", "ZERORATEDOUTPUT"}


def test_standing_payments_are_found_by_the_invoices_that_something_was_paid_on(access: Access) -> None:
    tenant, control = access.tenant, access.simulator.control
    contact = tenant.put_contacts([{"Name": "Payer", "ContactNumber": "payer"}], idempotency_key="c")[0].xero_id
    bodies = [
        {
            "Type": "ACCREC",
            "Contact": {"ContactID": contact},
            "InvoiceNumber": f"P-{number}",
            "Date": "2026-10-01",
            "DueDate": "2026-10-01",
            "Status": "AUTHORISED",
            "LineItems": [
                {"Description": "x", "Quantity": 1, "UnitAmount": 10, "AccountCode": "200", "TaxType": "NONE"}
            ],
        }
        for number in range(3)
    ]
    invoices = [result.xero_id or "" for result in tenant.put_invoices(bodies, idempotency_key="i")]
    paid = [
        {
            "Invoice": {"InvoiceID": invoice_id},
            "Account": {"Code": "090"},
            "Date": "2026-10-02",
            "Amount": 4,
            "Reference": f"CARD {position}",
        }
        for position, invoice_id in enumerate(invoices[:2])
    ]
    payments = tenant.put_payments(paid, idempotency_key="p")
    control.delete_payment(access.tenant_id, payments[1].xero_id or "")
    paid[0]["Amount"] = 3
    again = tenant.put_payments([paid[0]], idempotency_key="q")
    control.delete_payment(access.tenant_id, again[0].xero_id or "")
    for shown in (True, False):
        control.show_payment_references(access.tenant_id, shown=shown)
        found = tenant.standing_payments(invoices)
        assert [(entry["PaymentID"], entry["Reference"]) for entry in found] == [(payments[0].xero_id, "CARD 0")]
        assert found[0]["Invoice"]["InvoiceID"] == invoices[0]
