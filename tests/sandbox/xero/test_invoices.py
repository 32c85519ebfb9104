from typing import Any

import pytest

from tests.sandbox.xero.client import Api, invoice_body, line

APPLIED = "This document cannot be edited as it has a payment or credit note allocated to it."
NOT_VALID = "Invoice not of valid status for modification"


def test_a_number_belongs_to_one_invoice_for_ever(api: Api) -> None:
    contact_id = api.contact()
    invoice = api.invoice(contact_id, InvoiceNumber="HL-1")
    taken = api.put("Invoices", invoice_body(contact_id, InvoiceNumber="hl-1"))
    assert taken.status == 400
    assert taken.messages == ["Invoice # must be unique."]
    assert taken.body["Elements"][0]["HasErrors"] is True
    assert api.post(f"Invoices/{invoice['InvoiceID']}", {"Status": "VOIDED"}).status == 200
    assert api.put("Invoices", invoice_body(contact_id, InvoiceNumber="HL-1")).messages == taken.messages
    other = api.invoice(contact_id, InvoiceNumber="HL-2")
    renumbered = api.post("Invoices", {"InvoiceID": other["InvoiceID"], "InvoiceNumber": "HL-1"})
    assert renumbered.messages == taken.messages


def test_post_by_number_edits_a_strangers_invoice(api: Api) -> None:
    by_hand = api.control.create_invoice(api.tenant_id, invoice_body(api.contact("Stranger"), InvoiceNumber="HL-1"))
    ours = api.post("Invoices", invoice_body(api.contact("Ours"), InvoiceNumber="HL-1", Reference="ours"))
    assert ours.status == 200
    assert ours.body["Invoices"][0]["InvoiceID"] == by_hand["InvoiceID"]
    assert api.one("Invoices", "HL-1")["Reference"] == "ours"


def test_post_by_the_number_of_a_dead_invoice_is_refused(api: Api) -> None:
    contact_id = api.contact()
    api.invoice(contact_id, InvoiceNumber="HL-1", Status="DRAFT")
    api.control.delete_invoice(api.tenant_id, "HL-1")
    reply = api.post("Invoices", invoice_body(contact_id, InvoiceNumber="HL-1"))
    assert reply.messages == [NOT_VALID]


def test_an_unknown_id_is_not_found(api: Api) -> None:
    unknown = "11111111-1111-1111-1111-111111111111"
    assert api.get(f"Invoices/{unknown}").status == 404
    assert api.post("Invoices", {"InvoiceID": unknown, "Reference": "x"}).status == 404
    assert api.post(f"Invoices/{unknown}", {"Reference": "x"}).status == 404


def test_numbers_are_given_when_none_is_sent(api: Api) -> None:
    contact_id = api.contact()
    api.invoice(contact_id, InvoiceNumber="INV-0002")
    numbers = [api.invoice(contact_id)["InvoiceNumber"] for _ in range(2)]
    assert numbers == ["INV-0001", "INV-0003"]


@pytest.mark.parametrize(
    ("changes", "messages"),
    [
        ({"Status": "PAID"}, ["Invoice not of valid status for creation"]),
        ({"Status": "VOIDED"}, ["Invoice not of valid status for creation"]),
        ({"LineItems": []}, ["One or more line items must be specified"]),
        ({"DueDate": None}, ["The document DueDate field must be specified."]),
        ({"Status": "SUBMITTED", "DueDate": None}, ["The document DueDate field must be specified."]),
        ({"Contact": {}}, ["A Contact must be specified for this type of transaction"]),
        (
            {"Contact": {"FirstName": "Ada"}},
            [
                (
                    "The Contact must contain at least 1 of the following elements to identify the contact: "
                    "Name, ContactID, ContactNumber"
                )
            ],
        ),
        (
            {"Contact": {"ContactID": "11111111-1111-1111-1111-111111111111"}},
            ["A Contact must be specified for this type of transaction"],
        ),
        ({"CurrencyCode": "EUR"}, ["Organisation is not subscribed to currency EUR"]),
        ({"Url": "hearlink"}, ["Url must be a link"]),
        ({"Type": "ACCPAY"}, ["The document type is missing or not supported"]),
        ({"Total": 99}, ["The invoice total does not equal the sum of the lines."]),
        ({"InvoiceNumber": "Rechnung №1"}, ["The document number must be at most 255 printable ASCII characters"]),
        ({"Reference": "x" * 256}, ["Reference must be at most 255 characters"]),
    ],
)
def test_what_an_invoice_may_not_be(api: Api, changes: dict[str, Any], messages: list[str]) -> None:
    reply = api.put("Invoices", invoice_body(api.contact(), **changes))
    assert reply.status == 400
    assert reply.messages == messages


def test_a_draft_may_be_incomplete(api: Api) -> None:
    body = invoice_body(api.contact(), Status=None, DueDate=None, LineItems=[{"Description": "Later"}])
    draft = api.made("Invoices", body)
    assert draft["Status"] == "DRAFT"
    assert draft["Total"] == 0
    approved = api.post(f"Invoices/{draft['InvoiceID']}", {"Status": "AUTHORISED", "DueDate": "2026-03-24"})
    assert set(approved.messages) == {"Account code or ID must be specified", "The TaxType field is mandatory"}


@pytest.mark.parametrize(
    ("path", "end"),
    [
        (["DRAFT", "SUBMITTED", "DRAFT", "AUTHORISED", "VOIDED"], "VOIDED"),
        (["SUBMITTED", "AUTHORISED"], "AUTHORISED"),
        (["DRAFT", "DELETED"], "DELETED"),
    ],
)
def test_the_allowed_ways_of_a_status(api: Api, path: list[str], end: str) -> None:
    invoice_id = api.invoice(api.contact(), Status=path[0])["InvoiceID"]
    for status in path[1:]:
        assert api.post(f"Invoices/{invoice_id}", {"Status": status}).status == 200
    assert api.one("Invoices", invoice_id)["Status"] == end


@pytest.mark.parametrize(
    ("path", "refused"),
    [
        (["AUTHORISED"], "DELETED"),
        (["AUTHORISED"], "DRAFT"),
        (["AUTHORISED"], "SUBMITTED"),
        (["AUTHORISED"], "PAID"),
        (["DRAFT"], "VOIDED"),
        (["DRAFT", "DELETED"], "DRAFT"),
        (["AUTHORISED", "VOIDED"], "AUTHORISED"),
    ],
)
def test_every_other_way_is_refused(api: Api, path: list[str], refused: str) -> None:
    invoice_id = api.invoice(api.contact(), Status=path[0])["InvoiceID"]
    for status in path[1:]:
        api.post(f"Invoices/{invoice_id}", {"Status": status})
    reply = api.post("Invoices?summarizeErrors=false", {"InvoiceID": invoice_id, "Status": refused})
    assert reply.status == 200
    assert reply.body["Invoices"][0]["StatusAttributeString"] == "ERROR"
    assert reply.messages == [NOT_VALID]
    assert api.one("Invoices", invoice_id)["Status"] == path[-1]


def test_a_voided_invoice_is_due_nothing_but_its_write_says_what_was(api: Api) -> None:
    invoice_id = api.invoice(api.contact())["InvoiceID"]
    voided = api.post(f"Invoices/{invoice_id}", {"Status": "VOIDED"}).body["Invoices"][0]
    assert (voided["Total"], voided["AmountDue"]) == (100, 100)
    assert api.one("Invoices", invoice_id)["AmountDue"] == 0


@pytest.mark.parametrize("amount", [40, 100])
def test_what_may_change_once_something_is_paid(api: Api, amount: int) -> None:
    invoice = api.invoice(api.contact("One"), InvoiceNumber="HL-1")
    invoice_id, line_id = invoice["InvoiceID"], invoice["LineItems"][0]["LineItemID"]
    other = api.contact("Two")
    assert api.pay(invoice_id, amount).status == 200
    changed = api.post(
        "Invoices",
        {
            "InvoiceID": invoice_id,
            "InvoiceNumber": "HL-1a",
            "Reference": "new",
            "DueDate": "2026-05-01",
            "Url": "https://example.org/1",
            "Contact": {"ContactID": other},
            "LineItems": [line(LineItemID=line_id, Description="Other words", AccountCode="230")],
        },
    )
    assert changed.status == 200, changed.body
    now = api.one("Invoices", invoice_id)
    assert (now["InvoiceNumber"], now["Reference"], now["Contact"]["ContactID"]) == ("HL-1a", "new", other)
    assert now["LineItems"][0]["Description"] == "Other words"
    assert now["Status"] == ("PAID" if amount == 100 else "AUTHORISED")


@pytest.mark.parametrize(
    "changes",
    [
        {"LineItems": [line(UnitAmount=120)]},
        {"LineItems": [line()]},
        {"Date": "2026-03-11"},
        {"LineAmountTypes": "Inclusive"},
    ],
)
def test_amounts_may_not_change_once_something_is_paid(api: Api, changes: dict[str, Any]) -> None:
    part, full = (api.invoice(api.contact(name))["InvoiceID"] for name in ("One", "Two"))
    api.pay(part, 40)
    api.pay(full, 100)
    assert api.post(f"Invoices/{part}", changes).messages == [APPLIED]
    assert api.post(f"Invoices/{full}", changes).messages == [APPLIED, NOT_VALID]


def test_the_contact_may_not_change_once_credit_is_allocated(api: Api) -> None:
    contact_id = api.contact("One")
    invoice_id = api.invoice(contact_id)["InvoiceID"]
    note_id = api.note(contact_id)["CreditNoteID"]
    assert api.allocate(note_id, invoice_id, 60).status == 200
    reply = api.post(f"Invoices/{invoice_id}", {"Contact": {"ContactID": api.contact("Two")}})
    assert reply.messages == [APPLIED]


@pytest.mark.parametrize("status", ["VOIDED", "DRAFT", "SUBMITTED", "DELETED"])
def test_a_status_may_not_change_once_something_is_paid(api: Api, status: str) -> None:
    invoice_id = api.invoice(api.contact())["InvoiceID"]
    api.pay(invoice_id, 40)
    assert api.post(f"Invoices/{invoice_id}", {"Status": status}).messages == [
        f"The status {status} cannot be applied to the invoice because it has payments or credit notes allocated to it."
    ]


def test_lines_with_an_id_are_updated_without_one_are_new_and_absent_ones_go(api: Api) -> None:
    invoice = api.invoice(api.contact(), LineItems=[line(Description="a"), line(Description="b")])
    first, second = (row["LineItemID"] for row in invoice["LineItems"])
    changed = api.post(
        f"Invoices/{invoice['InvoiceID']}",
        {"LineItems": [{"LineItemID": second, "Quantity": 3}, line(Description="c")]},
    ).body["Invoices"][0]
    assert [(row["Description"], row["Quantity"]) for row in changed["LineItems"]] == [("b", 3), ("c", 1)]
    assert changed["LineItems"][0]["LineItemID"] == second
    assert changed["LineItems"][1]["LineItemID"] not in {first, second}
    assert changed["Total"] == 400
    untouched = api.post(f"Invoices/{invoice['InvoiceID']}", {"Reference": "r"}).body["Invoices"][0]
    assert untouched["LineItems"] == changed["LineItems"]


def test_a_line_id_must_be_the_invoices_own_and_comes_once(api: Api) -> None:
    contact_id = api.contact()
    one, other = (api.invoice(contact_id) for _ in range(2))
    own = one["LineItems"][0]["LineItemID"]
    strange = other["LineItems"][0]["LineItemID"]
    message = "The line item with the specified LineItemID could not be found"
    for ids in ([strange], [own, own]):
        lines = [line(LineItemID=line_id) for line_id in ids]
        reply = api.post(f"Invoices/{one['InvoiceID']}", {"LineItems": lines})
        assert reply.messages[0] == message


def test_more_than_an_id_updates_the_contact_and_its_errors_are_nested(api: Api) -> None:
    contact_id = api.contact("Ada Byron")
    api.invoice(contact_id, Contact={"ContactID": contact_id, "EmailAddress": "ada@example.org"})
    assert api.one("Contacts", contact_id)["EmailAddress"] == "ada@example.org"
    api.invoice("", Contact={"Name": "Brand New"})
    assert len(api.get("Contacts").body["Contacts"]) == 2
    reply = api.put("Invoices", invoice_body("", Contact={"ContactID": contact_id, "EmailAddress": "bad"}))
    element = reply.body["Elements"][0]
    assert element["ValidationErrors"] == []
    assert element["Contact"]["ValidationErrors"] == [{"Message": "Email address must be valid."}]


def test_a_refused_invoice_leaves_no_contact_behind(api: Api) -> None:
    reply = api.put(
        "Invoices?summarizeErrors=false",
        invoice_body("", Contact={"Name": "Brand New"}, LineItems=[line(AccountCode="999")]),
    )
    assert reply.messages[0] == "Account code '999' is not a valid code for this document."
    assert api.control.ledger(api.tenant_id)["Contacts"] == []


def test_documents_of_an_archived_contact_stand_still(api: Api) -> None:
    contact_id = api.contact()
    invoice_id = api.invoice(contact_id)["InvoiceID"]
    api.control.archive_contact(api.tenant_id, contact_id)
    for body in ({"Reference": "x"}, {"Status": "VOIDED"}):
        reply = api.post(f"Invoices/{invoice_id}", body)
        assert reply.messages[0].startswith("The contact with the specified contact details has been archived.")


def test_sent_to_contact_on_a_draft_is_a_warning(api: Api) -> None:
    body = invoice_body(api.contact(), Status="DRAFT", SentToContact=True)
    reply = api.put("Invoices?summarizeErrors=false", body)
    made = reply.body["Invoices"][0]
    assert made["StatusAttributeString"] == "WARNING"
    assert made["Warnings"] == [{"Message": "Only AUTHORISED invoices may have SentToContact updated."}]
    assert made["SentToContact"] is False


def test_the_plan_caps_approvals_of_a_month(api: Api) -> None:
    contact_id = api.contact()
    api.control.set_approvals_per_month(api.tenant_id, 1)
    draft = api.invoice(contact_id, Status="DRAFT")
    api.invoice(contact_id)
    refused = ["You have reached the limit of invoices you can approve"]
    assert api.put("Invoices", invoice_body(contact_id)).messages == refused
    assert api.post(f"Invoices/{draft['InvoiceID']}", {"Status": "AUTHORISED"}).messages == refused
    api.control.set_clock("2026-04-01T09:00:00+00:00")
    api.control.expire_access_tokens()
    later = Api(api.xero, api.tenant_id, api.control.authorise()["access_token"])
    assert later.post(f"Invoices/{draft['InvoiceID']}", {"Status": "AUTHORISED"}).status == 200


def test_lock_dates_close_what_is_approved(api: Api) -> None:
    contact_id = api.contact()
    early = api.invoice(contact_id, Date="2026-01-31")["InvoiceID"]
    draft = api.invoice(contact_id, Date="2026-01-31", Status="DRAFT")["InvoiceID"]
    api.control.set_lock_dates(api.tenant_id, "2026-01-31", "2025-12-31")
    period = "The document date cannot be before the period lock date, currently set at 31-Jan-2026"
    year = "The document date cannot be before the end of year lock date, currently set at 31-Dec-2025"
    assert api.put("Invoices", invoice_body(contact_id, Date="2026-01-31")).messages == [period]
    assert api.put("Invoices", invoice_body(contact_id, Date="2025-12-31")).messages == [period, year]
    assert api.post(f"Invoices/{early}", {"Reference": "x"}).messages == [period]
    assert api.post(f"Invoices/{early}", {"Status": "VOIDED"}).messages == [period]
    assert api.post(f"Invoices/{draft}", {"Reference": "x"}).status == 200
    assert api.post(f"Invoices/{draft}", {"Status": "AUTHORISED"}).messages == [period]
    assert api.put("Invoices", invoice_body(contact_id, Date="2026-01-31", Status="DRAFT")).status == 200
    assert api.pay(early, 10, Date="2026-01-31").messages == [period]
    assert api.pay(early, 10, Date="2026-02-01").status == 200
    organisation = api.get("Organisation").body["Organisations"][0]
    assert organisation["PeriodLockDate"] == "/Date(1769817600000+0000)/"
    assert organisation["EndOfYearLockDate"] == "/Date(1767139200000+0000)/"


@pytest.mark.parametrize("field", ["AmountDue", "HasErrors", "UpdatedDateUTC", "Payments", "DateString"])
def test_an_echoed_answer_is_refused(api: Api, field: str) -> None:
    invoice = api.invoice(api.contact())
    value = {**invoice, "HasErrors": True, "Payments": []}[field]
    reply = api.post("Invoices", {"InvoiceID": invoice["InvoiceID"], field: value})
    assert (reply.status, reply.body["ErrorNumber"]) == (400, 14)
    assert reply.body["Message"].startswith(f"The element '{field}' was not recognised.")
