import uuid
from collections import Counter
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, Message, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from consumer.sandbox.broker import Broker, EmbeddedBroker
from tests.fixtures.kafka import ApacheKafka, CreateTopic

PARTITIONS = 4
KEYS = [f"order-{number}" for number in range(200)]
GIVE_UP_AFTER_POLLS = 300
POLL_SECONDS = 0.1


@pytest.fixture(scope="module")
def embedded_broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as broker:
        yield broker


def test_embedded_broker_keeps_the_order_within_a_key(embedded_broker: EmbeddedBroker) -> None:
    topic = create_topic_on(embedded_broker)
    produce(embedded_broker, topic, [*KEYS, *KEYS])

    messages = consume(consumer_of(embedded_broker, topic), 2 * len(KEYS))

    assert Counter(key_of(message) for message in messages) == dict.fromkeys(KEYS, 2)
    values: dict[str, list[bytes | None]] = {}
    for message in messages:
        values.setdefault(key_of(message), []).append(message.value())
    for number, key in enumerate(KEYS):
        assert values[key] == [str(number).encode(), str(number + len(KEYS)).encode()]


def test_two_members_of_a_group_share_the_embedded_brokers_partitions(embedded_broker: EmbeddedBroker) -> None:
    topic = create_topic_on(embedded_broker)
    group = str(uuid.uuid4())
    members = [consumer_of(embedded_broker, topic, group=group) for _ in range(2)]

    for _ in range(GIVE_UP_AFTER_POLLS):
        for member in members:
            member.poll(POLL_SECONDS)
        owned = [{partition.partition for partition in member.assignment()} for member in members]
        if all(owned) and set.union(*owned) == set(range(PARTITIONS)):
            break
    for member in members:
        member.close()

    assert sorted(len(partitions) for partitions in owned) == [PARTITIONS // 2, PARTITIONS // 2]


def test_the_run_folder_of_the_embedded_broker_is_removed() -> None:
    with EmbeddedBroker() as broker:
        folder = broker._folder
        assert folder is not None
        assert folder.exists()
    assert not folder.exists()


def test_produces_and_consumes(kafka: Broker, create_topic: CreateTopic) -> None:
    topic = create_topic("orders")
    produce(kafka, topic, KEYS)

    messages = consume(consumer_of(kafka, topic), len(KEYS))

    assert {key_of(message) for message in messages} == set(KEYS)
    assert len({message.partition() for message in messages}) == PARTITIONS


def test_apache_kafka_keeps_its_data_over_a_stop_and_a_kill(own_kafka: ApacheKafka) -> None:
    topic = create_topic_on(own_kafka)
    produce(own_kafka, topic, KEYS[:100])
    own_kafka.stop()
    own_kafka.start()
    produce(own_kafka, topic, KEYS[100:])
    own_kafka.kill()
    own_kafka.start()

    messages = consume(consumer_of(own_kafka, topic), len(KEYS))

    assert {key_of(message) for message in messages} == set(KEYS)


def test_a_client_outlives_a_pause_of_apache_kafka(own_kafka: ApacheKafka) -> None:
    topic = create_topic_on(own_kafka)
    producer = Producer({"bootstrap.servers": own_kafka.bootstrap_servers})
    producer.produce(topic, key="before", value="1")
    assert producer.flush(10) == 0
    own_kafka.pause()
    producer.produce(topic, key="meanwhile", value="2")
    assert producer.flush(0.5) == 1
    own_kafka.resume()
    assert producer.flush(10) == 0


def test_apache_kafka_takes_members_of_the_new_group_protocol(own_kafka: ApacheKafka) -> None:
    topic = create_topic_on(own_kafka)
    produce(own_kafka, topic, KEYS)

    member = consumer_of(own_kafka, topic, **{"group.protocol": "consumer"})
    messages = consume(member, len(KEYS))

    assert {key_of(message) for message in messages} == set(KEYS)


def create_topic_on(broker: Broker) -> str:
    topic = f"orders.{uuid.uuid4()}"
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    admin.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result(15)
    return topic


def produce(broker: Broker, topic: str, keys: list[str]) -> None:
    """Write one message a key, numbered from 0 in its value."""
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "enable.idempotence": True})
    for number, key in enumerate(keys):
        producer.produce(topic, key=key, value=str(number))
    assert producer.flush(30) == 0


def consumer_of(broker: Broker, topic: str, *, group: str | None = None, **config: str) -> Consumer:
    consumer = Consumer(
        {
            "bootstrap.servers": broker.bootstrap_servers,
            "group.id": group or str(uuid.uuid4()),
            "auto.offset.reset": "earliest",
            **broker.client_config,
            **config,
        }
    )
    consumer.subscribe([topic])
    return consumer


def consume(consumer: Consumer, count: int) -> list[Message]:
    """Return the next `count` messages, fewer when they don't come; close the consumer."""
    messages: list[Message] = []
    for _ in range(GIVE_UP_AFTER_POLLS):
        messages += consumer.consume(count, POLL_SECONDS)
        if len(messages) >= count:
            break
    consumer.close()
    assert [message.error() for message in messages if message.error()] == []
    return messages


def key_of(message: Message) -> str:
    key = message.key()
    assert key is not None
    return key.decode() if isinstance(key, bytes) else key
