"""Several consumers, zombies, rebalances and crashes: every event counts once."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient

from consumer.database import connect
from consumer.orders import ChangeKind
from consumer.sandbox.broker import Broker, EmbeddedBroker
from tests.fixtures.parts import skip_without_apache_kafka
from tests.projection.world import World, event, wait_until

_ORDERS = 60
_EVENTS_EACH = 5


def _publish_many(world: World, first: int, last: int) -> None:
    for sequence in range(first, last + 1):
        kind = ChangeKind.INVOICE_SAVED if sequence == 1 else ChangeKind.PAYMENT_SAVED
        world.publish(*[event(f"order-{number}", sequence, kind) for number in range(_ORDERS)])


def _assert_each_counted_once(world: World, events_each: int) -> None:
    rows = world.rows("select distinct sequence, revision, missing::text from orders")
    assert rows == [(events_each, events_each, "{}")]
    assert world.rows("select count(*) from orders") == [(_ORDERS,)]
    assert world.rows("select count(*) from dead_letter") == [(0,)]


@pytest.mark.parametrize("config", [{}, {"partition.assignment.strategy": "range"}, {"group.protocol": "consumer"}])
def test_two_consumers_share_and_hand_over(world: World, kafka: Broker, config: dict[str, Any]) -> None:
    # The embedded broker knows the classic protocol and eager rebalances only.
    if "range" not in config.values() and isinstance(kafka, EmbeddedBroker):
        skip_without_apache_kafka()
    world.kafka_config = config
    with world.running(owner="first") as first:
        _publish_many(world, 1, 2)
        wait_until(lambda: first.metrics.counts["assigned"] > 0)
        with world.running(owner="second") as second:
            # The rebalance comes in the midst of the stream.
            _publish_many(world, 3, 4)
            wait_until(lambda: second.metrics.counts["assigned"] > 0)
            world.wait_for_events(_ORDERS * 4)
        _publish_many(world, 5, 5)
        world.wait_for_events(_ORDERS * 5)
    assert (first.failure, second.failure) == (None, None)
    _assert_each_counted_once(world, 5)
    owners = {owner for (owner,) in world.rows("select owner from partition_offset")}
    assert owners == {"first"}


def test_a_zombies_batch_matches_no_row(world: World) -> None:
    with world.running() as running:
        world.publish(event("order-1", 1), partition=0)
        world.wait_for_events(1)
        # Somebody else claims the partition, and has read on, while our consumer still believes that it owns it.
        world.execute("update partition_offset set epoch = epoch + 1, owner = 'other', next_offset = 2")
        world.publish(event("order-1", 2), event("order-1", 3), partition=0)
        wait_until(lambda: running.metrics.counts["fence lost"] == 1)
        world.publish(event("order-2", 1), partition=0)
    assert running.failure is None
    assert world.order("order-1")["sequence"] == 1
    assert world.rows("select count(*) from orders") == [(1,)]
    stored = world.rows(
        "select next_offset from partition_offset where topic = %s and partition = 0", [world.orders_topic]
    )
    assert stored == [(2,)]


def test_the_other_partitions_of_a_zombies_batch_are_written(world: World) -> None:
    with world.running() as running:
        wait_until(lambda: running.metrics.counts["assigned"] > 0)
        world.execute("update partition_offset set epoch = epoch + 1 where partition = 0")
        for number in range(8):
            world.send(world.encode(event(f"order-{number}", 1)), b"order-%d" % number, partition=number % 2)
        world.flush()
        world.wait_for_events(4)
        wait_until(lambda: running.metrics.counts["fence lost"] == 1)
    found = {order_id for (order_id,) in world.rows("select order_id from orders")}
    assert found == {"order-1", "order-3", "order-5", "order-7"}


def test_an_order_that_changed_under_the_fold_is_folded_again(world: World) -> None:
    with world.running() as running:
        world.publish(event("order-1", 1))
        world.wait_for_events(1)
        with connect(world.database_url, name="other", autocommit=False) as other:
            # Another consumer writes the same order, which came to it through another partition.
            other.execute("update orders set sequence = 2, revision = 2")
            world.publish(event("order-1", 3, ChangeKind.PAYMENT_SAVED), event("order-2", 1))
            waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and application_name = %s"
            wait_until(lambda: world.rows(waiting, ["hearlink-xero projection"]) == [(1,)])
            other.commit()
        world.wait_for_events(3)
        assert world.rows("select order_id, sequence, revision, missing::text from orders order by order_id") == [
            ("order-1", 3, 3, "{}"),
            ("order-2", 1, 1, "{}"),
        ]
        # What comes next is folded ahead again, upon what was really written.
        for sequence in (4, 5):
            world.publish(event("order-1", sequence), event("order-2", sequence - 2))
        world.wait_for_events(7)
        wait_until(lambda: running.metrics.counts["messages"] == 7)
    assert running.failure is None
    assert world.rows("select sequence, revision from orders order by order_id") == [(5, 5), (3, 3)]
    assert running.metrics.counts["events applied"] == 7


@pytest.mark.parametrize("point", ["projection.after_swap", "projection.before_commit", "projection.after_commit"])
def test_killed_at_any_point_each_event_still_counts_once(world: World, point: str, tmp_path: Path) -> None:
    # A killed member is missed soon.
    world.kafka_config = {"session.timeout.ms": 1_000, "heartbeat.interval.ms": 200}
    _publish_many(world, 1, _EVENTS_EACH)
    with _process(world, tmp_path, crash_point=f"{point}:1") as process:
        assert process.wait(40) == -signal.SIGKILL
    # Its successor is killed at its second batch.
    with _process(world, tmp_path, crash_point=f"{point}:2") as process:
        for sequence in (_EVENTS_EACH + 1, _EVENTS_EACH + 2):
            _publish_many(world, sequence, sequence)
            wait_until(lambda: process.poll() is not None or world.committed() == world.published)
        assert process.wait(40) == -signal.SIGKILL
    with world.running():
        world.wait_for_events(_ORDERS * (_EVENTS_EACH + 2))
    _assert_each_counted_once(world, _EVENTS_EACH + 2)
    passed = (tmp_path / "points").read_text().split()
    assert passed.count(point) >= 2


@pytest.mark.parametrize("config", [{}, {"partition.assignment.strategy": "range"}])
def test_a_frozen_process_wakes_up_as_a_zombie_and_finds_its_place(
    world: World, kafka: Broker, config: dict[str, Any], tmp_path: Path
) -> None:
    # The embedded broker knows eager rebalances only.
    if not config and isinstance(kafka, EmbeddedBroker):
        skip_without_apache_kafka()
    world.kafka_config = {"session.timeout.ms": 1_000, "heartbeat.interval.ms": 200, **config}
    with _process(world, tmp_path, crash_point="none") as process:
        _publish_many(world, 1, 1)
        world.wait_for_events(_ORDERS)
        process.send_signal(signal.SIGSTOP)
        with world.running(owner="successor") as successor:
            _publish_many(world, 2, 2)
            world.wait_for_events(_ORDERS * 2)
            process.send_signal(signal.SIGCONT)
            # It lost its partitions, joins again and gets some of them back.
            owned = "select count(*) from partition_offset where owner = 'process' and epoch > 2"
            wait_until(lambda: world.rows(owned)[0][0] > 0)
            _publish_many(world, 3, 3)
            world.wait_for_events(_ORDERS * 3)
        _publish_many(world, 4, 4)
        world.wait_for_events(_ORDERS * 4)
        process.terminate()
        assert process.wait(40) == 0
    assert successor.failure is None
    _assert_each_counted_once(world, 4)


def test_kafkas_offsets_are_a_mirror_that_nobody_believes(world: World) -> None:
    with world.running():
        world.publish(event("order-1", 1), partition=0)
        world.wait_for_events(1)
    reader = Consumer({"bootstrap.servers": world.bootstrap_servers, "group.id": world.group_id})
    (mirrored,) = reader.committed([TopicPartition(world.orders_topic, 0)], timeout=10)
    assert mirrored.offset == 1
    # Kafka is told a lie; the next start asks Postgres.
    reader.commit(offsets=[TopicPartition(world.orders_topic, 0, 0)], asynchronous=False)
    reader.close()
    with world.running() as running:
        world.publish(event("order-1", 2), partition=0)
        world.wait_for_events(2)
    assert running.metrics.counts["events repeated"] == 0
    assert world.order()["revision"] == 2


def test_kafka_is_told_where_postgres_stands_at_each_claim(world: World, tmp_path: Path) -> None:
    """Who looks at the group after a kill is told the truth, also while no event comes."""
    world.kafka_config = {"session.timeout.ms": 1_000, "heartbeat.interval.ms": 200}
    world.publish(event("order-1", 1), event("order-2", 1), event("order-3", 1), partition=0)
    with _process(world, tmp_path, crash_point="projection.after_commit:1") as process:
        assert process.wait(40) == -signal.SIGKILL
    assert world.committed() == 3
    assert _committed_by_group(world).get(0) != 3
    with world.running():
        wait_until(lambda: _committed_by_group(world).get(0) == 3)


def _committed_by_group(world: World) -> dict[int, int]:
    """What `kafka-consumer-groups` shows of the orders topic."""
    admin = AdminClient({"bootstrap.servers": world.bootstrap_servers})
    asked = [ConsumerGroupTopicPartitions(world.group_id)]
    (answer,) = admin.list_consumer_group_offsets(asked).values()
    partitions = answer.result().topic_partitions
    return {place.partition: place.offset for place in partitions if place.topic == world.orders_topic}


@contextmanager
def _process(world: World, folder: Path, *, crash_point: str) -> Iterator[subprocess.Popen[bytes]]:
    settings = {**world.settings(owner="process").__dict__}
    del settings["brake"]
    environment = {**os.environ, "CRASH_POINT": crash_point, "CRASH_POINTS_FILE": str(folder / "points")}
    command = [sys.executable, "-m", "tests.projection.process", json.dumps(settings)]
    process = subprocess.Popen(command, env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
