"""Contacts and numbers: names that several have, names that change, numbers that others hold."""

import threading
import time

import pytest

from consumer.database import connect
from tests.sync.books import Books, lines, patient


class TestContacts:
    def test_two_patients_with_one_name_get_two_contacts(self, books: Books) -> None:
        for number in (1, 2, 3):
            books.patients[f"order-{number}"] = patient(f"patient-{number}", last_name="Person")
            books.save_invoice(f"order-{number}")
        books.push()
        names = {row["ContactNumber"]: row["Name"] for row in books.ledger()["Contacts"]}
        assert len(names) == len(set(names.values())) == 3
        plain = [number for number, name in names.items() if name == "Test Person"]
        assert len(plain) == 1
        warned = [row for row in books.log() if row["warnings"]]
        assert len(warned) == 2
        assert books.failures() == []

    def test_two_orders_of_one_patient_share_a_contact(self, books: Books) -> None:
        for order_id in ("order-1", "order-2"):
            books.patients[order_id] = patient()
            books.save_invoice(order_id)
        books.push()
        assert len(books.ledger()["Contacts"]) == 1
        assert len(books.ledger()["Invoices"]) == 2

    def test_a_rename_follows_with_the_next_sync(self, books: Books) -> None:
        books.save_invoice()
        books.push()
        books.patients["order-1"] = patient("patient-of-order-1", first_name="New", last_name="Name")
        books.save_credit_note()
        books.push()
        assert books.contact()["Name"] == "New Name"
        assert ("contact_rename", "succeeded", None) in books.told()

    def test_an_old_order_brings_no_old_name_back(self, books: Books) -> None:
        old, new = patient("p"), patient("p", last_name="Newer")
        books.patients = {"order-1": old, "order-2": new}
        books.save_invoice("order-1")
        books.save_invoice("order-2")
        books.push()
        books.retry("order-1")
        books.push()
        assert books.contact("p")["Name"] == "Test Newer"

    def test_a_rename_to_a_taken_name_warns_and_the_invoice_goes(self, books: Books) -> None:
        books.patients["order-1"] = patient("p-1", last_name="First")
        books.patients["order-2"] = patient("p-2", last_name="Second")
        books.save_invoice("order-1")
        books.save_invoice("order-2")
        books.push()
        books.patients["order-2"] = patient("p-2", last_name="First")
        books.save_invoice("order-2", reference="PO 7")
        books.push()
        row = books.failure()
        assert (row["operation"], row["problem"]) == ("contact_rename", "contact_name_taken")
        assert books.invoice("WH-order-2")["Reference"] == "PO 7"
        assert books.contact("p-2")["Name"] == "Test Second"
        order = books.order("order-2")
        assert (order["synced_revision"], order["hold"], order["problem_id"]) == (2, None, None)
        books.forget_calls()
        books.request_sync("order-2")
        books.push()
        assert books.writes() == []
        assert books.told("order-2")[-1] == ("contact_rename", "failed", "contact_name_taken")

    def test_a_rename_that_was_refused_goes_through_once_the_name_is_free_and_someone_asks(self, books: Books) -> None:
        taken = books.simulator.control.create_contact(books.tenant_id, {"Name": "Test Free"})
        books.save_invoice()
        books.push()
        books.patients["order-1"] = patient("patient-of-order-1", last_name="Free")
        books.save_invoice(reference="PO 7")
        books.push()
        books.simulator.control.rename_contact(books.tenant_id, taken["ContactID"], "Someone Else")
        books.retry()
        books.push()
        assert books.contact()["Name"] == "Test Free"

    @pytest.mark.parametrize("email", ["no address", f"{'x' * 300}@example.com"])
    def test_a_bad_email_is_left_out(self, books: Books, email: str) -> None:
        books.patients["order-1"] = patient("p", email=email, phone="1" * 80)
        books.save_invoice()
        books.push()
        contact = books.contact("p")
        assert contact["EmailAddress"] == ""
        assert len(books.log()[0]["warnings"]) == 2
        assert books.invoice()["Status"] == "AUTHORISED"

    def test_one_bad_contact_leaves_the_others_of_its_call_alone(self, books: Books) -> None:
        said = "The contact is upside down."
        books.strike(
            "refuse", method="PUT", path="/Contacts$", containing="patient-of-order-2", detail=said, count=None
        )
        for number in (1, 2, 3):
            books.save_invoice(f"order-{number}")
        books.push()
        assert len(books.ledger()["Invoices"]) == 2
        row = books.failure("order-2")
        assert (row["operation"], row["problem"]) == ("contact_create", "not_in_catalogue")
        assert said in row["message"]
        assert row["xero_message"] == said

    def test_a_merged_patient_takes_invoice_and_credit_note_along(self, books: Books) -> None:
        books.patients["order-1"] = patient("source")
        books.save_invoice()
        books.save_payment(amount="10.0000")
        books.save_credit_note(**lines("20.0000"))
        books.push()
        books.patients["order-1"] = patient("target", last_name="Target")
        books.save_invoice()
        books.push()
        target = books.contact("target")["ContactID"]
        assert books.invoice()["Contact"]["ContactID"] == target
        assert books.note()["Contact"]["ContactID"] == target
        assert books.invoice()["AmountDue"] == 10
        assert books.contact("source")["ContactStatus"] == "ACTIVE"
        assert books.failures() == []


class TestIdsThatDifferInCase:
    """Xero takes `Pat-A` and `pat-a` for one contact number; they are two people."""

    @pytest.fixture
    def other(self, books: Books) -> Books:
        books.patients["order-1"] = patient("Pat-A", last_name="Ann")
        books.patients["order-2"] = patient("pat-a", last_name="Bob")
        books.save_invoice("order-1")
        books.push()
        return books

    def told(self, books: Books) -> None:
        row = books.failure("order-2")
        assert (row["operation"], row["problem"]) == ("contact_create", "contact_number_of_other")
        assert "The patient pat-a" in row["message"]
        assert "the contact number Pat-A" in row["message"]
        assert [contact["Name"] for contact in books.ledger()["Contacts"]] == ["Test Ann"]
        assert [invoice["InvoiceNumber"] for invoice in books.ledger()["Invoices"]] == ["WH-order-1"]
        assert books.open_problems() == [("contact_number_of_other", 1)]

    def test_refused(self, other: Books) -> None:
        other.save_invoice("order-2")
        other.settle()
        self.told(other)
        assert "Another contact has this contact number" in other.failure("order-2")["xero_message"]

    def test_archived(self, other: Books) -> None:
        other.simulator.control.archive_contact(other.tenant_id, "Pat-A")
        other.save_invoice("order-2")
        other.settle()
        self.told(other)

    def test_with_one_name(self, other: Books) -> None:
        other.patients["order-2"] = patient("pat-a", last_name="Ann")
        other.save_invoice("order-2")
        other.settle()
        self.told(other)

    def test_in_one_call(self, books: Books) -> None:
        books.patients = {"order-1": patient("Pat-A", last_name="Ann"), "order-2": patient("pat-a", last_name="Bob")}
        books.save_invoice("order-1")
        books.save_invoice("order-2")
        books.settle()
        self.told(books)

    def test_after_a_lost_answer(self, other: Books) -> None:
        other.strike("drop_before", method="PUT", path="/Contacts$")
        other.save_invoice("order-2")
        other.settle()
        self.told(other)

    def test_after_a_lost_database(self, other: Books) -> None:
        other.connection.execute("delete from xero_link")
        other.connection.execute("insert into setback (timeline, reason) values ('test', 'timeline')")
        other.save_invoice("order-2")
        other.settle()
        self.told(other)

    def test_it_goes_through_once_the_number_is_free(self, other: Books) -> None:
        other.save_invoice("order-2")
        other.settle()
        other.simulator.control.edit_contact(other.tenant_id, "Pat-A", {"ContactNumber": "Pat-A by hand"})
        other.retry("order-2")
        other.settle()
        assert other.invoice("WH-order-2")["Contact"]["ContactID"] == other.contact("pat-a")["ContactID"]
        assert other.open_problems() == []


class TestNumbers:
    def test_a_strangers_number_is_left_alone(self, books: Books) -> None:
        stranger = {
            "Type": "ACCREC",
            "Contact": {"Name": "Stranger"},
            "InvoiceNumber": "WH-order-1",
            "LineItems": [{"Description": "Theirs", "Quantity": 1, "UnitAmount": 5}],
        }
        before = books.simulator.control.create_invoice(books.tenant_id, stranger)
        books.save_invoice()
        books.push()
        row = books.failure()
        assert (row["problem"], row["xero_message"]) == ("number_taken_by_other", "Invoice # must be unique.")
        assert "WH-order-1" in row["message"]
        assert (books.invoice()["Total"], books.invoice()["InvoiceID"]) == (5, before["InvoiceID"])
        books.save_invoice(number="WH-other")
        books.push()
        assert books.invoice("WH-other")["Total"] == 40
        assert books.open_problems() == []

    def test_two_clinics_that_count_alike(self, books: Books) -> None:
        books.save_invoice("order-1", number="WH1")
        books.push()
        books.save_invoice("order-2", number="wh1")
        books.push()
        row = books.failure("order-2")
        assert row["problem"] == "number_taken_by_other_order"
        assert "order-1" in row["message"]

    def test_a_new_number_that_is_taken(self, books: Books) -> None:
        books.save_invoice("order-1")
        books.save_invoice("order-2")
        books.push()
        books.save_invoice("order-2", number="WH-order-1", invoice_id="invoice-WH-order-2")
        books.push()
        row = books.failure("order-2")
        assert (row["operation"], row["problem"]) == ("invoice_update", "number_taken_by_other_order")
        assert "order-1" in row["message"]

    def test_the_plans_cap_is_one_problem_and_goes_when_it_is_lifted(self, books: Books) -> None:
        books.simulator.control.set_approvals_per_month(books.tenant_id, 1)
        for number in (1, 2, 3):
            books.save_invoice(f"order-{number}")
        books.push()
        assert books.open_problems() == [("plan_limit", 2)]
        books.simulator.control.set_approvals_per_month(books.tenant_id, None)
        books.retry("order-1", "order-2", "order-3")
        books.push()
        assert len(books.ledger()["Invoices"]) == 3
        assert books.open_problems() == []

    def test_currency_other_than_the_books(self, books: Books) -> None:
        books.save_invoice(currency="EUR")
        books.push()
        assert books.failure()["problem"] == "currency_mismatch"
        assert books.calls() == []


def test_a_rename_that_is_projected_while_its_order_is_claimed_is_not_missed(books: Books) -> None:
    books.save_invoice()
    books.push()
    books.save_invoice(**lines("50.0000"))
    ours = books.connection
    with connect(books.database_url, name="projection", autocommit=False) as projecting:
        books.connection = projecting
        books.patients["order-1"] = patient("patient-of-order-1", last_name="Renamed")
        books.save_invoice(**lines("55.0000"))
        books.connection = ours
        pushing = threading.Thread(target=books.push)
        pushing.start()
        with connect(books.database_url, name="test") as watching:
            while not watching.execute("select from pg_locks where not granted").fetchall():
                time.sleep(0.01)
        projecting.commit()
        pushing.join()
    assert books.invoice()["Total"] == 55
    assert books.contact()["Name"] == "Test Renamed"
