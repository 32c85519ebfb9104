"""Walks of patients and their contacts in Xero."""

from typing import Any

from tests.sync.books import Books, patient
from tests.sync.walk.walks import (
    Act,
    Ends,
    Walk,
    both,
    hand,
    invoice,
    nothing,
    pushed,
    xero_finds_nothing,
    xero_relents,
    xero_says,
)

PATIENT = "patient-of-order-1"


def say_of_patient(**changes: Any) -> Act:
    """HearLink says so of the patient, with the order."""

    def act(books: Books) -> None:
        books.patients["order-1"] = patient(PATIENT, **changes)
        books.save_invoice(reference=f"PO {books.sequences['order-1']}")

    return act


AS_BEFORE = say_of_patient()
RENAMED = say_of_patient(last_name="Taken")
CONTACTS = "/Contacts$"


def archived_namesake(books: Books) -> None:
    books.simulator.control.create_contact(books.tenant_id, {"Name": "Test Old", "ContactNumber": PATIENT})
    books.simulator.control.archive_contact(books.tenant_id, PATIENT)


# What keeps an invoice from going, and is mended on the contact in Xero.
IN_THE_WAY = (
    ("contact_name_in_the_way", "The contact name already exists. Please enter a different contact name."),
    ("contact_email_in_the_way", "Email address must be valid."),
    ("contact_website_in_the_way", "Website must be valid"),
    ("contact_persons_in_the_way", "You can only have a maximum of 5 contact persons."),
    ("contact_not_sent", "Contact Name must be specified."),
)


def id_too_long(books: Books) -> None:
    books.patients["order-1"] = patient("p" * 51)
    books.save_invoice()


WALKS = (
    *(Walk(code, both(xero_says(said), invoice), xero_relents) for code, said in IN_THE_WAY),
    Walk("contact_not_found", both(xero_finds_nothing("PUT", "/Invoices$"), invoice), xero_relents),
    Walk("address_not_found", both(xero_finds_nothing("PUT", CONTACTS), invoice), xero_relents),
    Walk("patient_number_refused", id_too_long, AS_BEFORE, Ends.ITSELF),
    Walk(
        "country_left_out",
        say_of_patient(address={**patient()["address"], "country": "G8"}),
        AS_BEFORE,
        Ends.NOTHING,
    ),
    Walk("text_cut", say_of_patient(last_name="x" * 300), AS_BEFORE, Ends.NOTHING),
    Walk(
        "contact_name_taken",
        both(hand("create_contact", {"Name": "Test Taken"}), pushed, RENAMED),
        hand("rename_contact", "Test Taken", "Someone Else"),
        Ends.NOTHING,
    ),
    Walk(
        "contact_number_taken",
        both(xero_says("Another contact has this contact number. Please enter a different", path=CONTACTS), invoice),
        xero_relents,
    ),
    Walk(
        "contact_number_of_other",
        both(hand("create_contact", {"Name": "Other", "ContactNumber": PATIENT.upper()}), invoice),
        hand("edit_contact", "Other", {"ContactNumber": "another"}),
    ),
    Walk(
        "contact_account_number_taken",
        both(
            xero_says("The account number already exists, please enter a different account number", path=CONTACTS),
            invoice,
        ),
        xero_relents,
    ),
    Walk("contact_archived", both(archived_namesake, invoice), hand("restore_contact", PATIENT), by="a new contact"),
    Walk(
        "contact_archived",
        both(pushed, hand("archive_contact", PATIENT), lambda books: books.save_invoice(reference="PO 7")),
        hand("restore_contact", PATIENT),
        by="one in use",
    ),
    Walk(
        "contact_name_empty",
        both(xero_says("Contact name cannot be empty", path=CONTACTS), invoice),
        both(xero_relents, AS_BEFORE),
        Ends.ITSELF,
    ),
    Walk(
        "website_refused",
        both(pushed, hand("set_contact_website", PATIENT, "nowhere"), RENAMED),
        hand("set_contact_website", PATIENT, "https://example.com"),
        Ends.NOTHING,
    ),
    Walk("email_refused", say_of_patient(email="no address"), AS_BEFORE, Ends.NOTHING),
    Walk("phone_left_out", say_of_patient(phone="0" * 51), AS_BEFORE, Ends.NOTHING),
    Walk("name_mended", say_of_patient(last_name="<Person>"), AS_BEFORE, Ends.NOTHING),
    Walk(
        "name_with_number",
        both(hand("create_contact", {"Name": f"Test Person {PATIENT}"}), invoice),
        nothing,
        Ends.NOTHING,
    ),
    Walk("contact_details_not_sent", both(pushed, say_of_patient(email="new@example.com")), nothing, Ends.NOTHING),
)
