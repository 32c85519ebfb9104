"""What the lag must not hide: events that wait where no part of ours has failed. Each is mended at its end."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient

from consumer.contract import Encoder, Registry, Schemas
from consumer.resources import schemas_folder
from tests.contract.samples import sample_event
from tests.deploy.live.work_faults import group_member
from tests.deploy.live.world import Faults, World
from tests.fixtures.rights import reading_forbidden

_SECONDS = 30.0


def end_with_markers(world: World) -> None:
    """Let each partition of the orders topic end with a marker, and with what was aborted: nothing to project."""
    producer = transactions(world, "quiet")
    topic = world.service.environment["ORDERS_TOPIC"]
    for partition in AdminClient(_brokers(world)).list_topics(topic, timeout=_SECONDS).topics[topic].partitions:
        producer.begin_transaction()
        producer.produce(topic, key=b"aborted", value=b"never read", partition=partition)
        producer.flush(_SECONDS)
        producer.abort_transaction(_SECONDS)


def transactions(world: World, name: str) -> Producer:
    topic = world.service.environment["ORDERS_TOPIC"]
    producer = Producer({**_brokers(world), "transactional.id": f"{topic}-{name}"})
    producer.init_transactions(_SECONDS)
    return producer


@contextmanager
def transaction_open(world: World) -> Iterator[None]:
    """A producer hangs in its transaction, and what others publish waits behind it."""
    producer = transactions(world, "open")
    producer.begin_transaction()
    topic = world.service.environment["ORDERS_TOPIC"]
    producer.produce(topic, key=b"hanging", value=b"never read", partition=0)
    producer.flush(_SECONDS)
    yield
    producer.abort_transaction(_SECONDS)
    world.service.wait_until_quiet()


@contextmanager
def registry_away(world: World) -> Iterator[None]:
    """The registry fails, and events come in a schema that nobody has asked it for yet."""
    registry = world.registry
    assert registry is not None
    topic = world.service.environment["ORDERS_TOPIC"]
    value = Encoder(Schemas.load(schemas_folder()), Registry(registry.url)).encode_event(topic, sample_event())
    # The same schema by another id: the projection must ask what it means.
    known_id = int.from_bytes(value[1:5], "big")
    new_id = max(registry.schemas) + 1
    registry.schemas[new_id] = registry.schemas[known_id]
    value = value[:1] + new_id.to_bytes(4, "big") + value[5:]
    registry.fault = (503, b"{}")
    producer = Producer(_brokers(world))
    for _ in range(93):
        producer.produce(topic, key=b"order-1", value=value)
    assert producer.flush(_SECONDS) == 0
    yield
    registry.fault = None
    world.wait(lambda: world.service.status()["lag"] == 0, "all is projected")


@contextmanager
def strangers_in_the_group(world: World) -> Iterator[None]:
    """Somebody reads with our group's name, and projects nothing."""
    with group_member(world) as stranger:
        world.wait(lambda: stranger.poll(0.1) is None and bool(stranger.assignment()), "a stranger with partitions")
        stop = threading.Event()
        thread = threading.Thread(target=_poll, args=[stranger, stop])
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def _poll(member: Consumer, stop: threading.Event) -> None:
    while not stop.is_set():
        member.poll(0.1)


@contextmanager
def right_withdrawn(world: World) -> Iterator[None]:
    environment = world.service.environment
    with reading_forbidden(environment["KAFKA_BOOTSTRAP_SERVERS"], environment["ORDERS_TOPIC"]):
        yield
    # Given back, it goes on by itself.
    world.send_orders()
    world.service.wait_until_quiet()


@contextmanager
def look_stuck(world: World) -> Iterator[None]:
    """See `tests.deploy.live.disturbed`."""
    sign = world.service.folder / "lag"
    sign.touch()
    yield
    sign.unlink()


@contextmanager
def topic_gone(world: World) -> Iterator[None]:
    """Somebody deletes the orders topic; nobody mends that here."""
    topic = world.service.environment["ORDERS_TOPIC"]
    admin = AdminClient(_brokers(world))
    admin.delete_topics([topic])[topic].result(_SECONDS)
    yield


def _brokers(world: World) -> dict[str, str | int | float | bool]:
    return {"bootstrap.servers": world.service.environment["KAFKA_BOOTSTRAP_SERVERS"]}


FAULTS: Faults = {
    "HearLinkXeroLagGrowing": transaction_open,
    "HearLinkXeroRegistryAway": registry_away,
    "HearLinkXeroNobodyReads": strangers_in_the_group,
    "HearLinkXeroTopicUnreadable": right_withdrawn,
    "HearLinkXeroLagUnknown": look_stuck,
}
# Afterwards nothing can be set up again.
LAST_FAULT: Faults = {"HearLinkXeroTopicUnreadable": topic_gone}
SHAKING = frozenset({"HearLinkXeroNobodyReads", "HearLinkXeroTopicUnreadable"})
