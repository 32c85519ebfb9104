import pytest
from confluent_kafka import Producer

from consumer.configuration import Configuration, read_configuration
from consumer.operations.kafka import (
    KafkaUnreachableError,
    MissingTopicError,
    NotDeliveredError,
    OutgoingMessage,
    admin_client,
    ensure_topics,
    existing_topics,
    publish,
    unread_messages,
    watch,
)
from consumer.operations.readiness import Role, look_at_topics, needed_topics
from consumer.sandbox.broker import Broker


@pytest.fixture
def topic(online: Configuration) -> str:
    ensure_topics(admin_client(online), online.topics, partitions=3)
    return online.topics.orders


def test_topics_are_created_once_and_left_alone(online: Configuration) -> None:
    admin = admin_client(online)
    assert set(ensure_topics(admin, online.topics, partitions=2).values()) == {True}
    assert set(ensure_topics(admin, online.topics, partitions=5).values()) == {False}
    assert existing_topics(admin)[online.topics.orders] == 2


def test_each_role_needs_its_topics_and_says_which_are_missing(online: Configuration) -> None:
    admin = admin_client(online)
    verdict = look_at_topics(admin, online.topics, [Role.PROJECTION])
    assert not verdict.ready
    assert online.topics.orders in verdict.reason
    assert online.topics.sync_log not in verdict.reason
    assert needed_topics(online.topics, [Role.PUSH]) == []
    ensure_topics(admin, online.topics, partitions=1)
    assert look_at_topics(admin, online.topics, list(Role)).ready


def test_unread_messages_are_counted_from_where_each_partition_stands(online: Configuration, topic: str) -> None:
    assert unread_messages(online, {}, [topic]) == {topic: 0}
    messages = [OutgoingMessage(topic, b"key", b"value", partition=0) for _ in range(30)]
    messages += [OutgoingMessage(topic, b"key", b"value", partition=1) for _ in range(5)]
    positions = publish(online, messages)
    assert [position.partition for position in positions] == [0] * 30 + [1] * 5
    assert len(set(positions)) == 35
    assert unread_messages(online, {}, [topic]) == {topic: 35}
    assert unread_messages(online, {(topic, 0): 10, (topic, 1): 5}, [topic, online.topics.retry]) == {
        topic: 20,
        online.topics.retry: 0,
    }


@pytest.mark.usefixtures("real_kafka")
def test_marks_of_a_transaction_are_no_messages(kafka: Broker, online: Configuration, topic: str) -> None:
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "transactional.id": topic})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(topic, key=b"key", value=b"value", partition=0)
    producer.commit_transaction(30)
    assert unread_messages(online, {}, [topic]) == {topic: 2}
    # The log ends one behind the message, at the mark, and yet nothing is left to read.
    assert unread_messages(online, {(topic, 0): 1}, [topic]) == {topic: 0}


def test_published_messages_keep_bytes_and_headers(online: Configuration, topic: str) -> None:
    publish(online, [OutgoingMessage(topic, None, b"\x00\xff", (("mark", b"\x01"), ("empty", None)), 2)])
    (message,) = watch(online, topic, from_beginning=True, timeout_seconds=1.0)
    assert (message.partition(), message.key(), message.value()) == (2, None, b"\x00\xff")
    assert message.headers() == [("mark", b"\x01"), ("empty", None)]


def test_what_does_not_arrive_is_an_error(online: Configuration, offline: Configuration, topic: str) -> None:
    with pytest.raises(NotDeliveredError, match="1 of 2 messages"):
        publish(online, [OutgoingMessage(topic, b"", b"x"), OutgoingMessage(topic, b"", b"x" * 2_000_000)])
    with pytest.raises(NotDeliveredError, match=r"1 of 1 messages.*it can't be reached.*refused"):
        publish(offline, [OutgoingMessage(topic, b"", b"x")], timeout_seconds=0.5)


def test_brokers_that_are_away_and_topics_that_are_missing_are_told_apart(online: Configuration) -> None:
    nowhere = read_configuration({"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"})
    with pytest.raises(KafkaUnreachableError, match="doesn't answer"):
        existing_topics(admin_client(nowhere), 0.5)
    with pytest.raises(MissingTopicError, match=online.topics.orders):
        unread_messages(online, {}, [online.topics.orders])
