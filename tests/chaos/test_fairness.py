"""One tenant's trouble is nobody else's: without budget, with a slow Xero, with orders by the thousand."""

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from consumer.orders import ChangeKind, OrderEvent
from consumer.sandbox.broker import Broker
from consumer.sandbox.postgres import EmbeddedPostgres
from consumer.sandbox.xero import Fault, XeroSimulator
from tests.chaos.arena import Arena, wait_until
from tests.chaos.conftest import QUICK_GROUP
from tests.chaos.histories import Clinic, History, make_history

pytestmark = pytest.mark.timeout(120)

_BUSY = Clinic("busy", 0)
_CALM = Clinic("calm", 1)
_CALL_SECONDS = 1.0


@pytest.fixture(scope="module")
def fair_arena(kafka: Broker, postgres_server: EmbeddedPostgres, chaos_simulator: XeroSimulator) -> Iterator[Arena]:
    """Two clinics with a tenant each."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Arena(
            database_url=postgres_server.create_database("chaos_fairness"),
            bootstrap_servers=kafka.bootstrap_servers,
            simulator=chaos_simulator,
            folder=Path(folder),
            clinics=[_BUSY, _CALM],
            kafka_config={**kafka.client_config, **QUICK_GROUP},
        ) as found,
    ):
        yield found
    postgres_server.drop_database("chaos_fairness")


def test_a_person_goes_before_a_backlog(fair_arena: Arena) -> None:
    arena, control = fair_arena, fair_arena.simulator.control
    busy, _ = arena.tenant_ids
    arena.start()
    control.add_fault(Fault(kind="delay_before", tenant_id=busy, count=None, delay_seconds=0.2))
    arena.send(_history(arena, _BUSY, "backlog", 300).events)
    wait_until(lambda: _due(arena) > 200, arena.tails)
    asked = _order_that_goes_on(arena, _BUSY, "asked")
    request = asked.events[-1]
    arena.send([*asked.events, _sync_requested(request)])
    asked.truths["asked-0"].sequence += 1
    wait_until(lambda: _orders_in(arena, busy, "asked") == 1, arena.tails)
    assert _due(arena) > 50
    control.clear_faults()
    arena.wait_until_quiet()
    report = arena.check()
    assert report.is_clean, report


@pytest.mark.parametrize("trouble", ["slow", "spent", "thousands"])
def test_another_tenant_is_served_meanwhile(fair_arena: Arena, trouble: str) -> None:
    arena, control = fair_arena, fair_arena.simulator.control
    busy, calm = arena.tenant_ids
    for worker in arena.workers:
        if worker.is_running:
            worker.kill()
    control.clear_calls()
    if trouble == "spent":
        control.add_fault(Fault(kind="rate_limit_minute", tenant_id=busy, retry_after_seconds=8))
    else:
        control.add_fault(Fault(kind="delay_before", tenant_id=busy, count=None, delay_seconds=_CALL_SECONDS))
    # A slow call takes a second: the thousands would take the busy tenant longer than this test has patience.
    busy_orders = 10_000 if trouble == "thousands" else 60
    arena.send(_history(arena, _BUSY, f"{trouble}-busy", busy_orders).events)
    arena.start().wait_for("partitions_assigned")
    wait_until(lambda: bool(control.calls(busy)))
    history = _history(arena, _CALM, f"{trouble}-calm", 5)
    standing = sum(not truth.ended for truth in history.truths.values())
    assert standing
    arena.send(history.events)
    # What HearLink deleted before it was pushed is not pushed.
    wait_until(lambda: _orders_in(arena, calm, f"{trouble}-calm") >= standing, arena.tails)
    # The calm tenant did not wait for the end of the other one's orders.
    assert _orders_in(arena, busy, f"{trouble}-busy") < busy_orders
    control.clear_faults()
    if trouble != "thousands":
        arena.wait_until_quiet()


def _history(arena: Arena, clinic: Clinic, prefix: str, orders: int) -> History:
    history = make_history(len(arena.truths), orders, [clinic], prefix=prefix)
    arena.truths.update(history.truths)
    return history


def _order_that_goes_on(arena: Arena, clinic: Clinic, prefix: str) -> History:
    """Return a history of one order that is neither deleted nor closed in the end."""
    seeds = itertools.count(len(arena.truths))
    histories = (make_history(seed, 1, [clinic], prefix=prefix) for seed in seeds)
    history = next(history for history in histories if not history.truths[f"{prefix}-0"].ended)
    arena.truths.update(history.truths)
    return history


def _orders_in(arena: Arena, tenant_id: str, prefix: str) -> int:
    """How many orders of this prefix the tenant's books hold invoices of."""
    with arena.connect() as connection:
        row = connection.execute(
            "select count(*) from xero_link where tenant_id = %s and kind = 'invoice' and order_id like %s",
            [tenant_id, f"{prefix}-%"],
        ).fetchone()
    return int(row[0]) if row else 0


def _due(arena: Arena) -> int:
    with arena.connect() as connection:
        row = connection.execute("select count(*) from orders where due_at <= now() and revision > synced_revision")
        found = row.fetchone()
    return int(found[0]) if found else 0


def _sync_requested(last: OrderEvent) -> OrderEvent:
    return OrderEvent(
        event_id=f"{last.event_id}-asked",
        organisation_id=last.organisation_id,
        clinic_id=last.clinic_id,
        order_id=last.order_id,
        sequence=last.sequence + 1,
        occurred_at_us=last.occurred_at_us + 1,
        actor="desk",
        patient=last.patient,
        kind=ChangeKind.SYNC_REQUESTED,
        change={},
    )
