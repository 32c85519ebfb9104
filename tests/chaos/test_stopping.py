"""SIGTERM at bad moments: it ends the process within ten seconds, and nothing of it is lost or doubled."""

import signal
import time

import pytest

from consumer.sandbox.xero import Fault
from tests.chaos.arena import Arena, Worker, wait_until
from tests.chaos.conftest import CLINICS
from tests.chaos.histories import make_history

pytestmark = pytest.mark.timeout(120)

_STOP_SECONDS = 10.0
# Of a machine that is busy with other tests.
_GRACE_SECONDS = 2.0


# The embedded broker at times never gives partitions to a group again whose member ended without a word.
@pytest.mark.usefixtures("real_kafka")
@pytest.mark.parametrize("kind", ["drip", "delay_before"])
def test_a_call_that_takes_too_long_is_left_and_found_again(arena: Arena, kind: str) -> None:
    control = arena.simulator.control
    tenant_id = arena.tenant_ids[0]
    control.clear_calls()
    control.add_fault(
        Fault(
            kind=kind,  # type: ignore[arg-type]
            tenant_id=tenant_id,
            method="PUT",
            path="/Invoices$",
            delay_seconds=15.0,
            bytes_per_second=20.0,
        )
    )
    worker = arena.start()
    worker.wait_for("started")
    arena.publish(make_history(1, 12, CLINICS, prefix=kind))
    wait_until(lambda: any(call["fault"] == kind for call in control.calls(tenant_id)), worker.text)
    assert _stop(worker) in {0, 4}
    control.clear_faults()
    # What was delayed before its commit is committed all the same; nobody may look it up before.
    time.sleep(6.0 if kind == "delay_before" else 0.0)
    arena.start()
    arena.wait_until_quiet()
    report = arena.check()
    assert report.is_clean, report
    _stop(arena.workers[-1])


def test_a_frozen_process_ends_once_it_is_let_go(arena: Arena) -> None:
    for _ in range(3):
        worker = arena.start()
        worker.wait_for("started")
        worker.freeze()
        assert _stop(worker) == 0


def _stop(worker: Worker) -> int:
    started = time.monotonic()
    code = worker.stop()
    assert time.monotonic() - started < _STOP_SECONDS + _GRACE_SECONDS
    assert code != -signal.SIGTERM
    return code
