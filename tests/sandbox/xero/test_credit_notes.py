from typing import Any

import pytest

from tests.sandbox.xero.client import Api, invoice_body, line, note_body

APPLIED = "This document cannot be edited as it has a payment or credit note allocated to it."


def test_a_note_is_allocated_and_taken_off_again(api: Api) -> None:
    contact_id = api.contact()
    invoice = api.invoice(contact_id, Date="2026-03-12")
    note = api.note(contact_id, CreditNoteNumber="CN-HL-1", Reference="note-1")
    note_id, invoice_id = note["CreditNoteID"], invoice["InvoiceID"]
    assert (note["Status"], note["RemainingCredit"], note["Allocations"]) == ("AUTHORISED", 60, [])

    answer = api.allocate(note_id, invoice_id, 60)
    assert answer.status == 200
    assert "AllocationID" not in answer.body["Allocations"][0], "only the note tells it"
    allocated = api.one("CreditNotes", note_id)
    assert (allocated["Status"], allocated["RemainingCredit"]) == ("PAID", 0)
    allocation = allocated["Allocations"][0]
    assert allocation["Amount"] == 60
    assert allocation["Invoice"]["InvoiceID"] == invoice_id
    assert allocation["Date"] == invoice["Date"], "the later of the two documents' dates"
    credited = api.one("Invoices", invoice_id)
    assert (credited["AmountCredited"], credited["AmountDue"], credited["Status"]) == (60, 40, "AUTHORISED")
    assert credited["CreditNotes"][0]["CreditNoteNumber"] == "CN-HL-1"

    path = f"CreditNotes/{note_id}/Allocations/{allocation['AllocationID']}"
    removed = api.call("DELETE", path)
    assert removed.status == 200
    assert removed.body["IsDeleted"] is True
    assert removed.body["AllocationID"] == allocation["AllocationID"]
    assert api.call("DELETE", path).status == 404
    reopened = api.one("CreditNotes", note_id)
    assert (reopened["Status"], reopened["RemainingCredit"], reopened["Allocations"]) == ("AUTHORISED", 60, [])
    assert api.one("Invoices", invoice_id)["AmountDue"] == 100


def test_credit_and_payment_together_make_an_invoice_paid(api: Api) -> None:
    contact_id = api.contact()
    invoice_id = api.invoice(contact_id)["InvoiceID"]
    note_id = api.note(contact_id)["CreditNoteID"]
    api.pay(invoice_id, 40)
    api.allocate(note_id, invoice_id, 60)
    assert api.one("Invoices", invoice_id)["Status"] == "PAID"


def test_credit_may_be_spread_over_invoices(api: Api) -> None:
    contact_id = api.contact()
    first, second = (api.invoice(contact_id)["InvoiceID"] for _ in range(2))
    note_id = api.note(contact_id)["CreditNoteID"]
    batch = {
        "Allocations": [
            {"Amount": 25, "Invoice": {"InvoiceID": first}},
            {"Amount": 99, "Invoice": {"InvoiceID": second}},
            {"Amount": 35, "Invoice": {"InvoiceID": second}},
        ]
    }
    reply = api.put(f"CreditNotes/{note_id}/Allocations?summarizeErrors=false", batch)
    assert [row["StatusAttributeString"] for row in reply.body["Allocations"]] == ["OK", "ERROR", "OK"]
    assert api.one("CreditNotes", note_id)["Status"] == "PAID"


def test_what_can_be_allocated(api: Api) -> None:
    contact_id, other = api.contact("One"), api.contact("Two")
    note_id = api.note(contact_id)["CreditNoteID"]
    large = api.invoice(contact_id)["InvoiceID"]
    small = api.invoice(contact_id, LineItems=[line(UnitAmount=10)])["InvoiceID"]
    draft = api.invoice(contact_id, Status="DRAFT")["InvoiceID"]
    too_large = ["Credit Note cannot be allocated as amount is greater than amount outstanding"]
    assert api.allocate(note_id, large, 60.01).messages == too_large
    assert api.allocate(note_id, small, 10.01).messages == too_large
    assert api.allocate(note_id, draft, 1).messages == ["Credit Note cannot be allocated to an incorrect invoice type"]
    strangers = api.invoice(other)["InvoiceID"]
    assert api.allocate(note_id, strangers, 1).messages == [
        "Credit Note cannot be allocated to an invoice of another contact"
    ]
    assert api.allocate(note_id, large, 0).messages == ["The allocation amount must be greater than zero"]
    api.pay(small, 10)
    assert api.allocate(note_id, small, 1).messages == [
        "The invoice you are trying to allocate to has already been paid off"
    ]
    draft_note = api.note(contact_id, Status="DRAFT")["CreditNoteID"]
    assert api.allocate(draft_note, large, 1).messages == ["Only AUTHORISED credit notes can be allocated"]
    unknown = "11111111-1111-1111-1111-111111111111"
    assert api.allocate(note_id, unknown, 1).messages == [
        "The invoice you are trying to allocate to could not be found"
    ]
    assert api.allocate(unknown, large, 1).status == 404


def test_an_allocated_note_can_neither_be_edited_nor_voided(api: Api) -> None:
    contact_id = api.contact()
    invoice_id = api.invoice(contact_id)["InvoiceID"]
    part, full = (api.note(contact_id)["CreditNoteID"] for _ in range(2))
    api.allocate(part, invoice_id, 30)
    api.allocate(full, invoice_id, 60)
    for note_id in (part, full):
        changed = api.post(f"CreditNotes/{note_id}", {"LineItems": [line(UnitAmount=61)]})
        assert changed.messages[0] == APPLIED
        assert api.post(f"CreditNotes/{note_id}", {"Status": "VOIDED"}).messages == [
            (
                "The status VOIDED cannot be applied to the credit note because it has "
                "payments or credit notes allocated to it."
            )
        ]
    allocation_id = api.one("CreditNotes", part)["Allocations"][0]["AllocationID"]
    api.control.remove_allocation(api.tenant_id, allocation_id)
    voided = api.post(f"CreditNotes/{part}", {"Status": "VOIDED"})
    assert voided.body["CreditNotes"][0]["Status"] == "VOIDED"
    assert api.one("CreditNotes", part)["RemainingCredit"] == 0


def test_date_and_reference_of_an_unallocated_note_may_change(api: Api) -> None:
    note_id = api.note(api.contact())["CreditNoteID"]
    changed = api.post("CreditNotes", {"CreditNoteID": note_id, "Date": "2026-03-11", "Reference": "r"})
    assert changed.body["CreditNotes"][0]["DateString"] == "2026-03-11T00:00:00"


def test_a_draft_needs_a_type_and_a_contact_only(api: Api) -> None:
    contact = {"ContactID": api.contact()}
    draft = api.made("CreditNotes", {"Type": "ACCRECCREDIT", "Contact": contact})
    assert (draft["Status"], draft["CreditNoteNumber"]) == ("DRAFT", "CN-0001")
    assert api.post(f"CreditNotes/{draft['CreditNoteID']}", {"Status": "AUTHORISED"}).messages == [
        "One or more line items must be specified"
    ]
    deleted = api.post(f"CreditNotes/{draft['CreditNoteID']}", {"Status": "DELETED"})
    assert deleted.body["CreditNotes"][0]["Status"] == "DELETED"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"LineItems": [line(DiscountRate=5)]}, "Discounts are not supported on credit notes"),
        ({"LineItems": [line(DiscountAmount=5)]}, "Discounts are not supported on credit notes"),
        ({"LineItems": []}, "One or more line items must be specified"),
        ({"LineItems": [line(UnitAmount=-5)]}, "The document total must not be less than zero"),
        ({"Type": "ACCPAYCREDIT"}, "The document type is missing or not supported"),
        ({"Status": "PAID"}, "Credit note not of valid status for creation"),
        (
            {"CreditNoteNumber": "taken"},
            "You must specify a different number. This number has already been used.",
        ),
    ],
)
def test_what_a_note_may_not_be(api: Api, changes: dict[str, Any], message: str) -> None:
    contact_id = api.contact()
    api.note(contact_id, CreditNoteNumber="TAKEN")
    reply = api.put("CreditNotes", note_body(contact_id, **changes))
    assert reply.status == 400
    assert [row["Message"] for row in reply.body["Elements"][0]["ValidationErrors"]] == [message]


def test_post_by_number_edits_a_strangers_note(api: Api) -> None:
    contact_id = api.contact()
    first = api.note(contact_id, CreditNoteNumber="CN-1")
    again = api.post("CreditNotes", note_body(contact_id, CreditNoteNumber="CN-1", Reference="ours"))
    assert again.body["CreditNotes"][0]["CreditNoteID"] == first["CreditNoteID"]
    api.post("CreditNotes", {"CreditNoteID": first["CreditNoteID"], "Status": "VOIDED"})
    refused = api.post("CreditNotes", note_body(contact_id, CreditNoteNumber="CN-1"))
    assert refused.messages == ["Credit note not of valid status for modification"]


def test_lock_dates_close_allocations(api: Api) -> None:
    contact_id = api.contact()
    invoice_id = api.invoice(contact_id)["InvoiceID"]
    note_id = api.note(contact_id)["CreditNoteID"]
    api.allocate(note_id, invoice_id, 10)
    allocation_id = api.one("CreditNotes", note_id)["Allocations"][0]["AllocationID"]
    api.control.set_lock_dates(api.tenant_id, "2026-03-10")
    locked = ["The document date cannot be before the period lock date, currently set at 10-Mar-2026"]
    assert api.allocate(note_id, invoice_id, 10).messages == locked
    removal = api.call("DELETE", f"CreditNotes/{note_id}/Allocations/{allocation_id}")
    assert (removal.status, removal.messages) == (400, locked)


def test_archived_contacts_take_no_new_notes(api: Api) -> None:
    contact_id = api.contact()
    api.control.archive_contact(api.tenant_id, contact_id)
    for reply in (
        api.put("CreditNotes", note_body(contact_id)),
        api.put("Invoices", invoice_body(contact_id)),
    ):
        assert reply.messages == [
            (
                "The contact with the specified contact details has been archived. "
                "The contact must be un-archived before creating new invoices or credit notes."
            )
        ]
