"""Every answer of the table, given by a real server to the real client: what the order is told, and how it waits."""

from typing import Any

import pytest

from consumer.results import NOT_FOUND, Attempt, Facts, load_catalogue
from consumer.sync.services import SilentMetrics
from consumer.xero.error_body import read_error
from tests.sync.answers.table import CASES, NO_CONTACT, Case
from tests.sync.books import Books, lines, patient
from tests.sync.conftest import REMARKS

FACTS = Facts(order_id="order-1", patient_id="patient-1", number="CN-note-1", payment_account="090")
CATALOGUE = load_catalogue()
_CALLS = {
    Attempt.CONTACT_CREATE: ("PUT", "/Contacts$"),
    Attempt.CONTACT_RENAME: ("POST", "/Contacts$"),
    Attempt.INVOICE_CREATE: ("PUT", "/Invoices$"),
    Attempt.INVOICE_UPDATE: ("POST", "/Invoices$"),
    Attempt.CREDIT_NOTE_CREATE: ("PUT", "/CreditNotes$"),
    Attempt.CREDIT_NOTE_UPDATE: ("POST", "/CreditNotes$"),
    Attempt.CREDIT_NOTE_VOID: ("POST", "/CreditNotes$"),
    Attempt.ALLOCATE: ("PUT", "/Allocations$"),
    Attempt.DEALLOCATE: ("DELETE", "/Allocations/"),
    Attempt.PAYMENT_CREATE: ("PUT", "/Payments$"),
    Attempt.PAYMENT_DELETE: ("POST", "/Payments/"),
}
_CHANGES = frozenset(_CALLS) - {
    Attempt.CONTACT_CREATE,
    Attempt.INVOICE_CREATE,
    Attempt.CREDIT_NOTE_CREATE,
    Attempt.ALLOCATE,
    Attempt.PAYMENT_CREATE,
}
_OPERATIONS = {
    Attempt.CREDIT_NOTE_UPDATE: "credit_note_create",
    Attempt.ALLOCATE: "credit_note_allocate",
    Attempt.DEALLOCATE: "credit_note_allocate",
}


def attempt(books: Books, what: Attempt, **fault: Any) -> None:
    """Bring about an order that needs `what`, which Xero answers with `fault`, in one pass."""
    has_note = what in {Attempt.CREDIT_NOTE_UPDATE, Attempt.CREDIT_NOTE_VOID, Attempt.DEALLOCATE}
    if what in _CHANGES:
        books.save_invoice()
        if has_note:
            books.save_credit_note(**lines("20.0000"))
        if what is Attempt.PAYMENT_DELETE:
            books.save_payment()
        books.push()
    method, path = _CALLS[what]
    books.strike(method=method, path=path, count=None, **fault)
    if what is Attempt.CONTACT_RENAME:
        books.patients["order-1"] = patient("patient-of-order-1", last_name="Another")
    if what is Attempt.CREDIT_NOTE_VOID:
        books.delete_credit_note()
    elif what is Attempt.PAYMENT_DELETE:
        books.delete_payment()
    elif what in {Attempt.CREDIT_NOTE_UPDATE, Attempt.DEALLOCATE}:
        books.save_credit_note(**lines("18.0000"))
    else:
        books.save_invoice(reference="PO 7")
    if what in {Attempt.CREDIT_NOTE_CREATE, Attempt.ALLOCATE}:
        books.save_credit_note(**lines("20.0000"))
    if what is Attempt.PAYMENT_CREATE:
        books.save_payment()
    books.push_once()


def answer(books: Books, case: Case) -> None:
    if case.body is None:
        attempt(books, case.attempt, kind="refuse", detail=case.said)
    else:
        attempt(
            books,
            case.attempt,
            kind="answer",
            status=case.status,
            content_type=case.content_type,
            detail=case.body,
            headers=dict(case.headers),
        )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_answer_is_told_as_a_clinic_needs(books: Books, case: Case) -> None:
    answer(books, case)
    order = books.order()
    if case.told is None:
        assert books.failures() == []
        assert order["hold"] == case.hold
        return
    row = books.failures()[-1]
    assert row["operation"] == _OPERATIONS.get(case.attempt, case.attempt)
    assert (row["problem"], row["problem_class"]) == (case.told.code, case.told.problem_class)
    assert case.told.words in row["message"]
    assert row["xero_message"] == case.said, "Xero's own words, or none"
    assert row["fix"].endswith(".")
    assert "{" not in row["message"] + row["fix"]
    assert "Example" not in row["message"] + row["fix"], "no person is named"
    if case.attempt is Attempt.CONTACT_RENAME and case.told is not NO_CONTACT:
        assert order["hold"] is None
        assert "keeps its old name" in row["message"]
    elif case.attempt is Attempt.CONTACT_RENAME:
        assert "keeps its old name" not in row["message"]
    else:
        assert order["hold"] == case.hold
    if case.hold == "problem":
        calls = len(books.calls())
        books.settle()
        assert len(books.calls()) == calls, "nothing is tried again by itself"


@pytest.mark.parametrize("case", [case for case in CASES if case.told is not None], ids=lambda case: case.name)
def test_every_answer_has_its_entry(case: Case) -> None:
    """The same without a server: the body is read, and the catalogue knows what it says of what was attempted."""
    assert case.told is not None
    kind, messages = "", () if case.said is None else (case.said,)
    if case.body is not None:
        error = read_error(case.body.encode())
        assert error.messages == messages
        kind = NOT_FOUND if case.status == 404 else error.kind
    problem = CATALOGUE.match(messages, FACTS, attempt=case.attempt, kind=kind)
    assert problem.xero_message == case.said
    if kind != NOT_FOUND or case.said is not None:
        assert problem.code == case.told.code
    assert problem.problem_class == case.told.problem_class


def test_how_many_answers_are_in_the_table() -> None:
    texts = {case.said or case.body for case in CASES}
    assert len(CASES) >= 112
    assert {case.attempt for case in CASES} == set(Attempt)
    REMARKS.append(
        f"table of Xero's answers: {len(CASES)} answers, {len(texts)} texts or bodies, each through the client"
    )


class TestInACompany:
    """One order's fault is that order's alone."""

    @pytest.mark.parametrize(
        ("body", "problem", "hold"),
        [
            (
                '{"Type":"PostDataInvalidException","Message":"JSON for post data was invalid"}',
                "request_faulty",
                "problem",
            ),
            ("Object reference not set to an instance of an object.", "xero_broke_down", "retry"),
            ('{"Type":"ValidationException","Message":"The widget is odd."}', "not_in_catalogue", "problem"),
        ],
    )
    def test_what_refuses_a_whole_call_is_looked_at_alone(
        self, books: Books, body: str, problem: str, hold: str
    ) -> None:
        for number in range(1, 17):
            books.save_invoice(f"order-{number}")
        books.strike("answer", method="PUT", path="/Invoices$", detail=body, containing='"WH-order-11"', count=None)
        books.push()
        made = {row["InvoiceNumber"] for row in books.ledger()["Invoices"]}
        assert made == {f"WH-order-{number}" for number in range(1, 17)} - {"WH-order-11"}
        (row,) = books.failures()
        assert (row["order_id"], row["problem"]) == ("order-11", problem)
        assert books.order("order-11")["hold"] == hold
        calls = [call for call in books.writes() if call["path"].endswith("/Invoices")]
        assert len(calls) == 9, "16, then halves of what was refused: 8 8, 4 4, 2 2, 1 1"
        books.simulator.control.clear_faults()
        books.retry("order-11")
        books.settle()
        assert books.invoice("WH-order-11")["Status"] == "AUTHORISED"
        assert books.open_problems() == []

    def test_one_elements_breakdown_is_tried_again_without_the_others(self, books: Books) -> None:
        for number in range(1, 4):
            books.save_invoice(f"order-{number}")
        said = "An error occurred in Xero. Check the API Status page http://status.developer.xero.com"
        books.strike("refuse", method="PUT", path="/Invoices$", detail=said, containing="WH-order-2", count=2)
        books.settle()
        assert {row["InvoiceNumber"] for row in books.ledger()["Invoices"]} == {f"WH-order-{n}" for n in range(1, 4)}
        assert {row["problem"] for row in books.failures()} == {"xero_broke_down"}
        assert books.open_problems() == []


class Counting(SilentMetrics):
    """Counts the messages that nobody could explain."""

    unknown = 0

    def unknown_message(self) -> None:
        self.unknown += 1


def test_unknown_words_stay_as_they_are_and_are_counted(books: Books) -> None:
    metrics = Counting()
    books.use(metrics=metrics)
    said = "The widget '17' is \"upside down\",  {really}!"
    attempt(books, Attempt.INVOICE_CREATE, kind="refuse", detail=said)
    row = books.failure()
    assert (row["problem"], row["xero_message"], metrics.unknown) == ("not_in_catalogue", said, 1)
    assert said in row["message"]


class TestKeys:
    def test_a_conflict_of_keys_doubles_nothing_and_ends_by_itself(self, books: Books) -> None:
        books.save_invoice()
        books.push()
        said = "Idempotency Key: 17-abc is used with a different request."
        books.strike("answer", method="PUT", path="/Payments$", detail=said, content_type="text/plain")
        books.save_payment()
        books.push_once()
        assert books.order()["hold"] == "in_doubt"
        books.settle()
        assert books.payments() == [("CARD pay-1", 40.0)]
        assert books.failures() == []


class TestNames:
    """Xero's other sentence about a taken name is one more namesake."""

    @pytest.mark.parametrize("said", ["The contact name already exists. Please enter a different contact name."])
    def test_a_name_that_exists_gets_a_number_behind_it(self, books: Books, said: str) -> None:
        books.strike("refuse", method="PUT", path="/Contacts$", detail=said)
        books.save_invoice()
        books.settle()
        assert books.failures() == []
        assert books.contact()["Name"] == "Test Person patient-of-order-1 (HL-patient-)"
        (warning,) = books.log()[0]["warnings"]
        assert "carries a number behind the name" in warning

    def test_an_email_that_was_left_out_in_vain_is_xeros_own(self, books: Books) -> None:
        books.strike("refuse", method="PUT", path="/Contacts$", detail="Email address must be valid.", count=None)
        books.save_invoice()
        books.settle()
        assert books.failure()["problem"] == "contact_email_in_the_way"

    def test_an_email_stands_in_the_way_of_an_invoice_until_it_is_mended_in_xero(self, books: Books) -> None:
        said = "Email address must be valid."
        books.strike("refuse", method="PUT", path="/Invoices$", detail=said)
        books.save_invoice()
        books.settle()
        row = books.failure()
        assert row["problem"] == "contact_email_in_the_way"
        assert "created without it" not in row["message"]
        assert "in Xero" in row["fix"]
        books.retry()
        books.settle()
        assert books.invoice()["Status"] == "AUTHORISED"
        assert books.open_problems() == []
