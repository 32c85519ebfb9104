"""What the simulator answers and takes, held against Xero's own OpenAPI description."""

from typing import Any

import pytest

from consumer.sandbox.xero import fields
from consumer.sandbox.xero.contacts import ADDRESS_LIMITS, IDENTITY_LIMITS, PHONE_LIMITS, TEXT_LIMITS
from tests.sandbox.xero.client import Api, invoice_body, line
from tests.sandbox.xero.openapi import description, problems, properties

# Xero wraps every answer in these; the description has the lists only.
ENVELOPE = {"Id", "Status", "ProviderName", "DateTimeUTC"}

# Fields that the description's schemas leave out, but its own examples or recorded answers have.
BEYOND_THE_DESCRIPTION = {
    "DateString",
    "DueDateString",
    "ID",
    "ValidationErrors",
}


def departures(schema: str, reply_body: Any) -> set[str]:
    """Departures of an answer from its schema, the known ones left out."""
    body = {name: part for name, part in reply_body.items() if name not in ENVELOPE}
    unknown = set()
    for found in problems(schema, body):
        named = {name for name in BEYOND_THE_DESCRIPTION if f"'{name}'" in found}
        rest = found
        for name in named:
            rest = rest.replace(f"'{name}'", "")
        if not named or "'" in rest.partition("(")[2]:
            unknown.add(found)
    return unknown


@pytest.fixture
def books(api: Api) -> Api:
    """One of everything: paid, credited, drafted, voided, discounted."""
    person = {
        "Name": "Ada Byron",
        "ContactNumber": "p-1",
        "AccountNumber": "a-1",
        "FirstName": "Ada",
        "EmailAddress": "ada@example.org",
        "Phones": [{"PhoneType": "MOBILE", "PhoneNumber": "0123"}],
        "Addresses": [{"AddressType": "STREET", "AddressLine1": "1 Quay", "Country": "United Kingdom"}],
        "ContactPersons": [{"FirstName": "Zoe", "EmailAddress": "zoe@example.org", "IncludeInEmails": True}],
    }
    contact_id = api.made("Contacts", person)["ContactID"]
    full = {
        "InvoiceNumber": "HL-1",
        "Reference": "r",
        "Url": "https://example.org/o/1",
        "ExpectedPaymentDate": "2026-04-01",
        "BrandingThemeID": "11111111-1111-1111-1111-111111111111",
        "SentToContact": True,
        "LineItems": [line(DiscountRate=10), line(DiscountAmount=5)],
    }
    invoice = api.invoice(contact_id, **full)
    note = api.note(contact_id, CreditNoteNumber="CN-1")
    api.allocate(note["CreditNoteID"], invoice["InvoiceID"], 60)
    api.pay(invoice["InvoiceID"], 125, Reference="CARD")
    api.invoice(contact_id, InvoiceNumber="HL-2", Status="DRAFT", DueDate=None)
    api.invoice(contact_id, InvoiceNumber="HL-3")
    api.control.void_invoice(api.tenant_id, "HL-3")
    api.control.set_lock_dates(api.tenant_id, "2026-01-31", "2025-12-31")
    api.control.archive_contact(api.tenant_id, api.contact("Gone"))
    return api


def test_the_judge_sees_departures() -> None:
    assert problems("Invoices", {"Invoices": [{"Foo": 1, "AmountDue": "x", "Status": "BAD"}]}) == {
        "Invoices: Additional properties are not allowed ('Foo' was unexpected)",
        "Invoices.AmountDue: type",
        "Invoices.Status: enum",
    }
    assert departures("Invoices", {"Id": "x", "Invoices": [{"DateString": "x", "Foo": 1}]}) != set()


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ("Organisations", "Organisation"),
        ("Actions", "Organisation/Actions"),
        ("Accounts", "Accounts"),
        ("TaxRates", "TaxRates"),
        ("Contacts", "Contacts?includeArchived=true"),
        ("Contacts", "Contacts?page=1&summaryOnly=true"),
        ("Contacts", "Contacts/p-1"),
        ("Invoices", "Invoices"),
        ("Invoices", "Invoices?page=1"),
        ("Invoices", "Invoices?page=1&summaryOnly=true"),
        ("Invoices", "Invoices/HL-1?unitdp=4"),
        ("Invoices", "Invoices/HL-3"),
        ("CreditNotes", "CreditNotes"),
        ("CreditNotes", "CreditNotes?page=1"),
        ("CreditNotes", "CreditNotes/CN-1"),
        ("Payments", "Payments"),
        ("Payments", "Payments?page=1"),
    ],
)
def test_reads_fit_the_description(books: Api, schema: str, path: str) -> None:
    description()
    reply = books.get(path)
    assert reply.status == 200
    assert departures(schema, reply.body) == set()


def test_writes_fit_the_description(api: Api) -> None:
    description()
    contact = {"Name": "Ada Byron"}
    made = api.put("Contacts", contact)
    contact_id = made.body["Contacts"][0]["ContactID"]
    body = invoice_body(contact_id, Status="DRAFT", SentToContact=True)
    warned = api.put("Invoices?summarizeErrors=false", {"Invoices": [body, {**body, "LineItems": []}]})
    invoice_id = api.invoice(contact_id)["InvoiceID"]
    note_id = api.note(contact_id)["CreditNoteID"]
    paid = api.pay(invoice_id, 10)
    payment_id = paid.body["Payments"][0]["PaymentID"]
    allocated = api.allocate(note_id, invoice_id, 5)
    note = api.get(f"CreditNotes/{note_id}")
    allocation_id = note.body["CreditNotes"][0]["Allocations"][0]["AllocationID"]
    answers = {
        "Contacts": [made, api.put("Contacts?summarizeErrors=false", {"Contacts": [contact, {"Name": "B"}]})],
        "Invoices": [warned],
        "CreditNotes": [note],
        "Payments": [paid, api.post(f"Payments/{payment_id}", {"Status": "DELETED"})],
        "Allocations": [allocated],
    }
    for schema, replies in answers.items():
        for reply in replies:
            assert reply.status == 200
            assert departures(schema, reply.body) == set()
    removed = api.call("DELETE", f"CreditNotes/{note_id}/Allocations/{allocation_id}")
    # The description marks Amount as required of every allocation; its own example of a deletion has none.
    assert departures("Allocation", removed.body) == {": required"}


def test_errors_fit_the_description(api: Api) -> None:
    description()
    contact_id = api.contact()
    for reply in (
        api.put("Invoices", invoice_body(contact_id, LineItems=[line(AccountCode="999")])),
        api.put("Contacts", {"Name": "A", "Surname": "B"}),
        api.get("Invoices?where=Nothing"),
    ):
        assert reply.status == 400
        body = {name: part for name, part in reply.body.items() if name != "Elements"}
        assert problems("Error", body) == set()


@pytest.mark.parametrize(
    ("schema", "shape"),
    [
        ("Contact", fields.CONTACT),
        ("Address", fields.ADDRESS),
        ("Phone", fields.PHONE),
        ("ContactPerson", fields.PERSON),
        ("Invoice", fields.INVOICE),
        ("CreditNote", fields.CREDIT_NOTE),
        ("LineItem", fields.LINE),
        ("LineItemTracking", fields.TRACKING),
        ("Payment", fields.PAYMENT),
        ("Allocation", fields.ALLOCATION),
        ("Account", fields.ACCOUNT),
    ],
)
def test_what_a_request_may_carry_is_in_the_description(schema: str, shape: fields.Shape) -> None:
    known = properties(schema)
    # Totals are marked read-only for invoices, yet Xero takes and checks them.
    checked = {"SubTotal", "TotalTax", "Total", "HasAttachments"}
    assert set(shape) <= set(known)
    read_only = {name for name, part in known.items() if part.get("readOnly")}
    assert set(shape) & read_only <= checked | {"SentToContact"}


def test_documented_lengths_are_kept() -> None:
    for schema, limits in (
        ("Contact", {**TEXT_LIMITS, **IDENTITY_LIMITS}),
        ("Address", ADDRESS_LIMITS),
        ("Phone", PHONE_LIMITS),
    ):
        documented = {name: part["maxLength"] for name, part in properties(schema).items() if "maxLength" in part}
        assert {name: limits[name] for name in documented} == documented
