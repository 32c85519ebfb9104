"""Child processes that never outlive this one, whatever ends it: return, exception, Ctrl-C, SIGTERM or kill -9."""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

_GUARDIAN = Path(__file__).with_name("guardian.py")
_LOG_TAIL_BYTES = 4096
_READY_POLL_SECONDS = 0.02
# Below Linux' range for outgoing connections (from 32768): a client that keeps dialling a port of that range while
# its server is down may be given the very same port as its own, connect to itself, and block the server's return.
_FREE_PORTS = range(20_000, 32_000)


class ProcessError(Exception):
    """A process did not start, or died. The message ends with the last lines of its log."""


class ManagedProcess:
    """One child process in a session of its own, with its output in a log file.

    A guardian process (see `guardian.py`) stands between: it stops the child and removes `folder` when this process
    is gone. While this process lives, it is the one to call `stop` and to remove the folder.

    Args:
        name: what messages call it, for example "Postgres".
        command: the program and its arguments.
        folder: the folder that the process works in; None if there is nothing to remove.
        log: file that its output is appended to.
        environment: variables to set beside those of this process.
        stop_signal: what asks it to end.
        stop_timeout_seconds: how long it has before it is killed.
        user_id: the user that runs it; needs root.
        group_id: the group that goes with `user_id`.

    Raises:
        ProcessError: the program can't be started.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        folder: Path | None,
        log: Path,
        environment: Mapping[str, str] | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        stop_timeout_seconds: float = 10.0,
        user_id: int | None = None,
        group_id: int | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self._stop_signal = stop_signal
        self._stop_timeout_seconds = stop_timeout_seconds
        options: dict[str, object] = {
            "--parent-pid": os.getpid(),
            "--log": log,
            "--stop-signal": int(stop_signal),
            "--stop-timeout-seconds": stop_timeout_seconds,
            "--folder": folder,
            "--user-id": user_id,
            "--group-id": group_id,
        }
        flags = [str(part) for option in options.items() if option[1] is not None for part in option]
        self._guardian = subprocess.Popen(  # noqa: S603 - runs our own file with the caller's command, no shell.
            [sys.executable, "-I", "-S", str(_GUARDIAN), *flags, "--", *map(str, command)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C in the terminal reaches this process alone, which then stops the child.
            env={**os.environ, **(environment or {})},
            text=True,
        )
        self.pid = self._read_pid()

    def _read_pid(self) -> int:
        assert self._guardian.stdout is not None  # noqa: S101 - for the type checker; it is a pipe.
        verdict, _, detail = self._guardian.stdout.readline().strip().partition(" ")
        if verdict != "started":
            self._release()
            raise ProcessError(f"{self.name} could not be started: {detail or 'its guardian ended without a word'}")
        return int(detail)

    def is_running(self) -> bool:
        """Return whether the process, or something that it left behind, still runs."""
        return self._guardian.poll() is None

    def wait_until(self, is_ready: Callable[[], bool], *, timeout_seconds: float) -> None:
        """Return once `is_ready` answers True.

        Raises:
            ProcessError: the process ended first or took too long (it is killed then).
        """
        give_up = time.monotonic() + timeout_seconds
        while not is_ready():
            if not self.is_running():
                code = self._guardian.returncode
                self._release()
                raise ProcessError(f"{self.name} ended with exit code {code} while starting. {self._log_tail()}")
            if time.monotonic() > give_up:
                self.kill()
                raise ProcessError(
                    f"{self.name} was not ready within {timeout_seconds:g} s and was stopped. {self._log_tail()}"
                )
            time.sleep(_READY_POLL_SECONDS)

    def pause(self) -> None:
        """Freeze the process: connections stay open and nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Undo `pause`."""
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """Ask the process to end and wait for it; kill it if it takes too long. Does nothing if it has ended."""
        self._signal(self._stop_signal)
        self._signal(signal.SIGCONT)  # A paused process handles no signal until it is resumed.
        try:
            self._guardian.wait(self._stop_timeout_seconds)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
        self._release()

    def kill(self) -> None:
        """End the process with SIGKILL and wait for it. Does nothing if it has ended."""
        self._signal(signal.SIGKILL)
        self._release()

    def _signal(self, number: signal.Signals) -> None:
        # The guardian keeps the process's id from being used again until it has ended itself.
        if self.is_running():
            try:
                os.killpg(self.pid, number)
            except ProcessLookupError:
                return

    def _release(self) -> None:
        """Wait for the guardian, which ends once nothing of the process is left, and close the pipes to it."""
        self._guardian.wait()  # First: a closed pipe tells the guardian that this process is gone.
        with self._guardian:
            pass

    def _log_tail(self) -> str:
        content = self.log.read_bytes()[-_LOG_TAIL_BYTES:] if self.log.exists() else b""
        lines = content.decode(errors="replace").strip().splitlines()[-25:]
        if not lines:
            return "It wrote no log."
        return "\n".join(["The end of its log:", *(f"    {line}" for line in lines)])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()


def create_run_folder(name: str, *, user_id: int | None = None, group_id: int | None = None) -> Path:
    """Create a private temporary folder for a process.

    Args:
        name: part of the folder's name.
        user_id: its owner, if not the user of this process; needs root.
        group_id: the group that goes with `user_id`.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"hearlink-{name}-"))
    if user_id is not None and group_id is not None:
        os.chown(folder, user_id, group_id)
    return folder


def remove_run_folder(folder: Path) -> None:
    """Remove a folder of `create_run_folder` and all that is in it; one that is gone already is fine."""
    if folder.exists():
        shutil.rmtree(folder)


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nothing uses now and that the system gives to no outgoing connection."""
    for port in random.sample(_FREE_PORTS, len(_FREE_PORTS)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise ProcessError(f"No free TCP port between {_FREE_PORTS.start} and {_FREE_PORTS.stop} on 127.0.0.1.")
