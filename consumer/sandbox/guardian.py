"""Runs one command for a parent process and sees to it that the command never outlives the parent.

Started by `consumer.sandbox.processes` as a script of its own (`python -I guardian.py …`), so it uses the standard
library only and is single-threaded, which makes its `preexec_fn` safe.

It holds a pipe from the parent on its standard input. The pipe closes when the parent ends, however it ends (return,
exception, signal, kill -9); the guardian then stops the command, waits, kills what is left and removes the folder that
the command worked in. Should the guardian itself be killed, Linux kills the command (PR_SET_PDEATHSIG).

On standard output it writes one line, `started PID` or `failed REASON`, and nothing after it. Its exit code is the
command's, in the shell's convention: 128 + N when signal N ended it.
"""

import argparse
import contextlib
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

# The pipe says at once that the parent is gone, unless a forked copy of the parent holds it open; looking at the
# parent's id as well covers that.
PARENT_CHECK_SECONDS = 0.5
ORPHANS_GRACE_SECONDS = 1.0


def main() -> int:
    """Run the command that the arguments describe; return the guardian's exit code."""
    arguments = _parse_arguments()
    wake_up = _wake_up_on_child_exit()
    prctl = _linux_prctl()
    # Orphans of the command (a killed Postgres leaves backends behind for a moment) become ours instead of init's.
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    try:
        child = _start(arguments, prctl)
    except OSError as error:
        _tell_parent(f"failed {error}")
        return 127
    _tell_parent(f"started {child.pid}")

    status = _wait_for_exit_or_parent(child.pid, arguments.parent_pid, wake_up)
    parent_is_gone = status is None
    if status is None:
        status = _stop(child.pid, arguments.stop_signal, arguments.stop_timeout_seconds)
    _reap_orphans(ORPHANS_GRACE_SECONDS)
    if parent_is_gone and arguments.folder is not None:
        shutil.rmtree(arguments.folder, ignore_errors=True)
    child.returncode = status
    return 128 - status if status < 0 else status


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run a command that must not outlive its parent.")
    parser.add_argument("--parent-pid", type=int, required=True)
    parser.add_argument("--log", type=Path, required=True, help="file that gets the command's output")
    parser.add_argument("--stop-signal", type=int, default=int(signal.SIGTERM))
    parser.add_argument("--stop-timeout-seconds", type=float, default=10.0)
    parser.add_argument("--folder", type=Path, help="removed when the parent is gone")
    parser.add_argument("--user-id", type=int, help="user that runs the command; needs root")
    parser.add_argument("--group-id", type=int)
    parser.add_argument("command", nargs="+")
    return parser.parse_args()


def _tell_parent(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _wake_up_on_child_exit() -> int:
    """Return a file descriptor that becomes readable whenever a child process has ended."""
    reading_end, writing_end = os.pipe()
    os.set_blocking(writing_end, False)
    signal.set_wakeup_fd(writing_end, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _signal, _frame: None)
    return reading_end


def _linux_prctl() -> Callable[[int, int], object]:
    """Return Linux's prctl; elsewhere a function that does nothing, where only the pipe protects."""
    if sys.platform != "linux":
        return lambda _option, _value: None
    prctl: Callable[[int, int], object] = ctypes.CDLL(None, use_errno=True).prctl
    return prctl


def _start(arguments: argparse.Namespace, prctl: Callable[[int, int], object]) -> subprocess.Popen[bytes]:
    guardian_pid = os.getpid()

    def die_with_guardian() -> None:
        # Comes after the change of user, which would clear the setting.
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != guardian_pid:
            os._exit(1)

    with arguments.log.open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - the parent's own command, no shell.
            arguments.command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=arguments.user_id,
            group=arguments.group_id,
            extra_groups=None if arguments.user_id is None else [],
            preexec_fn=die_with_guardian,  # noqa: PLW1509 - safe, as this program has one thread.
        )


def _wait_for_exit_or_parent(child_pid: int, parent_pid: int, wake_up: int) -> int | None:
    """Return the command's exit status, negative for a signal; None when the parent went first."""
    while True:
        status = _reap(child_pid)
        if status is not None:
            return status
        if os.getppid() != parent_pid:
            return None
        readable, _, _ = select.select([sys.stdin, wake_up], [], [], PARENT_CHECK_SECONDS)
        if wake_up in readable:
            os.read(wake_up, 4096)
        if sys.stdin in readable and not os.read(sys.stdin.fileno(), 4096):
            return None


def _reap(child_pid: int) -> int | None:
    """Collect every child that has ended, orphans too; return the command's status if it is among them."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return None
        if pid == 0:
            return None
        if pid == child_pid:
            return os.waitstatus_to_exitcode(status)


def _stop(child_pid: int, stop_signal: int, timeout_seconds: float) -> int:
    """Stop the command and what it started, politely first; return its exit status."""
    _signal_group(child_pid, stop_signal)
    _signal_group(child_pid, signal.SIGCONT)  # A paused process handles no signal until it is resumed.
    give_up = time.monotonic() + timeout_seconds
    while (status := _reap(child_pid)) is None:
        if time.monotonic() > give_up:
            _signal_group(child_pid, signal.SIGKILL)
        time.sleep(0.02)
    return status


def _reap_orphans(grace_seconds: float) -> None:
    """Wait until nothing that the command started is left; kill what takes too long."""
    give_up = time.monotonic() + grace_seconds
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid != 0:
            continue
        if time.monotonic() > give_up:
            for orphan in _own_children():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(orphan, signal.SIGKILL)
        time.sleep(0.02)


def _own_children() -> list[int]:
    listing = Path(f"/proc/self/task/{os.getpid()}/children")
    return [int(pid) for pid in listing.read_text().split()] if listing.exists() else []


def _signal_group(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


if __name__ == "__main__":
    sys.exit(main())
