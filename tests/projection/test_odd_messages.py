"""Whatever a message holds, and whatever it does to its reader, concerns that message alone."""

import importlib
import subprocess
from typing import Any

import pytest

from consumer.contract import Decoder, RegistryUnavailableError
from consumer.orders import OrderEvent
from consumer.projection import BrakeLimits
from tests.fixtures.kafka import ApacheKafka
from tests.fixtures.parts import need_kcat
from tests.projection.world import World, event, wait_until

# A Java or Python client writes UTF-8 alone; kcat writes what it is given.
_BAD_NAME = b"\xff\xfe"


class StumblingDecoder(Decoder):
    """Raises for the events of some orders what nobody foresaw."""

    faults: dict[str, BaseException]

    def decode(self, value: bytes | None, trace_parent: str | None = None) -> OrderEvent:
        found = super().decode(value, trace_parent)
        fault = self.faults.get(found.order_id)
        if fault is not None:
            raise fault
        return found


def _send_with_bad_header(world: World, topic: str, key: bytes, value: bytes) -> None:
    need_kcat()
    subprocess.run(
        [
            *(b"kcat", b"-P", b"-b", world.bootstrap_servers.encode(), b"-t", topic.encode(), b"-p", b"0"),
            *(b"-k", key, b"-H", _BAD_NAME + b"=1", b"-H", b"good=2"),
            # A delimiter that no value holds: what is piped in is one message.
            *(b"-D", b"\x01\x02\x03end"),
        ],
        input=value,
        check=True,
        timeout=30,
    )


def test_a_header_name_that_is_no_utf8_does_no_harm(world: World, real_kafka: ApacheKafka) -> None:
    assert real_kafka.bootstrap_servers == world.bootstrap_servers
    # The interpreter calls what was called often in a quicker way, which checks less of what comes back.
    with world.running():
        world.publish(*[event("order-1", number) for number in range(1, 201)], partition=1)
        world.wait_for_events(200)
    _send_with_bad_header(world, world.orders_topic, b"order-1", world.encode(event("order-1", 201)))
    _send_with_bad_header(world, world.orders_topic, b"order-2", b"rubbish")
    _send_with_bad_header(world, world.retry_topic, b"order-1", b"rubbish")
    world.publish(event("order-3", 1), partition=0)
    with world.running():
        world.wait_for_events(203)
        wait_until(lambda: len(world.rows("select from dead_letter")) == 2)
    assert [row[0] for row in world.rows("select order_id from orders order by 1")] == ["order-1", "order-3"]
    letters = world.rows('select topic, partition, "offset", reason, headers from dead_letter order by topic')
    assert letters == [
        (world.orders_topic, 0, 1, "undecodable", []),
        (world.retry_topic, 0, 0, "undecodable", []),
    ]


@pytest.mark.parametrize(
    "fault",
    [RuntimeError("Ada Quill"), RecursionError(), MemoryError(), AssertionError(), KeyError("x"), SystemError()],
)
def test_what_nobody_foresaw_is_a_dead_letter_and_the_partition_goes_on(
    world: World, fault: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StumblingDecoder, "faults", {"order-2": fault}, raising=False)
    monkeypatch.setattr("tests.projection.world.Decoder", StumblingDecoder)
    for number in (1, 2, 3):
        world.publish(event(f"order-{number}", 1), partition=0)
    with world.running() as running:
        world.wait_for_events(3)
        wait_until(lambda: running.metrics.counts["events defect"] == 1)
    assert [row[0] for row in world.rows("select order_id from orders order by 1")] == ["order-1", "order-3"]
    ((reason, detail, order_id),) = world.rows("select reason, detail, order_id from dead_letter")
    assert (reason, order_id) == ("defect", "order-2")
    assert type(fault).__name__ in detail
    # What an exception says may be what the message holds.
    assert "Quill" not in detail


@pytest.mark.parametrize("place", ["folding.apply_event", "batch.check"])
@pytest.mark.parametrize("fault", [RuntimeError("Ada Quill"), RecursionError(), SystemError()])
def test_what_fails_behind_the_decoder_concerns_its_event_alone(
    world: World, place: str, fault: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of many events of a batch, in the middle of its order's."""
    module = importlib.import_module(f"consumer.projection.{place.partition('.')[0]}")
    name = place.partition(".")[2]
    right = getattr(module, name)

    def stumble(*arguments: Any, **more: Any) -> Any:
        found = next(argument for argument in arguments if isinstance(argument, OrderEvent))
        if (found.order_id, found.sequence) == ("order-2", 2):
            raise fault
        return right(*arguments, **more)

    monkeypatch.setattr(module, name, stumble)
    for number in range(1, 4):
        for sequence in (1, 2, 3):
            world.publish(event(f"order-{number}", sequence), partition=0)
    with world.running() as running:
        world.wait_for_events(9)
        wait_until(lambda: running.metrics.counts["events defect"] == 1)
    assert running.failure is None
    revisions = world.rows("select order_id, sequence from orders order by 1")
    assert revisions == [("order-1", 3), ("order-2", 3), ("order-3", 3)]
    ((reason, detail, order_id, offset),) = world.rows('select reason, detail, order_id, "offset" from dead_letter')
    assert (reason, order_id, offset) == ("defect", "order-2", 4)
    assert type(fault).__name__ in detail
    assert "Quill" not in detail


def test_too_much_that_nobody_foresaw_stops_the_consumer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        StumblingDecoder, "faults", {f"order-{number}": RuntimeError() for number in range(20)}, raising=False
    )
    monkeypatch.setattr("tests.projection.world.Decoder", StumblingDecoder)
    world.brake = BrakeLimits(run_max=10)
    world.publish(*[event(f"order-{number}", 1) for number in range(20)], partition=0)
    with world.running() as running:
        failure = running.wait_for_end()
    assert failure is not None
    assert "in a row" in str(failure)
    assert world.rows("select from dead_letter") == []


def test_a_registry_that_is_away_is_no_fault_of_a_message(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    faults: dict[str, BaseException] = {"order-1": RegistryUnavailableError("away")}
    monkeypatch.setattr(StumblingDecoder, "faults", faults, raising=False)
    monkeypatch.setattr("tests.projection.world.Decoder", StumblingDecoder)
    world.publish(event("order-1", 1))
    with world.running() as running:
        wait_until(lambda: running.metrics.counts["waiting registry"] > 0)
        faults.clear()
        world.wait_for_events(1)
    assert world.rows("select from dead_letter") == []
    _: Any = world.order()
