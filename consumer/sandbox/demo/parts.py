"""What the demo runs on: broker, database and Xero of its own, and the environment that leads the service to them."""

import json
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from shlex import quote
from typing import Any, Self

import requests
from cryptography.fernet import Fernet

from consumer.configuration import ALL_VARIABLES
from consumer.sandbox.broker import EmbeddedBroker
from consumer.sandbox.clinics import TENANT_NAMES
from consumer.sandbox.postgres import EmbeddedPostgres
from consumer.sandbox.processes import ManagedProcess, create_run_folder, free_port, remove_run_folder
from consumer.sandbox.xero import ControlClient

# Xero allows 60 calls a minute and tenant. The demo would then be as long as a coffee break.
CALLS_PER_MINUTE = 1_200
CALLS_PER_DAY = 100_000
_XERO_START_SECONDS = 20.0
_SERVICE_START_SECONDS = 30.0
_PROBE_SECONDS = 5.0
ENVIRONMENT_FILE = "environment"


class Parts:
    """Starts the parts one by one, and ends them all as a context manager, however it is left.

    `folder` holds logs, the settings file and the environment file, and is gone afterwards, as is all data.
    """

    def __init__(self) -> None:
        self.folder = create_run_folder("demo")
        self.broker = EmbeddedBroker()
        self.postgres = EmbeddedPostgres()
        self.xero_url = ""
        self.xero: ControlClient
        # The ids of `TENANT_NAMES`.
        self.tenant_ids = ("", "")
        self.environment: dict[str, str] = {}
        self.http_url = ""
        self._stack = ExitStack()
        self._stack.callback(remove_run_folder, self.folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stack.close()

    def start(self) -> None:
        """Start broker, database and Xero.

        Raises:
            ProcessError: one of them did not start; the message has the end of its log.
        """
        said = self._start_xero()
        self.xero_url = said["url"]
        self.xero = ControlClient(self.xero_url)
        by_name = {tenant["name"]: tenant["tenant_id"] for tenant in said["tenants"]}
        self.tenant_ids = (by_name[TENANT_NAMES[0]], by_name[TENANT_NAMES[1]])
        self._stack.enter_context(self.broker)
        self._stack.enter_context(self.postgres)
        self.environment = self._environment(said)
        self._write_environment()

    def start_service(self) -> ManagedProcess:
        """Start `hearlink-xero run`; return when it says that it is ready for work.

        Raises:
            ProcessError: it did not start; the message has the end of its log.
        """
        service = self._stack.enter_context(
            ManagedProcess(
                "The service",
                [sys.executable, "-m", "consumer", "run"],
                folder=None,
                log=self.folder / "service.log",
                environment=self.environment,
            )
        )
        service.wait_until(self._answers_health, timeout_seconds=_SERVICE_START_SECONDS)
        return service

    def start_console(self) -> str:
        """Start `hearlink-xero console`; return its address once it answers.

        Raises:
            ProcessError: it did not start; the message has the end of its log.
        """
        console = self._stack.enter_context(
            ManagedProcess(
                "The console",
                [sys.executable, "-m", "consumer", "console"],
                folder=None,
                log=self.folder / "console.log",
                environment=self.environment,
            )
        )
        # Xero sends people back there, so this is where it listens.
        url = self.environment["XERO_REDIRECT_URI"].removesuffix("/xero/callback")
        console.wait_until(lambda: _answers(f"{url}/healthz"), timeout_seconds=_SERVICE_START_SECONDS)
        return url

    def _start_xero(self) -> dict[str, Any]:
        limits = {"per_minute": CALLS_PER_MINUTE, "per_day": CALLS_PER_DAY}
        tenants = self.folder / "tenants.json"
        tenants.write_text(json.dumps([{"name": name, "limits": limits} for name in TENANT_NAMES]))
        log = self.folder / "xero.log"
        program: list[str | Path] = [sys.executable, "-m", "consumer.sandbox.xero", "--tenants", tenants]
        # Its guardian removes the demo's folder as well, should this process be killed.
        xero = ManagedProcess("The Xero simulator", program, folder=self.folder, log=log, stop_timeout_seconds=5.0)
        self._stack.enter_context(xero)
        xero.wait_until(lambda: log.exists() and "\n" in log.read_text(), timeout_seconds=_XERO_START_SECONDS)
        said: dict[str, Any] = json.loads(log.read_text().splitlines()[0])
        return said

    def _environment(self, xero: dict[str, Any]) -> dict[str, str]:
        # What the user's shell has set for another Kafka or Xero must not reach the demo: empty means default.
        defaults = {name: "" for name, _, _ in ALL_VARIABLES}
        http_port, console_port = free_port(), free_port()
        self.http_url = f"http://127.0.0.1:{http_port}"
        return defaults | {
            "DATABASE_URL": self.postgres.url,
            "KAFKA_BOOTSTRAP_SERVERS": self.broker.bootstrap_servers,
            "KAFKA_CONFIG": json.dumps(dict(self.broker.client_config)),
            "XERO_API_URL": xero["url"],
            "XERO_IDENTITY_URL": xero["url"],
            "XERO_LOGIN_URL": xero["url"],
            "XERO_CLIENT_ID": xero["client_id"],
            "XERO_CLIENT_SECRET": xero["client_secret"],
            "XERO_REDIRECT_URI": f"http://localhost:{console_port}/xero/callback",
            "XERO_CALLS_PER_MINUTE": str(CALLS_PER_MINUTE),
            "XERO_CALLS_PER_DAY": str(CALLS_PER_DAY),
            "TOKEN_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
            "HTTP_ADDRESS": f"127.0.0.1:{http_port}",
            "CONSOLE_ADDRESS": f"127.0.0.1:{console_port}",
        }

    def _write_environment(self) -> None:
        """Write what a shell needs to use the demo's parts: passwords are in it, so nobody else may read it."""
        programs = Path(sys.executable).parent
        lines = [f"export {name}={quote(value)}" for name, value in self.environment.items()]
        target = self.folder / ENVIRONMENT_FILE
        target.touch(mode=0o600)
        target.write_text("\n".join([*lines, f'export PATH={quote(str(programs))}{os.pathsep}"$PATH"', ""]))

    def _answers_health(self) -> bool:
        return _answers(f"{self.http_url}/readyz")


def _answers(address: str) -> bool:
    try:
        return requests.get(address, timeout=_PROBE_SECONDS).ok
    except requests.ConnectionError:
        return False
