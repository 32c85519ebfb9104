"""What lies in a log, on real Apache Kafka: messages, markers, what is open, gone or forbidden."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from consumer.projection import LogReader, Reason
from consumer.projection.lag.log_reader import MESSAGES_READ_MAX
from consumer.projection.lag.measure import Tail
from consumer.projection.lag.watch import Lag, LagLedger
from tests.fixtures.kafka import ApacheKafka, CreateTopic
from tests.fixtures.proxy import TcpProxy
from tests.fixtures.rights import reading_forbidden
from tests.projection.world import wait_until

_SECONDS = 30.0
_PLACE = 0


class Log:
    """One topic of one partition, looked at by one reader, with what was projected in `next_offset`."""

    def __init__(self, bootstrap_servers: str, reader: LogReader, topic: str) -> None:
        self.topic = topic
        self.next_offset = 0
        self.bootstrap_servers = bootstrap_servers
        self._reader = reader
        self._ledger = LagLedger()
        self._now = 0.0

    def tail(self) -> Any:
        (found,) = self._reader.look([self.topic], {(self.topic, _PLACE): self.next_offset}).values()
        return found.partitions[_PLACE]

    def lag(self, seconds_later: float = 0.0) -> Lag:
        self._now += seconds_later
        found = self._reader.look([self.topic], {(self.topic, _PLACE): self.next_offset})
        return self._ledger.note(found, now=self._now, wall_now=self._now)

    def send(self, count: int = 1, *, by: Producer | None = None) -> None:
        producer = by or Producer({"bootstrap.servers": self.bootstrap_servers})
        for number in range(count):
            producer.produce(self.topic, value=b"%d" % number, timestamp=1_000 + number)
        assert producer.flush(_SECONDS) == 0

    def transactions(self) -> Producer:
        producer = Producer({"bootstrap.servers": self.bootstrap_servers, "transactional.id": self.topic})
        producer.init_transactions(_SECONDS)
        return producer


@pytest.fixture
def log(real_kafka: ApacheKafka, create_topic: CreateTopic) -> Iterator[Log]:
    with closing(LogReader(real_kafka.bootstrap_servers, {}, "lag-test")) as reader:
        # The messages' times are of 1970: by default they would be too old to be kept.
        topic = create_topic("log", partitions=1, retention_ms="-1")
        yield Log(real_kafka.bootstrap_servers, reader, topic)


def test_plain_messages_are_counted_from_the_next_offset_on(log: Log) -> None:
    assert log.tail() == Tail(0, 0, 0)
    log.send(5)
    assert log.tail() == Tail(5, 0, 5, oldest=0, written_at=1.0)
    log.next_offset = 3
    assert log.tail() == Tail(2, 0, 5, oldest=3, written_at=1.003)
    log.next_offset = 5
    assert log.tail() == Tail(0, 0, 5)


def test_markers_are_no_messages_however_many_they_are(log: Log) -> None:
    producer = log.transactions()
    for _ in range(20):
        producer.begin_transaction()
        log.send(by=producer)
        producer.commit_transaction(_SECONDS)
    assert log.tail() == Tail(20, 0, 40, oldest=0, written_at=1.0)
    # After the last message there is its marker, and nothing to project.
    log.next_offset = 39
    assert log.tail() == Tail(0, 0, 40)


def test_what_was_aborted_is_no_message(log: Log) -> None:
    producer = log.transactions()
    producer.begin_transaction()
    log.send(7, by=producer)
    producer.abort_transaction(_SECONDS)
    assert log.tail() == Tail(0, 0, 8)
    log.send(1)
    assert log.tail() == Tail(1, 0, 9, oldest=8, written_at=1.0)


def test_what_lies_behind_an_open_transaction_is_lag_that_grows(log: Log) -> None:
    log.send(2)
    producer = log.transactions()
    producer.begin_transaction()
    log.send(3, by=producer)
    # Committed, and yet nobody can read it before the open one ends.
    log.send(1)
    assert log.tail() == Tail(2, 4, 6, oldest=0, written_at=1.0)
    log.next_offset = 2
    assert log.tail() == Tail(0, 4, 6, oldest=2, written_at=1.0)
    first, second = log.lag().of(log.topic), log.lag(60.0).of(log.topic)
    assert (first.messages, first.held, second.messages, second.held) == (4, 4, 4, 4)
    assert second.seconds >= first.seconds + 59.0
    producer.abort_transaction(_SECONDS)
    wait_until(lambda: log.tail() == Tail(1, 0, 7, oldest=5, written_at=1.0), lambda: str(log.tail()))
    log.next_offset = 6
    assert log.tail() == Tail(0, 0, 7)


def test_of_a_long_tail_the_rest_counts_as_its_offsets_do(log: Log) -> None:
    log.send(MESSAGES_READ_MAX * 3)
    assert log.tail() == Tail(MESSAGES_READ_MAX * 3, 0, MESSAGES_READ_MAX * 3, oldest=0, written_at=1.0)


def test_a_partition_that_nobody_ever_claimed_is_read_from_its_start(log: Log) -> None:
    log.send(4)
    with closing(LogReader(log.bootstrap_servers, {}, "lag-test")) as reader:
        assert reader.look([log.topic], {})[log.topic].partitions[0] == Tail(4, 0, 4, oldest=0, written_at=1.0)


def test_an_offset_that_the_log_does_not_have_is_told(log: Log) -> None:
    log.send(1)
    log.next_offset = 100
    for _ in range(2):
        fault = log.tail()
        assert (fault.reason, log.topic in fault.text) == (Reason.OFFSET_LOST, True)
    log.next_offset = 0
    assert log.tail().readable == 1


def test_a_topic_that_is_deleted_is_told_and_its_numbers_stay(log: Log, create_topic: CreateTopic) -> None:
    other = create_topic("other")
    log.send(3)
    known = log.lag(10.0).partitions
    admin = AdminClient({"bootstrap.servers": log.bootstrap_servers})
    admin.delete_topics([log.topic])[log.topic].result(_SECONDS)
    wait_until(lambda: bool(log.lag().faults))
    for _ in range(2):
        lost = log.lag(10.0)
        assert lost.faults[log.topic].reason == Reason.GONE
        assert f"Kafka has no topic {log.topic}" in lost.faults[log.topic].text
        assert lost.partitions == {place: lag._replace(is_known=False) for place, lag in known.items()}
    # The test's topics are deleted after it.
    admin.create_topics([NewTopic(log.topic, 1, 1)])[log.topic].result(_SECONDS)
    wait_until(lambda: not log.lag().faults)
    assert log.lag().of(log.topic) == (0, 0, 0.0, True)
    assert other


@pytest.mark.parametrize("is_hidden", [False, True], ids=["described", "hidden"])
def test_a_right_that_is_withdrawn_is_told_until_it_is_given_back(log: Log, *, is_hidden: bool) -> None:
    log.send(2)
    assert log.lag().of(log.topic).messages == 2
    with reading_forbidden(log.bootstrap_servers, log.topic, is_hidden=is_hidden):
        wait_until(lambda: bool(log.lag().faults))
        for _ in range(2):
            lost = log.lag()
            assert lost.faults[log.topic].reason == Reason.FORBIDDEN
            assert "Grant Describe and Read" in lost.faults[log.topic].text
            assert (lost.of(log.topic).messages, lost.of(log.topic).is_known) == (2, False)
        if not is_hidden:
            log.send(1)
    wait_until(lambda: not log.lag().faults)
    assert log.lag().of(log.topic).messages == (2 if is_hidden else 3)


def test_one_topic_that_is_missing_hides_no_other(log: Log) -> None:
    log.send(2)
    with closing(LogReader(log.bootstrap_servers, {}, "lag-test")) as reader:
        found = reader.look(["nowhere", log.topic], {})
    assert [fault.reason for fault in found["nowhere"].faults] == [Reason.GONE]
    assert found[log.topic].partitions[0] == Tail(2, 0, 2, oldest=0, written_at=1.0)


def test_brokers_that_are_away_are_told_and_found_again(log: Log, kafka_proxy: TcpProxy) -> None:
    log.send(2)
    with closing(LogReader(f"127.0.0.1:{kafka_proxy.port}", {}, "lag-test", answer_seconds=1.0)) as reader:
        assert reader.look([log.topic], {})[log.topic].faults == []
        kafka_proxy.cut()
        (fault,) = reader.look([log.topic, "other"], {})[log.topic].faults
        assert (fault.reason, "Kafka doesn't answer" in fault.text) == (Reason.AWAY, True)
        kafka_proxy.restore()
        wait_until(lambda: not reader.look([log.topic], {})[log.topic].faults)
