"""The probes: what is stuck and what only waits; what is missing."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests
from prometheus_client import generate_latest
from psycopg import Connection

from consumer.configuration import Configuration, read_configuration
from consumer.console import ConsoleHealth
from consumer.operations import metric_table as table
from consumer.operations.assembly import Assembly
from consumer.operations.health import JOIN_SECONDS, STUCK_SECONDS, AddressError, Health, HttpServer
from consumer.operations.kafka import OutgoingMessage, admin_client, ensure_topics, publish
from consumer.operations.readiness import Role
from consumer.operations.running import Running
from tests.operations.rows import TENANT, insert, insert_intent, insert_order, insert_organisation

LONG_AGO = STUCK_SECONDS + 1


@pytest.fixture
def running() -> Running:
    return Running([Role.PUSH, Role.RELAY], started_at=time.monotonic())


@pytest.fixture
def health(parts: Assembly, running: Running) -> Health:
    running.pusher = parts.pusher(lambda error: pytest.fail(str(error)))
    return Health(parts, running)


def test_loops_that_go_round_are_alive(health: Health) -> None:
    alive, answer = health.liveness()
    assert alive
    assert answer["push"]["alive"]
    assert answer["relay"]["alive"]


def test_a_loop_that_stands_still_while_postgres_answers_is_stuck(
    health: Health, running: Running, parts: Assembly
) -> None:
    assert running.pusher is not None
    running.pusher.last_round -= LONG_AGO
    parts.metrics.last_push_sign -= LONG_AGO
    alive, answer = health.liveness()
    assert not alive
    assert "has not gone round" in answer["push"]["reason"]
    parts.metrics.order_finished("synced")
    assert health.liveness()[0]


def test_a_loop_that_waits_for_postgres_is_alive(
    health: Health, running: Running, parts: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert running.pusher is not None
    running.pusher.last_round -= LONG_AGO
    parts.metrics.last_push_sign -= LONG_AGO
    nowhere = read_configuration({"DATABASE_URL": "postgresql://127.0.0.1:1/nothing"})
    monkeypatch.setattr(parts, "configuration", nowhere)
    alive, answer = health.liveness()
    assert alive
    assert answer["push"]["waits_for"] == "postgres"


def test_a_relay_that_waits_for_the_brokers_is_alive(health: Health, parts: Assembly) -> None:
    parts.metrics.relay_waits("broker")
    parts.metrics.last_relay_sign -= LONG_AGO
    alive, answer = health.liveness()
    assert alive
    assert answer["relay"]["waits_for"] == "broker"
    parts.metrics.relay_waits(None)
    parts.metrics.last_relay_sign -= LONG_AGO
    assert not health.liveness()[0]


def test_a_group_that_never_gives_a_word_is_stuck_in_joining(online: Configuration) -> None:
    ensure_topics(admin_client(online), online.topics, partitions=1)
    with Assembly(online) as parts:
        running = Running([Role.PROJECTION], started_at=time.monotonic())
        running.projection = parts.projection()
        health = Health(parts, running)
        assert health.liveness()[0]
        assert running.started_at is not None
        running.started_at -= JOIN_SECONDS + 1
        alive, answer = health.liveness()
        assert not alive
        assert "joining" in answer["projection"]["reason"]
        parts.metrics.rebalance("assigned", 0)
        assert health.liveness()[0]


def test_a_client_that_gives_no_sign_reads_nothing(online: Configuration) -> None:
    with Assembly(online) as parts:
        running = Running([Role.PROJECTION], started_at=time.monotonic())
        running.projection = parts.projection()
        health = Health(parts, running)
        parts.metrics.rebalance("assigned", 4)
        parts.metrics.statistics('{"cgrp": {"join_state": "steady"}}')
        assert health.liveness()[0]
        parts.metrics.last_client_sign = time.monotonic() - LONG_AGO
        alive, answer = health.liveness()
        assert not alive
        assert "nobody reads" in answer["projection"]["reason"]
        # The loop waits for Postgres and doesn't poll.
        parts.metrics.waiting(reason="postgres", seconds=1.0)
        assert health.liveness()[0]


@pytest.mark.usefixtures("impatient")
def test_a_group_cannot_be_joined_without_brokers(parts: Assembly) -> None:
    running = Running([Role.PROJECTION], started_at=time.monotonic() - JOIN_SECONDS - 1)
    running.projection = parts.projection()
    alive, answer = Health(parts, running).liveness()
    assert alive
    assert answer["projection"]["waits_for"] == "kafka"


@pytest.mark.usefixtures("impatient")
def test_readiness_names_each_missing_part(health: Health, running: Running) -> None:
    ready, answer = health.readiness()
    assert not ready
    assert answer["postgres"] == {"ready": True, "reason": ""}
    assert "Kafka doesn't answer" in answer["kafka"]["reason"]
    running.started_at = None
    assert "not started" in health.readiness()[1]["roles"]["reason"]


def test_a_database_without_tables_is_not_ready(empty_database_url: str) -> None:
    configuration = read_configuration({"DATABASE_URL": empty_database_url})
    with Assembly(configuration) as parts:
        ready, answer = Health(parts, Running([Role.PUSH], started_at=0.0)).readiness()
    assert not ready
    assert "hearlink-xero migrate" in answer["postgres"]["reason"]


@pytest.mark.usefixtures("impatient")
def test_the_server_serves_three_paths_and_no_more(health: Health) -> None:
    with HttpServer(("127.0.0.1", 0), health) as server:
        healthz = requests.get(f"{server.url}/healthz", timeout=10)
        assert (healthz.status_code, healthz.json()["status"]) == (200, "ok")
        assert requests.get(f"{server.url}/readyz?verbose", timeout=10).status_code == 503
        assert requests.get(f"{server.url}/metrics", timeout=10).headers["Content-Type"].startswith("text/plain")
        assert requests.get(f"{server.url}/", timeout=10).status_code == 404
        head = requests.head(f"{server.url}/healthz", timeout=10)
        assert (head.status_code, head.content) == (200, b"")
        with pytest.raises(AddressError, match="can't be listened on"):
            HttpServer(("127.0.0.1", int(server.url.rpartition(":")[2])), health)


def test_the_tables_numbers_are_shown_by_tenant(health: Health, parts: Assembly, connection: Connection[Any]) -> None:
    insert_organisation(connection)
    insert_order(connection, "due", "-1 minute")
    insert_order(connection, "failed", hold="problem", pending_since="2026-10-01T00:00:00Z")
    insert_order(connection, "limited", "1 hour", hold="limit")
    insert_order(connection, "settled", hold="settled", tenant_id=TENANT)
    insert_intent(connection, "due")
    insert(connection, "outbox", topic="sync_log")
    insert(connection, "dead_letter", topic="orders", partition=0, offset=1, reason="impossible", detail="")
    insert(connection, "xero_lease", tenant_id=TENANT, owner="worker", expires_at="infinity")
    text = health.metrics().decode()
    for line in (
        f'orders_due{{tenant="{TENANT}"}} 1.0',
        f'orders_failed{{tenant="{TENANT}"}} 1.0',
        f'orders_settled{{tenant="{TENANT}"}} 1.0',
        f'orders_waiting{{reason="limit",tenant="{TENANT}"}} 1.0',
        f'open_intents{{tenant="{TENANT}"}} 1.0',
        'outbox_messages{state="waiting"} 1.0',
        'dead_letters_open{reason="impossible"} 1.0',
        'leases{state="held"} 1.0',
        'connected{organisation="org-1"} 1.0',
        f'tenant_connected{{organisation="org-1",tenant="{TENANT}"}} 1.0',
        f'budget_left_calls{{tenant="{TENANT}",window="day"}} 5000.0',
        "database_up 1.0",
        "last_round_timestamp_seconds",
    ):
        assert f"hearlink_xero_{line}" in text
    # Looked up at most once in a few seconds, however often someone asks.
    connection.execute("delete from outbox")
    assert 'outbox_messages{state="waiting"} 1.0' in generate_latest(parts.metrics.registry).decode()


def test_without_postgres_the_series_are_left_out(health: Health, parts: Assembly, monkeypatch: Any) -> None:
    monkeypatch.setattr(parts, "configuration", read_configuration({"DATABASE_URL": "postgresql://127.0.0.1:1/x"}))
    text = health.metrics().decode()
    assert "hearlink_xero_database_up 0.0" in text
    assert "hearlink_xero_orders_due" not in text
    # It never answered this process.
    assert "hearlink_xero_gauges_age_seconds " not in text


def test_the_age_of_what_was_read_grows_while_postgres_is_away(
    health: Health, parts: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumer.operations.collector.CACHE_SECONDS", 0.0)

    def age() -> float:
        (line,) = re.findall(r"^hearlink_xero_gauges_age_seconds (\S+)$", health.metrics().decode(), re.MULTILINE)
        return float(line)

    first = age()
    monkeypatch.setattr(parts, "configuration", read_configuration({"DATABASE_URL": "postgresql://127.0.0.1:1/x"}))
    time.sleep(0.1)
    second = age()
    assert second >= first + 0.1
    assert "hearlink_xero_database_up 0.0" in health.metrics().decode()
    assert age() > second


def test_what_is_shown_is_what_the_table_declares(
    health: Health, running: Running, parts: Assembly, connection: Connection[Any], offline: Configuration
) -> None:
    assert offline.database_url
    insert_organisation(connection)
    running.projection = parts.projection()
    running.lag_watch = parts.lag_watch()
    parts.metrics.statistics("{}")
    ConsoleHealth(parts)
    shown = {family.name for family in parts.metrics.registry.collect() if family.name.startswith(table.PREFIX)}
    declared = {metric.full_name.removesuffix("_total") for metric in table.TABLE}
    assert shown == declared
    assert health.metrics()


@pytest.mark.usefixtures("real_kafka")
def test_the_lag_is_shown_and_a_topic_that_is_gone_is_not_ready(
    online: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumer.projection.lag.watch.LOOK_SECONDS", 0.1)
    orders = online.topics.orders
    ensure_topics(admin_client(online), online.topics, partitions=2)
    publish(online, [OutgoingMessage(orders, b"key", b"value", partition=1) for _ in range(3)])
    place = f'partition="1",topic="{orders}"'
    with Assembly(online) as parts:
        running = Running([Role.PROJECTION], started_at=time.monotonic())
        running.projection = parts.projection()
        running.lag_watch = parts.lag_watch()
        health = Health(parts, running)
        assert "not been looked at yet" in health.readiness()[1]["lag"]["reason"]
        with _in_a_thread(running.lag_watch.run):
            assert _lag_once(health, is_ready=True, words="")["messages"] == 3
            shown = health.metrics().decode()
            for name, value in (("lag_messages", 3), ("lag_held_messages", 0), ("lag_known", 1), ("partition_read", 0)):
                assert f"hearlink_xero_{name}{{{place}}} {value}.0" in shown
            admin = admin_client(online)
            admin.delete_topics([orders])[orders].result(10)
            assert _lag_once(health, is_ready=False, words=f"Kafka has no topic {orders}")["messages"] == 3
            shown = health.metrics().decode()
            for name, value in (("lag_messages", 3), ("lag_known", 0)):
                assert f"hearlink_xero_{name}{{{place}}} {value}.0" in shown
            assert f'topic_unreadable{{reason="gone",topic="{orders}"}} 1.0' in shown


def _lag_once(health: Health, *, is_ready: bool, words: str) -> dict[str, Any]:
    """What readiness says of the lag, once it says so."""
    until = time.monotonic() + 30.0
    while True:
        lag: dict[str, Any] = health.readiness()[1]["lag"]
        if lag["ready"] == is_ready and words in lag["reason"]:
            return lag
        assert time.monotonic() < until, lag


@contextmanager
def _in_a_thread(run: Callable[[threading.Event], None]) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=run, args=[stop])
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
