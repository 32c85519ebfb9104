"""What is measured in calm: how soon a push comes after something returned, and how much of the budget is used."""

import time
from collections.abc import Callable

from consumer.sandbox.xero import Fault
from tests.chaos.arena import Arena, wait_until
from tests.chaos.histories import Clinic, make_history
from tests.chaos.storm import Part

ONE_CLINIC = [Clinic("clinic-1", 0)]
# So that a backlog lasts.
_CALL_SECONDS = 0.3
_BACKLOG_ORDERS = 1500
_OUTAGE_SECONDS = 3.0


def seconds_after_kill(arena: Arena) -> float:
    """Kill the worker that has the tenant, in the midst of its backlog; the time until another one's first write."""
    workers = [arena.start(), arena.start()]
    for worker in workers:
        worker.wait_for("started")
    arena.simulator.control.add_fault(Fault(kind="delay_before", count=None, delay_seconds=_CALL_SECONDS))
    arena.publish(make_history(1, 400, ONE_CLINIC, prefix="kill"))
    wait_until(lambda: len(_writes(arena)) > 2)
    owner = _owner(arena)
    (victim,) = (worker for worker in workers if f":{worker.process.pid}/" in owner)
    return _first_write_after(arena, victim.kill)


def seconds_after_postgres(arena: Arena, server: Part) -> float:
    """Kill Postgres in the midst of a backlog; the time from its answering again until the first write."""
    arena.publish(make_history(2, 400, ONE_CLINIC, prefix="postgres"))
    before = len(_writes(arena))
    wait_until(lambda: len(_writes(arena)) > before + 2)
    server.kill()
    time.sleep(_OUTAGE_SECONDS)
    return _first_write_after(arena, server.start)


def seconds_after_broker(arena: Arena, broker: Part) -> float:
    """Kill the broker while all is quiet; the time from its answering again until an order of then is in Xero."""
    arena.simulator.control.clear_faults()
    arena.wait_until_quiet()
    broker.kill()
    time.sleep(_OUTAGE_SECONDS)

    def start_and_publish() -> None:
        broker.start()
        arena.publish(make_history(4, 1, ONE_CLINIC, prefix="broker"))

    return _first_write_after(arena, start_and_publish)


def budget_use(arena: Arena, minutes: float, workers: int) -> tuple[int, float]:
    """Some workers with a backlog: the fullest 60 s window of a tenant, and calls a minute from the second one on."""
    for _ in range(workers):
        arena.start().wait_for("started")
    arena.publish(make_history(3, _BACKLOG_ORDERS, ONE_CLINIC, prefix="budget"))
    wait_until(lambda: bool(_calls(arena)))
    started = _calls(arena)[0]
    time.sleep(60 * minutes)
    steady = [at for at in _calls(arena) if started + 60 <= at < started + 60 * minutes]
    fullest = arena.simulator.control.statistics()["tenants"][arena.tenant_ids[0]]["fullest_minute"]
    return int(fullest), len(steady) / (minutes - 1)


def _first_write_after(arena: Arena, act: Callable[[], object]) -> float:
    """Do `act`, and return the seconds from its end, by the simulator's clock, until the next write arrives."""
    act()
    acted = time.time()
    wait_until(lambda: any(at > acted for at in _writes(arena)), arena.tails)
    return next(at for at in _writes(arena) if at > acted) - acted


def _writes(arena: Arena) -> list[float]:
    return [
        call["at_seconds"] for call in arena.simulator.control.calls(arena.tenant_ids[0]) if call["method"] != "GET"
    ]


def _calls(arena: Arena) -> list[float]:
    calls = arena.simulator.control.calls(arena.tenant_ids[0])
    return [call["at_seconds"] for call in calls if "/api.xro/" in call["path"]]


def _owner(arena: Arena) -> str:
    with arena.connect() as connection:
        row = connection.execute("select owner from xero_lease where tenant_id = %s", [arena.tenant_ids[0]]).fetchone()
    return str(row[0]) if row else ""
