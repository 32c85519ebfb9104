"""The service behind a pooler and before a standby: what it supports it does, what it doesn't it refuses with words."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from consumer.sandbox.postgres import EmbeddedPostgres
from tests.cli.service import Service
from tests.fixtures.pgbouncer import PgBouncer
from tests.fixtures.standby import Standby

pytestmark = pytest.mark.timeout(180)
_ROLES = ["projection", "push", "relay"]
_PAGE = Path(__file__).parents[2] / "deploy/poolers.md"


def _documented() -> dict[str, str]:
    """The settings of PgBouncer that deploy/poolers.md shows."""
    example = re.search(r"```ini\n(.*?)```", _PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert example is not None
    return dict(re.findall(r"^(\w+) = (.*)$", example[1], re.MULTILINE))


def test_all_roles_and_commands_work_through_a_pool_of_sessions(
    service: Service, pgbouncer: Callable[..., PgBouncer]
) -> None:
    service.environment["DATABASE_URL"] = pgbouncer(url=service.environment["DATABASE_URL"], **_documented()).url
    tenant_id = service.set_up()
    with service.start() as first, service.start() as second:
        first.wait_for("started")
        second.wait_for("started")
        for number in range(12):
            service.send_invoice(f"order-{number}")
        service.wait_until_quiet()
        # The lock of a relay that is gone, and the lease of a pusher, are free for the other one at once.
        first.process.kill()
        first.process.wait(10)
        service.send_invoice("order-12")
        service.wait_until_quiet()
        assert second.stop() == 0
    assert len(service.simulator.control.ledger(tenant_id)["Invoices"]) == 13


@pytest.mark.parametrize(
    "arguments", [["migrate"], ["status"], ["console"], *(["run", "--only", role] for role in _ROLES)]
)
def test_a_pool_of_transactions_is_refused_at_the_start(
    service: Service, pgbouncer: Callable[..., PgBouncer], arguments: list[str]
) -> None:
    direct = service.environment["DATABASE_URL"]
    service.environment["DATABASE_URL"] = pgbouncer(url=direct, pool_mode="transaction").url
    answer = service.run_apart(*arguments)
    assert answer.code == 1
    assert answer.err.splitlines()[-1].startswith(
        "DATABASE_URL leads to a pooler that gives a connection another session"
    )
    assert "pool_mode = session" in answer.err
    assert direct.rpartition("@")[0] not in answer.err


def test_readiness_says_that_the_database_is_a_standby_until_it_is_promoted(
    service: Service, primary: EmbeddedPostgres, standby: Standby
) -> None:
    service.environment["DATABASE_URL"] = primary.create_database("service")
    service.expect("migrate")
    service.expect("topics", "ensure", "--partitions", "1")
    service.environment["DATABASE_URL"] = standby.url.replace("/postgres", "/service")
    with service.start("--only", "push") as running:
        waiting = running.wait_for("waiting_for_part")
        assert waiting["part"] == "postgres"
        assert "standby" in waiting["reason"]
        answer = requests.get(f"{running.url}/readyz", timeout=20)
        assert answer.status_code == 503
        assert "a standby, which can only be read" in answer.json()["postgres"]["reason"]
        # What only reads works there.
        assert service.expect("status", "--json").json["due"] == 0
        refused = service.run("dead-letters", "drop", "1", "--reason", "a test")
        assert refused.code == 3
        assert refused.err.startswith("The database takes no writes, as a standby does: ")
        standby.promote()
        running.wait_for("started")
        assert requests.get(f"{running.url}/readyz", timeout=20).json()["postgres"]["ready"]
        assert running.stop() == 0
