"""How far the projection is behind: the one way of finding out, for the service itself, its metrics and `status`.

log_reader   Kafka, looked at from outside of the group: what lies in a log after an offset
stored       Postgres: where each partition's projection stands
measure      from both to lag in events and in seconds; pure
watch        the two threads that keep looking, whatever the projection waits for
"""

from consumer.projection.lag.log_reader import LogReader, TopicTail
from consumer.projection.lag.measure import Fault, PartitionLag, Reason, Tail
from consumer.projection.lag.stored import stored_offsets
from consumer.projection.lag.watch import Lag, LagWatch, look_once

__all__ = [
    "Fault",
    "Lag",
    "LagWatch",
    "LogReader",
    "PartitionLag",
    "Reason",
    "Tail",
    "TopicTail",
    "look_once",
    "stored_offsets",
]
