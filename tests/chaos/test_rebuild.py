"""The projection built afresh beside the living one, and the links held against it, by the commands themselves."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.chaos.arena import Arena
from tests.chaos.conftest import CLINICS
from tests.chaos.histories import make_history

pytestmark = pytest.mark.timeout(120)

_ORDERS = 30


@pytest.fixture(scope="module")
def filled(arena: Arena) -> Iterator[Arena]:
    """An arena with orders that are all in step, and a worker that goes on."""
    arena.start()
    arena.produce(arena.environment["ORDERS_TOPIC"], b"bad", b"nonsense")
    arena.publish(make_history(5, _ORDERS, CLINICS))
    arena.wait_until_quiet()
    yield arena
    assert arena.workers[0].is_running


def test_what_is_as_the_topic_says_is_found_so(filled: Arena) -> None:
    code, found = _run(filled, "rebuild", "--json")
    assert (code, found["differences"], found["orders"], found["unusable"]) == (0, [], _ORDERS, 1)
    code, found = _run(filled, "verify", "--json")
    assert (code, found["findings"]) == (0, [])
    (totals,) = found["totals"]
    assert totals["orders"] == totals["invoices_linked"] > 20
    assert totals["payments"] == totals["payments_linked"] > 0
    assert totals["payment_amount"] == totals["linked_amount"]


def test_rows_that_differ_are_replaced_and_pushed(filled: Arena) -> None:
    standing = [truth.order_id for truth in filled.truths.values() if not truth.ended and not truth.clinic.manual]
    damaged, lost, mislaid = standing[:3]
    with filled.connect() as connection:
        connection.execute(
            "update orders set state = jsonb_set(state, '{invoice,value,reference}', '\"wrong\"') where order_id = %s",
            [damaged],
        )
        connection.execute("delete from orders where order_id = %s", [lost])
        connection.execute("update orders set missing = '{[90,91)}' where order_id = %s", [mislaid])
        before = connection.execute("select synced_revision, pushed_at from orders where order_id = %s", [mislaid])
        untouched = before.fetchone()
    code, found = _run(filled, "rebuild", "--json")
    assert code == 1
    kinds = {entry["order_id"]: entry["kind"] for entry in found["differences"]}
    assert kinds == {damaged: "state", lost: "missing", mislaid: "sequence"}
    code, found = _run(filled, "verify", "--json")
    assert code == 1
    assert {"orphan", "events_missing"} <= {entry["code"] for entry in found["findings"]}

    code, found = _run(filled, "rebuild", "--swap", "--json")
    assert (code, found["replaced"], found["made_due"]) == (0, 3, 2)
    filled.wait_until_quiet()
    assert _run(filled, "rebuild", "--json")[0] == 0
    assert _run(filled, "verify", "--json")[0] == 0
    with filled.connect() as connection:
        after = connection.execute("select synced_revision, pushed_at from orders where order_id = %s", [mislaid])
        assert after.fetchone() == untouched
    ledgers = [filled.simulator.control.ledger(tenant_id) for tenant_id in filled.tenant_ids]
    numbers = [invoice["InvoiceNumber"] for ledger in ledgers for invoice in ledger["Invoices"]]
    assert len(numbers) == len(set(numbers))


def test_a_rebuild_goes_well_while_the_service_works(filled: Arena) -> None:
    history = make_history(6, 200, CLINICS, prefix="busy")
    filled.truths.update(history.truths)
    filled.produce_events(history.events)
    code, found = _run(filled, "rebuild", "--swap", "--json")
    assert code == 0
    assert found["differences"] == []
    filled.wait_until_quiet()
    assert _run(filled, "verify", "--json")[0] == 0


def test_people_are_told_in_words(filled: Arena) -> None:
    rebuilt, verified = _command(filled, "rebuild"), _command(filled, "verify")
    assert "The living projection is as the topic says." in rebuilt.stdout, rebuilt.stderr
    assert "Everything that is here fits: " in verified.stdout, verified.stderr


def _run(arena: Arena, *arguments: str) -> tuple[int, Any]:
    finished = _command(arena, *arguments)
    assert finished.stdout, finished.stderr
    return finished.returncode, json.loads(finished.stdout)


def _command(arena: Arena, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "consumer", *arguments]
    return subprocess.run(command, env=arena.environment, capture_output=True, text=True, timeout=60, check=False)
