"""The wheel in clean Pythons, outside of the checkout, with the locked packages alone: what an operator does first."""

import json
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from consumer.sandbox.broker import Broker
from consumer.sandbox.clinics import TENANT_IDS
from consumer.sandbox.postgres import EmbeddedPostgres
from consumer.sandbox.processes import free_port
from tests.fixtures.parts import skip_without_python
from tests.release.installed import Installed, answers, deliver, wait_until
from tests.release.interpreters import FURTHER, REQUIRED, find_interpreter

pytestmark = pytest.mark.timeout(600)

PYTHONS = [*REQUIRED, *(version for version in FURTHER if find_interpreter(version))]
SETTINGS = f"""
[organisation]
id = "org-1"
synchronisation_enabled = true
mode = "auto"
invoice_status = "authorised"
tenant_id = "{TENANT_IDS[0]}"
payment_account = "090"
"""


@pytest.fixture(scope="module", params=PYTHONS)
def python(request: pytest.FixtureRequest) -> Path:
    found = find_interpreter(request.param)
    if found is None:
        skip_without_python(request.param)
    return found


@pytest.fixture(scope="module")
def wheel(
    python: Path, kafka: Broker, postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installed]:
    """The wheel with the packages of the runtime's lock alone, a database and topics of its own."""
    mark = uuid.uuid4().hex[:8]
    folder = tmp_path_factory.mktemp("release")
    variables = {
        "DATABASE_URL": postgres_server.create_database(f"release_{mark}"),
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "KAFKA_CONFIG": json.dumps(dict(kafka.client_config)),
        "KAFKA_GROUP_ID": f"release-{mark}",
        "ORDERS_TOPIC": f"orders.{mark}",
        "RETRY_TOPIC": f"retry.{mark}",
        "SYNC_LOG_TOPIC": f"sync-log.{mark}",
        "DEAD_LETTER_TOPIC": f"dead-letter.{mark}",
        "HTTP_ADDRESS": f"127.0.0.1:{free_port()}",
        "XERO_CLIENT_ID": "nobody",
        "XERO_CLIENT_SECRET": "nothing",
        "TOKEN_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
    }
    deliver(folder)
    installed = Installed(folder, variables)
    installed.install(python, "runtime")
    yield installed
    postgres_server.drop_database(f"release_{mark}")


def test_each_command_explains_itself_with_the_packages_of_the_lock_alone(wheel: Installed) -> None:
    assert wheel.expect("--version").startswith("hearlink-xero, version ")
    # As `--help` does, of all commands and theirs, in one process: each needs its packages to be there.
    code = (
        "import click, consumer; from consumer.cli.application import cli\n"
        "def walk(command, context):\n"
        "    print(command.get_help(context).splitlines()[0])\n"
        "    if isinstance(command, click.Group):\n"
        "        for name in command.list_commands(context):\n"
        "            inner = command.get_command(context, name)\n"
        "            walk(inner, click.Context(inner, parent=context, info_name=name))\n"
        "walk(cli, click.Context(cli, info_name='hearlink-xero'))\n"
        "print(consumer.__file__)\n"
    )
    done = subprocess.run(
        [wheel.programs / "python", "-W", "error", "-c", code],
        cwd=wheel.folder,
        env=wheel.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *usages, place = done.stdout.splitlines()
    assert len(usages) > 30
    assert Path(place).is_relative_to(wheel.folder / "environment")
    assert wheel.expect("--help").splitlines()[0] in usages


def test_the_service_is_set_up_runs_and_shows_its_pages(wheel: Installed) -> None:
    assert "0001" in wheel.expect("migrate")
    wheel.expect("topics", "ensure", "--partitions", "1")
    (wheel.folder / "settings.toml").write_text(SETTINGS, encoding="utf-8")
    wheel.expect("settings", "apply", "settings.toml")
    assert TENANT_IDS[0] in wheel.expect("settings", "show")
    with wheel.started("run"):
        wait_until(lambda: answers(f"http://{wheel.environment['HTTP_ADDRESS']}/readyz"), "run is ready")
        status = json.loads(wheel.expect("status", "--json"))
        assert (status["lag"], status["failed"]) == (0, 0)
    address = f"127.0.0.1:{free_port()}"
    with wheel.started("console", CONSOLE_ADDRESS=address):
        wait_until(lambda: answers(f"http://{address}/"), "the console answers")


def test_what_the_sandbox_needs_is_told_where_it_is_not_installed(wheel: Installed) -> None:
    for arguments in (["demo"], ["sandbox", "xero"]):
        done = wheel.run(*arguments)
        assert done.returncode == 2
        assert "install hearlink-xero[sandbox]" in done.stderr
        assert "Traceback" not in done.stderr
    # Publishing needs no more than the service itself.
    assert "2 events sent" in wheel.expect("sandbox", "traffic", "--rate", "1000", "--count", "2")
