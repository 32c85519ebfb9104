"""`settle` and `unsettle`, on a service that runs."""

import pytest

from consumer.orders import ChangeKind
from consumer.sync.settlement import REASON_CHARACTERS_MAX
from tests.cli.service import Service
from tests.sync.books import invoice

pytestmark = pytest.mark.timeout(180)

REASON = "entered by hand"


def fail(office: Service, order_id: str) -> str:
    """Have an order fail; return the problem's code."""
    office.send_invoice(order_id, currency="ZZZ")
    office.wait_until_quiet()
    row = office.expect("logs", "--order", order_id, "--outcome", "failed", "--json").lines[0]
    return str(row["problem"])


def settle(office: Service, order_id: str, way: str = "done-in-xero", *more: str) -> str:
    return office.expect("settle", order_id, "--as", way, "--reason", REASON, "--actor", "finance", *more).out


def skipped(office: Service, order_id: str) -> list[str]:
    """What was deliberately not sent, newest first."""
    return [
        row["problem"] for row in office.expect("logs", "--order", order_id, "--outcome", "skipped", "--json").lines
    ]


def test_a_failure_is_closed_counted_apart_and_comes_back_with_a_change(office: Service) -> None:
    code = fail(office, "settle-1")
    before = office.status()
    assert REASON in settle(office, "settle-1", "done-in-xero", "--problem", code)
    after = office.status()
    assert (after["failed"], after["settled"]) == (before["failed"] - 1, before["settled"] + 1)
    assert (after["waiting"], after["due"]) == (before["waiting"], before["due"])
    assert sum(tenant["settled"] for tenant in after["tenants"]) == after["settled"]
    assert "settled" in office.expect("status").out
    (listed,) = (
        row
        for row in office.expect("problems", "--settled", "--json", "--organisation", "org-1").json
        if row["order_id"] == "settle-1"
    )
    assert (listed["settled_as"], listed["actor"], listed["reason"], listed["problem"]) == (
        "done-in-xero",
        "finance",
        REASON,
        code,
    )
    assert "settle-1" in office.expect("problems", "--settled").out
    told = office.expect("timeline", "settle-1").out
    assert f"finance: settle as done-in-xero ({REASON})" in " ".join(told.split())
    # Only once the topic's readers know it, too, is all of it told.
    assert office.wait_until_quiet()["unpublished"] == 0
    office.send("settle-1", ChangeKind.INVOICE_SAVED, {"invoice": invoice("WH-settle-1")})
    office.wait_until_quiet()
    assert office.expect("logs", "--order", "settle-1", "--json", "--limit", "1").lines[0]["outcome"] == "succeeded"
    assert office.status()["settled"] == before["settled"]


def test_what_is_not_to_be_sent_is_not_sent_and_told_once(office: Service) -> None:
    fail(office, "settle-2")
    settle(office, "settle-2", "do-not-send")
    for reference in ("first", "second"):
        office.send("settle-2", ChangeKind.INVOICE_SAVED, {"invoice": invoice("WH-settle-2", reference=reference)})
        office.wait_until_quiet()
    assert skipped(office, "settle-2") == ["settled_change_not_sent", "settled"]
    plan = office.expect("plan", "settle-2", "--json").json
    assert (plan["gate"]["hold"], plan["gate"]["values"]["actor"], plan["plan"]) == ("settled", "finance", None)
    assert any(REASON in remark and "not sent either" in remark for remark in plan["remarks"])
    # HearLink's staff ask for it: answered, and not sent.
    office.send("settle-2", ChangeKind.SYNC_REQUESTED, {})
    office.wait_until_quiet()
    assert skipped(office, "settle-2")[0] == "settled"
    # A rebuild changes nothing about it, and neither does verify mind it.
    office.expect("rebuild", "--swap")
    office.wait_until_quiet()
    assert office.expect("plan", "settle-2", "--json").json["gate"]["hold"] == "settled"
    assert office.run("verify", "--json").json["settled"] >= 1
    assert "took back" in office.expect("unsettle", "settle-2", "--actor", "owner").out
    office.wait_until_quiet()
    assert office.expect("logs", "--order", "settle-2", "--json", "--limit", "1").lines[0]["outcome"] == "succeeded"


def test_who_asks_for_a_settled_order_is_told_to_take_that_back_first(office: Service) -> None:
    code = fail(office, "settle-3")
    fail(office, "settle-4")
    settle(office, "settle-3", "until-it-changes")
    answer = office.run("sync", "settle-3")
    assert answer.code == 1
    assert "Order settle-3 is not requested." in answer.err
    assert "hearlink-xero unsettle settle-3" in answer.err
    answer = office.run("retry", "--order", "settle-3", "--order", "settle-4", "--json")
    assert (answer.code, answer.json["requested"], answer.json["settled"]) == (1, 1, 1)
    assert "Settled, so not requested: settle-3." in answer.err
    found = office.expect("retry", "--problem", code, "--dry-run", "--json").json
    assert "settle-3" not in {order["order_id"] for order in found["orders"]}
    assert found["settled"] >= 1
    assert "more are settled, and left alone" in office.expect("retry", "--failed", "--dry-run").out


def test_what_can_not_be_settled_says_why(office: Service) -> None:
    code = fail(office, "settle-5")
    ways = ("--as", "do-not-send", "--reason", REASON)
    for arguments, exit_code, said in (
        (("settle", "nobodys-order", *ways), 1, "nobodys-order"),
        (("settle", "settle-5"), 2, "--as"),
        (("settle", "settle-5", "--as", "do-not-send"), 2, "--reason"),
        (("settle", "settle-5", "--as", "somehow", "--reason", REASON), 2, "done-in-xero"),
        (("settle", "settle-5", "--as", "do-not-send", "--reason", "  "), 2, "Say why"),
        (("settle", "settle-5", "--as", "do-not-send", "--reason", "x" * (REASON_CHARACTERS_MAX + 1)), 2, "shorter"),
        (("settle", "settle-5", *ways, "--problem", "nonsense"), 2, "no problem 'nonsense'"),
        (("settle", "settle-5", *ways, "--problem", "period_locked"), 1, f"it fails for {code}"),
        (("unsettle", "settle-5"), 1, "not settled"),
        (("unsettle", "nobodys-order"), 1, "nobodys-order"),
    ):
        answer = office.run(*arguments)
        assert (answer.code, said in answer.err) == (exit_code, True), (arguments, answer)
    assert skipped(office, "settle-5") == []
