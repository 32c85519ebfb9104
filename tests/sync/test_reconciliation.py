"""The database has forgotten what it knew of an order: what Xero holds of it is found again, and nothing made twice."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from consumer.sync.sighting import marked_payment
from consumer.xero import Budget
from consumer.xero.budget import Wait
from tests.sync.books import Books, credit_note, line, patient
from tests.sync.limits import limit, unsynced

_LINES: dict[str, Any] = {"lines": [line(unit_price="100.0000")], "total": "100.0000"}

_ALL = ("contact", "invoice", "credit_note", "allocation", "payment")


def _set_back(books: Books, *kinds: str) -> None:
    """Lose the links of these kinds, as a failover would that also lost that the order was pushed."""
    books.connection.execute("delete from xero_link where kind = any(%s)", [list(kinds)])
    books.connection.execute("insert into setback (timeline, reason) values ('test', 'timeline')")
    books.connection.execute(
        "update orders set synced_revision = 0, due_at = now(), pushed_at = null, pending_since = now()"
    )


@pytest.fixture
def pushed(books: Books) -> Books:
    """Books with an order that is paid in part and credited in part."""
    books.save_invoice(**_LINES)
    books.save_payment(amount="30.0000")
    books.save_payment(payment_id="pay-2", amount="20.0000")
    books.save_credit_note(lines=[line(unit_price="10.0000")], total="10.0000")
    books.push()
    assert len(books.payments()) == 2
    return books


@pytest.mark.parametrize(
    "kinds",
    [
        ("payment",),
        ("payment", "allocation"),
        ("credit_note", "allocation", "payment"),
        ("invoice", "credit_note", "allocation", "payment"),
        _ALL,
    ],
    ids="+".join,
)
def test_what_was_forgotten_is_linked_again(pushed: Books, kinds: tuple[str, ...]) -> None:
    before = pushed.ledger()
    _set_back(pushed, *kinds)
    pushed.settle()
    after = pushed.ledger()
    for table in ("Contacts", "Invoices", "CreditNotes", "Payments", "Allocations"):
        assert len(after[table]) == len(before[table]), table
    assert pushed.failures() == []
    # And from now on it is as ever.
    pushed.forget_calls()
    pushed.save_payment(payment_id="pay-2", amount="25.0000")
    pushed.push()
    assert pushed.payments() == [("CARD pay-1", 30.0), ("CARD pay-2", 25.0)]


@pytest.mark.parametrize("kinds", [("payment", "credit_note", "allocation"), _ALL], ids="+".join)
def test_what_was_deleted_since_is_found_and_removed(pushed: Books, kinds: tuple[str, ...]) -> None:
    pushed.delete_payment(payment_id="pay-2")
    pushed.delete_credit_note()
    _set_back(pushed, *kinds)
    pushed.settle()
    assert pushed.payments() == [("CARD pay-1", 30.0)]
    assert pushed.note()["Status"] == "VOIDED"
    assert pushed.failures() == []


def test_what_was_changed_since_is_brought_in_step(pushed: Books) -> None:
    pushed.save_payment(amount="35.0000", method="CASH")
    pushed.save_credit_note(**credit_note(lines=[line(unit_price="12.0000")], total="12.0000"))
    _set_back(pushed, "invoice", "credit_note", "allocation", "payment")
    pushed.settle()
    assert pushed.payments() == [("CARD pay-2", 20.0), ("CASH pay-1", 35.0)]
    assert pushed.invoice()["AmountDue"] == 33
    assert pushed.failures() == []


def test_a_payment_that_gave_way_by_a_cent_is_known_again(books: Books) -> None:
    # Without rates the total is left to Xero, which makes 1.14 of it.
    books.connection.execute("update xero_tenant set tax_rates = '[]'")
    thirds = [line(f"line-{number}", unit_price="0.3200") for number in range(3)]
    books.save_invoice(prices_include_tax=False, lines=thirds, total="1.1500")
    books.save_payment(amount="1.1500")
    books.settle()
    assert books.payments() == [("CARD pay-1", 1.14)]
    _set_back(books, "payment")
    books.forget_calls()
    books.settle()
    assert (books.payments(), books.writes(), books.failures()) == ([("CARD pay-1", 1.14)], [], [])


def test_only_orders_from_before_are_looked_up(pushed: Books) -> None:
    _set_back(pushed)
    pushed.settle()
    pushed.forget_calls()
    pushed.save_payment(payment_id="pay-3", amount="5.0000")
    pushed.push()
    assert [call["method"] for call in pushed.calls()] == ["PUT"]


def test_a_contact_that_is_found_under_an_old_name_is_renamed(books: Books) -> None:
    books.save_invoice()
    books.push()
    # The call committed late, after its orders were set free, and the patient has got another name since.
    books.connection.execute("delete from xero_link where kind = 'contact'")
    books.patients["order-1"] = patient("patient-of-order-1", last_name="Another")
    books.save_invoice(reference="changed")
    books.settle()
    assert books.contact()["Name"] == "Test Another"
    assert books.failures() == []


def test_however_many_notes_there_are_each_pass_makes_progress(books: Books) -> None:
    count = 45
    for number in range(count):
        books.save_invoice(f"order-{number}", **_LINES)
        books.save_credit_note(f"order-{number}", f"note-{number}", lines=[line(unit_price="10.0000")], total="10.0000")
    books.settle()
    _set_back(books, "allocation")
    left = []
    for _ in range(3):
        # Enough for one lot of orders, and by far not for a read a note.
        limit(books, 8)
        books.push()
        left.append(unsynced(books))
    assert left[0] < count
    assert left == sorted(left, reverse=True)
    assert left[-1] == 0
    assert len(books.ledger()["Allocations"]) == count


def test_calls_that_come_free_one_by_one_are_waited_for(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    books.save_invoice()
    books.settle()
    _set_back(books, "invoice")
    monkeypatch.setattr(Budget, "grant", lambda *_arguments, **_more: Wait(0.5, "minute"))
    books.push_once()
    assert books.order()["due_at"] - datetime.now(tz=UTC) > timedelta(seconds=8)


def test_an_invoice_is_found_under_a_number_that_it_had_before(books: Books) -> None:
    books.save_invoice(number="A", invoice_id="invoice")
    books.settle()
    _set_back(books, "invoice")
    books.save_invoice(number="B", invoice_id="invoice")
    books.settle()
    assert [row["InvoiceNumber"] for row in books.ledger()["Invoices"]] == ["B"]
    assert books.failures() == []


def test_a_payment_that_was_deleted_with_its_invoice_is_found_and_removed(books: Books) -> None:
    books.save_invoice()
    books.save_payment()
    books.settle()
    books.delete_payment()
    books.delete_invoice()
    _set_back(books, "invoice", "payment")
    books.settle()
    assert books.payments() == []
    assert books.failures() == []


@pytest.mark.parametrize("listed", [True, False], ids=["listed with references", "listed without"])
@pytest.mark.parametrize("kinds", [("payment",), ()], ids=["link lost", "old link"])
def test_of_a_payment_that_was_made_anew_the_one_that_stands_is_linked(
    books: Books,
    listed: bool,  # noqa: FBT001 -- a parameter
    kinds: tuple[str, ...],
) -> None:
    books.simulator.control.show_payment_references(books.tenant_id, shown=listed)
    books.save_invoice(**_LINES)
    books.save_payment()
    books.settle()
    old = books.connection.execute("select xero_id, content_hash, detail::text from xero_link where kind = 'payment'")
    (before,) = old.fetchall()
    books.save_payment(method="CASH")
    books.settle()
    assert [row["Status"] for row in books.ledger()["Payments"]] == ["DELETED", "AUTHORISED"]
    _set_back(books, *kinds)
    if not kinds:
        books.connection.execute(
            "update xero_link set xero_id = %s, content_hash = %s, detail = %s::jsonb where kind = 'payment'", before
        )
    books.forget_calls()
    books.settle()
    assert (books.writes(), books.failures()) == ([], [])
    books.delete_payment()
    books.settle()
    assert (books.payments(), books.failures()) == ([], [])


@pytest.mark.parametrize("listed", [True, False], ids=["listed with references", "listed without"])
def test_a_payment_with_blanks_in_its_id_is_found(books: Books, listed: bool) -> None:  # noqa: FBT001 -- a parameter
    books.simulator.control.show_payment_references(books.tenant_id, shown=listed)
    books.save_invoice(**_LINES)
    books.save_payment(payment_id="7", amount="10.0000")
    books.save_payment(payment_id="pay 7", amount="20.0000")
    books.save_payment(payment_id="pay  8", amount="30.0000")
    books.settle()
    before = books.payments()
    _set_back(books, "payment")
    books.forget_calls()
    books.settle()
    assert (books.writes(), books.failures()) == ([], [])
    assert books.payments() == before
    books.delete_payment(payment_id="pay 7")
    books.settle()
    assert sorted(amount for _, amount in books.payments()) == [10, 30]


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("CARD pay 7", "pay 7"),
        ("By  hand   pay\t7 ", "pay 7"),
        ("CARD 7", "7"),
        ("7", "7"),
        ("CARD PAY 7", "7"),
        ("CARD repay 7", "7"),
        ("CARD 77", None),
        ("CARD", None),
        (None, None),
    ],
)
def test_the_longest_mark_that_fits_is_meant(reference: str | None, found: str | None) -> None:
    assert marked_payment(reference, ["7", "pay  7", ""]) == (None if found is None else found.replace(" ", "  "))


def test_what_people_voided_is_not_made_again(books: Books) -> None:
    books.save_invoice()
    books.save_invoice("order-2")
    books.settle()
    books.simulator.control.void_invoice(books.tenant_id, "WH-order-1")
    _set_back(books, "invoice")
    # A Xero that frees the numbers of what was voided would have taken it.
    books.forget_calls()
    books.settle()
    assert not [call for call in books.writes() if call["method"] == "PUT"]
    assert books.failure()["problem"] == "deleted_in_xero"
    assert books.open_problems() == [("deleted_in_xero", 1)]
    statuses = books.connection.execute("select order_id, status from xero_link where kind = 'invoice' order by 1")
    assert statuses.fetchall() == [("order-1", "gone"), ("order-2", "authorised")]


@pytest.mark.parametrize("per_minute", [3, 4, 5, 6, 7])
def test_what_a_refusal_brought_to_light_is_compared_after_a_limit_too(pushed: Books, per_minute: int) -> None:
    """No setback is known of: only that Xero refuses the invoice's number shows that something is there already."""
    pushed.delete_payment(payment_id="pay-2")
    pushed.connection.execute("delete from xero_link")
    pushed.connection.execute("update orders set synced_revision = 0, due_at = now(), pushed_at = null")
    limit(pushed, per_minute)
    pushed.push()
    limit(pushed, 60)
    pushed.settle()
    assert pushed.payments() == [("CARD pay-1", 30.0)]
    assert len(pushed.ledger()["CreditNotes"]) == 1
    assert unsynced(pushed) == 0
    assert pushed.failures() == []
    pushed.forget_calls()
    pushed.retry("order-1")
    pushed.push()
    assert pushed.calls() == []


@pytest.mark.parametrize("deleted", [False, True])
def test_a_note_that_was_changed_since_the_backup_can_be_changed_and_voided(pushed: Books, deleted: bool) -> None:  # noqa: FBT001 -- a parameter
    """Xero has the allocation of the newer amount; our link is of the older one."""
    pushed.connection.execute(
        "create temporary table backup as select * from xero_link where kind in ('credit_note', 'allocation')"
    )
    pushed.save_credit_note(lines=[line(unit_price="8.0000")], total="8.0000")
    pushed.push()
    assert pushed.note()["Total"] == 8
    pushed.connection.execute("delete from xero_link where kind in ('credit_note', 'allocation')")
    pushed.connection.execute("insert into xero_link select * from backup")
    pushed.connection.execute("drop table backup")
    _set_back(pushed)
    if deleted:
        pushed.delete_credit_note()
    pushed.settle()
    assert pushed.failures() == []
    assert pushed.note()["Status"] == ("VOIDED" if deleted else "PAID")
    assert pushed.note()["Total"] == 8
