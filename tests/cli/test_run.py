"""The process: it waits for its parts, runs in any mix of roles, stops when told, ends loudly when it can't go on."""

import signal
import threading
import time

import psycopg
import pytest
import requests

from tests.cli.service import PATIENCE_SECONDS, Running, Service
from tests.fixtures.proxy import TcpProxy

pytestmark = pytest.mark.timeout(180)


def test_without_tables_it_ends_and_says_what_to_do(service: Service) -> None:
    answer = service.run_apart("run")
    assert answer.code == 1
    assert "hearlink-xero migrate" in answer.err


@pytest.mark.usefixtures("real_kafka")
def test_it_waits_for_topics_and_says_so(service: Service) -> None:
    service.expect("migrate")
    with service.start() as running:
        line = running.wait_for("waiting_for_part")
        assert line["part"] == "kafka"
        assert service.environment["ORDERS_TOPIC"] in line["reason"]
        ready = requests.get(f"{running.url}/readyz", timeout=10)
        assert ready.status_code == 503
        assert "topics ensure" in ready.json()["kafka"]["reason"]
        assert requests.get(f"{running.url}/healthz", timeout=10).status_code == 200
        service.expect("topics", "ensure", "--partitions", "1")
        running.wait_for("started")
        assert running.stop() == 0


def test_it_waits_for_postgres(service: Service) -> None:
    service.expect("migrate")
    service.expect("topics", "ensure", "--partitions", "1")
    with TcpProxy("127.0.0.1", service.database_port) as proxy:
        proxy.cut()
        service.environment["DATABASE_URL"] = service.database_url_by(proxy.port)
        with service.start("--only", "push") as running:
            assert running.wait_for("waiting_for_part")["part"] == "postgres"
            proxy.restore()
            running.wait_for("started")
            assert running.stop(signal.SIGINT) == 0


def test_roles_run_in_processes_of_their_own(service: Service) -> None:
    tenant_id = service.set_up()
    with (
        service.start("--only", "projection") as projection,
        service.start("--only", "push", "--only", "relay") as rest,
    ):
        assert projection.wait_for("started")["roles"] == ["projection"]
        assert rest.wait_for("started")["roles"] == ["push", "relay"]
        service.send_invoice("order-1")
        service.wait_until_quiet()
        assert len(service.simulator.control.ledger(tenant_id)["Invoices"]) == 1
        assert set(requests.get(f"{rest.url}/healthz", timeout=10).json()) == {"status", "push", "relay"}
        metrics = requests.get(f"{rest.url}/metrics", timeout=10).text
        assert 'hearlink_xero_role_up{role="relay"} 1.0' in metrics
        assert 'role="projection"' not in metrics
        assert projection.stop() == 0
        assert rest.stop() == 0


def test_stopping_gives_back_what_is_in_hand(service: Service) -> None:
    service.set_up()
    service.simulator.control.add_fault({"kind": "delay_after", "path": "Contacts"})
    with service.start() as running:
        running.wait_for("partitions_assigned")
        service.send_invoice("order-1")
        service.wait_for_status(lambda status: status["open_intents"] == 1)
        # The call is under way: it ends, and its result is written, before the process does.
        release = threading.Timer(1.0, service.simulator.control.clear_faults)
        release.start()
        assert running.stop() == 0
        release.join()
    found = service.status()
    assert found["open_intents"] == 0
    assert found["due"] == 1
    (entry,) = service.expect("logs", "--json").lines
    assert entry["operation"] == "contact_create"


def test_a_role_that_cannot_go_on_ends_the_process_with_its_reason(service: Service) -> None:
    service.set_up()
    with service.start() as running:
        running.wait_for("started")
        with psycopg.connect(service.environment["DATABASE_URL"], autocommit=True) as connection:
            connection.execute("drop table xero_lease cascade")
        assert running.process.wait(30) == 1
    failed = running.wait_for("role_failed", ended=True)
    assert failed["role"] == "push"
    assert "xero_lease" in failed["reason"]
    assert running.text.splitlines()[-1].startswith("The role push can't go on")


def test_health_tells_a_database_that_is_away(service: Service) -> None:
    service.set_up()
    with TcpProxy("127.0.0.1", service.database_port) as proxy:
        service.environment["DATABASE_URL"] = service.database_url_by(proxy.port)
        with service.start("--only", "push", "--only", "relay") as running:
            running.wait_for("started")
            proxy.cut()
            ready = requests.get(f"{running.url}/readyz", timeout=20)
            assert ready.status_code == 503
            assert "Postgres can't be reached" in ready.json()["postgres"]["reason"]
            assert requests.get(f"{running.url}/healthz", timeout=20).status_code == 200
            assert "hearlink_xero_database_up 0.0" in requests.get(f"{running.url}/metrics", timeout=20).text
            proxy.restore()
            assert running.stop() == 0


def test_it_waits_for_the_schema_registry(service: Service) -> None:
    service.expect("migrate")
    service.expect("topics", "ensure", "--partitions", "1")
    service.send_invoice("order-1")
    service.environment["SCHEMA_REGISTRY_URL"] = "http://127.0.0.1:1"
    with service.start("--only", "projection") as running:
        line = running.wait_for("waiting_for_part")
        assert line["part"] == "registry"
        # What is waited for before the start makes a lag as well.
        shown = _metrics_with(running, "hearlink_xero_lag_messages")
        orders = f'partition="0",topic="{service.environment["ORDERS_TOPIC"]}"'
        assert f"hearlink_xero_lag_messages{{{orders}}} 1.0" in shown
        assert f"hearlink_xero_lag_known{{{orders}}} 1.0" in shown
        assert 'hearlink_xero_waits{part="registry"} 1.0' in shown
        ready = requests.get(f"{running.url}/readyz", timeout=20).json()
        assert (ready["lag"]["ready"], ready["lag"]["messages"]) == (True, 1)
        assert running.stop() == 0


def _metrics_with(running: Running, name: str) -> str:
    """The metrics, once they have `name`."""
    until = time.monotonic() + PATIENCE_SECONDS
    while f"\n{name}{{" not in (text := requests.get(f"{running.url}/metrics", timeout=20).text):
        assert time.monotonic() < until, text
        time.sleep(0.1)
    return text


def test_a_second_signal_ends_what_does_not_stop(service: Service) -> None:
    service.set_up()
    with TcpProxy("127.0.0.1", service.database_port) as proxy:
        service.environment["DATABASE_URL"] = service.database_url_by(proxy.port)
        with service.start() as running:
            running.wait_for("started")
            proxy.freeze()
            running.process.send_signal(signal.SIGTERM)
            running.wait_for("stopping")
            assert running.stop() == 4
            proxy.thaw()
