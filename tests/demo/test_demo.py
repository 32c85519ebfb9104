"""The demo as people start it; what it prints must be true, and nothing may be left of it."""

import json
import os
import re
import subprocess
from collections import defaultdict
from decimal import Decimal
from typing import Any

import pytest
import requests

from consumer.orders import ProjectedOrder, apply_event
from consumer.sandbox.clinics import CLINICS, sample_month
from tests.demo.stage import GIVE_UP_SECONDS, Stage

ORDERS = 40
# What the day after the month adds: one order at each clinic.
LIVE_INVOICES = {"clinic-1": Decimal(1495), "clinic-2": Decimal(265), "clinic-3": Decimal(1495)}


def test_what_the_demo_shows_is_true_and_what_it_keeps_can_be_used_and_ends_whole() -> None:
    with Stage("--orders", str(ORDERS), "--json", "--keep") as stage:
        # Its last words: what stands before them is there as well then.
        stage.wait_for("hearlink-xero timeline order-live-1\n", lambda: stage.err)
        shown = json.loads(stage.out)
        told = stage.err
        assert all(len(line) <= 80 for line in told.splitlines() if "/tmp/" not in line and "http" not in line)

        documents = {(row["tenant"], row["kind"]): row for row in shown["picture"]["documents"]}
        assert_hearlink_side(documents)
        for row in documents.values():
            assert row["unexplained"]["count"] == 0, row
            assert Decimal(row["unexplained"]["amount"]) == 0, row
            assert row["xero"]["count"] > 0, row
            assert f"{row['xero']['count']:>5}{Decimal(row['xero']['amount']):>12,.2f}" in told
        assert documents["Harbour Hearing", "invoice"]["only_in_xero"]["count"] == 1, "deleted in HearLink only"
        assert shown["picture"]["not_sent"]["manual"] > 0

        log = shown["picture"]["sync_log"]
        for operation in (
            "contact_create",
            "contact_rename",
            "invoice_create",
            "invoice_update",
            "invoice_authorise",
            "credit_note_create",
            "credit_note_allocate",
            "payment_create",
            "payment_delete",
        ):
            assert log[operation]["succeeded"] > 0, operation
        assert log["order_sync"]["skipped"] > 0
        mended = {row["problem"]: row for row in shown["mended"]}
        assert mended["account_archived"]["held"] > 0
        assert mended["account_archived"]["still_held"] == 0
        assert mended["period_locked"] == {"problem": "period_locked", "held": 1, "still_held": 0}
        assert "number_taken_by_other_order" in {problem["code"] for problem in shown["picture"]["problems"]}
        for problem in shown["picture"]["problems"]:
            assert problem["code"] not in mended
            assert f"{problem['code']}: {problem['orders']} order" in told
        assert len(shown["latencies_seconds"]) == 8

        assert_commands_work(told)
        (console,) = re.findall(r"Console +(http\S+)", told)
        page = requests.get(console, timeout=GIVE_UP_SECONDS)
        assert "Xero sync log" in page.text
        assert stage.interrupt() == 130
        assert "Traceback" not in stage.err
        assert stage.err.endswith("Stopped. Everything that was started has ended, and its data is gone.\n")
        stage.assert_nothing_left()


@pytest.mark.parametrize("moment", ["Starting", "hearlink-xero topics ensure", "A month:"])
def test_ctrl_c_at_any_moment_leaves_nothing(moment: str) -> None:
    with Stage("--orders", "10") as stage:
        stage.wait_for(moment, lambda: stage.out)
        assert stage.processes()
        assert stage.interrupt() == 130
        assert "Traceback" not in stage.err + stage.out
        assert stage.out.endswith("Stopped. Everything that was started has ended, and its data is gone.\n")
        stage.assert_nothing_left()


def assert_hearlink_side(documents: dict[tuple[str, str], Any]) -> None:
    """Fold the month here as well, and find the same sums as the tables gave."""
    orders: dict[str, ProjectedOrder] = {}
    for event in sample_month(orders=ORDERS):
        order = orders.setdefault(event.order_id, ProjectedOrder(event.order_id, event.organisation_id))
        apply_event(order, event)
    expected: defaultdict[str, list[Decimal]] = defaultdict(list)
    tenants = {clinic.clinic_id: clinic.tenant_name for clinic in CLINICS}
    for clinic_id, total in LIVE_INVOICES.items():
        expected[tenants[clinic_id]].append(total)
    for order in orders.values():
        invoice = order.state["invoice"]
        if invoice is not None and not invoice["deleted"]:
            expected[tenants[order.clinic_id]].append(Decimal(invoice["value"]["total"]))
    for tenant, totals in expected.items():
        row = documents[tenant, "invoice"]["hearlink"]
        assert (row["count"], Decimal(row["amount"])) == (len(totals), sum(totals)), tenant


def assert_commands_work(told: str) -> None:
    """Do what the demo says one can do in another terminal."""
    lines = [line.strip() for line in told.partition("In another terminal:\n")[2].splitlines()]
    environment, *commands = [line for line in lines if line]
    assert len(commands) == 3
    for command in commands:
        ended = subprocess.run(
            ["sh", "-c", f"{environment}; {command}"],
            capture_output=True,
            text=True,
            timeout=GIVE_UP_SECONDS,
            check=False,
            env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")},
        )
        assert ended.returncode == 0, f"{command}: {ended.stdout}{ended.stderr}"
        assert ended.stdout.strip(), command
