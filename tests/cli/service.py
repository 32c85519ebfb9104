"""The real service for tests: its commands and its process, on a broker, a database and a Xero of their own."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
import requests

from consumer.contract import event_to_json
from consumer.orders import ChangeKind, OrderEvent
from consumer.sandbox.xero import XeroSimulator
from tests.cli.in_process import run_command
from tests.sync.books import invoice, patient

COMMAND = [sys.executable, "-X", "faulthandler", "-m", "consumer"]
# No test waits so long unless something is broken.
PATIENCE_SECONDS = 60.0


@dataclass
class Answer:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass
class Service:
    """Commands run with `environment`; `simulator` is the Xero that they speak with.

    `command` is what `start` runs.
    """

    environment: dict[str, str]
    simulator: XeroSimulator
    folder: Path
    sequences: dict[str, int] = field(default_factory=dict)
    tenant_id: str = ""
    command: list[str] = field(default_factory=lambda: [*COMMAND])

    def run(self, *arguments: str, stdin: str = "", environment: Mapping[str, str] | None = None) -> Answer:
        """Run a command in this process."""
        return Answer(*run_command(arguments, {**self.environment, **(environment or {})}, stdin))

    def run_apart(self, *arguments: str, stdin: str = "", environment: Mapping[str, str] | None = None) -> Answer:
        """Run a command in a process of its own."""
        finished = subprocess.run(
            [*COMMAND, *arguments],
            input=stdin,
            env={**self.environment, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        return Answer(finished.returncode, finished.stdout, finished.stderr)

    def expect(self, *arguments: str, stdin: str = "") -> Answer:
        """Run a command that must succeed."""
        answer = self.run(*arguments, stdin=stdin)
        assert answer.code == 0, f"{arguments}: {answer.code}\n{answer.out}\n{answer.err}"
        return answer

    def start(self, *arguments: str) -> "Running":
        return Running(self, arguments)

    def start_command(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command that goes on until it is stopped."""
        return subprocess.Popen(
            [*COMMAND, *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def connect(self, organisation_id: str = "org-1", *further: str) -> Answer:
        """Run `connect --no-browser` and be the browser."""
        arguments = ["connect", "--organisation", organisation_id, "--no-browser", "--timeout", "30", *further]
        with subprocess.Popen(
            [*COMMAND, *arguments], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.search(r"http\S+", line)
            if found:
                requests.get(found[0], timeout=30)
            out, err = process.communicate(timeout=PATIENCE_SECONDS)
        return Answer(process.returncode, line + out, err)

    def apply_settings(self, tenant_id: str | None, **organisation: Any) -> Answer:
        path = self.folder / "settings.toml"
        path.write_text(settings_text(tenant_id, **organisation), encoding="utf-8")
        return self.expect("settings", "apply", str(path))

    def set_up(self) -> str:
        """Create tables and topics, connect, choose a tenant; return its id."""
        tenant_id = self.simulator.control.demo_tenant("Harbour Hearing")
        self.expect("migrate")
        self.expect("topics", "ensure", "--partitions", "3")
        answer = self.connect()
        assert answer.code == 0, answer
        self.apply_settings(tenant_id)
        self.tenant_id = tenant_id
        return tenant_id

    @property
    def database_port(self) -> int:
        return urllib.parse.urlsplit(self.environment["DATABASE_URL"]).port or 0

    def database_url_by(self, port: int) -> str:
        """The database's URL by way of a proxy at `port`."""
        parts = urllib.parse.urlsplit(self.environment["DATABASE_URL"])
        credentials, _, _ = parts.netloc.rpartition("@")
        return parts._replace(netloc=f"{credentials}@127.0.0.1:{port}").geturl()

    def send_invoice(self, order_id: str, **changes: Any) -> None:
        self.send(order_id, ChangeKind.INVOICE_SAVED, {"invoice": invoice(f"WH-{order_id}", **changes)})

    def send(self, order_id: str, kind: ChangeKind, change: Any) -> None:
        self.expect("events", "send", "-", stdin=self.event_line(order_id, kind, change) + "\n")

    def event_line(self, order_id: str, kind: ChangeKind, change: Any) -> str:
        self.sequences[order_id] = sequence = self.sequences.get(order_id, 0) + 1
        return event_to_json(
            OrderEvent(
                event_id=f"event-{order_id}-{sequence}",
                organisation_id="org-1",
                clinic_id="clinic-1",
                order_id=order_id,
                sequence=sequence,
                occurred_at_us=time.time_ns() // 1000,
                actor="desk",
                patient=patient(f"patient-{order_id}"),
                kind=kind,
                change=msgspec.json.decode(msgspec.json.encode(change)),
            )
        )

    def status(self) -> Any:
        return self.expect("status", "--json").json

    def status_without_kafka(self) -> Any:
        """The status where no topics exist yet."""
        return self.run("status", "--json", environment={"KAFKA_BOOTSTRAP_SERVERS": ""}).json

    def wait_until_quiet(self) -> Any:
        """Wait as a caller would who only has `status --json`; return the last status."""
        quiet = [0, 0, 0, 0]
        return self.wait_for_status(
            lambda status: [status[name] for name in ("lag", "due", "waiting", "unpublished")] == quiet
        )

    def wait_for_status(self, is_reached: Callable[[Any], bool]) -> Any:
        """Wait for a status; return it."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            found = self.status()
            if is_reached(found):
                return found
            assert time.monotonic() < until, found


class Running:
    """`run` as a process of its own; its log lines are read as JSON."""

    def __init__(self, service: Service, arguments: tuple[str, ...]) -> None:
        self._log = service.folder / f"run-{time.monotonic_ns()}.log"
        with self._log.open("w") as log:
            self.process = subprocess.Popen([*service.command, "run", *arguments], env=service.environment, stderr=log)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    @property
    def log(self) -> list[dict[str, Any]]:
        lines = self._log.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    @property
    def text(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def wait_for(self, event: str, *, ended: bool = False) -> dict[str, Any]:
        """Wait for a log line; the process must be alive unless it has `ended`."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            for line in self.log:
                if line["event"] == event:
                    return line
            assert ended or self.process.poll() is None, self.text
            assert time.monotonic() < until, self.text
            time.sleep(0.02)

    @property
    def url(self) -> str:
        return str(self.wait_for("http_listening")["url"])

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        try:
            return self.process.wait(PATIENCE_SECONDS / 2)
        except subprocess.TimeoutExpired:
            # The interpreter then writes where each of its threads stands.
            self.process.send_signal(signal.SIGABRT)
            self.process.wait(PATIENCE_SECONDS)
            raise AssertionError(f"It does not stop:\n{self.text}") from None


def settings_text(tenant_id: str | None, **organisation: Any) -> str:
    chosen = {
        "id": "org-1",
        "synchronisation_enabled": True,
        "mode": "auto",
        "invoice_status": "authorised",
        "tenant_id": tenant_id,
        "payment_account": "090",
        **organisation,
    }
    lines = [
        "[organisation]",
        *(f"{name} = {json.dumps(value)}" for name, value in chosen.items() if value is not None),
    ]
    for category in ("hearing_aids", "accessories", "services", "custom_items"):
        lines += [f"[organisation.categories.{category}]", 'revenue_account = "200"', 'tax_type = "OUTPUT2"']
    return "\n".join(lines) + "\n"


def base_environment(**variables: str) -> dict[str, str]:
    """The environment of this process without what would configure the service, and with `variables`."""
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "PYTHONPATH"}}
    return {**kept, "PYTHONWARNINGS": "error", **variables}
