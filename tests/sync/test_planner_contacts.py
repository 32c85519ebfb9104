"""What Xero is asked to do of a patient's contact."""

from typing import Any

import msgspec
import pytest

from consumer.results import Operation
from consumer.sync.link import LinkKind
from consumer.sync.step import Stage, Step
from tests.sync.books import patient
from tests.sync.desk import Desk, pushed_desk


def codes(step: Step) -> list[str]:
    """What is told of what Xero will not have as it is."""
    return [remark.code for remark in step.warnings]


def address(**changes: str) -> dict[str, str | None]:
    return {"line2": None, "city": None, "region": None, "postal_code": None, "country": None, "line1": "1", **changes}


class TestContacts:
    def body(self, **person: Any) -> dict[str, Any]:
        return self.step(**person).body

    def step(self, **person: Any) -> Step:
        desk = Desk(patient=patient(**person))
        desk.save_invoice()
        return desk.step(Stage.CONTACT_CREATE)

    def test_carries_the_patient_as_they_are(self) -> None:
        assert self.body(first_name="Test", last_name="Person") == {
            "Name": "Test Person",
            "ContactNumber": "patient-1",
            "FirstName": "Test",
            "LastName": "Person",
            "EmailAddress": "patient-1@example.com",
            "Phones": [{"PhoneType": "DEFAULT", "PhoneNumber": "01632 960001"}],
            "Addresses": [
                {
                    "AddressType": "POBOX",
                    "AddressLine1": "1 High Street",
                    "City": "Leeds",
                    "PostalCode": "LS1 1AA",
                    "Country": "GB",
                }
            ],
        }

    @pytest.mark.parametrize(
        ("first", "last", "name"),
        [
            ("  Test ", " van   Person  ", "Test van Person"),
            ("Test <the>", "Person", "Test the Person"),
            ("Test\u00a0\t", "Per\u200bson\n", "Test Per son"),
            ("", "", "Patient patient-1"),
            ("<>", " ", "Patient patient-1"),
            ("x" * 200, "y" * 200, "x" * 200 + " " + "y" * 54),
        ],
    )
    def test_names_that_xero_refuses_are_mended(self, first: str, last: str, name: str) -> None:
        assert self.body(first_name=first, last_name=last)["Name"] == name

    @pytest.mark.parametrize(
        "email",
        ["no address", "a@b", "ä@example.com", "a@exämple.com", "a b@example.com", "a@example.com,b@example.com"],
    )
    def test_a_bad_email_is_left_out_with_a_warning(self, email: str) -> None:
        step = self.step(email=email)
        assert "EmailAddress" not in step.body
        assert codes(step) == ["email_refused"]

    def test_a_bad_phone_is_left_out_with_a_warning(self) -> None:
        step = self.step(phone="0" * 51)
        assert "Phones" not in step.body
        assert codes(step) == ["phone_left_out"]

    def test_a_country_that_is_no_word_is_left_out(self) -> None:
        address = {"line1": "1 High Street", "city": None, "region": None, "postal_code": None, "line2": None}
        step = self.step(address={**address, "country": "G8"})
        assert step.body["Addresses"] == [{"AddressType": "POBOX", "AddressLine1": "1 High Street"}]
        assert codes(step) == ["country_left_out"]

    @pytest.mark.parametrize(
        ("changes", "told"),
        [
            ({"last_name": "y" * 250}, []),
            ({"last_name": "y" * 251}, [("text_cut", "The patient's name")]),
            ({"last_name": "<y>"}, [("name_mended", "")]),
            ({"last_name": f"<{'y' * 300}>"}, [("name_mended", ""), ("text_cut", "The patient's name")]),
            ({"address": address(line1="x" * 501)}, [("text_cut", "The first line of the patient's address")]),
            ({"address": address(postal_code="x" * 51)}, [("text_cut", "The postcode of the patient's address")]),
            ({"address": address(country="x" * 51)}, [("text_cut", "The country of the patient's address")]),
        ],
    )
    def test_a_text_that_is_cut_is_told_as_cut(self, changes: dict[str, Any], told: list[tuple[str, str]]) -> None:
        step = self.step(**{"first_name": "Test", **changes})
        assert [(remark.code, remark.values.get("kind", "")) for remark in step.warnings] == told

    def test_a_new_name_that_is_cut_is_told_as_well(self) -> None:
        desk = Desk(patient=patient())
        desk.save_invoice()
        desk.push()
        desk.patient = patient(last_name="y" * 300)
        desk.save_invoice(reference="PO 7")
        assert codes(desk.step(Stage.CONTACT_RENAME)) == ["text_cut"]

    def test_an_id_longer_than_xero_takes_is_told_before_any_call(self) -> None:
        desk = Desk(patient=patient("p" * 51))
        desk.save_invoice()
        assert desk.steps() == []
        assert [finding.code for finding in desk.plan().failures] == ["patient_number_refused"]

    @pytest.mark.parametrize("missing", ["email", "phone", "address"])
    def test_what_is_not_known_is_not_sent(self, missing: str) -> None:
        step = self.step(**{missing: None})
        assert {"email": "EmailAddress", "phone": "Phones", "address": "Addresses"}[missing] not in step.body
        assert codes(step) == []

    @pytest.mark.parametrize(
        ("patient_id", "suffix", "name"),
        [
            ("p-7", 1, "Test Person (HL-p-7)"),
            ("0b9f8a52-6c1f-4f7e-8e2f-2f9a4f6f7c11", 1, "Test Person (HL-0b9f8a52)"),
            ("0b9f8a52-6c1f-4f7e-8e2f-2f9a4f6f7c11", 2, "Test Person (HL-0b9f8a52-6c1f-4f7e-8e2f-2f9a4f6f7c11)"),
        ],
    )
    def test_a_taken_name_gets_a_number_that_stays(self, patient_id: str, suffix: int, name: str) -> None:
        desk = Desk(patient=patient(patient_id, first_name="Test", last_name="Person"))
        desk.believe(suffix=suffix)
        desk.save_invoice()
        step = desk.step(Stage.CONTACT_CREATE)
        assert (step.body["Name"], codes(step)) == (name, ["name_with_number"])
        desk.push()
        desk.believe(suffix=0)
        assert desk.steps() == []
        # The export names the contact as Xero shows it.
        assert desk.links[LinkKind.CONTACT, patient_id].detail["full_name"] == name

    def test_a_suffix_fits_into_a_long_name(self) -> None:
        desk = Desk(patient=patient("p-7", first_name="x" * 200, last_name="y" * 200))
        desk.believe(suffix=1)
        desk.save_invoice()
        name = desk.step(Stage.CONTACT_CREATE).body["Name"]
        assert len(name) == 255
        assert name.endswith(" (HL-p-7)")

    def test_a_new_name_is_kept_in_step_and_nothing_else(self) -> None:
        desk = pushed_desk()
        desk.patient = patient(last_name="Renamed", email="new@example.com", phone=None)
        desk.save_invoice()
        (rename,) = desk.push()
        assert (rename.stage, rename.operation) == (Stage.CONTACT_RENAME, Operation.CONTACT_RENAME)
        assert rename.body == {
            "ContactID": rename.target_id,
            "Name": "Test Renamed",
            "FirstName": "Test",
            "LastName": "Renamed",
        }

    def test_new_details_are_said_not_to_be_sent(self) -> None:
        desk = pushed_desk()
        assert desk.codes() == []
        desk.patient = patient(email="new@example.com")
        desk.save_invoice()
        assert (desk.steps(), desk.codes()) == ([], ["contact_details_not_sent"])

    def test_a_refused_name_is_not_sent_again_by_itself(self) -> None:
        desk = pushed_desk()
        desk.patient = patient(last_name="Renamed")
        desk.save_invoice()
        key = (LinkKind.CONTACT, "patient-1")
        link = desk.links[key]
        desk.links[key] = msgspec.structs.replace(link, detail={**link.detail, "refused_name": "Test Renamed"})
        assert desk.steps() == []
        desk.believe(rename_again=True)
        assert desk.steps() == [(Stage.CONTACT_RENAME, "patient-1")]

    def test_the_newest_name_counts_not_the_one_on_this_order(self) -> None:
        desk = pushed_desk()
        newest = msgspec.structs.replace(desk.order().patient, last_name="Newest")
        desk.believe(patient=newest)
        assert desk.step(Stage.CONTACT_RENAME).body["Name"] == "Test Newest"

    def test_a_merged_patient_moves_invoice_and_credit_note_to_the_other_contact(self) -> None:
        desk = Desk()
        desk.save_invoice()
        desk.save_credit_note()
        desk.push()
        desk.patient = patient("patient-2")
        desk.save_invoice()
        stages = [step.stage for step in desk.push()]
        assert stages == [
            Stage.CONTACT_CREATE,
            Stage.DEALLOCATE,
            Stage.INVOICE_UPDATE,
            Stage.CREDIT_NOTE_UPDATE,
            Stage.ALLOCATE,
        ]
        assert desk.steps() == []
