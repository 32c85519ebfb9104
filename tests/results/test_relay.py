"""The relay on a real broker and a real database: all of the outbox, in order per order, through every outage."""

import json
import os
import signal
import subprocess
import sys
import threading
import uuid
from typing import Any

import pytest
from psycopg import Connection

from consumer.results import (
    OutboxMessage,
    OutboxTopic,
    Relay,
    post,
    producer_settings,
    relay,
    set_aside_count,
    unpublished_count,
)
from consumer.sandbox.broker import Broker
from consumer.sandbox.processes import free_port
from tests.fixtures.kafka import CreateTopic
from tests.fixtures.proxy import TcpProxy
from tests.results.relay_world import (
    DEADLINE_SECONDS,
    Metrics,
    Topics,
    by_key,
    drained,
    eventually,
    expected,
    numbered,
    read,
    running,
)


@pytest.fixture
def topics(create_topic: CreateTopic) -> Topics:
    return {topic: create_topic(topic.value.replace("_", "-")) for topic in OutboxTopic}


@pytest.fixture
def settings(kafka: Broker) -> dict[str, Any]:
    return producer_settings(kafka.bootstrap_servers, {})


def test_everything_is_published_once_in_order_per_order_and_deleted(
    connection: Connection[Any], database_url: str, kafka: Broker, settings: dict[str, Any], topics: Topics
) -> None:
    post(connection, numbered(1500))
    with running(database_url, settings, topics) as metrics:
        for start in range(1500, 2500, 10):
            post(connection, numbered(10, start=start))
        eventually(drained(connection))
    assert by_key(read(kafka, topics[OutboxTopic.SYNC_LOG])) == expected(2500)
    assert metrics.published == {OutboxTopic.SYNC_LOG: 2500}


def test_each_kind_goes_to_its_topic_with_key_value_and_headers(
    connection: Connection[Any], database_url: str, kafka: Broker, settings: dict[str, Any], topics: Topics
) -> None:
    for topic in OutboxTopic:
        post(
            connection,
            [
                OutboxMessage(topic, b"order-1", topic.value.encode(), (("reason", "undecodable"), ("at", "7"))),
                OutboxMessage(topic, None, None),
            ],
        )
    with running(database_url, settings, topics):
        eventually(drained(connection))
    for topic, name in topics.items():
        messages = {message.key(): message for message in read(kafka, name)}
        assert messages[b"order-1"].value() == topic.value.encode()
        assert messages[b"order-1"].headers() == [("reason", b"undecodable"), ("at", b"7")]
        assert messages[None].value() is None


def test_what_is_not_committed_is_not_published(
    connection: Connection[Any],
    other_connection: Connection[Any],
    database_url: str,
    kafka: Broker,
    settings: dict[str, Any],
    topics: Topics,
) -> None:
    with running(database_url, settings, topics), connection.transaction():
        post(connection, numbered(3))
        post(other_connection, numbered(3, start=100))
        eventually(drained(other_connection))
        connection.execute("delete from outbox")
    values = {message.value() for message in read(kafka, topics[OutboxTopic.SYNC_LOG])}
    assert values == {b"100", b"101", b"102"}


def test_one_relay_is_active_and_another_takes_over(
    connection: Connection[Any], database_url: str, kafka: Broker, settings: dict[str, Any], topics: Topics
) -> None:
    with running(database_url, settings, topics) as standby_later:
        eventually(lambda: None in standby_later.waits)
        with running(database_url, settings, topics) as second:
            eventually(lambda: "turn" in second.waits)
            post(connection, numbered(50))
            eventually(drained(connection))
            assert second.published == {}
            # The active one loses its session, as with a process that is killed.
            connection.execute(
                "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted"
                " and database = (select oid from pg_database where datname = current_database())"
            )
            eventually(lambda: "database" in standby_later.waits)
            post(connection, numbered(50, start=50))
            eventually(drained(connection))
    assert by_key(read(kafka, topics[OutboxTopic.SYNC_LOG])) == expected(100)


def test_a_frozen_relay_loses_its_turn(
    connection: Connection[Any],
    database_url: str,
    proxied_database_url: str,
    database_proxy: TcpProxy,
    settings: dict[str, Any],
    topics: Topics,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(relay, "_SILENT_SESSION_SECONDS", 3)
    with running(proxied_database_url, settings, topics) as frozen:
        eventually(lambda: None in frozen.waits)
        with running(database_url, settings, topics) as second:
            eventually(lambda: "turn" in second.waits)
            database_proxy.freeze()
            post(connection, numbered(10))
            eventually(drained(connection))
            # Counted once the rows are gone.
            eventually(lambda: second.published == {OutboxTopic.SYNC_LOG: 10})
            database_proxy.thaw()
            eventually(lambda: "turn" in frozen.waits or "database" in frozen.waits)
            post(connection, numbered(10, start=10))
            eventually(drained(connection))
    assert sum((frozen.published + second.published).values()) >= 20


def test_a_broker_that_is_away_is_waited_for(
    connection: Connection[Any],
    database_url: str,
    kafka: Broker,
    kafka_proxy: TcpProxy,
    topics: Topics,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(relay, "_PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(relay, "_SIGN_OF_LIFE_SECONDS", 0.2)
    settings = producer_settings(f"127.0.0.1:{kafka_proxy.port}", {})
    with running(database_url, settings, topics) as metrics:
        post(connection, numbered(50))
        eventually(drained(connection))
        kafka_proxy.cut()
        post(connection, numbered(50, start=50))
        eventually(lambda: "broker" in metrics.waits)
        post(connection, numbered(50, start=100))
        assert unpublished_count(connection) == 100
        kafka_proxy.restore()
        eventually(drained(connection))
        eventually(lambda: metrics.waits[-1] is None)
    assert by_key(read(kafka, topics[OutboxTopic.SYNC_LOG])) == expected(150)


def test_a_database_that_is_away_is_waited_for(
    connection: Connection[Any],
    proxied_database_url: str,
    database_proxy: TcpProxy,
    kafka: Broker,
    settings: dict[str, Any],
    topics: Topics,
) -> None:
    with running(proxied_database_url, settings, topics) as metrics:
        post(connection, numbered(50))
        eventually(drained(connection))
        database_proxy.cut()
        eventually(lambda: "database" in metrics.waits)
        post(connection, numbered(50, start=50))
        database_proxy.restore()
        eventually(drained(connection))
    assert by_key(read(kafka, topics[OutboxTopic.SYNC_LOG])) == expected(100)


# The embedded broker takes messages of any size.
@pytest.mark.usefixtures("real_kafka")
def test_a_message_that_is_too_large_is_set_aside_and_blocks_nothing(
    connection: Connection[Any],
    database_url: str,
    kafka: Broker,
    settings: dict[str, Any],
    topics: Topics,
    create_topic: CreateTopic,
) -> None:
    small = dict(topics) | {OutboxTopic.SYNC_LOG: create_topic("small", max_message_bytes="4000")}
    large = [
        # Refused by the broker, and by the client before it asks the broker.
        OutboxMessage(OutboxTopic.SYNC_LOG, b"order-0", b"x" * 10_000),
        OutboxMessage(OutboxTopic.SYNC_LOG, b"order-1", b"x" * 3_000_000),
    ]
    post(connection, [*numbered(50), *large, *numbered(50, start=50)])
    with running(database_url, settings, small) as metrics:
        eventually(drained(connection))
    assert {key: sorted(set(values)) for key, values in by_key(read(kafka, small[OutboxTopic.SYNC_LOG])).items()} == (
        expected(100)
    )
    assert metrics.set_aside == {OutboxTopic.SYNC_LOG: 2}
    assert set_aside_count(connection) == 2
    rows = connection.execute("select octet_length(value), set_aside_reason from outbox order by id").fetchall()
    assert [size for size, _ in rows] == [10_000, 3_000_000]
    assert all(reason for _, reason in rows)


# The embedded broker takes messages of any size.
@pytest.mark.usefixtures("real_kafka")
def test_messages_that_are_too_large_only_together_are_all_published(
    connection: Connection[Any],
    database_url: str,
    kafka: Broker,
    settings: dict[str, Any],
    topics: Topics,
    create_topic: CreateTopic,
) -> None:
    small = dict(topics) | {OutboxTopic.SYNC_LOG: create_topic("small", max_message_bytes="4000")}
    messages = [
        OutboxMessage(OutboxTopic.SYNC_LOG, b"order-1", f"{number:03}".encode() + b"x" * 1500) for number in range(12)
    ]
    post(connection, messages)
    with running(database_url, settings, small) as metrics:
        eventually(drained(connection))
    assert metrics.set_aside == {}
    assert connection.execute("select count(*) from outbox").fetchone() == (0,)
    seen = [bytes(message.value() or b"") for message in read(kafka, small[OutboxTopic.SYNC_LOG])]
    assert list(dict.fromkeys(seen)) == [message.value for message in messages]


def test_a_missing_topic_does_not_hold_up_the_others(
    connection: Connection[Any],
    database_url: str,
    kafka: Broker,
    topics: Topics,
    create_topic: CreateTopic,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(relay, "_REST_SECONDS", 0.5)
    quick = {"topic.metadata.propagation.max.ms": 500, "topic.metadata.refresh.interval.ms": 500}
    settings = producer_settings(kafka.bootstrap_servers, quick)
    missing = dict(topics) | {OutboxTopic.RETRY: f"missing.{uuid.uuid4().hex[:8]}"}
    post(connection, numbered(20, topic=OutboxTopic.RETRY))
    with running(database_url, settings, missing) as metrics:
        eventually(lambda: "broker" in metrics.waits)
        post(connection, numbered(20))
        eventually(lambda: metrics.published[OutboxTopic.SYNC_LOG] == 20)
        assert unpublished_count(connection) == 20
        missing[OutboxTopic.RETRY] = create_topic("late")
        eventually(drained(connection))
    assert by_key(read(kafka, missing[OutboxTopic.RETRY])) == expected(20)


def test_it_stops_soon_while_no_broker_answers_and_nothing_is_lost(
    connection: Connection[Any], database_url: str, topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "_PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr(relay, "_STOP_SECONDS", 0.5)
    post(connection, numbered(20))
    with running(database_url, producer_settings(f"127.0.0.1:{free_port()}", {}), topics) as metrics:
        eventually(lambda: "broker" in metrics.waits)
    assert unpublished_count(connection) == 20


@pytest.mark.parametrize(
    "point", ["relay.before_produce", "relay.after_produce", "relay.before_delete", "relay.after_delete"]
)
def test_a_relay_that_is_killed_loses_nothing(
    point: str,
    connection: Connection[Any],
    database_url: str,
    kafka: Broker,
    settings: dict[str, Any],
    topics: Topics,
) -> None:
    post(connection, numbered(300))
    command = [sys.executable, "-m", "tests.results.relay_process", database_url, kafka.bootstrap_servers]
    environment = {**os.environ, "CRASH_POINT": point}
    with subprocess.Popen([*command, json.dumps(topics)], env=environment, stdin=subprocess.PIPE) as process:
        assert process.wait(DEADLINE_SECONDS) == -signal.SIGKILL
    assert unpublished_count(connection) == (0 if point == "relay.after_delete" else 300)
    post(connection, numbered(200, start=300))
    with running(database_url, settings, topics):
        eventually(drained(connection))
    published = by_key(read(kafka, topics[OutboxTopic.SYNC_LOG]))
    # What was published and not yet deleted comes once more, in order again.
    assert {key: list(dict.fromkeys(values)) for key, values in published.items()} == expected(500)
    repeated = sum(map(len, published.values())) - 500
    if point == "relay.before_delete":
        assert repeated == 300
    elif point == "relay.after_produce":
        assert 0 <= repeated <= 300
    else:
        assert repeated == 0


def test_a_database_without_the_table_is_no_outage(empty_database_url: str, topics: Topics) -> None:
    stop = threading.Event()
    with pytest.raises(Exception, match="outbox"):
        Relay(empty_database_url, producer_settings("127.0.0.1:1", {}), topics, Metrics()).run(stop)


def test_settings_of_the_installation_are_taken_but_order_and_safety_stay() -> None:
    settings = producer_settings("broker:9092", {"linger.ms": 50, "acks": "1", "enable.idempotence": False})
    assert settings["linger.ms"] == 50
    assert settings["acks"] == "all"
    assert settings["enable.idempotence"] is True
    assert settings["bootstrap.servers"] == "broker:9092"
