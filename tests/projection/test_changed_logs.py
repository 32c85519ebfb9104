"""Topics and logs that are not what they were: what is in doubt stops the projection, and nothing is passed over."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from consumer.contract import Schemas
from consumer.projection import OffsetLostError
from tests.fixtures import apache_kafka
from tests.fixtures.apache_kafka import KafkaBroker
from tests.fixtures.kafka import ApacheKafka
from tests.projection.world import World, event, wait_until

_PROTOCOLS: list[dict[str, Any]] = [{}, {"partition.assignment.strategy": "range"}, {"group.protocol": "consumer"}]
_BATCH_HEAD = struct.Struct(">qi")


def _admin(world: World) -> AdminClient:
    return AdminClient({"bootstrap.servers": world.bootstrap_servers})


def _create(world: World, *topics: str) -> None:
    admin = _admin(world)
    for future in admin.create_topics([NewTopic(topic, 1, 1) for topic in topics]).values():
        future.result(15)


def _recreate(world: World, topic: str) -> None:
    admin = _admin(world)
    for future in admin.delete_topics([topic]).values():
        future.result(15)
    wait_until(lambda: topic not in admin.list_topics(timeout=10).topics)
    _create(world, topic)


def _numbers(first: int, last: int) -> list[Any]:
    return [event(f"order-{number}", 1) for number in range(first, last + 1)]


def _publish(world: World, first: int, last: int) -> None:
    """Each event in a batch of its own."""
    for one in _numbers(first, last):
        world.publish(one, partition=0)


def _projected(world: World) -> set[int]:
    return {int(name.removeprefix("order-")) for (name,) in world.rows("select order_id from orders")}


def _stored(world: World) -> tuple[Any, ...]:
    query = (
        "select next_offset, last_offset, last_leader_epoch from partition_offset where topic = %s and partition = 0"
    )
    rows = world.rows(query, [world.orders_topic])
    return rows[0] if rows else (0, None, None)


@pytest.fixture
def one_partition(world: World, real_kafka: ApacheKafka) -> World:  # noqa: ARG001 -- what the world is on
    """Topics of one partition each, on Apache Kafka."""
    world.orders_topic, world.retry_topic = f"{world.orders_topic}.one", f"{world.retry_topic}.one"
    _create(world, world.orders_topic, world.retry_topic)
    return world


@pytest.mark.parametrize("config", _PROTOCOLS)
def test_a_topic_created_anew_while_it_is_read_stops_the_projection(
    one_partition: World, config: dict[str, Any]
) -> None:
    world = one_partition
    world.kafka_config = config
    with world.running() as running:
        _publish(world, 1, 3)
        world.wait_for_events(3)
        _recreate(world, world.orders_topic)
        _publish(world, 11, 20)
        failure = running.wait_for_end()
    assert isinstance(failure, OffsetLostError)
    with world.running() as again:
        failure = again.wait_for_end()
    assert isinstance(failure, OffsetLostError)
    assert "the topic was deleted and created anew (its id was " in str(failure)
    # As the runbook says. Whatever was read of it already is known by its sequence.
    world.execute("delete from partition_offset where topic = %s", [world.orders_topic])
    with world.running():
        world.wait_for_events(10)
    assert _projected(world) == {1, 2, 3, *range(11, 21)}
    assert world.rows("select count(*) from dead_letter") == [(0,)]


def test_another_topic_of_retry_requests_is_gone_on_with(one_partition: World) -> None:
    world = one_partition
    with world.running() as running:
        _publish(world, 1, 1)
        world.wait_for_events(1)
        world.send(None, b"order-1", topic=world.retry_topic)
        world.flush()
        wait_until(lambda: running.metrics.counts["retries due"] == 1)
        _recreate(world, world.retry_topic)
        world.send(None, b"order-1", topic=world.retry_topic)
        world.flush()
        wait_until(lambda: running.metrics.counts["retries due"] == 2)
        _publish(world, 2, 2)
        world.wait_for_events(2)
    assert running.failure is None
    assert world.rows("select count(*) from setback where reason <> 'first'") == [(0,)]


@pytest.fixture
def broker() -> Iterator[KafkaBroker]:
    """A broker whose files can be reached: one in a container keeps them to itself."""
    if not apache_kafka.is_available():
        pytest.skip("needs Apache Kafka on the local JVM: Java 17 and Maven")
    with KafkaBroker() as started:
        yield started


@pytest.fixture
def own_world(broker: KafkaBroker, database_url: str, schemas: Schemas) -> World:
    world = World(broker.bootstrap_servers, database_url, "orders", "retry", schemas)
    _create(world, "orders", "retry")
    return world


def _cut_off(broker: KafkaBroker, topic: str, keep: int) -> None:
    """Leave no more than `keep` batches in the log, as an unclean election does, whose new leader was behind."""
    broker.kill()
    assert broker.folder is not None
    folder = broker.folder / "data" / f"{topic}-0"
    log = folder / f"{0:020d}.log"
    content, end = log.read_bytes(), 0
    for _ in range(keep):
        end += _BATCH_HEAD.size + int(_BATCH_HEAD.unpack_from(content, end)[1])
    log.write_bytes(content[:end])
    for index in (*folder.glob("*.index"), *folder.glob("*.timeindex"), *folder.glob("*.snapshot")):
        index.unlink()
    _forget_checkpoints(broker.folder / "data", f"{topic} 0 ")
    broker.start()


def _forget_checkpoints(folder: Path, mark: str) -> None:
    """Have the broker believe what is in the log alone."""
    for name in ("recovery-point-offset-checkpoint", "replication-offset-checkpoint"):
        path = folder / name
        lines = path.read_text().splitlines() if path.exists() else []
        if lines:
            rest = [line for line in lines[2:] if not line.startswith(mark)]
            path.write_text("\n".join([lines[0], str(len(rest)), *rest]) + "\n")


@pytest.mark.timeout(180)
@pytest.mark.parametrize("while_running", [True, False])
def test_a_log_that_was_cut_off_and_filled_again_stops_the_projection(
    own_world: World,
    broker: KafkaBroker,
    while_running: bool,  # noqa: FBT001 -- a parameter
) -> None:
    world = own_world
    with world.running() as running:
        _publish(world, 1, 10)
        world.wait_for_events(10)
        if while_running:
            _cut_off(broker, "orders", keep=7)
            _publish(world, 11, 16)
            failure = running.wait_for_end()
            assert isinstance(failure, OffsetLostError)
    assert _stored(world)[:2] == (10, 9)
    if not while_running:
        _cut_off(broker, "orders", keep=7)
        _publish(world, 11, 16)
    # By the offset alone nothing is wrong: the log has it. Over restarts it is told again.
    with world.running() as again:
        failure = again.wait_for_end()
    assert isinstance(failure, OffsetLostError)
    assert "orders[0]: the log was cut off and filled again: the last message that was read had offset 9" in str(
        failure
    )
    assert _projected(world) == set(range(1, 11))
    # As the words say: somebody looks up where the log was cut off.
    world.execute("update partition_offset set next_offset = 7 where topic = 'orders'")
    with world.running() as mended:
        wait_until(lambda: _stored(world)[0] == 13)
    assert mended.failure is None
    assert _projected(world) == set(range(1, 17))


def test_a_log_that_is_as_it_was_is_gone_on_with_under_another_leader(own_world: World, broker: KafkaBroker) -> None:
    world = own_world
    epochs = []
    for first in (1, 4, 7):
        with world.running() as running:
            _publish(world, first, first + 1)
            world.wait_for_events(first + 1 if first == 1 else len(_projected(world)))
            wait_until(lambda first=first: len(_projected(world)) == 2 * (first + 2) // 3)  # type: ignore[misc]
        assert running.failure is None
        epochs.append(_stored(world)[2])
        broker.kill()
        broker.start()
    assert epochs == sorted(set(epochs))


@pytest.mark.parametrize("ending", ["commit_transaction", "abort_transaction"])
def test_a_log_that_was_trimmed_behind_a_mark_of_a_transaction_has_lost_nothing(
    one_partition: World, ending: str
) -> None:
    world = one_partition
    producer = Producer({"bootstrap.servers": world.bootstrap_servers, "transactional.id": world.orders_topic})
    producer.init_transactions(20)
    with world.running():
        _transact(world, producer, "commit_transaction", 1, 3)
        _transact(world, producer, ending, 4, 4)
        low, high = _log(world)
        assert (low, high) == (0, 6)
        # The three events and a mark, then one that counts or not, and another mark.
        wait_until(lambda: _stored(world)[0] == high)
        world.wait_until_caught_up()
    admin = _admin(world)
    for future in admin.delete_records([TopicPartition(world.orders_topic, 0, high)]).values():
        future.result(15)
    assert _log(world) == (6, 6)
    with world.running() as again:
        _transact(world, producer, "commit_transaction", 5, 5)
        wait_until(lambda: 5 in _projected(world))
    assert again.failure is None
    assert _projected(world) == ({1, 2, 3, 4, 5} if ending == "commit_transaction" else {1, 2, 3, 5})


def _transact(world: World, producer: Producer, ending: str, first: int, last: int) -> None:
    producer.begin_transaction()
    for one in _numbers(first, last):
        producer.produce(world.orders_topic, world.encode(one), one.order_id.encode(), partition=0)
    producer.flush(20)
    getattr(producer, ending)(20)


def _log(world: World) -> tuple[int, int]:
    reader = Consumer({"bootstrap.servers": world.bootstrap_servers, "group.id": "looks only"})
    low, high = reader.get_watermark_offsets(TopicPartition(world.orders_topic, 0), timeout=10)
    reader.close()
    return low, high
