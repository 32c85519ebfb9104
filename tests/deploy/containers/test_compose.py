"""deploy/README.md on one machine, word by word: all starts, an order becomes an invoice, before and after `down`.

The services are the real ones, in containers under the names that the compose file asks for (see `stand_ins`).
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from tests.deploy.containers.document import CAN_BE_MISSING, exports, scripts, services_here
from tests.deploy.containers.engine import (
    COMPOSE_FILE,
    REPOSITORY,
    compose_services,
    docker,
    images_asked_for,
    needs_engine,
    needs_plugin,
)

pytestmark = pytest.mark.timeout(900)

_PATIENCE_SECONDS = 120.0
_UP_SECONDS = 400.0
# What follows the address that the service asks to be opened in a browser, as a browser would.
_BROWSER = "curl --silent --location --output /dev/null %s &"
_SIMULATOR = "http://localhost:8090/simulator"
_SETTINGS = COMPOSE_FILE.parent / "settings.toml"
_TENANT_ID: str = tomllib.loads(_SETTINGS.read_text(encoding="utf-8"))["organisation"]["tenant_id"]


@pytest.fixture(scope="module")
def project() -> Iterator[dict[str, str]]:
    """The environment of a shell in which the document is followed; its containers and volumes are gone afterwards."""
    needs_engine(*(image for service, image in images_asked_for().items() if service not in CAN_BE_MISSING))
    needs_plugin("compose")
    if shutil.which("curl") is None:
        pytest.skip("needs curl: apt-get install curl")
    _needs_free_ports()
    environment = {
        **{name: text for name, text in os.environ.items() if name not in {"DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS"}},
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        # Nobody's own containers and volumes are touched.
        "COMPOSE_PROJECT_NAME": f"hearlink-xero-{uuid.uuid4().hex[:8]}",
        "BROWSER": _BROWSER,
    }
    yield environment
    docker("compose", "--file", COMPOSE_FILE, "down", "--volumes", "--timeout", "20", env=environment)


def test_an_order_becomes_an_invoice_and_so_does_the_next_one_after_down_and_up(project: dict[str, str]) -> None:
    start, connect_and_send, go_on = scripts()
    environment = exports(connect_and_send)
    at_once, console, _ = connect_and_send.partition("hearlink-xero console")

    said = follow(start, project)
    assert json.loads(said.splitlines()[-1])["status"] == "ok"
    assert _container_states(project) == {
        name: "exited 0" if name in {"migrate", "topics"} else "running 0" for name in services_here()
    }

    said = follow(at_once, project)
    assert _TENANT_ID in said
    assert "1 events sent to hearlink.orders.v1." in said
    wait_for_invoices(["TRY-101"])
    _console_answers(f"{environment}exec {console}\n", project)
    subjects = _subjects(project)
    assert subjects

    nameless = _nameless_volumes(project)
    follow(environment + go_on, project)
    docker("volume", "rm", "--force", *nameless)
    wait_for_invoices(["TRY-101", "TRY-102"])
    assert set(_subjects(project)) >= set(subjects)
    status = json.loads(follow(environment + "hearlink-xero status --json\n", project))
    assert [status[name] for name in ("lag", "due", "waiting", "failed")] == [0, 0, 0, 0]
    assert _targets_up() == {"hearlink-xero", "prometheus"}
    assert _rules_loaded() == _rules_written()
    wait_until(lambda: _container("service", project)["State"]["Health"]["Status"] == "healthy", "the health check")
    _is_confined(project)


def _is_confined(project: dict[str, str]) -> None:
    """As the engine sees the running containers, not as the file says."""
    for service in ("service", "simulator"):
        found = _container(service, project)
        assert found["Config"]["User"] == "10001:10001"
        assert found["HostConfig"]["ReadonlyRootfs"] is True
        assert found["HostConfig"]["CapDrop"] == ["ALL"]
        assert found["HostConfig"]["Privileged"] is False
        assert found["HostConfig"]["SecurityOpt"] == ["no-new-privileges:true"]


def follow(script: str, environment: dict[str, str]) -> str:
    """Run `script` in the repository as somebody at a terminal would, stopping at the first failure; its output."""
    finished = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=_UP_SECONDS,
    )
    told = f"{script}\n{finished.stdout}\n{finished.stderr}"
    assert finished.returncode == 0, f"{told}\n{_logs(environment)}"
    return finished.stdout


def wait_for_invoices(numbers: list[str]) -> None:
    """Wait until the simulator's books hold the invoices `numbers` and no others."""

    def found() -> list[str]:
        books = requests.get(f"{_SIMULATOR}/ledger", params={"tenant_id": _TENANT_ID}, timeout=10).json()["result"]
        assert all(invoice["Status"] == "AUTHORISED" for invoice in books["Invoices"])
        return sorted(invoice["InvoiceNumber"] for invoice in books["Invoices"])

    wait_until(lambda: found() == numbers, f"invoices {numbers}")


def wait_until(is_reached: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while not is_reached():
        assert time.monotonic() < until, f"not within {_PATIENCE_SECONDS:.0f} s: {what}"
        time.sleep(0.5)


def _console_answers(script: str, environment: dict[str, str]) -> None:
    with subprocess.Popen(["bash", "-c", script], cwd=REPOSITORY, env=environment) as process:

        def answers() -> bool:
            assert process.poll() is None
            try:
                return requests.get("http://localhost:8080/", timeout=10).ok
            except requests.ConnectionError:
                return False

        try:
            wait_until(answers, "the console's pages")
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(_PATIENCE_SECONDS) == 0


def _container_states(environment: dict[str, str]) -> dict[str, str]:
    said = docker("compose", "--file", COMPOSE_FILE, "ps", "--all", "--format", "json", env=environment).stdout
    containers = [json.loads(line) for line in said.splitlines()]
    return {found["Service"]: f"{found['State']} {found['ExitCode']}" for found in containers}


def _container(service: str, environment: dict[str, str]) -> dict[str, Any]:
    """What the engine knows of the container of `service`."""
    name = docker("compose", "--file", COMPOSE_FILE, "ps", "--quiet", service, env=environment).stdout.strip()
    (found,) = json.loads(docker("inspect", name).stdout)
    return dict(found)


def _nameless_volumes(environment: dict[str, str]) -> list[str]:
    """The volumes that Kafka's image has besides the one of the compose file: `down` leaves them to nobody."""
    mounts = _container("kafka", environment)["Mounts"]
    return [mount["Name"] for mount in mounts if re.fullmatch("[0-9a-f]{64}", mount.get("Name", ""))]


def _subjects(environment: dict[str, str]) -> list[str]:
    """What the schema registry holds: the service has registered what it publishes."""
    ask = ["exec", "-T", "schema-registry", "curl", "--silent", "http://localhost:8080/apis/ccompat/v7/subjects"]
    subjects: list[str] = json.loads(docker("compose", "--file", COMPOSE_FILE, *ask, env=environment).stdout)
    return subjects


def _targets_up() -> set[str]:
    """The jobs whose targets Prometheus scrapes."""

    def jobs() -> set[str]:
        found = _prometheus("query?query=up")["result"]
        return {sample["metric"]["job"] for sample in found if sample["value"][1] == "1"}

    wait_until(lambda: len(jobs()) == 2, "both targets are scraped")
    return jobs()


def _rules_loaded() -> set[str]:
    return {rule["name"] for group in _prometheus("rules")["groups"] for rule in group["rules"]}


def _rules_written() -> set[str]:
    groups = yaml.safe_load((REPOSITORY / "deploy/prometheus/alerts.yml").read_text(encoding="utf-8"))["groups"]
    return {rule.get("alert") or rule["record"] for group in groups for rule in group["rules"]}


def _prometheus(path: str) -> dict[str, Any]:
    return dict(requests.get(f"http://localhost:9090/api/v1/{path}", timeout=10).json()["data"])


def _needs_free_ports() -> None:
    """Ports are part of what the document says, so another one who has them is in the way."""
    ports = {int(port.split(":")[1]) for service in compose_services().values() for port in service.get("ports", [])}
    for port in sorted({*ports, 8080}):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                pytest.skip(f"needs port {port} of this machine: end what listens there")


def _logs(environment: dict[str, str]) -> str:
    finished = docker("compose", "--file", COMPOSE_FILE, "logs", "--tail", "20", env=environment, check=False)
    return finished.stdout
