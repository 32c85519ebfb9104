import pytest

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
    require_topics,
    watch,
)
from consumer.operations.readiness import Role, look_at_topics, needed_topics


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


def test_published_messages_keep_bytes_and_headers(online: Configuration, topic: str) -> None:
    publish(online, [OutgoingMessage(topic, None, b"\x00\xff", (("mark", b"\x01"), ("empty", None)), 2)])
    (message,) = watch(online, topic, from_beginning=True, timeout_seconds=1.0)
    assert (message.partition(), message.key(), message.value()) == (2, None, b"\x00\xff")
    assert message.headers() == [("mark", b"\x01"), ("empty", None)]


@pytest.mark.usefixtures("real_kafka")
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
        require_topics(online, [online.topics.orders])
