"""What librdkafka says about itself every few seconds, cut down to what somebody would look at. Pure."""

from typing import Any, NamedTuple

import msgspec

_MICROSECONDS = 1_000_000
_MILLISECONDS = 1_000


class BrokerStatistics(NamedTuple):
    """One broker; the counts only grow, as long as the client lives."""

    is_connected: bool
    round_trip_seconds: float
    round_trip_p99_seconds: float
    throttle_seconds: float
    failures: dict[str, int]


class KafkaStatistics(NamedTuple):
    """`is_joining`: the group is not settled. What lies fetched in memory and waits to be taken is in the queue."""

    join_state: str
    is_joining: bool
    rebalances: int
    queue_messages: int
    queue_bytes: int
    brokers: dict[str, BrokerStatistics]

    @property
    def brokers_connected(self) -> int:
        """How many brokers there is a connection to; 0 = Kafka is away."""
        return sum(broker.is_connected for broker in self.brokers.values())


def read_statistics(text: str) -> KafkaStatistics:
    """Read librdkafka's JSON (its STATISTICS.md says what is in it).

    Raises:
        msgspec.DecodeError: it is no JSON.
    """
    found: dict[str, Any] = msgspec.json.decode(text)
    group = found.get("cgrp", {})
    join_state = group.get("join_state", "")
    partitions = [
        partition
        for topic in found.get("topics", {}).values()
        for number, partition in topic.get("partitions", {}).items()
        if number != "-1"
    ]
    return KafkaStatistics(
        join_state=join_state,
        is_joining=join_state not in {"steady", ""},
        rebalances=group.get("rebalance_cnt", 0),
        queue_messages=sum(partition.get("fetchq_cnt", 0) for partition in partitions),
        queue_bytes=sum(partition.get("fetchq_size", 0) for partition in partitions),
        # Bootstrap servers and the coordinator are listed a second time, with a negative number.
        brokers={
            str(broker["nodeid"]): _broker(broker)
            for broker in found.get("brokers", {}).values()
            if broker.get("nodeid", -1) >= 0 and broker.get("source") != "logical"
        },
    )


def _broker(broker: dict[str, Any]) -> BrokerStatistics:
    round_trip = broker.get("rtt", {})
    return BrokerStatistics(
        is_connected=broker.get("state") == "UP",
        round_trip_seconds=round_trip.get("avg", 0) / _MICROSECONDS,
        round_trip_p99_seconds=round_trip.get("p99", 0) / _MICROSECONDS,
        throttle_seconds=broker.get("throttle", {}).get("avg", 0) / _MILLISECONDS,
        failures={
            "send": broker.get("txerrs", 0),
            "receive": broker.get("rxerrs", 0),
            "time_out": broker.get("req_timeouts", 0),
            "disconnect": broker.get("disconnects", 0),
        },
    )
