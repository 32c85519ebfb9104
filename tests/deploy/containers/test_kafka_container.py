"""The tests' Kafka in a container, where an engine has its image; where it hasn't, the tests find another."""

from contextlib import ExitStack

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.deploy.containers.engine import images_asked_for, needs_engine
from tests.fixtures import apache_kafka, kafka, kafka_container
from tests.fixtures.apache_kafka import KafkaBroker
from tests.fixtures.kafka_container import IMAGE, KafkaContainer

pytestmark = pytest.mark.timeout(300)


def test_the_tests_and_compose_ask_for_the_same_kafka() -> None:
    assert images_asked_for()["kafka"] == IMAGE


def test_kafka_in_a_container_keeps_its_data_over_a_kill() -> None:
    needs_engine(IMAGE)
    with KafkaContainer() as broker:
        admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
        admin.create_topics([NewTopic("t", 1, 1)])["t"].result(30)
        _publish(broker, b"before")
        broker.kill()
        broker.start()
        _publish(broker, b"after")
        assert _read(broker, 2) == [b"before", b"after"]


def test_an_engine_that_cannot_have_the_image_leaves_kafka_to_java(monkeypatch: pytest.MonkeyPatch) -> None:
    needs_engine()
    if not apache_kafka.is_available():
        pytest.skip("needs Java 17 and Maven: apt-get install default-jre-headless maven")
    monkeypatch.setattr(kafka_container, "IMAGE", "localhost:9/no/kafka:0.0.0")
    with ExitStack() as stack:
        broker, remarks = kafka._start_broker(stack)
        assert isinstance(broker, KafkaBroker)
    (remark,) = remarks
    assert remark.startswith("localhost:9/no/kafka:0.0.0 is not on the container engine, and can't be pulled: ")


def _publish(broker: KafkaContainer, value: bytes) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    producer.produce("t", value)
    assert producer.flush(60) == 0


def _read(broker: KafkaContainer, count: int) -> list[bytes | None]:
    consumer = Consumer(
        {"bootstrap.servers": broker.bootstrap_servers, "group.id": "g", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe(["t"])
    messages = consumer.consume(count, 60)
    consumer.close()
    return [message.value() for message in messages]
