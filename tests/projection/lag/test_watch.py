"""The look at the lag goes on while the projection waits: for the registry, for Postgres, for a lock, for Kafka."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import psycopg
import pytest
from confluent_kafka import Producer

from consumer.contract import Encoder, Registry, Schemas
from consumer.projection import LagWatch, LogReader, PartitionLag, Reason
from consumer.projection.lag import watch as watch_module
from tests.contract.samples import sample_event
from tests.contract.test_registry import FakeRegistry, registry
from tests.fixtures.kafka import ApacheKafka
from tests.fixtures.proxy import TcpProxy
from tests.projection.world import World, event, wait_until

__all__ = ["registry"]

_SECONDS = 30.0


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_module, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(watch_module, "_FIRST_SECONDS", 0.1)


@contextmanager
def watching(world: World, reader: LogReader | None = None) -> Iterator[LagWatch]:
    """A watch in its threads, with both topics of `world`."""
    watch = LagWatch(reader or world.log_reader(), world.database_url, [world.orders_topic, world.retry_topic])
    stop = threading.Event()
    thread = threading.Thread(target=watch.run, args=[stop])
    thread.start()
    try:
        yield watch
    finally:
        stop.set()
        thread.join(_SECONDS)
        assert not thread.is_alive()


def orders(world: World, watch: LagWatch) -> PartitionLag:
    return watch.newest().of(world.orders_topic)


def wait_for(world: World, watch: LagWatch, messages: int) -> None:
    """Wait until so many messages are known to wait."""
    wait_until(
        lambda: orders(world, watch)[:1] == (messages,) and orders(world, watch).is_known,
        lambda: str(watch.newest()),
    )


def wait_until_older(world: World, watch: LagWatch) -> None:
    """Wait until the oldest message is seen to be older than it is now."""
    before = orders(world, watch).seconds
    wait_until(lambda: orders(world, watch).seconds > before, lambda: str(watch.newest()))


def test_lag_is_seen_while_the_registry_is_away(world: World, registry: FakeRegistry, schemas: Schemas) -> None:
    value = Encoder(schemas, Registry(registry.url)).encode_event("orders", sample_event())
    world.registry = Registry(registry.url)
    registry.fault = (503, b"{}")
    with watching(world) as watch, world.running() as running:
        wait_for(world, watch, 0)
        for _ in range(93):
            world.send(value)
        world.flush()
        wait_until(lambda: running.metrics.counts["waiting registry"] >= 2)
        wait_for(world, watch, 93)
        wait_until_older(world, watch)
        resumed = running.metrics.counts["resumed"]
        registry.fault = None
        wait_for(world, watch, 0)
        wait_until(lambda: running.metrics.counts["resumed"] > resumed)
    assert running.failure is None


def test_lag_is_seen_while_the_projection_waits_for_a_lock(world: World) -> None:
    with watching(world) as watch, world.running():
        wait_for(world, watch, 0)
        with psycopg.connect(world.database_url) as other:
            other.execute("lock table partition_offset in exclusive mode")
            world.publish(*[event(f"order-{number}", 1) for number in range(20)])
            wait_for(world, watch, 20)
            wait_until_older(world, watch)
            other.rollback()
        wait_for(world, watch, 0)


@pytest.mark.parametrize("is_frozen", [False, True], ids=["cut", "frozen"])
def test_lag_is_seen_while_postgres_is_away(world: World, *, is_frozen: bool) -> None:
    parts = psycopg.conninfo.conninfo_to_dict(world.database_url)
    with TcpProxy(str(parts["host"]), int(parts["port"] or 0)) as proxy:
        there = psycopg.conninfo.make_conninfo(world.database_url, host="127.0.0.1", port=proxy.port)
        with watching(replace(world, database_url=there)) as watch:
            world.publish(event("order-1", 1))
            wait_for(world, watch, 1)
            if is_frozen:
                proxy.freeze()
            else:
                proxy.cut()
            world.publish(event("order-1", 2), event("order-1", 3))
            wait_for(world, watch, 3)
            wait_until_older(world, watch)
            if is_frozen:
                proxy.thaw()
            else:
                proxy.restore()
            with world.running():
                wait_for(world, watch, 0)


def test_nothing_is_known_before_postgres_said_where_the_projection_stands(
    world: World, empty_database_url: str
) -> None:
    world.publish(event("order-1", 1))
    for url, words in ((empty_database_url, "does not exist"), ("postgresql://127.0.0.1:1/x", "has not said yet")):
        with watching(replace(world, database_url=url)) as watch:
            wait_until(lambda: words in str(watch.newest().faults))  # noqa: B023
            fault = watch.newest().faults[world.orders_topic]
            assert (fault.reason, orders(world, watch).is_known) == (Reason.NO_OFFSETS, False)


def test_a_quiet_topic_behind_transactions_has_no_lag(real_kafka: ApacheKafka, world: World) -> None:
    producer = Producer({"bootstrap.servers": real_kafka.bootstrap_servers, "transactional.id": world.orders_topic})
    producer.init_transactions(_SECONDS)
    with watching(world) as watch, world.running() as running:
        for number in range(12):
            producer.begin_transaction()
            producer.produce(world.orders_topic, world.encode(event(f"order-{number}", 1)), f"order-{number}".encode())
            producer.commit_transaction(_SECONDS)
        wait_until(lambda: running.metrics.counts["events applied"] == 12)
        wait_for(world, watch, 0)
        producer.begin_transaction()
        producer.produce(world.orders_topic, world.encode(event("order-1", 2)), b"order-1")
        producer.flush(_SECONDS)
        wait_for(world, watch, 1)
        assert orders(world, watch).held == 1
        wait_until_older(world, watch)
        producer.commit_transaction(_SECONDS)
        wait_for(world, watch, 0)


def test_kafka_away_leaves_the_last_numbers_and_says_so(world: World, kafka_proxy: TcpProxy) -> None:
    reader = LogReader(f"127.0.0.1:{kafka_proxy.port}", {}, world.group_id, answer_seconds=0.5)
    with watching(world, reader) as watch:
        world.publish(event("order-1", 1))
        wait_for(world, watch, 1)
        kafka_proxy.cut()
        wait_until(lambda: not orders(world, watch).is_known)
        assert orders(world, watch).messages == 1
        assert watch.newest().faults[world.orders_topic].reason == Reason.AWAY
        kafka_proxy.restore()
        wait_for(world, watch, 1)


def test_who_has_not_looked_for_long_knows_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with watching(world) as watch:
        world.publish(event("order-1", 1))
        wait_for(world, watch, 1)
        monkeypatch.setattr(watch_module, "STALE_SECONDS", -1.0)
        assert (orders(world, watch).messages, orders(world, watch).is_known) == (1, False)
        assert "last look" in watch.newest().faults[world.orders_topic].text
