"""Parts that are away, logs that lost something, and messages that are bad by the hundred."""

from collections.abc import Iterator

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions, NewTopic

from consumer.contract import Encoder, Registry, Schemas
from consumer.database import connect, migrate
from consumer.orders import ChangeKind
from consumer.projection import BrakeError, BrakeLimits, OffsetLostError
from consumer.sandbox.broker import EmbeddedBroker
from consumer.sandbox.postgres import EmbeddedPostgres
from tests.contract.samples import sample_event
from tests.contract.test_registry import FakeRegistry, registry
from tests.fixtures.proxy import TcpProxy
from tests.projection.world import World, event, wait_until

__all__ = ["registry"]


# The embedded broker adds no partitions.
@pytest.mark.usefixtures("real_kafka")
def test_a_topic_and_partitions_that_come_later_are_read_soon(world: World) -> None:
    admin = AdminClient({"bootstrap.servers": world.bootstrap_servers})
    world.retry_topic = f"late.{world.retry_topic}"
    with world.running() as running:
        wait_until(lambda: running.metrics.counts["assigned"] == 4)
        admin.create_topics([NewTopic(world.retry_topic, 1, 1)])[world.retry_topic].result(30)
        wait_until(lambda: running.metrics.counts["assigned"] == 5)
        admin.create_partitions([NewPartitions(world.orders_topic, 6)])[world.orders_topic].result(30)
        wait_until(lambda: running.metrics.counts["assigned"] == 7)


def test_a_restart_of_postgres_is_waited_for(world: World, own_postgres: EmbeddedPostgres) -> None:
    world.database_url = own_postgres.create_database("orders")
    migrate(world.database_url)
    with world.running() as running:
        world.publish(event("order-1", 1))
        world.wait_for_events(1)
        own_postgres.kill()
        world.publish(*[event(f"order-{number}", 1) for number in range(2, 20)])
        wait_until(lambda: running.metrics.counts["waiting postgres"] >= 2)
        own_postgres.start()
        world.wait_for_events(19)
    assert running.failure is None
    assert running.metrics.counts["assigned"] == 5
    assert world.rows("select count(*) from orders") == [(19,)]
    assert world.rows("select count(*) from dead_letter") == [(0,)]


def test_a_backlog_behind_a_slow_postgres_is_paused_and_nothing_of_it_is_lost(world: World) -> None:
    orders, events_each = 100, 15
    for sequence in range(1, events_each + 1):
        for number in range(orders):
            sent = event(f"order-{number}", sequence, ChangeKind.PAYMENT_SAVED)
            world.send(world.encode(sent), sent.order_id.encode())
    world.flush()
    with (
        connect(world.database_url, name="locker", autocommit=False) as locker,
        world.running(batch_messages_max=50) as running,
    ):
        wait_until(lambda: running.metrics.counts["batches"] > 0)
        locker.execute("lock table orders in access exclusive mode")
        wait_until(lambda: running.projection.is_paused)
        locker.rollback()
        world.wait_for_events(orders * events_each)
    assert running.failure is None
    rows = world.rows("select distinct sequence, revision, missing::text from orders")
    assert rows == [(events_each, events_each, "{}")]


def test_a_claim_waits_for_postgres(world: World, proxied_database_url: str, database_proxy: TcpProxy) -> None:
    world.publish(event("order-1", 1))
    database_proxy.cut()
    with world.running(database_url=proxied_database_url) as running:
        wait_until(lambda: running.metrics.counts["waiting postgres"] >= 1)
        database_proxy.restore()
        world.wait_for_events(1)
    assert running.failure is None


def test_a_stop_ends_even_a_claim_that_waits(world: World, proxied_database_url: str, database_proxy: TcpProxy) -> None:
    database_proxy.cut()
    with world.running(database_url=proxied_database_url) as running:
        wait_until(lambda: running.metrics.counts["waiting postgres"] >= 1)
    assert running.failure is None


def test_a_registry_that_is_away_is_waited_for(world: World, registry: FakeRegistry, schemas: Schemas) -> None:
    value = Encoder(schemas, Registry(registry.url)).encode_event("orders", sample_event())
    world.registry = Registry(registry.url)
    registry.fault = (503, b"{}")
    with world.running() as running:
        world.send(value)
        world.flush()
        wait_until(lambda: running.metrics.counts["waiting registry"] >= 2)
        registry.fault = None
        world.wait_for_events(1)
    assert running.failure is None
    assert world.order()["revision"] == 1
    assert world.rows("select count(*) from dead_letter") == [(0,)]


def test_a_defect_stops_the_process_and_skips_nothing(world: World) -> None:
    world.execute("alter table orders drop column trace_parent cascade")
    with world.running() as running:
        world.publish(event("order-1", 1))
        failure = running.wait_for_end()
    assert "trace_parent" in str(failure)
    assert world.committed() == 0


@pytest.mark.parametrize("bad", [b"nonsense", None])
def test_the_brake_stops_before_a_run_of_bad_messages_is_written(world: World, bad: bytes | None) -> None:
    world.brake = BrakeLimits(run_max=20)
    world.publish(event("order-1", 1), partition=0)
    with world.running() as running:
        world.wait_for_events(1)
        running.stop()
    for _ in range(25):
        world.send(bad, partition=0)
    world.publish(event("order-1", 2), partition=0)
    with world.running() as running:
        failure = running.wait_for_end()
    assert isinstance(failure, BrakeError)
    assert "in a row can't be used" in str(failure)
    assert world.order()["revision"] == 1
    # A batch may begin inside the run: what was written before the brake saw enough stays below its limit.
    ((letters,),) = world.rows("select count(*) from dead_letter")
    assert letters < 20
    # Started anew, it stops at the same offsets: nothing trickles into the dead letters.
    with world.running(batch_messages_max=3) as again:
        refused = again.wait_for_end()
    assert isinstance(refused, BrakeError)
    assert "stopped the service before" in str(refused)
    assert refused.spans == failure.spans
    assert world.rows("select count(*) from dead_letter") == [(letters,)]


def test_the_brake_stops_at_a_share_of_bad_messages(world: World) -> None:
    world.brake = BrakeLimits(run_max=1_000, window_messages=60, share_max=0.3)
    for number in range(40):
        world.send(world.encode(event(f"order-{number}", 1)), b"order-%d" % number, partition=0)
        world.send(b"nonsense", partition=0)
    world.flush()
    with world.running() as running:
        failure = running.wait_for_end()
    assert isinstance(failure, BrakeError)
    assert "messages can't be used" in str(failure)


# The embedded broker deletes no records.
@pytest.mark.usefixtures("real_kafka")
def test_retention_that_passed_the_stored_offset_stops_the_consumer(world: World) -> None:
    with world.running():
        world.publish(event("order-1", 1), partition=0)
        world.wait_for_events(1)
    world.publish(event("order-1", 2), event("order-1", 3), partition=0)
    admin = AdminClient({"bootstrap.servers": world.bootstrap_servers})
    _delete_records(admin, world.orders_topic, 2)
    with world.running() as running:
        failure = running.wait_for_end()
    assert isinstance(failure, OffsetLostError)
    assert "the log begins at 2, but 1 comes next: retention" in str(failure)
    assert world.order()["revision"] == 1


# The embedded broker answers to any offset.
@pytest.mark.usefixtures("real_kafka")
def test_a_log_that_ends_before_the_stored_offset_stops_the_consumer(world: World) -> None:
    with world.running():
        world.publish(event("order-1", 1), partition=0)
        world.wait_for_events(1)
    world.execute(
        "update partition_offset set next_offset = 99 where topic = %s and partition = 0", [world.orders_topic]
    )
    with world.running() as running:
        failure = running.wait_for_end()
    assert isinstance(failure, OffsetLostError)
    assert "the log doesn't have the offset that comes next" in str(failure)


def test_a_topic_created_anew_stops_the_consumer(world: World) -> None:
    with world.running():
        world.publish(*[event(f"order-{number}", 1) for number in range(9)])
        world.wait_for_events(9)
    admin = AdminClient({"bootstrap.servers": world.bootstrap_servers})
    admin.delete_topics([world.orders_topic])[world.orders_topic].result(10)
    wait_until(lambda: world.orders_topic not in admin.list_topics(timeout=10).topics)
    admin.create_topics([NewTopic(world.orders_topic, 4, 1)])[world.orders_topic].result(10)
    with world.running() as running:
        failure = running.wait_for_end()
    assert isinstance(failure, OffsetLostError)
    assert "deleted and created anew" in str(failure)
    # As the message says: an operator decides where to go on.
    world.execute("update partition_offset set next_offset = 0, topic_id = null where topic = %s", [world.orders_topic])
    with world.running():
        world.publish(event("order-1", 2))
        world.wait_for_events(1)
        wait_until(lambda: world.order()["revision"] == 2)


def test_a_retry_topic_created_anew_is_no_reason_to_stop(world: World) -> None:
    with world.running() as running:
        world.publish(event("order-1", 1))
        world.wait_for_events(1)
    world.execute(
        "update partition_offset set next_offset = 77, topic_id = 'other' where topic = %s", [world.retry_topic]
    )
    with world.running() as running:
        world.send(None, b"order-1", topic=world.retry_topic)
        world.flush()
        wait_until(lambda: sum(running.metrics.counts[f"retries {what}"] for what in ("due", "unchanged")) == 1)
    assert running.failure is None


def test_the_embedded_broker_will_do(embedded: EmbeddedBroker, database_url: str, schemas: Schemas) -> None:
    admin = AdminClient({"bootstrap.servers": embedded.bootstrap_servers})
    for future in admin.create_topics([NewTopic("orders", 4, 1), NewTopic("retry", 1, 1)]).values():
        future.result(10)
    world = World(embedded.bootstrap_servers, database_url, "orders", "retry", schemas)
    # It doesn't finish a cooperative rebalance: the second member stays without partitions.
    world.kafka_config = {"partition.assignment.strategy": "range"}
    world.publish(*[event(f"order-{number}", 1) for number in range(100)])
    assert (world.lag().messages, world.lag().held) == (100, 0)
    with world.running(owner="alone") as alone:
        assert world.lag().is_known
        world.wait_for_events(100)
        world.wait_until_caught_up()
    with world.running(owner="first") as first:
        world.publish(event("order-1", 2))
        world.wait_for_events(101)
        with world.running(owner="second") as second:
            wait_until(lambda: second.metrics.counts["assigned"] > 0)
            world.publish(*[event(f"order-{number}", 3) for number in range(100)])
            world.wait_for_events(201)
    assert (alone.failure, first.failure, second.failure) == (None, None, None)
    assert world.rows("select sum(revision)::bigint from orders") == [(201,)]


@pytest.fixture
def embedded() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as broker:
        yield broker


def _delete_records(admin: AdminClient, topic: str, before: int) -> None:
    for future in admin.delete_records([TopicPartition(topic, 0, before)]).values():
        future.result(10)
