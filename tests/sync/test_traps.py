"""The traps that others' integrations fell into, one by one."""

import json
from decimal import Decimal

import pytest

from consumer.sync.services import Patience
from tests.sync.books import ORGANISATION, Books, line, lines, patient
from tests.sync.conftest import add_tenant


def test_trap_1_invoice_created_payment_refused_and_the_whole_order_retried(books: Books) -> None:
    books.settings(payment_account="999")
    books.save_invoice()
    books.save_payment()
    books.push()
    assert books.failure()["operation"] == "payment_create"
    books.settings(payment_account="090")
    books.retry()
    books.push()
    assert len(books.ledger()["Invoices"]) == 1
    assert books.payments() == [("CARD pay-1", 40.0)]
    assert len(books.failures()) == 1


def test_trap_2_the_first_call_commits_late(books: Books) -> None:
    """Xero goes on with a call after we hung up: it shows in a later look-up, and is taken over."""
    books.use(patience=Patience(safe_wait_seconds=3600.0))
    books.strike("drop_before", method="PUT", path="/Invoices$")
    books.save_invoice()
    books.push()
    books.hasten()
    books.push()
    assert books.ledger()["Invoices"] == []
    sent = books.connection.execute(
        "select detail ->> 'body' from xero_intent_element where kind = 'invoice'"
    ).fetchone()
    assert sent is not None
    books.simulator.control.create_invoice(books.tenant_id, json.loads(sent[0], parse_float=Decimal))
    books.hasten()
    books.push()
    assert len(books.ledger()["Invoices"]) == 1
    assert [call["path"] for call in books.writes() if call["path"].endswith("Invoices")] == ["/api.xro/2.0/Invoices"]
    assert books.order()["synced_revision"] == 1


def test_trap_3_the_look_up_knows_no_window_of_time(books: Books) -> None:
    books.strike("drop_after", method="PUT", path="/Invoices$")
    books.save_invoice(issued_on="2019-01-01", due_on="2019-01-31")
    books.settle()
    assert len(books.ledger()["Invoices"]) == 1
    assert all("Date" not in call["query"] for call in books.calls() if call["method"] == "GET")


def test_trap_4_a_different_organisation_after_reconnecting(books: Books) -> None:
    books.save_invoice()
    books.push()
    other = add_tenant(books.simulator, "Other Books")
    books.add_tenant(other, "Other Books")
    books.settings(tenant_id=other)
    books.save_invoice(reference="PO 7")
    books.settle()
    assert books.failure()["problem"] == "linked_elsewhere"
    assert books.ledger(other)["Invoices"] == []
    assert books.invoice()["Reference"] == ""


def test_trap_5_a_disconnect_forgets_nothing(books: Books) -> None:
    books.save_invoice()
    books.save_payment()
    books.push()
    books.simulator.control.disconnect(books.tenant_id)
    books.save_invoice(reference="PO 7")
    books.settle()
    books.reconnect()
    books.settle()
    assert len(books.ledger()["Invoices"]) == len(books.ledger()["Contacts"]) == 1
    assert books.payments() == [("CARD pay-1", 40.0)]


def test_trap_6_a_payment_deleted_in_xero_is_not_resurrected(books: Books) -> None:
    books.save_invoice()
    books.save_payment()
    books.push()
    (row,) = books.ledger()["Payments"]
    books.simulator.control.delete_payment(books.tenant_id, row["PaymentID"])
    for _ in range(2):
        books.retry()
        books.settle()
    assert books.payments() == []


@pytest.mark.parametrize(
    ("first", "last"),
    [("Test", "Same"), (" Test", "  Same "), ("TEST", "same"), ("<Test>", "Same"), ("T\u00e9st", "Same")],
)
def test_trap_7_names(books: Books, first: str, last: str) -> None:
    books.simulator.control.create_contact(books.tenant_id, {"Name": "Test Same"})
    books.patients["order-1"] = patient("p-1", first_name=first, last_name=last)
    books.save_invoice()
    books.settle()
    assert books.failures() == []
    contact = books.contact("p-1")
    assert books.invoice()["Contact"]["ContactID"] == contact["ContactID"]
    assert "<" not in contact["Name"]


def test_trap_8_one_bad_contact_and_one_limited_tenant_stop_no_other(books: Books) -> None:
    other = add_tenant(books.simulator, "Other Books")
    books.add_tenant(other, "Other Books")
    books.connect(also=[other])
    books.settings(clinic_id="clinic-2", tenant_id=other)
    books.clinics["order-3"] = "clinic-2"
    books.patients["order-1"] = patient("x" * 60)
    for number in (1, 2, 3):
        books.save_invoice(f"order-{number}")
    books.strike("rate_limit_day", count=None, path="/Invoices$", retry_after_seconds=3600)
    books.push()
    assert [row["InvoiceNumber"] for row in books.ledger(other)["Invoices"]] == ["WH-order-3"]
    books.simulator.control.clear_faults()
    books.settle()
    assert [row["InvoiceNumber"] for row in books.ledger()["Invoices"]] == ["WH-order-2"]


def test_trap_9_a_draft_in_a_locked_period_that_is_paid_later(books: Books) -> None:
    books.settings(invoice_status="draft")
    books.simulator.control.set_lock_dates(books.tenant_id, period="2026-10-31")
    books.save_invoice()
    books.push()
    assert (books.invoice()["Status"], books.failures()) == ("DRAFT", [])
    books.save_payment(paid_on="2026-11-05")
    books.settle()
    row = books.failure()
    assert (row["operation"], row["problem"]) == ("invoice_authorise", "period_locked")
    assert books.payments() == []
    books.simulator.control.set_lock_dates(books.tenant_id)
    books.retry()
    books.settle()
    assert books.invoice()["Status"] == "PAID"


@pytest.mark.parametrize(
    ("paid", "credit", "code"),
    [("30.0000", "20.0000", "credit_exceeds_outstanding"), ("40.0000", "5.0000", "invoice_already_paid")],
)
def test_trap_10_a_credit_note_larger_than_the_balance(books: Books, paid: str, credit: str, code: str) -> None:
    books.save_invoice()
    books.save_payment(amount=paid)
    books.push()
    books.save_credit_note(**lines(credit))
    books.settle()
    row = books.failure()
    assert (row["operation"], row["problem"]) == ("credit_note_allocate", code)
    assert "CN-note-1" in row["message"]
    assert books.note()["RemainingCredit"] == float(credit)
    books.delete_payment()
    books.settle()
    assert books.note()["RemainingCredit"] == 0
    assert books.open_problems() == []


def test_what_was_paid_comes_before_what_is_credited(books: Books) -> None:
    """The refund: fully paid, then credited. However it comes to Xero, the payment is there."""
    books.save_invoice("order-1")
    books.save_payment("order-1", "pay-1")
    books.save_credit_note("order-1", "note-1", **lines("10.0000"))
    books.settle()
    books.save_invoice("order-2")
    books.save_payment("order-2", "pay-2")
    books.settle()
    books.save_credit_note("order-2", "note-2", **lines("10.0000"))
    books.settle()
    books.save_payment("order-2", "pay-2", method="CASH")
    books.settle()
    for number in (1, 2):
        assert books.invoice(f"WH-order-{number}")["AmountPaid"] == 40
        assert {row["problem"] for row in books.failures(f"order-{number}")} == {"invoice_already_paid"}
        assert books.note(f"note-{number}")["RemainingCredit"] == 10


def test_trap_11_an_unchanged_order_costs_no_write(books: Books) -> None:
    for number in range(3):
        order_id = f"order-{number}"
        books.save_invoice(order_id, prices_include_tax=False, total="48.0000")
        books.save_payment(order_id, f"pay-{number}", amount="8.0000")
        books.save_credit_note(order_id, f"note-{number}", **lines("10.0000"))
    books.push()
    books.forget_calls()
    for number in range(3):
        order_id = f"order-{number}"
        books.request_sync(order_id)
        books.save_invoice(order_id, prices_include_tax=False, total="48.0000")
    books.push()
    assert books.calls() == []


def test_trap_12_an_idle_tenant_whose_tokens_died(books: Books) -> None:
    books.save_invoice()
    books.push()
    books.simulator.control.expire_access_tokens()
    books.simulator.control.expire_refresh_tokens()
    books.save_payment()
    books.settle()
    assert books.failure()["message"] == "Xero is disconnected"
    asked = len(books.calls())
    books.save_payment(amount="30.0000")
    books.settle()
    assert len(books.calls()) == asked
    books.reconnect()
    books.settle()
    assert books.payments() == [("CARD pay-1", 30.0)]


def test_trap_13_rounding(books: Books) -> None:
    items = [line(f"line-{number}", unit_price=price) for number, price in enumerate(("25.06", "25.61", "25.63"))]
    books.save_invoice("order-1", prices_include_tax=False, lines=items, total="91.56")
    three_for_ten = [line(quantity="3.0000", unit_price="4.0000", discount="2.0000")]
    books.save_invoice("order-2", lines=three_for_ten, total="10.00")
    books.save_credit_note("order-2", lines=three_for_ten, total="10.00")
    books.save_invoice("order-3", lines=[line(quantity="7.0000", unit_price="1.4286")], total="10.00")
    books.settle()
    assert books.failures() == []
    assert books.invoice("WH-order-2")["Total"] == 10
    assert books.note()["RemainingCredit"] == 0
    assert books.invoice("WH-order-3")["Total"] == 10
    tax = sum(Decimal(str(row["TaxAmount"])) for row in books.invoice("WH-order-1")["LineItems"])
    assert tax == Decimal(str(books.invoice("WH-order-1")["TotalTax"]))


@pytest.mark.parametrize("committed", [False, True])
@pytest.mark.parametrize("stage", ["payment_delete", "payment_create"])
def test_trap_14_a_crash_between_deleting_and_making_a_payment(
    books: Books,
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
    committed: bool,  # noqa: FBT001 -- a parameter
) -> None:
    books.save_invoice()
    books.save_payment()
    books.push()
    books.save_payment(method="CASH")
    books.die_at(monkeypatch, stage, committed=committed)
    books.settle()
    assert books.payments() == [("CASH pay-1", 40.0)]
    assert [row["Status"] for row in books.ledger()["Payments"]].count("DELETED") == 1
    assert books.failures() == []


@pytest.mark.parametrize("outcome", ["CANCELLED", "WRITTEN_OFF"])
def test_trap_15_closed_orders(books: Books, outcome: str) -> None:
    books.save_invoice()
    books.push()
    books.forget_calls()
    books.close(outcome=outcome)
    books.settle()
    assert books.calls() == []
    row = books.log()[-1]
    assert (row["outcome"], row["problem"]) == ("skipped", "order_closed")
    assert outcome.lower().replace("_", " ") in row["message"]


@pytest.mark.parametrize("what", ["deleted", "without an invoice"])
def test_trap_15_orders_with_no_invoice_to_send(books: Books, what: str) -> None:
    if what == "deleted":
        books.save_invoice()
        books.delete_invoice()
    else:
        books.save_payment()
    books.settle()
    assert books.calls() == []
    (row,) = books.log()
    assert (row["outcome"], row["organisation_id"]) == ("skipped", ORGANISATION)


def test_no_trap_is_forgotten() -> None:
    tested = {name.split("_")[2] for name in globals() if name.startswith("test_trap_")}
    assert tested == {str(number) for number in range(1, 16)}
