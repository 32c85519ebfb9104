"""The service's own commands, run as a person would type them."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import requests

from consumer.sandbox.clinics import ORGANISATION_ID
from consumer.sandbox.processes import ManagedProcess

_COMMAND_SECONDS = 60.0
_CONNECT_SECONDS = 30.0
_BROWSER_SECONDS = 20.0
_CONSENT_PAGE = re.compile(r"https?://\S+/identity/connect/authorize\?\S+")


class CommandError(Exception):
    """A command failed; the text has what it said."""


class Commands:
    """Runs `hearlink-xero …` with `environment`, in `folder`."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self._environment = environment
        self._folder = folder

    def run(self, *arguments: str) -> str:
        """Run a command to its end; return what it printed.

        Raises:
            CommandError: it ended with another code than 0, or not at all.
        """
        try:
            ended = subprocess.run(  # noqa: S603 -- our own program, no shell.
                [sys.executable, "-m", "consumer", *arguments],
                env={**os.environ, **self._environment},
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_COMMAND_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise CommandError(f"hearlink-xero {arguments[0]} was not done within {_COMMAND_SECONDS:g} s.") from error
        if ended.returncode != 0:
            raise CommandError(
                f"hearlink-xero {' '.join(arguments)} ended with {ended.returncode}:\n{ended.stdout}{ended.stderr}"
            )
        return ended.stdout.strip()

    def connect(self) -> str:
        """Run `connect`, open the address that it prints as the person's browser would, and wait for it to end.

        Raises:
            CommandError: no address came, or the command did not end well.
        """
        log = self._folder / "connect.log"
        arguments = ["connect", "--organisation", ORGANISATION_ID, "--no-browser"]
        with ManagedProcess(
            "hearlink-xero connect",
            [sys.executable, "-m", "consumer", *arguments],
            folder=None,
            log=log,
            environment=self._environment,
        ) as command:
            command.wait_until(
                lambda: log.exists() and _CONSENT_PAGE.search(log.read_text()) is not None,
                timeout_seconds=_CONNECT_SECONDS,
            )
            address = _CONSENT_PAGE.search(log.read_text())
            assert address is not None  # noqa: S101 -- the wait above ends with it.
            # The simulator's consent page says yes at once and sends the browser back to the waiting command.
            requests.get(address.group(), timeout=_BROWSER_SECONDS)
            give_up = time.monotonic() + _CONNECT_SECONDS
            while command.is_running():
                if time.monotonic() > give_up:
                    raise CommandError(f"hearlink-xero connect does not end:\n{log.read_text()}")
                time.sleep(0.02)
        return log.read_text().strip()
