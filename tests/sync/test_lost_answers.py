"""Answers lost at every kind of write: nothing doubled, nothing lost, nothing sent before Xero was looked up."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from consumer.sync.back_off import ATTEMPTS
from consumer.sync.services import Patience
from consumer.xero import Budget
from tests.sync.access import let_access_be_tried
from tests.sync.books import Books, Json, line, lines, patient
from tests.sync.conftest import OpenBooks

LOST = ("drop_before", "drop_after", "internal_error_before", "internal_error_after")
LIMITS = ("rate_limit_minute", "rate_limit_day", "rate_limit_concurrent", "rate_limit_app_minute", "unavailable")


@dataclass(frozen=True)
class Write:
    """A kind of write: what HearLink says before, what brings the write about, and how its call looks."""

    before: Callable[[Books], None]
    then: Callable[[Books], None]
    method: str
    path: str


def nothing(_books: Books) -> None:
    pass


def a_paid_order(books: Books) -> None:
    books.save_invoice()
    books.save_payment(amount="10.0000")
    books.save_credit_note(**lines("20.0000"))


def a_draft(books: Books) -> None:
    books.settings(invoice_status="draft")
    books.save_invoice()


def renamed(books: Books) -> None:
    books.patients["order-1"] = patient("patient-of-order-1", last_name="Renamed")
    books.save_invoice()


WRITES = {
    "contact_create": Write(nothing, a_paid_order, "PUT", "/Contacts$"),
    "contact_rename": Write(a_paid_order, renamed, "POST", "/Contacts$"),
    "invoice_create": Write(nothing, a_paid_order, "PUT", "/Invoices$"),
    "invoice_update": Write(a_paid_order, lambda books: books.save_invoice(reference="PO 7"), "POST", "/Invoices$"),
    "invoice_authorise": Write(
        a_draft,
        lambda books: books.save_payment(),
        "POST",
        "/Invoices$",
    ),
    "credit_note_create": Write(nothing, a_paid_order, "PUT", "/CreditNotes$"),
    "credit_note_update": Write(
        a_paid_order, lambda books: books.save_credit_note(**lines("15.0000")), "POST", "/CreditNotes$"
    ),
    "credit_note_void": Write(a_paid_order, lambda books: books.delete_credit_note(), "POST", "/CreditNotes$"),
    "allocate": Write(nothing, a_paid_order, "PUT", "/Allocations$"),
    "deallocate": Write(a_paid_order, lambda books: books.delete_credit_note(), "DELETE", "/Allocations/"),
    "payment_create": Write(nothing, a_paid_order, "PUT", "/Payments$"),
    "payment_delete": Write(a_paid_order, lambda books: books.delete_payment(), "POST", "/Payments/"),
    "payment_replace": Write(a_paid_order, lambda books: books.save_payment(amount="5.0000"), "PUT", "/Payments$"),
}


def holdings(books: Books) -> Json:
    """What Xero holds, without its ids, and how often our app made what."""
    ledger = books.ledger()
    numbers = {row["ContactID"]: row.get("ContactNumber") for row in ledger["Contacts"]}
    fields = ("Status", "Total", "AmountDue", "Reference", "Url", "RemainingCredit")
    return {
        "contacts": sorted((row["ContactNumber"], row["Name"], row["ContactStatus"]) for row in ledger["Contacts"]),
        "documents": sorted(
            [
                str(row.get("InvoiceNumber") or row.get("CreditNoteNumber")),
                numbers[row["Contact"]["ContactID"]],
                *(str(row.get(field)) for field in fields),
            ]
            for row in (*ledger["Invoices"], *ledger["CreditNotes"])
        ),
        "payments": sorted((row["Reference"], row["Amount"], row["Status"]) for row in ledger["Payments"]),
        "allocations": sorted(row["Amount"] for row in ledger["Allocations"]),
        "made": Counter(entry["Table"] for entry in ledger["History"] if entry["Action"] == "created"),
    }


def run(books: Books, write: Write, disturb: Callable[[], None]) -> Json:
    write.before(books)
    books.push()
    disturb()
    write.then(books)
    books.settle()
    return holdings(books)


_UNDISTURBED: dict[str, Json] = {}


def undisturbed(open_books: OpenBooks, name: str) -> Json:
    """What Xero holds in the end where nothing goes wrong: found out once."""
    if name not in _UNDISTURBED:
        _UNDISTURBED[name] = run(open_books(), WRITES[name], lambda: None)
    return _UNDISTURBED[name]


@pytest.mark.parametrize("kind", LOST)
@pytest.mark.parametrize("name", WRITES)
def test_a_lost_answer_changes_nothing_in_the_end(open_books: OpenBooks, name: str, kind: str) -> None:
    write = WRITES[name]
    expected = undisturbed(open_books, name)
    books = open_books()
    found = run(books, write, lambda: books.strike(kind, method=write.method, path=write.path))
    assert [fault["struck"] for fault in books.simulator.control.faults()] == [1]
    assert found == expected
    assert books.failures() == []
    order = books.order()
    assert (order["synced_revision"], order["hold"], order["attempts"]) == (order["revision"], None, 0)
    if kind.endswith("after"):
        # What was carried out is taken over, not sent again.
        sent = [call for call in books.writes() if call["fault"] is None]
        assert not any(call["method"] == write.method and call["path"].endswith(write.path[:-1]) for call in sent[-1:])


@pytest.mark.parametrize("name", ["invoice_create", "payment_create", "allocate"])
def test_answers_that_are_lost_again_and_again(open_books: OpenBooks, name: str) -> None:
    write = WRITES[name]
    expected = undisturbed(open_books, name)
    books = open_books()

    def disturb() -> None:
        for nth, kind in enumerate((*LOST, "internal_error_before")):
            books.strike(kind, method=write.method, path=write.path, nth=nth + 1)

    assert run(books, write, disturb) == expected


@pytest.mark.parametrize("kind", LIMITS)
@pytest.mark.parametrize("name", WRITES)
def test_a_limit_costs_nothing_but_time(open_books: OpenBooks, name: str, kind: str) -> None:
    write = WRITES[name]
    expected = undisturbed(open_books, name)
    books = open_books()
    found = run(books, write, lambda: books.strike(kind, method=write.method, path=write.path))
    assert found == expected
    assert books.failures() == []
    assert books.order()["attempts"] == 0


@pytest.mark.parametrize("committed", [False, True])
@pytest.mark.parametrize("name", WRITES)
def test_a_worker_that_dies_around_a_call(
    open_books: OpenBooks,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    committed: bool,  # noqa: FBT001 -- a parameter
) -> None:
    write = WRITES[name]
    expected = undisturbed(open_books, name)
    books = open_books()
    write.before(books)
    books.push()
    write.then(books)
    stage = {"invoice_authorise": "invoice_update", "payment_replace": "payment_create"}.get(name, name)
    books.die_at(monkeypatch, stage, committed=committed)
    books.settle()
    assert holdings(books) == expected
    assert books.failures() == []


class TestPatience:
    def test_nothing_is_sent_before_it_is_safe(self, books: Books) -> None:
        books.use(patience=Patience(safe_wait_seconds=3600.0))
        books.strike("drop_before", method="PUT", path="/Invoices$")
        books.save_invoice()
        books.push()
        assert books.order()["hold"] == "in_doubt"
        books.save_invoice(reference="PO 7")
        books.request_sync()
        books.retry()
        for _ in range(3):
            books.hasten()
            books.push()
        assert [call["path"][-9:] for call in books.writes()] == ["/Contacts", "/Invoices"]
        assert len(books.calls()) > len(books.writes())
        books.use(patience=Patience(safe_wait_seconds=0.0))
        books.settle()
        assert books.invoice()["Reference"] == "PO 7"
        assert books.order()["requested_revision"] is None

    def test_what_is_found_needs_no_wait(self, books: Books) -> None:
        books.use(patience=Patience(safe_wait_seconds=3600.0))
        books.strike("drop_after", method="PUT", path="/Invoices$")
        books.save_invoice()
        books.push()
        books.hasten()
        books.push()
        assert books.told()[-1] == ("invoice_create", "succeeded", None)
        assert "was found in Xero after its answer was lost" in books.log()[-1]["message"]
        assert books.order()["hold"] is None

    def test_what_was_taken_away_is_told_so(self, books: Books) -> None:
        books.save_invoice()
        books.save_payment()
        books.settle()
        books.strike("drop_after", method="POST", path="/Payments/")
        books.delete_payment()
        books.push()
        books.hasten()
        books.push()
        row = books.log()[-1]
        assert (row["operation"], row["outcome"]) == ("payment_delete", "succeeded")
        assert "is gone from Xero" in row["message"]
        assert row["xero_id"]

    def test_other_orders_do_not_wait(self, books: Books) -> None:
        books.use(patience=Patience(safe_wait_seconds=3600.0, pause_seconds=0.0))
        books.strike("drop_before", method="PUT", path="/Invoices$")
        books.save_invoice("order-1")
        books.push()
        books.save_invoice("order-2")
        books.push()
        assert [row["InvoiceNumber"] for row in books.ledger()["Invoices"]] == ["WH-order-2"]

    def test_a_patients_contact_in_doubt_holds_the_patients_orders(self, books: Books) -> None:
        books.use(patience=Patience(safe_wait_seconds=3600.0, pause_seconds=0.0))
        books.patients = {"order-1": patient("p"), "order-2": patient("p")}
        books.strike("drop_after", method="PUT", path="/Contacts$")
        books.save_invoice("order-1")
        books.push()
        books.save_invoice("order-2")
        books.settle()
        assert len(books.ledger()["Contacts"]) == 1
        assert len(books.ledger()["Invoices"]) == 2


class TestFinds:
    def test_a_number_that_a_stranger_took_meanwhile(self, books: Books) -> None:
        books.use(patience=Patience(safe_wait_seconds=3600.0))
        books.strike("drop_before", method="PUT", path="/Invoices$")
        books.save_invoice()
        books.push()
        books.simulator.control.create_invoice(
            books.tenant_id,
            {
                "Type": "ACCREC",
                "Contact": {"Name": "Stranger"},
                "InvoiceNumber": "WH-order-1",
                "LineItems": [{"Description": "Theirs", "Quantity": 1, "UnitAmount": 5}],
            },
        )
        books.use(patience=Patience(safe_wait_seconds=0.0))
        books.settle()
        assert books.failure()["problem"] == "number_taken_by_other"
        assert books.open_problems() == [("number_taken_by_other", 1)]
        assert books.invoice()["Total"] == 5

    def test_two_payments_of_ours_become_no_third(self, books: Books) -> None:
        books.save_invoice()
        books.push()
        books.strike("drop_after", method="PUT", path="/Payments$")
        books.use(patience=Patience(safe_wait_seconds=3600.0))
        books.save_payment(amount="10.0000")
        books.push()
        books.simulator.control.pay_invoice(books.tenant_id, "WH-order-1", 10, reference="CARD pay-1")
        books.use(patience=Patience(safe_wait_seconds=0.0))
        books.settle()
        assert books.failure()["problem"] == "two_of_ours"
        assert books.order()["hold"] == "problem"
        for _ in range(2):
            books.retry()
            books.settle()
        assert len(books.payments()) == 2
        assert books.open_problems() == [("two_of_ours", 1)], "too much is paid for as long as both are there"
        standing = books.ledger()["Payments"]
        books.simulator.control.delete_payment(books.tenant_id, standing[0]["PaymentID"])
        books.retry()
        books.settle()
        assert (books.payments(), books.open_problems()) == ([("CARD pay-1", 10.0)], [])

    def test_part_of_a_call_was_carried_out(self, books: Books) -> None:
        books.strike("internal_error_after", method="PUT", path="/Invoices$", committed_elements=3)
        for number in range(6):
            books.save_invoice(f"order-{number}")
        books.settle()
        assert len(books.ledger()["Invoices"]) == 6
        assert books.failures() == []

    def test_look_ups_are_batched(self, books: Books) -> None:
        books.strike("drop_after", method="PUT", path="/Invoices$")
        for number in range(50):
            books.save_invoice(f"order-{number}")
        books.settle()
        reads = [call for call in books.calls() if call["method"] == "GET"]
        # Forty numbers a call.
        assert len(reads) == 2
        assert len(books.ledger()["Invoices"]) == 50

    def test_an_edit_while_in_doubt_follows_the_look_up(self, books: Books) -> None:
        books.strike("drop_after", method="PUT", path="/Invoices$")
        books.save_invoice()
        books.push_once()
        books.save_invoice(lines=[line(unit_price="50.0000")], total="50.0000")
        books.settle()
        assert (len(books.ledger()["Invoices"]), books.invoice()["Total"]) == (1, 50)

    def test_a_payment_edited_while_in_doubt(self, books: Books) -> None:
        books.save_invoice()
        books.push()
        books.strike("drop_after", method="PUT", path="/Payments$")
        books.save_payment(amount="10.0000")
        books.push_once()
        books.save_payment(amount="12.0000")
        books.settle()
        assert books.payments() == [("CARD pay-1", 12.0)]

    @pytest.mark.parametrize("kind", ["drop_before", "internal_error_before", *LIMITS])
    def test_look_ups_fail_as_well(self, books: Books, kind: str) -> None:
        books.strike("drop_after", method="PUT", path="/Invoices$")
        books.strike(kind, method="GET", count=2)
        books.save_invoice()
        books.settle()
        assert len(books.ledger()["Invoices"]) == 1
        assert books.failures() == []


class TestNoAnswerAtAll:
    def test_dripping_answers_end_with_the_call(self, books: Books) -> None:
        books.use(budget=Budget(calls_per_minute=100_000, calls_per_day=1_000_000, call_seconds=1.0))
        books.strike("drip", method="PUT", path="/Invoices$", bytes_per_second=20.0)
        books.save_invoice()
        books.settle()
        assert len(books.ledger()["Invoices"]) == 1
        assert books.failures() == []

    def test_in_the_end_a_person_is_asked(self, books: Books) -> None:
        books.strike("internal_error_before", method="PUT", path="/Invoices$", count=None)
        books.save_invoice()
        books.settle(rounds=3 * ATTEMPTS)
        row = books.failure()
        assert (row["problem"], row["attempt"]) == ("gave_up", ATTEMPTS + 1)
        assert len([call for call in books.writes() if call["path"].endswith("Invoices")]) == ATTEMPTS
        books.simulator.control.clear_faults()
        books.retry()
        books.settle()
        assert books.invoice()["Status"] == "AUTHORISED"
        assert books.open_problems() == []

    def test_orders_that_share_a_poisoned_call_part_ways(self, books: Books) -> None:
        books.strike("internal_error_before", method="PUT", path="/Invoices$", count=2)
        for number in range(50):
            books.save_invoice(f"order-{number}")
        books.settle()
        sizes = [call["elements"] for call in books.writes() if call["path"].endswith("Invoices")]
        assert len(books.ledger()["Invoices"]) == 50
        assert max(sizes[2:]) < 50

    def test_fresh_tokens_that_are_refused_for_a_while_are_tried_again_by_itself(self, books: Books) -> None:
        books.strike("unauthorized", method="PUT", path="/Invoices$", count=2, detail="TokenExpired: token expired")
        books.save_invoice()
        books.settle()
        assert books.failure()["problem"] == "access_refused"
        let_access_be_tried(books)
        books.settle()
        assert books.invoice()["Status"] == "AUTHORISED"

    def test_a_disconnect_while_in_doubt_is_waited_out(self, books: Books) -> None:
        books.strike("drop_after", method="PUT", path="/Invoices$")
        books.save_invoice()
        books.push_once()
        books.connection.execute("update xero_connection set state = 'disconnected'")
        books.hasten()
        before = len(books.calls())
        assert books.push() == 0
        assert len(books.calls()) == before
        books.connection.execute("update xero_connection set state = 'connected'")
        books.settle()
        assert len(books.ledger()["Invoices"]) == 1
        assert books.order()["synced_revision"] == 1
