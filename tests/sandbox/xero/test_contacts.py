from typing import Any

import pytest

from tests.sandbox.xero.client import Api, invoice_body


def test_a_name_belongs_to_one_active_contact_whatever_its_case(api: Api) -> None:
    api.contact("Ada Byron")
    reply = api.put("Contacts", {"Name": "  ADA  byron "})
    assert reply.status == 400
    assert reply.body["ErrorNumber"] == 10
    assert reply.body["Type"] == "ValidationException"
    element = reply.body["Elements"][0]
    assert element["ContactID"] == "00000000-0000-0000-0000-000000000000"
    assert element["HasValidationErrors"] is True
    assert reply.messages == [
        (
            "The contact name ADA byron is already assigned to another contact. "
            "The contact name must be unique across all active contacts."
        )
    ]


def test_an_archived_contact_frees_its_name_but_not_its_number(api: Api) -> None:
    contact_id = api.contact("Ada Byron", "patient-1")
    archived = api.post(f"Contacts/{contact_id}", {"ContactStatus": "ARCHIVED"})
    assert archived.body["Contacts"][0]["ContactStatus"] == "ARCHIVED"
    assert api.put("Contacts", {"Name": "Ada Byron"}).status == 200
    reply = api.put("Contacts", {"Name": "Another", "ContactNumber": "PATIENT-1"})
    assert reply.messages == ["Another contact has this contact number. Please enter a different contact number."]


def test_put_refuses_a_taken_number_and_an_account_number(api: Api) -> None:
    api.made("Contacts", {"Name": "One", "ContactNumber": "p-1", "AccountNumber": "a-1"})
    reply = api.put("Contacts", {"Name": "Two", "ContactNumber": "p-1", "AccountNumber": "a-1"})
    assert reply.messages == [
        "Another contact has this contact number. Please enter a different contact number.",
        "The account number already exists, please enter a different account number",
    ]


def test_post_updates_by_id_then_number_then_name_and_else_creates(api: Api) -> None:
    first = api.contact("Ada Byron", "p-1")
    by_number = api.post("Contacts", {"ContactNumber": "p-1", "Name": "Ada King"}).body["Contacts"][0]
    assert (by_number["ContactID"], by_number["Name"]) == (first, "Ada King")
    by_name = api.post("Contacts", {"Name": "ada king", "EmailAddress": "ada@example.org"}).body["Contacts"][0]
    assert by_name["ContactID"] == first
    assert by_name["ContactNumber"] == "p-1", "what is absent keeps its value"
    by_id = api.post("Contacts", {"ContactID": first, "FirstName": "Ada"}).body["Contacts"][0]
    assert by_id["EmailAddress"] == "ada@example.org"
    created = api.post("Contacts", {"Name": "Somebody Else"}).body["Contacts"][0]
    assert created["ContactID"] != first


def test_post_with_an_unknown_id_is_not_found_as_a_whole(api: Api) -> None:
    unknown = "11111111-1111-1111-1111-111111111111"
    reply = api.post(
        "Contacts?summarizeErrors=false",
        {"Contacts": [{"Name": "Kept?"}, {"ContactID": unknown, "Name": "No one"}]},
    )
    assert (reply.status, reply.body) == (404, "")
    assert reply.headers["Content-Type"].startswith("text/html")
    assert api.control.ledger(api.tenant_id)["Contacts"] == []


def test_a_rename_to_a_taken_name_is_refused(api: Api) -> None:
    api.contact("Ada Byron")
    other = api.contact("Grace Hopper")
    reply = api.post(f"Contacts/{other}", {"Name": "Ada Byron"})
    assert reply.status == 400
    assert "already assigned to another contact" in reply.messages[0]
    assert api.one("Contacts", other)["Name"] == "Grace Hopper"


def test_an_archived_contact_cannot_be_edited_or_restored(api: Api) -> None:
    contact_id = api.contact("Ada Byron", "p-1")
    api.control.archive_contact(api.tenant_id, contact_id)
    for body in ({"Name": "New"}, {"ContactStatus": "ACTIVE"}, {"ContactStatus": "ARCHIVED"}):
        reply = api.post(f"Contacts/{contact_id}", body)
        assert reply.messages == [
            (
                "The specified contact details matched an archived contact. "
                "Archived contacts cannot currently be edited via the API."
            )
        ]
    by_number = api.post("Contacts", {"ContactNumber": "p-1", "Name": "New"})
    assert by_number.messages[0].startswith("The specified contact details matched an archived contact.")
    api.control.restore_contact(api.tenant_id, contact_id)
    assert api.post(f"Contacts/{contact_id}", {"Name": "New"}).status == 200


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            {"FirstName": "Ada"},
            (
                "The Contact must contain at least 1 of the following elements to identify the contact: "
                "Name, ContactID, ContactNumber"
            ),
        ),
        ({"Name": "", "ContactNumber": "p"}, "Contact name cannot be empty"),
        ({"ContactNumber": "p"}, "Contact name cannot be empty"),
        ({"Name": "A <b> C"}, "Contact name cannot contain the characters < or >"),
        ({"Name": "x" * 256}, "Name must be at most 255 characters"),
        ({"Name": "A", "ContactNumber": "x" * 51}, "ContactNumber must be at most 50 characters"),
        ({"Name": "A", "EmailAddress": "no at sign"}, "Email address must be valid."),
        ({"Name": "A", "EmailAddress": "jürgen@example.org"}, "Email address must be valid."),
        (
            {"Name": "A", "Addresses": [{"AddressType": "POBOX", "City": "x" * 256}]},
            "City must be at most 255 characters",
        ),
        (
            {"Name": "A", "Addresses": [{"AddressType": "POBOX", "Country": "G8"}]},
            "Country must contain letters only",
        ),
        (
            {"Name": "A", "Phones": [{"PhoneType": "MOBILE", "PhoneNumber": "1" * 51}]},
            "PhoneNumber must be at most 50 characters",
        ),
        (
            {"Name": "A", "ContactPersons": [{"FirstName": str(n)} for n in range(6)]},
            "A contact may have at most 5 contact persons",
        ),
    ],
)
def test_what_a_contact_may_not_be(api: Api, body: dict[str, Any], message: str) -> None:
    reply = api.put("Contacts", body)
    assert reply.status == 400
    assert reply.messages == [message]


@pytest.mark.parametrize(
    "body",
    [
        {"Name": "A", "Surname": "B"},
        {"Name": "A", "Website": "https://example.org"},
        {"Name": "A", "HasValidationErrors": True},
        {"Name": "A", "ContactStatus": "GONE"},
        {"Name": "A", "Addresses": [{"AddressType": "DELIVERY"}]},
        {"Name": "A", "Phones": [{"PhoneType": "OFFICE"}]},
        {"Name": "A", "ContactID": "not a guid"},
        {"Name": "A", "IsCustomer": "perhaps"},
        {"Name": ["A"]},
        {"Name": "A", "Phones": "0123"},
    ],
)
def test_what_cannot_be_read_fails_the_whole_call(api: Api, body: dict[str, Any]) -> None:
    reply = api.put("Contacts?summarizeErrors=false", {"Contacts": [{"Name": "Fine"}, body]})
    assert reply.status == 400
    assert reply.body["ErrorNumber"] == 14
    assert reply.body["Type"] == "PostDataInvalidException"
    assert "Elements" not in reply.body
    assert api.control.ledger(api.tenant_id)["Contacts"] == []


def test_a_bad_website_blocks_every_change(api: Api) -> None:
    contact_id = api.contact()
    api.control.set_contact_website(api.tenant_id, contact_id, "not a link")
    assert api.post(f"Contacts/{contact_id}", {"Name": "New"}).messages == ["Website must be valid"]


def test_slots_and_names_come_back_as_xero_shows_them(api: Api) -> None:
    made = api.made(
        "Contacts",
        {
            "Name": " Ada   Byron ",
            "Addresses": [{"AddressType": "STREET", "AddressLine1": "1 Quay", "Country": "United Kingdom"}],
            "Phones": [{"PhoneType": "MOBILE", "PhoneNumber": "0123"}],
        },
    )
    assert made["Name"] == "Ada Byron"
    assert [row["AddressType"] for row in made["Addresses"]] == ["STREET", "POBOX"]
    assert made["Addresses"][0]["AddressLine1"] == "1 Quay"
    assert [row["PhoneType"] for row in made["Phones"]] == ["DDI", "DEFAULT", "FAX", "MOBILE"]
    assert made["IsCustomer"] is False
    api.invoice(made["ContactID"])
    assert api.one("Contacts", made["ContactID"])["IsCustomer"] is True


def test_a_mixed_batch_keeps_the_good_ones_only_when_errors_are_not_summarised(api: Api) -> None:
    batch = {"Contacts": [{"Name": "One"}, {"Name": "one"}, {"Name": "Two"}]}
    summarised = api.put("Contacts", batch)
    assert summarised.status == 400
    assert len(summarised.body["Elements"]) == 1
    assert api.control.ledger(api.tenant_id)["Contacts"] == []

    single = api.put("Contacts?summarizeErrors=false", batch)
    assert single.status == 200
    assert [row["StatusAttributeString"] for row in single.body["Contacts"]] == ["OK", "ERROR", "OK"]
    assert single.body["Contacts"][1]["ContactID"] == "00000000-0000-0000-0000-000000000000"
    assert [row["Name"] for row in api.get("Contacts").body["Contacts"]] == ["One", "Two"]
    assert "StatusAttributeString" not in api.made("Contacts", {"Name": "Three"})


def test_merged_contacts_hand_over_their_documents(api: Api) -> None:
    old, new = api.contact("Old", "p-1"), api.contact("New", "p-2")
    invoice = api.invoice(old)
    api.control.merge_contacts(api.tenant_id, "p-1", "p-2")
    assert api.one("Invoices", invoice["InvoiceID"])["Contact"]["ContactID"] == new
    merged = api.one("Contacts", old)
    assert (merged["ContactStatus"], merged["MergedToContactID"]) == ("ARCHIVED", new)
    reply = api.put("Invoices", invoice_body(old))
    assert reply.messages == [
        (
            "The contact with the specified contact details has been archived. "
            "The contact must be un-archived before creating new invoices or credit notes."
        )
    ]
