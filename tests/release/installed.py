"""The service as an operator has it: a wheel in an environment of its own, run from a folder that is no checkout."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import requests

from tests.release.artefacts import PROJECT, build, install, stem, write_checksums

# No test waits so long unless something is broken.
PATIENCE_SECONDS = 180.0


class Installed:
    """`hearlink-xero` of the wheel in `folder`, which holds what a release delivers, for one interpreter."""

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        self.folder = folder
        self.programs = folder / "environment/bin"
        # Nothing of this checkout's, and nothing of the shell's that would configure the service.
        self.environment = {
            "PATH": f"{self.programs}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder),
            **variables,
        }

    def install(self, python: Path, lock: str) -> None:
        """Make its environment, with the packages of `lock` (runtime or sandbox) by their hashes."""
        (wheel,) = self.folder.glob("*.whl")
        install(self.folder / "environment", python, self.folder / lock_name(lock), wheel)

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [self.programs / "hearlink-xero", *arguments],
            cwd=self.folder,
            env={**self.environment, **variables},
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )

    def expect(self, *arguments: str, **variables: str) -> str:
        """Run a command that must succeed; return what it printed."""
        done = self.run(*arguments, **variables)
        assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    @contextmanager
    def started(self, *arguments: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
        """Run a command that goes on until SIGTERM, and see that it then ends well."""
        log = self.folder / f"{arguments[0]}.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                [self.programs / "hearlink-xero", *arguments],
                cwd=self.folder,
                env={**self.environment, **variables},
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
            )
        try:
            yield process
            process.terminate()
            assert process.wait(PATIENCE_SECONDS) == 0, log.read_text()
        except BaseException as error:
            error.add_note(log.read_text())
            raise
        finally:
            process.kill()
            process.wait()


def deliver(folder: Path) -> None:
    """Put the wheel, its locks and their checksums into `folder`, as a release has them."""
    build(PROJECT, folder, "wheel")
    for lock in ("runtime", "sandbox"):
        (folder / lock_name(lock)).write_bytes((PROJECT / f"requirements/{lock}.txt").read_bytes())
    write_checksums(folder)


def lock_name(lock: str) -> str:
    """Return the name under which a release has this lock."""
    return f"{stem()}-requirements{'-sandbox' if lock == 'sandbox' else ''}.txt"


def wait_until(is_reached: Callable[[], bool], what: str) -> None:
    """Return once it is reached."""
    until = time.monotonic() + PATIENCE_SECONDS
    while not is_reached():
        assert time.monotonic() < until, f"not within {PATIENCE_SECONDS:.0f} s: {what}"
        time.sleep(0.05)


def answers(address: str) -> bool:
    """Return whether a GET of `address` is answered well."""
    try:
        return requests.get(address, timeout=10).ok
    except requests.ConnectionError:
        return False
