"""Parts that fail under the running service: it waits, says so, and goes on by itself."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import requests

from consumer.operations.kafka import admin_client, ensure_topics
from consumer.orders import OrderEvent
from consumer.sandbox.broker import Broker
from consumer.sandbox.postgres import EmbeddedPostgres
from consumer.sandbox.xero import XeroSimulator
from tests.chaos.arena import Arena, Worker, wait_until
from tests.chaos.conftest import CLINICS, QUICK_GROUP
from tests.chaos.histories import make_history
from tests.fixtures import postgres_versions
from tests.fixtures.proxy import TcpProxy

pytestmark = pytest.mark.timeout(240)

_CONNECTIONS = 40


@pytest.fixture(scope="module")
def small_server() -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(
        settings={"max_connections": str(_CONNECTIONS)}, installation=postgres_versions.chosen()
    ) as server:
        yield server


@pytest.fixture(scope="module")
def arena(kafka: Broker, small_server: EmbeddedPostgres, chaos_simulator: XeroSimulator) -> Iterator[Arena]:
    """As the module's own, on a server that has few connections to give."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Arena(
            database_url=small_server.create_database("chaos"),
            bootstrap_servers=kafka.bootstrap_servers,
            simulator=chaos_simulator,
            folder=Path(folder),
            clinics=CLINICS,
            kafka_config={**kafka.client_config, **QUICK_GROUP},
        ) as found,
    ):
        yield found


def test_postgres_out_of_reach_and_slow(arena: Arena, small_server: EmbeddedPostgres) -> None:
    with TcpProxy("127.0.0.1", small_server.port) as network:
        parts = urlsplit(arena.environment["DATABASE_URL"])
        credentials, _, _ = parts.netloc.rpartition("@")
        proxied = parts._replace(netloc=f"{credentials}@127.0.0.1:{network.port}").geturl()
        worker = arena.start(DATABASE_URL=proxied)
        _push(arena, worker, "reached")
        network.cut()
        arena.send(_history(arena, "cut"))
        _wait_for_ready(worker, ready=False)
        assert requests.get(f"{_url(worker)}/healthz", timeout=10).status_code == 200
        assert "hearlink_xero_database_up 0.0" in requests.get(f"{_url(worker)}/metrics", timeout=10).text
        wait_until(lambda: bool(worker.lines("database_away")), worker.text)
        network.restore()
        _wait_for_ready(worker, ready=True)
        arena.wait_until_quiet()
        network.delay(0.02)
        _push(arena, worker, "slow")
        network.delay(0.0)
        _end(arena, worker)


def test_postgres_has_no_connections_left(arena: Arena, small_server: EmbeddedPostgres) -> None:
    worker = arena.start()
    _push(arena, worker, "connected")
    arena.send(_history(arena, "crowded"))
    with ExitStack() as crowd:
        watcher = crowd.enter_context(psycopg.connect(small_server.url, autocommit=True))
        # While it is frozen, others take its places.
        worker.freeze()
        _end_sessions(watcher)
        _wait_for_no_sessions(watcher)
        _crowd(crowd, small_server.url)
        worker.thaw()
        wait_until(lambda: "too many clients" in worker.text(), worker.text, patience_seconds=60.0)
    arena.wait_until_quiet()
    _end(arena, worker)


@pytest.mark.parametrize("fault", ["disk full", "read only"])
def test_postgres_takes_no_writes(arena: Arena, small_server: EmbeddedPostgres, fault: str) -> None:
    worker = arena.start()
    _push(arena, worker, f"before-{fault[:4]}")
    with psycopg.connect(small_server.url, autocommit=True) as watcher, arena.connect() as connection:
        if fault == "disk full":
            connection.execute(
                "create function full_disk() returns trigger language plpgsql as $$ begin"
                " raise exception 'could not extend file: No space left on device' using errcode = '53100';"
                " end $$"
            )
            connection.execute(
                "create trigger full_disk before insert or update on orders execute function full_disk()"
            )
        else:
            connection.execute("alter database chaos set default_transaction_read_only = on")
            _end_sessions(watcher)
        arena.send(_history(arena, f"during-{fault[:4]}"))
        wait_until(lambda: bool(worker.lines("projection_waits")), worker.text)
        assert worker.is_running
        with psycopg.connect(small_server.url, autocommit=True) as mending:
            mending.execute("alter database chaos reset default_transaction_read_only")
        with arena.connect() as writing:
            if fault == "disk full":
                writing.execute("drop function full_disk cascade")
        _end_sessions(watcher)
    arena.wait_until_quiet()
    _end(arena, worker)


@pytest.mark.usefixtures("real_kafka")
def test_a_topic_that_is_missing_is_waited_for(arena: Arena) -> None:
    topics = {name: f"late.{arena.environment[name]}" for name in ("ORDERS_TOPIC", "RETRY_TOPIC")}
    worker = arena.start("projection", **topics)
    said = worker.wait_for("waiting_for_part")
    assert said["part"] == "kafka"
    assert topics["ORDERS_TOPIC"] in said["reason"]
    assert "topics ensure" in said["reason"]
    arena.environment.update(topics)
    created = ensure_topics(admin_client(arena.configuration), arena.configuration.topics, partitions=2)
    assert created[topics["ORDERS_TOPIC"]]
    worker.wait_for("partitions_assigned")
    arena.start("push", "relay")
    arena.publish(make_history(1, 4, CLINICS, prefix="late"))
    arena.wait_until_quiet()
    _end(arena, worker)


def test_the_broker_out_of_reach(arena: Arena, kafka_proxy: TcpProxy) -> None:
    worker = arena.start(KAFKA_BOOTSTRAP_SERVERS=f"127.0.0.1:{kafka_proxy.port}")
    _push(arena, worker, "in-reach")
    kafka_proxy.cut()
    arena.send(_history(arena, "out-of-reach"))
    _wait_for_ready(worker, ready=False)
    assert requests.get(f"{_url(worker)}/healthz", timeout=10).status_code == 200
    kafka_proxy.restore()
    _wait_for_ready(worker, ready=True)
    arena.wait_until_quiet()
    _end(arena, worker)


def _history(arena: Arena, prefix: str) -> list[OrderEvent]:
    history = make_history(len(arena.truths), 6, CLINICS, prefix=prefix.replace(" ", "-"))
    arena.truths.update(history.truths)
    return history.events


def _push(arena: Arena, worker: Worker, prefix: str) -> None:
    worker.wait_for("started")
    arena.send(_history(arena, prefix))
    arena.wait_until_quiet()


def _end(arena: Arena, worker: Worker) -> None:
    report = arena.check()
    assert report.is_clean, report
    assert worker.is_running
    assert not worker.lines("role_failed")
    for other in arena.workers:
        if other.is_running:
            assert other.stop() == 0, other.text()


def _url(worker: Worker) -> str:
    return str(worker.wait_for("http_listening")["url"])


def _wait_for_ready(worker: Worker, *, ready: bool) -> None:
    def is_so() -> bool:
        return requests.get(f"{_url(worker)}/readyz", timeout=30).ok is ready

    wait_until(is_so, worker.text, pause_seconds=0.2)


# An ended session gives its place back a little after it is no longer listed.
_REFUSALS = 10
_SERVICE_SESSIONS = (
    " from pg_stat_activity"
    " where datname = 'chaos' and application_name like 'hearlink-xero%' and application_name not like '%chaos'"
)


def _end_sessions(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """End all sessions in the database but those of this test, as a restart of the server does."""
    connection.execute("select pg_terminate_backend(pid)" + _SERVICE_SESSIONS)


def _wait_for_no_sessions(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """Wait until those that were ended are gone."""
    wait_until(lambda: connection.execute("select count(*)" + _SERVICE_SESSIONS).fetchone() == (0,))


def _crowd(crowd: ExitStack, url: str) -> None:
    """Take every connection that is left, and those that become free a moment later."""
    refusals = 0
    while refusals < _REFUSALS:
        try:
            crowd.enter_context(psycopg.connect(url))
        except psycopg.OperationalError:
            refusals += 1
            time.sleep(0.1)
        else:
            refusals = 0
