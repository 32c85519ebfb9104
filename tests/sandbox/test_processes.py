"""Whatever ends the parent, nothing that it started stays behind."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from consumer.sandbox.processes import ManagedProcess, ProcessError, create_run_folder, remove_run_folder

GIVE_UP_SECONDS = 30.0

PARENT = """
    import json, os, sys, time
    from consumer.sandbox.broker import EmbeddedBroker
    from consumer.sandbox.postgres import EmbeddedPostgres

    with EmbeddedBroker() as broker, EmbeddedPostgres() as postgres:
        pids = [broker._process.pid, broker._process._guardian.pid, postgres.pid, postgres._process._guardian.pid]
        folders = [str(broker._folder), str(postgres._folder)]
        print(json.dumps({{"pids": pids, "folders": folders}}), flush=True)
        {then}
"""


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_stays_behind_when_a_signal_ends_the_parent(end: signal.Signals) -> None:
    with run_parent("time.sleep(600)") as parent:
        started = read_report(parent)
        os.kill(parent.pid, end)
        parent.wait(GIVE_UP_SECONDS)
    assert_all_gone(started)


@pytest.mark.parametrize("then", ["pass", "os._exit(3)", "raise SystemExit(1)"])
def test_nothing_stays_behind_when_the_parent_ends_by_itself(then: str) -> None:
    with run_parent(then) as parent:
        started = read_report(parent)
        parent.wait(GIVE_UP_SECONDS)
    assert_all_gone(started)


def test_a_forked_copy_of_the_parent_does_not_keep_its_children_alive() -> None:
    then = 'child = os.fork() or time.sleep(600); print(json.dumps({"child": child}), flush=True); os._exit(0)'
    with run_parent(then) as parent:
        started = read_report(parent)
        copy = psutil.Process(read_report(parent)["child"])
        parent.wait(GIVE_UP_SECONDS)
        try:
            assert_all_gone(started)
            assert copy.is_running()
        finally:
            copy.kill()


def test_a_process_ends_with_its_guardian(tmp_path: Path) -> None:
    process = ManagedProcess("Sleeper", ["sleep", "600"], folder=None, log=tmp_path / "log")
    process._guardian.kill()
    wait_until(lambda: has_ended(process.pid))
    process.stop()


def test_what_a_process_started_ends_with_it(tmp_path: Path) -> None:
    # The grandchild has a session of its own, so that no signal to the process's group reaches it.
    script = "setsid sleep 600 & echo $!; wait"
    with ManagedProcess("Shell", ["sh", "-c", script], folder=None, log=tmp_path / "log") as process:
        wait_until(lambda: (tmp_path / "log").read_text().endswith("\n"))
        grandchild = int((tmp_path / "log").read_text())
        assert not has_ended(grandchild)
    assert has_ended(grandchild)
    assert not process.is_running()


def test_a_process_that_ignores_the_request_to_end_is_killed(tmp_path: Path) -> None:
    process = ManagedProcess(
        "Stubborn",
        ["sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 0.1; done"],
        folder=None,
        log=tmp_path / "log",
        stop_timeout_seconds=0.2,
    )
    process.wait_until(lambda: "deaf" in (tmp_path / "log").read_text(), timeout_seconds=GIVE_UP_SECONDS)
    process.stop()
    assert has_ended(process.pid)


def test_a_paused_process_can_be_stopped(tmp_path: Path) -> None:
    process = ManagedProcess("Sleeper", ["sleep", "600"], folder=None, log=tmp_path / "log")
    process.pause()
    wait_until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED)
    process.stop()
    assert has_ended(process.pid)


def test_an_early_death_is_told_with_the_end_of_the_log(tmp_path: Path) -> None:
    process = ManagedProcess(
        "The thing", ["sh", "-c", "echo the disk is full >&2; exit 7"], folder=None, log=tmp_path / "log"
    )
    with pytest.raises(ProcessError, match=r"The thing ended with exit code 7 while starting.*\n.*disk is full"):
        process.wait_until(lambda: False, timeout_seconds=GIVE_UP_SECONDS)


def test_a_process_that_never_gets_ready_is_stopped_and_told(tmp_path: Path) -> None:
    process = ManagedProcess("The thing", ["sleep", "600"], folder=None, log=tmp_path / "log")
    with pytest.raises(ProcessError, match=r"The thing was not ready within 0\.05 s.*It wrote no log"):
        process.wait_until(lambda: False, timeout_seconds=0.05)
    assert has_ended(process.pid)


def test_a_missing_program_is_told(tmp_path: Path) -> None:
    with pytest.raises(ProcessError, match=r"The thing could not be started: .*no-such-program"):
        ManagedProcess("The thing", [tmp_path / "no-such-program"], folder=None, log=tmp_path / "log")


def test_a_run_folder_is_private_and_can_be_removed_twice() -> None:
    folder = create_run_folder("test")
    assert folder.stat().st_mode & 0o777 == 0o700
    remove_run_folder(folder)
    remove_run_folder(folder)
    assert not folder.exists()


def run_parent(then: str) -> subprocess.Popen[str]:
    script = textwrap.dedent(PARENT).format(then=then)
    return subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def read_report(parent: subprocess.Popen[str]) -> dict[str, Any]:
    assert parent.stdout is not None
    report: dict[str, Any] = json.loads(parent.stdout.readline())
    return report


def assert_all_gone(started: dict[str, Any]) -> None:
    wait_until(lambda: all(has_ended(pid) for pid in started["pids"]))
    wait_until(lambda: not any(Path(folder).exists() for folder in started["folders"]))


def has_ended(pid: int) -> bool:
    """Whether the process is gone, or only waits for init to take note of its end."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_until(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + GIVE_UP_SECONDS
    while not condition():
        assert time.monotonic() < give_up, "waited in vain"
        time.sleep(0.02)
