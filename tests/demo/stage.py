"""A demo in a process and a folder of its own, so that what it leaves behind can be seen."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

GIVE_UP_SECONDS = 120.0


class Stage:
    """Runs `hearlink-xero demo` with `arguments`; `folder` is all that it has for temporary files."""

    def __init__(self, *arguments: str) -> None:
        # Not in pytest's own folder, which only root may enter: the embedded Postgres runs as somebody else.
        self._root = Path(tempfile.mkdtemp(prefix="test-demo-"))
        self._root.chmod(0o711)
        self.folder = self._root / "temporary"
        self.folder.mkdir()
        self.folder.chmod(0o777)
        self._outputs = (self._root / "out", self._root / "err")
        with self._outputs[0].open("wb") as out, self._outputs[1].open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "consumer", "demo", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={**os.environ, "TMPDIR": str(self.folder), "PYTHONUNBUFFERED": "1"},
                start_new_session=True,
            )

    @property
    def out(self) -> str:
        return self._outputs[0].read_text()

    @property
    def err(self) -> str:
        return self._outputs[1].read_text()

    def wait_for(self, text: str, output: Callable[[], str]) -> None:
        wait_until(lambda: text in output() or self.process.poll() is not None)
        assert text in output(), f"{self.out}\n{self.err}"

    def interrupt(self) -> int:
        """Do as Ctrl-C in a terminal does, twice as impatient people do, and return the exit code."""
        os.killpg(self.process.pid, signal.SIGINT)
        time.sleep(0.05)
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(GIVE_UP_SECONDS)

    def assert_nothing_left(self) -> None:
        wait_until(lambda: not list(self.folder.iterdir()) and not self.processes())

    def processes(self) -> list[str]:
        """All processes that know of the folder: what the demo starts gets its path or its environment."""
        found = []
        for process in psutil.process_iter(["cmdline"]):
            command = " ".join(process.info["cmdline"] or [])
            if str(self.folder) in command or _environment(process).get("TMPDIR") == str(self.folder):
                found.append(command)
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(GIVE_UP_SECONDS)
        shutil.rmtree(self._root, ignore_errors=True)


def wait_until(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + GIVE_UP_SECONDS
    while not condition():
        assert time.monotonic() < give_up, "waited in vain"
        time.sleep(0.05)


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess, OSError):
        return {}
