"""kill -9 at every boundary, each time in the midst of work: nothing is lost, nothing comes twice."""

import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

import consumer
from consumer.database.crash import CRASH_POINTS
from consumer.sandbox.xero import Fault
from tests.chaos.arena import Arena, wait_until
from tests.chaos.conftest import CLINICS
from tests.chaos.histories import make_history

pytestmark = pytest.mark.timeout(120)

_CALL = re.compile(r"crash_point\(\s*([^)]*)\)")
_ORDERS = 8


def _lose_an_answer(arena: Arena) -> None:
    arena.simulator.control.add_fault(Fault(kind="drop_after", method="PUT", path="/Invoices$"))


def _expire_the_token(arena: Arena) -> None:
    arena.simulator.control.expire_access_tokens()


# Which pass of a point is the one with most at stake; the first where nothing is said.
_PASS = {"push.before_result": 2, "push.after_result": 2, "push.after_answer": 2}
# What must happen for a point to be passed at all.
_BEFORE: dict[str, Callable[[Arena], None]] = {
    "push.after_look_up": _lose_an_answer,
    "tokens.after_refresh": _expire_the_token,
}

# Not passed by a worker but by a command, which a test of its own kills there (tests/sync/test_settlement.py).
_BY_COMMANDS = {"settle.before_commit"}


def test_each_point_in_the_source_is_listed_and_each_listed_point_is_in_the_source() -> None:
    folder = Path(consumer.__file__).parent
    found = {
        name.strip().strip('"')
        for path in folder.rglob("*.py")
        if path.name != "crash.py"
        for name in _CALL.findall(path.read_text(encoding="utf-8"))
    }
    assert found == set(CRASH_POINTS)


@pytest.mark.parametrize("point", [point for point in CRASH_POINTS if point not in _BY_COMMANDS])
def test_killed_at_each_point_the_next_worker_makes_it_good(arena: Arena, point: str) -> None:
    for worker in arena.workers:
        if worker.is_running:
            worker.kill()
    if point in _BEFORE:
        _BEFORE[point](arena)
    number = list(CRASH_POINTS).index(point)
    history = make_history(number, _ORDERS, CLINICS, prefix=f"order-{number}")
    # In two parts, so that there is something to change as well.
    half = len(history.events) // 2
    arena.truths.update(history.truths)
    arena.send(history.events[:half])
    victim = arena.start(CRASH_POINT=f"{point}:{_PASS.get(point, 1)}")
    arena.send(history.events[half:])
    wait_until(lambda: not victim.is_running, victim.text)
    assert victim.process.returncode == -signal.SIGKILL, victim.text()
    arena.start()
    arena.wait_until_quiet()
    report = arena.check()
    assert report.is_clean, report
