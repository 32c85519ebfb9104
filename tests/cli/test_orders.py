"""What operators do about single orders, on a service that runs."""

import json
import signal

import pytest

from consumer.cli.application import INTERRUPTED
from consumer.orders import ChangeKind
from tests.cli.service import Service, settings_text
from tests.sync.books import invoice

pytestmark = pytest.mark.timeout(180)


def test_a_manual_sync_waits_for_its_outcome(office: Service) -> None:
    office.send_invoice("sync-1")
    office.wait_until_quiet()
    answer = office.expect("sync", "sync-1", "--wait", "--json", "--actor", "finance", "--reason", "asked by phone")
    (entry,) = answer.json["entries"]
    assert (entry["outcome"], entry["trigger"], entry["actor"]) == ("skipped", "manual", "finance")
    assert answer.json["succeeded"] is True
    assert "Nothing had to be sent" not in office.expect("sync", "sync-1", "--wait").out


def test_a_manual_sync_that_fails_ends_with_1_and_the_reason(office: Service) -> None:
    office.send_invoice("sync-2", currency="ZZZ")
    office.wait_until_quiet()
    answer = office.run("sync", "sync-2", "--wait")
    assert answer.code == 1
    assert "failed" in answer.out
    assert "sync-2" in answer.out


def test_a_sync_without_wait_only_requests(office: Service) -> None:
    office.send_invoice("sync-3")
    office.wait_until_quiet()
    assert "logs --order sync-3" in office.expect("sync", "sync-3").out
    office.wait_until_quiet()
    entries = office.expect("logs", "--order", "sync-3", "--json").lines
    assert entries[0]["trigger"] == "manual"


def test_an_unknown_order_is_told_as_such(office: Service) -> None:
    for command in ("sync", "plan", "timeline"):
        answer = office.run(command, "nobodys-order")
        assert answer.code == 1
        assert "nobodys-order" in answer.err
        assert len(answer.err.splitlines()) == 1


def test_failed_orders_are_found_and_retried_by_problem(office: Service) -> None:
    office.send_invoice("retry-1", currency="ZZZ")
    office.send_invoice("retry-2", currency="ZZZ")
    office.wait_until_quiet()
    held = [problem for problem in office.expect("problems", "--json").json if problem["order_count"]]
    entry = office.expect("logs", "--order", "retry-1", "--outcome", "failed", "--json").lines[0]
    assert entry["problem"] in {problem["code"] for problem in held}
    assert entry["fix"] in office.expect("problems", "--json").out

    dry = office.expect("retry", "--problem", entry["problem"], "--dry-run", "--json").json
    assert {"retry-1", "retry-2"} <= {order["order_id"] for order in dry["orders"]}
    assert dry["requested"] == 0
    office.send("retry-1", ChangeKind.INVOICE_SAVED, {"invoice": invoice("WH-retry-1")})
    office.send("retry-2", ChangeKind.INVOICE_SAVED, {"invoice": invoice("WH-retry-2")})
    office.wait_until_quiet()
    assert office.expect("retry", "--order", "retry-1", "--order", "retry-2", "--json").json["requested"] == 2
    office.wait_until_quiet()
    newest = office.expect("logs", "--order", "retry-2", "--limit", "1", "--json").lines[0]
    assert newest["outcome"] != "failed"
    assert "There is no clinic" in office.run("retry", "--failed", "--clinic", "no-such-clinic", "--json").err


def test_retry_wants_to_know_which_orders(office: Service) -> None:
    answer = office.run("retry")
    assert answer.code == 2
    assert "--failed" in answer.err
    answer = office.run("retry", "--order", "nobodys-order")
    assert answer.code == 1
    assert "nobodys-order" in answer.err


def test_what_was_saved_while_synchronisation_was_off_goes_when_it_is_asked_for(office: Service) -> None:
    office.apply_settings(office.tenant_id, synchronisation_enabled=False)
    try:
        office.send_invoice("off-1")
        office.send_invoice("off-2")
        found = office.wait_until_quiet()
        assert (found["held"], found["left_behind"]) == ({"disabled": 2}, 0)
        refused = office.run("retry", "--held", "--clinic", "clinic-1")
        assert refused.code == 1
        assert "off in the clinics of 2 orders" in refused.err
    finally:
        path = office.folder / "settings.toml"
        path.write_text(settings_text(office.tenant_id), encoding="utf-8")
        dry = office.expect("settings", "apply", str(path), "--dry-run", "--json").json
        applied = office.expect("settings", "apply", str(path))
    assert (dry["left_behind"], dry["tried_again"]) == (2, 0)
    command = "hearlink-xero retry --held disabled --organisation org-1"
    assert "2 orders were saved while synchronisation was off, in clinics where it is on." in applied.out
    assert f"They do not go by themselves: {command}\n" in applied.out
    found = office.wait_until_quiet()
    assert (found["held"], found["left_behind"]) == ({}, 2)
    assert "--held disabled" in office.expect("status").out
    assert office.run("retry", "--held", "--failed").code == 2
    dry = office.expect("retry", "--held", "--organisation", "org-1", "--dry-run", "--json").json
    assert ([order["order_id"] for order in dry["orders"]], dry["requested"], dry["still_off"]) == (
        ["off-1", "off-2"],
        0,
        0,
    )
    assert "2 orders were requested." in office.expect(*command.split()[1:]).out
    assert office.wait_for_status(lambda status: status["left_behind"] == 0 and status["due"] == 0)["held"] == {}
    assert office.expect("logs", "--order", "off-1", "--limit", "1", "--json").lines[0]["outcome"] == "succeeded"


def test_a_plan_shows_fields_and_keeps_the_patients_data(office: Service) -> None:
    office.apply_settings(office.tenant_id, mode="manual")
    try:
        office.send_invoice("plan-1", reference="r" * 256)
        assert office.wait_until_quiet()["held"] == {"manual": 1}
        answer = office.expect("plan", "plan-1")
        assert "hearlink-xero sync plan-1" in answer.out
        assert "InvoiceNumber" in answer.out
        assert "WH-plan-1" in answer.out
        assert "Person patient-plan-1" not in answer.out
        assert "Warning: The reference of the invoice WH-plan-1 is longer" in " ".join(answer.out.split())
        assert "Person patient-plan-1" in office.expect("plan", "plan-1", "--with-data").out
        document = office.expect("plan", "plan-1", "--json").json
        assert [step["operation"] for step in document["plan"]] == ["contact_create", "invoice_create"]
        assert [step["warnings"] and step["warnings"][0]["problem"] for step in document["plan"]] == [[], "text_cut"]
        assert document["gate"]["hold"] == "manual"
        assert not office.expect("logs", "--order", "plan-1", "--json").lines
        assert office.run("sync", "plan-1", "--wait").code == 0
        # A total that rounding doesn't explain is told before the call.
        office.send_invoice("plan-2", total="45.0000")
        office.wait_until_quiet()
        assert "Warning: The totals differ: 45.00 in HearLink, 40.00 in Xero" in office.expect("plan", "plan-2").out
        step = office.expect("plan", "plan-2", "--json").json["plan"][-1]
        (warning,) = step["warnings"]
        assert "45.00 in HearLink" in warning["message"]
    finally:
        office.apply_settings(office.tenant_id)
    assert "nothing would be sent" in office.expect("plan", "plan-1").out


def test_a_timeline_tells_events_calls_and_results_in_order(office: Service) -> None:
    office.send_invoice("time-1")
    office.wait_until_quiet()
    document = office.expect("timeline", "time-1", "--json").json
    kinds = [moment["kind"] for moment in document["moments"]]
    assert kinds[0] == "event"
    assert {"projected", "call", "answer", "log"} <= set(kinds)
    times = [moment["at"] for moment in document["moments"]]
    assert times == sorted(times)
    assert "invoice_create succeeded" in office.expect("timeline", "time-1").out


def test_logs_are_filtered_counted_and_limited(office: Service) -> None:
    office.send_invoice("log-1")
    office.send_invoice("log-2")
    office.wait_until_quiet()
    rows = office.expect("logs", "--invoice", "WH-log-1", "--json").lines
    assert {row["order_id"] for row in rows} == {"log-1"}
    assert [row["log_id"] for row in rows] == sorted((row["log_id"] for row in rows), reverse=True)
    assert len(office.expect("logs", "--limit", "1", "--json").lines) == 1
    assert not office.expect("logs", "--order", "log-1", "--until", "1h", "--json").lines
    assert office.expect("logs", "--order", "log-1", "--since", "1h", "--json").lines == rows
    counts = office.expect("logs", "--order", "log-2", "--summary", "--json").lines
    assert {(count["operation"], count["count"]) for count in counts} == {("contact_create", 1), ("invoice_create", 1)}


def test_an_order_whose_clinic_has_switched_off_says_so_on_request(office: Service) -> None:
    office.apply_settings(office.tenant_id, synchronisation_enabled=False)
    try:
        office.send_invoice("off-1")
        office.wait_until_quiet()
        answer = office.run("sync", "off-1", "--wait")
        assert answer.code == 1
        assert "Synchronisation is disabled" in answer.out
    finally:
        office.apply_settings(office.tenant_id)


def test_logs_are_followed_as_they_come(office: Service) -> None:
    with office.start_command("logs", "--follow", "--json", "--order", "follow-1") as process:
        assert process.stdout is not None
        office.send_invoice("follow-1")
        found = [json.loads(process.stdout.readline()) for _ in range(2)]
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == INTERRUPTED
    assert [row["operation"] for row in found] == ["contact_create", "invoice_create"]
