"""What the pages say to whoever tries a release without Xero is done as they say it, with the wheel."""

import json
import os
import re
import shlex
import subprocess
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path

import pytest

from consumer.sandbox.broker import Broker
from consumer.sandbox.processes import free_port
from tests.fixtures.parts import skip_without_python
from tests.release.artefacts import PROJECT
from tests.release.installed import PATIENCE_SECONDS, Installed, deliver, lock_name, wait_until
from tests.release.interpreters import REQUIRED, find_interpreter

pytestmark = pytest.mark.timeout(600)

# Does what the consent page in a person's browser does.
BROWSER = "import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=30).read()"


def python_of(version: str) -> Path:
    found = find_interpreter(version)
    if found is None:
        skip_without_python(version)
    return found


def blocks(page: str) -> list[str]:
    """What a page says to type."""
    text = (PROJECT / page).read_text(encoding="utf-8")
    return re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def assert_the_demo_runs(installed: Installed) -> None:
    documents = json.loads(installed.expect("demo", "--json", "--orders", "10"))["picture"]["documents"]
    assert all(row["unexplained"]["count"] == 0 for row in documents)
    assert sum(row["xero"]["count"] for row in documents) > 0


def test_the_demo_runs_from_the_wheel(tmp_path: Path) -> None:
    python = python_of(REQUIRED[0])
    deliver(tmp_path)
    installed = Installed(tmp_path, {})
    installed.install(python, "sandbox")
    assert_the_demo_runs(installed)


def test_a_release_is_installed_and_tried_as_the_pages_say(
    tmp_path: Path, kafka: Broker, empty_database_url: str
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    write_program(programs / "python3", [str(python_of(REQUIRED[1]))])
    write_program(programs / "browser", [sys.executable, "-c", BROWSER])
    simulator_port = str(free_port())
    folder = tmp_path / "release"
    folder.mkdir()
    installed = Installed(folder, {})
    # As the page names it.
    installed.programs = folder / "hearlink-xero/bin"
    installed.environment = {
        "PATH": os.pathsep.join([str(programs), str(installed.programs), os.environ["PATH"]]),
        "HOME": os.environ["HOME"],
        "BROWSER": f"{programs / 'browser'} %s",
        **{name: value for name, value in os.environ.items() if name.startswith("PIP_")},
        **addresses(kafka),
    }
    deliver(folder)
    (install,) = blocks("deploy/release.md")
    assert lock_name("runtime") in install
    run_to_the_end(install.replace(lock_name("runtime"), lock_name("sandbox")), installed)
    serve, set_up, try_out = blocks("consumer/sandbox/README.md")
    assert serve == "hearlink-xero sandbox xero\n"
    set_up = with_addresses_of_ours(set_up, kafka, empty_database_url).replace("8090", simulator_port)
    exports = "".join(line for line in set_up.splitlines(keepends=True) if line.startswith("export "))
    *commands, run = set_up.splitlines()
    assert run == "hearlink-xero run"
    with installed.started("sandbox", "xero", "--port", simulator_port):
        log = folder / "sandbox.log"
        wait_until(lambda: "/simulator/ledger" in log.read_text(encoding="utf-8"), "the simulator listens")
        assert_exports_are_those_of_the_page(log.read_text(encoding="utf-8"), exports)
        run_to_the_end("\n".join(commands), installed)
        exported = dict(part.split("=", 1) for part in shlex.split(exports) if "=" in part)
        with installed.started("run", **exported):
            # The page's rate is that of a person who watches.
            shown = run_to_the_end(
                exports + try_out.replace("--rate 2 --count 200", "--rate 200 --count 60"), installed
            )
            assert "60 events sent to" in shown
            wait_until(lambda: is_in_step(installed, exported), "the traffic is in Xero")
    assert_the_demo_runs(installed)


def is_in_step(installed: Installed, variables: Mapping[str, str]) -> bool:
    status = json.loads(installed.expect("status", "--json", **variables))
    pushed = installed.expect("logs", "--json", **variables).count("invoice_create")
    return pushed > 0 and all(status[name] == 0 for name in ("lag", "due", "unpublished"))


def addresses(kafka: Broker) -> dict[str, str]:
    """What lets several of these run on one machine, beside what the page sets."""
    mark = uuid.uuid4().hex[:8]
    return {
        "KAFKA_CONFIG": json.dumps(dict(kafka.client_config)),
        "KAFKA_GROUP_ID": f"trying-{mark}",
        "ORDERS_TOPIC": f"orders.{mark}",
        "RETRY_TOPIC": f"retry.{mark}",
        "SYNC_LOG_TOPIC": f"sync-log.{mark}",
        "DEAD_LETTER_TOPIC": f"dead-letter.{mark}",
        "HTTP_ADDRESS": "127.0.0.1:0",
        "XERO_REDIRECT_URI": f"http://localhost:{free_port()}/xero/callback",
    }


def with_addresses_of_ours(text: str, kafka: Broker, database_url: str) -> str:
    """The page says to put one's own addresses into its first line."""
    first, _, further = text.partition("\n")
    assert re.fullmatch(r"export DATABASE_URL=\S+ KAFKA_BOOTSTRAP_SERVERS=\S+", first)
    return f"export DATABASE_URL={database_url} KAFKA_BOOTSTRAP_SERVERS={kafka.bootstrap_servers}\n{further}"


def assert_exports_are_those_of_the_page(said: str, exports: str) -> None:
    for line in said.splitlines():
        if line.startswith("export "):
            assert line in exports


def run_to_the_end(script: str, installed: Installed) -> str:
    """Type it into a shell; return what it printed."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=installed.folder,
        env=installed.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS * 2,
        check=False,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def write_program(path: Path, command: list[str]) -> None:
    path.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n', encoding="utf-8")
    path.chmod(0o755)
