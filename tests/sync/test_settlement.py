"""A person closes an order's failure: it is left alone for as long as the way that was chosen says, or comes back."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from consumer.contract import RetryRequest
from consumer.database import connect
from consumer.operations.verification import verify_links
from consumer.results import Problem
from consumer.results.retry import ring
from consumer.sync import exchange, settling
from consumer.sync.admission import Admission
from consumer.sync.preview import preview_order
from consumer.sync.settlement import REASON_CHARACTERS_MAX, WORDS, ReasonError, SettledAs, Settlement, read_reason
from consumer.sync.settling import NotSettledError, UnknownOrderError, Wish, settled_orders
from tests.sync.books import Books, KilledError

REASON = "Refunded by hand in Xero."
COMING_BACK = [SettledAs.DONE_IN_XERO, SettledAs.UNTIL_IT_CHANGES]


@pytest.fixture
def failed(books: Books) -> Books:
    """An order that Xero refuses, for an account that is archived there."""
    books.simulator.control.archive_account(books.tenant_id, "260")
    books.save_invoice()
    books.push()
    assert books.open_problems() == [("account_archived", 1)]
    return books


def settle(books: Books, way: SettledAs = SettledAs.UNTIL_IT_CHANGES, **more: Any) -> Problem:
    wish = Wish(**{"order_id": "order-1", "settled_as": way, "reason": REASON, "actor": "finance", **more})
    return settling.settle(books.connection, books.services.encoder, books.services.catalogue, wish)


def unsettle(books: Books, **more: Any) -> Problem:
    services = books.services
    return settling.unsettle(
        books.connection, services.encoder, services.catalogue, "order-1", **{"actor": "owner", **more}
    )


def settlement(books: Books) -> Settlement | None:
    return settling.load_settlement(books.connection, "order-1")


def skips(books: Books) -> list[str | None]:
    return [problem for _, outcome, problem in books.told() if outcome == "skipped"]


@pytest.mark.parametrize("way", SettledAs)
def test_a_settled_order_neither_fails_nor_waits(failed: Books, way: SettledAs) -> None:
    said = settle(failed, way)
    order = failed.order()
    assert (order["hold"], order["due_at"], order["problem_id"]) == ("settled", None, None)
    assert failed.open_problems() == []
    assert not failed.push()
    row = failed.log()[-1]
    assert (row["operation"], row["outcome"], row["problem"], row["actor"]) == (
        "order_sync",
        "skipped",
        "settled",
        "finance",
    )
    assert row["message"] == said.message
    assert all(text in row["message"] for text in (WORDS[way].label, "finance", REASON))
    assert WORDS[way].next_change in row["fix"]
    audit = failed.connection.execute("select actor, action, detail from audit where action = 'settle'").fetchall()
    assert audit == [
        (
            "finance",
            "settle",
            {"order_id": "order-1", "settled_as": way, "problem": "account_archived", "reason": REASON},
        )
    ]
    (listed,) = settled_orders(failed.connection, "org-1")
    assert (listed.order_id, listed.settled_as, listed.problem) == ("order-1", way, "account_archived")
    assert settled_orders(failed.connection, "org-2") == []


@pytest.mark.parametrize("way", COMING_BACK)
def test_a_change_brings_it_back_as_any_change(failed: Books, way: SettledAs) -> None:
    settle(failed, way)
    failed.simulator.control.restore_account(failed.tenant_id, "260")
    failed.save_payment()
    failed.push()
    assert len(failed.payments()) == 1
    assert (failed.order()["hold"], failed.order()["problem_id"]) == (None, None)
    assert settlement(failed) is None
    assert skips(failed) == ["settled"]


@pytest.mark.parametrize("way", COMING_BACK)
def test_what_came_back_and_fails_again_fails_as_any_other(failed: Books, way: SettledAs) -> None:
    settle(failed, way)
    failed.save_invoice(reference="other")
    failed.push()
    assert failed.open_problems() == [("account_archived", 1)]
    assert (failed.order()["hold"], settlement(failed)) == ("problem", None)


def test_a_change_of_what_is_not_to_be_sent_is_told_once(failed: Books) -> None:
    settle(failed, SettledAs.DO_NOT_SEND)
    failed.simulator.control.restore_account(failed.tenant_id, "260")
    failed.forget_calls()
    for amount in ("10.0000", "20.0000", "30.0000"):
        failed.save_payment(amount=amount)
        failed.push()
    assert failed.writes() == []
    assert failed.order()["hold"] == "settled"
    assert skips(failed) == ["settled", "settled_change_not_sent"]
    assert "finance" in failed.log()[-1]["message"]
    # Settled anew, it is told anew.
    settle(failed, SettledAs.DO_NOT_SEND)
    failed.save_payment(amount="40.0000")
    failed.push()
    assert skips(failed)[2:] == ["settled", "settled_change_not_sent"]


@pytest.mark.parametrize("way", SettledAs)
def test_whoever_asks_for_it_is_told_how_it_stands(failed: Books, way: SettledAs) -> None:
    settle(failed, way)
    failed.forget_calls()
    failed.request_sync()
    failed.push()
    failed.retry()
    failed.push()
    assert failed.writes() == []
    assert skips(failed) == ["settled"] * 3
    row = failed.log()[-1]
    assert (row["actor"], row["trigger"]) == ("operator-1", "manual")
    assert "hearlink-xero unsettle order-1" in row["fix"]
    order = failed.order()
    assert (order["hold"], order["requested_revision"]) == ("settled", None)
    # What HearLink says is still what was settled.
    standing = settlement(failed)
    assert standing is not None
    assert standing.stands


def test_a_planned_retry_that_comes_late_brings_nothing_back(failed: Books) -> None:
    settle(failed)
    late = RetryRequest(order_id="order-1", requested_at=datetime.now(tz=UTC), attempt=7)
    assert ring(failed.connection, [late]).due == ()
    assert not failed.push()


def test_taken_back_it_goes_as_any_other(failed: Books) -> None:
    settle(failed, SettledAs.DO_NOT_SEND)
    failed.save_payment()
    failed.push()
    failed.simulator.control.restore_account(failed.tenant_id, "260")
    said = unsettle(failed, reason="it is a sale")
    failed.push()
    assert len(failed.payments()) == 1
    assert settlement(failed) is None
    assert failed.order()["hold"] is None
    (row,) = (row for row in failed.log() if row["problem"] == "unsettled")
    assert row["message"] == said.message
    assert row["message"].startswith("owner took back (it is a sale) what finance settled")
    audit = failed.connection.execute("select actor, detail ->> 'reason' from audit where action = 'unsettle'")
    assert audit.fetchall() == [("owner", "it is a sale")]
    with pytest.raises(NotSettledError):
        unsettle(failed)


def test_taken_back_where_people_sync_by_hand_it_waits_for_them(failed: Books) -> None:
    settle(failed)
    failed.settings(mode="manual")
    failed.simulator.control.restore_account(failed.tenant_id, "260")
    unsettle(failed)
    failed.push()
    assert failed.order()["hold"] == "manual"
    failed.request_sync()
    failed.push()
    assert failed.invoice()["Status"] == "AUTHORISED"


def test_only_the_problem_that_it_has(failed: Books) -> None:
    with pytest.raises(NotSettledError, match="it fails for account_archived"):
        settle(failed, problem="period_locked")
    assert failed.order()["hold"] == "problem"
    settle(failed, problem="account_archived")
    with pytest.raises(NotSettledError, match="it does not fail"):
        settle(failed, problem="account_archived")


def test_what_can_not_be_settled_says_so(books: Books) -> None:
    with pytest.raises(UnknownOrderError, match="order-1"):
        settle(books)
    books.save_invoice()
    books.push()
    with pytest.raises(UnknownOrderError):
        settle(books, organisation_id="org-2")
    for way in COMING_BACK:
        with pytest.raises(NotSettledError, match="nothing to settle"):
            settle(books, way)
    settle(books, SettledAs.DO_NOT_SEND)
    assert books.order()["hold"] == "settled"


def test_a_reason_is_needed_and_bounded() -> None:
    for nothing in (None, "", "  \n", "...", "\x00"):
        with pytest.raises(ReasonError, match="Say why"):
            read_reason(nothing)
    with pytest.raises(ReasonError, match="501 characters"):
        read_reason("x" * (REASON_CHARACTERS_MAX + 1))
    assert read_reason(" two\n  lines\t") == "two lines"
    assert read_reason("x" * REASON_CHARACTERS_MAX)


def test_the_plan_says_that_it_is_settled_and_what_a_change_would_do(failed: Books) -> None:
    for way in SettledAs:
        settle(failed, way)
        preview = preview_order(failed.connection, "order-1", "https://app.example")
        assert preview is not None
        assert (preview.gate.hold, preview.gate.code, preview.plan) == ("settled", "settled", None)
        said = failed.services.catalogue.local("settled", **preview.gate.values)
        assert said.message == failed.log()[-1]["message"]
        assert WORDS[way].next_change in said.fix


def test_an_order_that_xero_never_sees_can_be_settled_without_its_settings(books: Books) -> None:
    books.settings(tenant_id=None)
    books.save_invoice()
    books.push()
    assert books.open_problems() == [("no_tenant", 1)]
    settle(books)
    assert books.open_problems() == []
    books.request_sync()
    books.push()
    assert skips(books) == ["settled", "settled"]


def test_an_order_whose_record_is_damaged_can_be_settled(books: Books) -> None:
    books.save_invoice()
    books.connection.execute("""update orders set state = '{"patient": 1, "invoice": 2, "payments": []}'""")
    books.push()
    assert books.open_problems() == [("not_projected", 1)]
    settle(books)
    books.retry()
    books.push()
    assert (books.order()["hold"], books.open_problems()) == ("settled", [])


def test_money_that_was_taken_out_for_a_change_is_told_with_the_settlement(books: Books, monkeypatch: Any) -> None:
    books.save_invoice()
    books.save_payment(amount="40.0000")
    books.push()
    books.save_payment(amount="30.0000")
    books.die_at(monkeypatch, "payment_create", committed=False)
    books.simulator.control.archive_account(books.tenant_id, "090")
    said = settle(books)
    assert "missing there: the payment of 40" in said.message
    books.settle()
    books.retry()
    books.settle()
    assert books.payments() == []
    assert books.order()["hold"] == "settled"


# While a push is under way


def test_settled_between_the_claim_and_the_call_nothing_is_sent(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    books.save_invoice("order-1")
    books.save_invoice("order-2")
    send, calls = exchange.send, 0

    def settling_meanwhile(*arguments: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        result = send(*arguments, **more)
        if calls == 1:
            # The contacts are in; the invoices come next.
            settle(books, SettledAs.DO_NOT_SEND)
        return result

    monkeypatch.setattr(exchange, "send", settling_meanwhile)
    books.settle()
    assert [invoice["InvoiceNumber"] for invoice in books.ledger()["Invoices"]] == ["WH-order-2"]
    assert books.order()["hold"] == "settled"
    assert skips(books) == ["settled"]


@pytest.mark.parametrize("way", SettledAs)
def test_settled_during_its_last_call_it_stays_settled_and_the_call_is_written_down(
    books: Books, way: SettledAs, monkeypatch: pytest.MonkeyPatch
) -> None:
    books.save_invoice()
    send = exchange.send

    def settling_meanwhile(*arguments: Any, **more: Any) -> Any:
        if arguments[1][0].stage.name == "INVOICE_CREATE":
            settle(books, way)
        return send(*arguments, **more)

    monkeypatch.setattr(exchange, "send", settling_meanwhile)
    books.settle()
    assert books.order()["hold"] == "settled"
    assert ("invoice_create", "succeeded", None) in books.told()
    links = books.connection.execute("select count(*) from xero_link where kind = 'invoice'").fetchone()
    assert links == (1,)


@pytest.mark.parametrize("trouble", ["refused", "lost"])
def test_settled_during_a_call_that_fails_it_is_no_failure(
    books: Books, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if trouble == "refused":
        books.simulator.control.archive_account(books.tenant_id, "260")
    else:
        books.strike("internal_error_after", method="PUT", path="/Invoices")
    books.save_invoice()
    send, settled = exchange.send, False

    def settling_meanwhile(*arguments: Any, **more: Any) -> Any:
        nonlocal settled
        if arguments[1][0].stage.name == "INVOICE_CREATE" and not settled:
            settled = True
            settle(books, SettledAs.DO_NOT_SEND)
        return send(*arguments, **more)

    monkeypatch.setattr(exchange, "send", settling_meanwhile)
    books.settle()
    assert (books.order()["hold"], books.order()["problem_id"]) == ("settled", None)
    assert books.open_problems() == []
    assert len(books.ledger()["Invoices"]) <= 1
    open_intents = books.connection.execute("select count(*) from xero_intent where state = 'open'").fetchone()
    assert open_intents == (0,)


def test_a_claim_that_was_too_early_to_see_it_loses_nothing(failed: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the claim waited for the lock of whoever settled: its snapshot is older than what it claimed."""
    failed.retry()
    decide, disturbed = Admission.decide, False

    def unseeing(self: Admission, job: Any) -> None:
        nonlocal disturbed
        if not disturbed:
            disturbed = True
            due_at = failed.order()["due_at"]
            settle(failed)
            # What the claim returned of the row it claimed.
            failed.connection.execute("update orders set due_at = %s, hold = null", [due_at])
        decide(self, job)

    monkeypatch.setattr(Admission, "decide", unseeing)
    failed.push()
    assert disturbed
    assert (failed.order()["hold"], failed.order()["problem_id"]) == ("settled", None)
    assert failed.open_problems() == []


def test_an_order_in_doubt_is_looked_up_first(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    books.save_invoice()
    books.die_at(monkeypatch, "invoice_create", committed=True)
    books.push_once()
    settle(books, SettledAs.DO_NOT_SEND)
    books.settle()
    assert books.order()["hold"] == "settled"
    links = books.connection.execute("select count(*) from xero_link where kind = 'invoice'").fetchone()
    assert links == (1,)
    assert len(books.ledger()["Invoices"]) == 1


def test_killed_before_the_end_nothing_of_it_is_there(failed: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(place: str) -> None:
        if place == "settle.before_commit":
            raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(settling, "crash_point", die)
        with pytest.raises(KilledError):
            settle(failed)
    assert (failed.order()["hold"], failed.open_problems()) == ("problem", [("account_archived", 1)])
    assert settlement(failed) is None
    assert skips(failed) == []
    settle(failed)
    assert skips(failed) == ["settled"]


def test_people_and_passes_at_once_end_in_order(books: Books) -> None:
    """Each round an order fails again while others settle it: nobody waits for ever, nothing is in two states."""
    books.simulator.control.archive_account(books.tenant_id, "260")
    orders = [f"order-{number}" for number in range(6)]
    for order_id in orders:
        books.save_invoice(order_id)
    stop = threading.Event()

    def settle_all() -> None:
        with connect(books.database_url, name="people") as connection:
            while not stop.is_set():
                for order_id in orders:
                    wish = Wish(order_id=order_id, settled_as=COMING_BACK[0], reason=REASON, actor="finance")
                    settling.settle(connection, books.services.encoder, books.services.catalogue, wish)

    with ThreadPoolExecutor(2) as people:
        settling_people = [people.submit(settle_all) for _ in range(2)]
        for number in range(8 * len(orders)):
            books.save_invoice(orders[number % len(orders)], reference=f"change {number}")
            books.push(passes=200)
        stop.set()
        for one in settling_people:
            one.result()
    books.push()
    states = Counter(
        (books.order(order_id)["hold"], books.order(order_id)["problem_id"] is None) for order_id in orders
    )
    failing = states.pop(("problem", False), 0)
    assert set(states) <= {("settled", True)}
    assert books.open_problems() == ([("account_archived", failing)] if failing else [])


def test_what_no_one_changed_in_hearlink_ends_no_settlement(failed: Books) -> None:
    """The patient's data, which comes with each event and goes when they are erased, and what a rebuild notes anew."""
    settle(failed)
    for change in (
        """'{patient}', '{"patient_id": "patient-of-order-1", "first_name": "", "last_name": ""}'""",
        "'{invoice,saved}', '1'",
        """'{invoice,deletions}', '{"other": 1}'""",
    ):
        failed.connection.execute(f"update orders set state = jsonb_set(state, {change}), due_at = now()".encode())
        failed.push()
        standing = settlement(failed)
        assert standing is not None
        assert (standing.changed, failed.order()["hold"]) == (False, "settled")
    assert skips(failed) == ["settled"]


def test_other_settings_and_a_new_connection_bring_nothing_back(failed: Books) -> None:
    failed.connection.execute("update xero_connection set state = 'disconnected'")
    settle(failed)
    failed.reconnect()
    failed.settings(payment_account="091", wake=True)
    assert not failed.push()
    assert failed.order()["hold"] == "settled"


def test_the_check_of_links_counts_it_and_judges_nothing(failed: Books) -> None:
    settle(failed)
    found = verify_links(failed.connection)
    assert (found.settled, found.findings) == (1, [])
