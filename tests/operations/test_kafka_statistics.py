import time

import pytest
from confluent_kafka import Consumer

from consumer.operations.assembly import Assembly
from consumer.operations.health import JOIN_SECONDS, Health
from consumer.operations.kafka_statistics import read_statistics
from consumer.operations.metrics import Metrics
from consumer.operations.readiness import Role, Verdict
from consumer.operations.running import Running
from consumer.sandbox.broker import Broker
from tests.fixtures.kafka import CreateTopic

_BROKER = (
    '{"nodeid": %d, "source": "%s", "state": "UP", "rtt": {"avg": 2000, "p99": 9000}, "throttle": {"avg": 50}, '
    '"rxerrs": 3}'
)


def statistics(join_state: str) -> str:
    brokers = (
        f'{{"a": {_BROKER % (1, "learned")}, "b": {_BROKER % (-1, "configured")}, "c": {_BROKER % (1, "logical")}}}'
    )
    partitions = '{"0": {"fetchq_cnt": 7, "fetchq_size": 700}, "-1": {"fetchq_cnt": 9, "fetchq_size": 900}}'
    return (
        f'{{"cgrp": {{"join_state": "{join_state}", "rebalance_cnt": 2}}, "brokers": {brokers}, '
        f'"topics": {{"t": {{"partitions": {partitions}}}}}}}'
    )


def test_units_and_what_is_listed_twice() -> None:
    found = read_statistics(statistics("steady"))
    assert (found.is_joining, found.rebalances, found.queue_messages, found.queue_bytes) == (False, 2, 7, 700)
    assert found.brokers_connected == 1
    (broker,) = found.brokers.values()
    assert (broker.round_trip_seconds, broker.round_trip_p99_seconds, broker.throttle_seconds) == (0.002, 0.009, 0.05)
    assert broker.failures == {"send": 0, "receive": 3, "time_out": 0, "disconnect": 0}


def test_a_real_consumer_speaks_so(
    kafka: Broker, consumer_config: dict[str, str | int], create_topic: CreateTopic
) -> None:
    texts: list[str] = []
    topic = create_topic(partitions=2)
    consumer = Consumer({**consumer_config, "statistics.interval.ms": 100, "stats_cb": texts.append})
    # A member joins by polling alone: what is said before tells of a group that isn't settled.
    consumer.subscribe([topic], on_assign=lambda *_: None)
    time.sleep(0.5)
    until = time.monotonic() + 30
    while not (texts and not read_statistics(texts[-1]).is_joining) and time.monotonic() < until:
        consumer.poll(0.1)
    found = read_statistics(texts[-1])
    consumer.close()
    assert read_statistics(texts[0]).is_joining
    assert not found.is_joining, found
    assert found.brokers, kafka.description
    assert found.brokers_connected >= 1
    assert all(0 < broker.round_trip_seconds < 5 for broker in found.brokers.values() if broker.round_trip_seconds)


def test_failures_of_a_broker_are_counted_once() -> None:
    metrics = Metrics()
    for _ in range(3):
        metrics.statistics(statistics("steady"))
    name, labels = "hearlink_xero_broker_failures_total", {"broker": "1", "kind": "receive"}
    assert metrics.registry.get_sample_value(name, labels) == 3


def test_a_group_that_does_not_settle_is_stuck(parts: Assembly, monkeypatch: pytest.MonkeyPatch) -> None:
    running = Running([Role.PROJECTION], started_at=time.monotonic())
    health = Health(parts, running)
    monkeypatch.setattr(health, "_look_at_kafka", lambda: Verdict(ready=True))
    parts.metrics.rebalance("assigned", 1)
    parts.metrics.statistics(statistics("wait-sync"))
    assert health.liveness()[0]
    assert parts.metrics.joining_since is not None
    parts.metrics.joining_since -= JOIN_SECONDS + 1
    alive, answer = health.liveness()
    assert not alive
    assert "stuck in joining" in answer["projection"]["reason"]
    parts.metrics.statistics(statistics("steady"))
    assert health.liveness()[0]
