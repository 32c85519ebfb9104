"""What Kafka's client calls fatal ends the projection with words; a silent client would look alive."""

import pytest

from consumer.projection import ClientFailedError
from tests.fixtures.apache_kafka import KafkaBroker, is_available
from tests.fixtures.kafka import ApacheKafka
from tests.projection.world import World, event, wait_until


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_two_processes_with_one_group_instance_id(world: World, real_kafka: ApacheKafka, protocol: str) -> None:
    assert real_kafka.bootstrap_servers == world.bootstrap_servers
    world.kafka_config = {"group.instance.id": "the-same", "group.protocol": protocol}
    world.publish(event("order-1", 1))
    with world.running(owner="first") as first:
        world.wait_for_events(1)
        with world.running(owner="second") as second:
            # The old protocol fences the first, the new one refuses the second.
            wait_until(lambda: any(running.failure is not None for running in (first, second)))
            (failure,) = [running.failure for running in (first, second) if running.failure is not None]
    assert isinstance(failure, ClientFailedError)
    assert "uses the same group.instance.id. Give each process one of its own" in str(failure)


def test_a_broker_without_the_protocol_that_is_asked_for(world: World) -> None:
    if not is_available():
        pytest.skip("needs Apache Kafka, which needs Java 17 and Maven")
    with KafkaBroker({"group.coordinator.rebalance.protocols": "classic"}) as broker:
        world.bootstrap_servers = broker.bootstrap_servers
        world.kafka_config = {"group.protocol": "consumer"}
        with world.running() as running:
            failure = running.wait_for_end()
    assert isinstance(failure, ClientFailedError)
    assert "The brokers don't know what KAFKA_CONFIG asks for" in str(failure)
