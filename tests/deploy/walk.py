"""A page of the runbook, done as it says: each command and statement in its order, on a real service.

Deployments are processes of this machine, and what `kubectl` is told of them happens to those. Kafka's scripts are its
own, where `with_kafka_scripts` fetched them.
"""

import contextlib
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Self

import requests

from consumer.database import connect
from tests.cli.service import PATIENCE_SECONDS, Running, Service
from tests.fixtures.kafka_scripts import write_kafka_scripts
from tests.fixtures.postgres_programs import need_program

DEPLOY = Path(__file__).parents[2] / "deploy"
DEPLOYMENTS = ("projection", "push", "console")
_ROLES = {"projection": ["--only", "projection"], "push": ["--only", "push", "--only", "relay"]}
_STEP = re.compile(
    r"```(sql|sh)\n(.*?)```|`((?:hearlink-xero|kubectl|kafka-[a-z-]+\.sh|pg_dump|psql) [^`]+)`", re.DOTALL
)
_BEGINNING = 50


class Step(NamedTuple):
    """`kind`: sql, sh (a block or a command)."""

    kind: str
    text: str


def steps_of(page: str) -> list[Step]:
    """Return what `page` (a path below deploy/) says to do, in its order."""
    text = (DEPLOY / page).read_text(encoding="utf-8")
    return [Step(kind or "sh", block or command) for kind, block, command in _STEP.findall(text)]


class Walk:
    """Goes through `page` of the deployments of `service`; `names` are what its examples are called here."""

    def __init__(self, service: Service, page: str, names: dict[str, str] | None = None) -> None:
        self._service = service
        self._left = steps_of(page)
        self._names = {"hearlink.orders.v1": service.environment["ORDERS_TOPIC"], **(names or {})}
        self._folders = [str(Path(sys.executable).parent), str(Path(need_program("psql")).parent)]
        self.running: dict[str, Running | subprocess.Popen[str]] = {}
        self.told: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        for name in list(self.running):
            self._stop(name)
        if kind is None:
            assert self._left == [], "the page says more than was done"

    def with_kafka_scripts(self) -> Self:
        """Give the page Kafka's scripts and the brokers that the service has."""
        self._folders.append(str(write_kafka_scripts(self._service.folder / "kafka-scripts")))
        servers = self._service.environment["KAFKA_BOOTSTRAP_SERVERS"]
        self._names["--bootstrap-server …"] = f"--bootstrap-server {servers}"
        return self

    def do(self, beginning: str, *, code: int = 0) -> Any:
        """Do the next step, which begins so; return a statement's rows, or a command's output.

        `code` is what commands have to end with.
        """
        step = self._take(beginning)
        if step.kind == "sql":
            return self.execute(step.text)
        if step.text.startswith("kubectl"):
            return self._kubectl(shlex.split(step.text))
        return self.shell(step.text, code=code)

    def run_as(self, database_url: str, beginning: str) -> None:
        """Do the next step, statements that begin so, as whoever gets in by `database_url`."""
        self.execute(self._take(beginning).text, database_url)

    def text_of(self, beginning: str) -> str:
        """Return a step that is still to come, which begins so."""
        return next(step.text for step in self._left if step.text.startswith(beginning))

    def pass_over(self, beginning: str) -> str:
        """Leave the next step out, which begins so: another case than the test's, or a thing that it did itself."""
        return self._take(beginning).text

    def start(self, *names: str) -> None:
        """Start deployments, as a page's reader has them running already."""
        for name in names:
            self._start(name)

    def stop(self, name: str) -> None:
        """Stop a deployment, as an accident does."""
        self._stop(name)

    def restart(self, name: str) -> None:
        """Start a deployment anew, with the environment as it is now."""
        self._stop(name)
        self._start(name)

    def wait(self, is_reached: Callable[[], bool], what: str) -> None:
        """Wait until something is so; nobody answering yet is not."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            with contextlib.suppress(requests.ConnectionError):
                if is_reached():
                    return
            assert time.monotonic() < until, f"in vain: {what}"
            time.sleep(0.1)

    def _take(self, beginning: str) -> Step:
        assert self._left, f"the page ends before: {beginning}"
        step = self._left.pop(0)
        assert step.text.startswith(beginning), f"next is: {step.text[:_BEGINNING]}"
        return step

    def _meant(self, text: str) -> str:
        for written, meant in self._names.items():
            text = text.replace(written, meant)
        return text

    def execute(self, text: str, database_url: str | None = None) -> list[Any]:
        """Run statements, with the names that are meant; return the last one's rows."""
        rows: list[Any] = []
        with connect(database_url or self._service.environment["DATABASE_URL"], name="page") as connection:
            for statement in filter(str.strip, re.sub(r"--.*", "", self._meant(text)).split(";")):
                cursor = connection.execute(statement.encode())
                rows = cursor.fetchall() if cursor.description else []
        return rows

    def shell(self, text: str, *, code: int = 0) -> str:
        """Have a shell run `text`, with the names that are meant; return what it wrote. It has to end with `code`."""
        text = self._meant(text)
        finished = subprocess.run(
            ["bash", "-euc", text],
            env={
                **self._service.environment,
                "PATH": os.pathsep.join([*self._folders, os.environ["PATH"]]),
                "PYTHONPATH": str(DEPLOY.parent),
            },
            cwd=self._service.folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert finished.returncode == code, f"{text}\n{finished.stdout}\n{finished.stderr}"
        return finished.stdout + finished.stderr

    # What the cluster would do

    def _kubectl(self, words: list[str]) -> str:
        assert words[:3] == ["kubectl", "-n", "hearlink-xero"], words
        self.told.append(" ".join(words[3:]))
        names = [word for word in words if word in DEPLOYMENTS]
        match words[3:5]:
            case ["scale", "deployment"]:
                replicas = int(words[words.index("--replicas") + 1])
                for name in names:
                    self._start(name) if replicas else self._stop(name)
            case ["rollout", "restart"]:
                for name in names:
                    self._stop(name)
                    self._start(name)
            case ["annotate", "scaledobject"]:
                assert set(names) == {"projection", "push"}
            case _:
                raise AssertionError(f"nobody here can: {words}")
        return ""

    def _start(self, name: str) -> None:
        if name in _ROLES:
            process = self._service.start(*_ROLES[name])
            self.running[name] = process
            process.wait_for("partitions_assigned" if name == "projection" else "started")
        else:
            self.running[name] = self._service.start_command("console")

    def _stop(self, name: str) -> None:
        process = self.running.pop(name, None)
        if isinstance(process, Running):
            if process.process.poll() is None:
                process.stop()
        elif process is not None:
            process.terminate()
            process.communicate(timeout=PATIENCE_SECONDS)
