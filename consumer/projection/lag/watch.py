"""The independent look at the lag: it goes on whatever the projection waits for, and with whatever it still can see.

Two threads, because Postgres may hang without a word while Kafka answers: one reads where the projection stands, the
other looks at the logs with the last offsets that are known.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import psycopg
import structlog
from psycopg import Connection

from consumer.database import connect, is_outage
from consumer.projection.lag.log_reader import LogReader, Place, TopicTail
from consumer.projection.lag.measure import EndHistory, Fault, PartitionLag, Reason, Tail, measure
from consumer.projection.lag.stored import stored_offsets

LOOK_SECONDS = 5.0
# Before Postgres first answered.
_FIRST_SECONDS = 1.0
# A Postgres that answers does so in milliseconds; with one that hangs the last offsets hold.
_PATIENCE_SECONDS = 1.0
# Several looks and their time-outs: who has not looked for so long doesn't know.
STALE_SECONDS = 30.0

_LOG = structlog.get_logger()
_UNKNOWN_OFFSETS = Fault(Reason.NO_OFFSETS, "Postgres has not said yet where the projection stands.")


class Lag(NamedTuple):
    """What is known of the lag: by partition, and what is in the way, by topic (first fault; "" of what is well).

    Partitions stay when nothing more is known of them, with their last numbers.
    """

    partitions: Mapping[Place, PartitionLag]
    faults: Mapping[str, Fault]

    def of(self, topic: str) -> PartitionLag:
        """Return the sum of a topic's partitions: all messages, and the age of the oldest."""
        lags = [lag for (name, _), lag in self.partitions.items() if name == topic]
        return PartitionLag(
            messages=sum(lag.messages for lag in lags),
            held=sum(lag.held for lag in lags),
            seconds=max((lag.seconds for lag in lags), default=0.0),
            is_known=bool(lags) and topic not in self.faults and all(lag.is_known for lag in lags),
        )


class LagLedger:
    """Keeps what is known of each partition from look to look. No I/O, no clock."""

    def __init__(self) -> None:
        self._histories: defaultdict[Place, EndHistory] = defaultdict(EndHistory)
        self._partitions: dict[Place, PartitionLag] = {}
        self._faults: dict[str, Fault] = {}

    def note(self, found: Mapping[str, TopicTail], *, now: float, wall_now: float) -> Lag:
        """Take one look in, and return what is known by now."""
        for topic, tails in found.items():
            faults = tails.faults
            if faults:
                self._faults[topic] = faults[0]
            else:
                self._faults.pop(topic, None)
            known = {(topic, number): tail for number, tail in tails.partitions.items() if isinstance(tail, Tail)}
            for place in [place for place in self._partitions if place[0] == topic and place not in known]:
                self._partitions[place] = self._partitions[place]._replace(is_known=False)
            for place, tail in known.items():
                self._partitions[place] = measure(tail, self._histories[place], now=now, wall_now=wall_now)
        return Lag(dict(self._partitions), dict(self._faults))


def look_once(reader: LogReader, topics: Sequence[str], next_offsets: Mapping[Place, int]) -> Lag:
    """Return the lag as one look finds it.

    Raises:
        KafkaException: KAFKA_CONFIG can't be used.
    """
    found = reader.look(topics, next_offsets)
    return LagLedger().note(found, now=time.monotonic(), wall_now=time.time())


def nothing_known(topics: Sequence[str], fault: Fault, last: Lag | None = None) -> Lag:
    """Return `last` with nothing of it known any more, because of `fault`."""
    partitions = {} if last is None else {place: lag._replace(is_known=False) for place, lag in last.partitions.items()}
    return Lag(partitions, dict.fromkeys(topics, fault))


class LagWatch:
    """Looks every few seconds until told to stop. Its newest finding may be asked for from any thread."""

    def __init__(self, reader: LogReader, database_url: str, topics: Sequence[str]) -> None:
        self._reader = reader
        self._database_url = database_url
        self.topics = list(topics)
        self._stop = threading.Event()
        # Between the two threads: offsets are wanted, and were read, or could not be.
        self._asked = threading.Event()
        self._answered = threading.Event()
        self._ledger = LagLedger()
        self._offsets: dict[Place, int] | None = None
        self._no_offsets = _UNKNOWN_OFFSETS
        self._connection: Connection[Any] | None = None
        self._newest = nothing_known(self.topics, Fault(Reason.AWAY, "The logs have not been looked at yet."))
        self._looked_at: float | None = None

    def run(self, stop: threading.Event) -> None:
        """Look until `stop` is set. What is away is waited for.

        Raises:
            KafkaException: KAFKA_CONFIG can't be used.
        """
        self._stop = stop
        offsets = threading.Thread(target=self._keep_offsets, name="lag-offsets", daemon=True)
        offsets.start()
        try:
            while not stop.is_set():
                self.look()
                stop.wait(LOOK_SECONDS if self._offsets is not None else _FIRST_SECONDS)
        finally:
            self._asked.set()
            self._reader.close()
            # A Postgres that hangs is not waited for: the thread ends with the process.
            offsets.join(_PATIENCE_SECONDS)

    def look(self) -> None:
        """Look once at the logs, from the last known offsets on: they are asked for first, and not waited for long."""
        self._answered.clear()
        self._asked.set()
        self._answered.wait(_PATIENCE_SECONDS)
        offsets = self._offsets
        found = self._reader.look(self.topics, offsets or {}, self._stop)
        if self._stop.is_set():
            return
        if offsets is None:
            faults = {topic: tails.faults for topic, tails in found.items()}
            self._newest = Lag({}, {topic: (faults[topic] or [self._no_offsets])[0] for topic in self.topics})
        else:
            self._tell(self._ledger.note(found, now=time.monotonic(), wall_now=time.time()))
        self._looked_at = time.monotonic()

    def newest(self) -> Lag:
        """Return what the newest look found; all of it unknown where that is too long ago."""
        newest, looked_at = self._newest, self._looked_at
        if looked_at is None or (age := time.monotonic() - looked_at) <= STALE_SECONDS:
            return newest
        return nothing_known(self.topics, Fault(Reason.AWAY, f"The last look at the logs was {age:.0f} s ago."), newest)

    def read_offsets(self) -> None:
        """Ask Postgres once where the projection stands; while it is away the last answer holds: nothing moves."""
        try:
            if self._connection is None:
                self._connection = connect(self._database_url, name="lag")
            self._offsets = stored_offsets(self._connection, self.topics)
        except psycopg.Error as error:
            self._forget_connection()
            if not is_outage(error):
                # Before the tables are there, or without the right to read them: nothing holds.
                self._offsets = None
                self._no_offsets = Fault(
                    Reason.NO_OFFSETS, f"Postgres says: {str(error).strip().partition(chr(10))[0]}."
                )

    def _keep_offsets(self) -> None:
        while self._asked.wait() and not self._stop.is_set():
            self._asked.clear()
            self.read_offsets()
            self._answered.set()
        self._forget_connection()

    def _forget_connection(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _tell(self, lag: Lag) -> None:
        before, self._newest = self._newest.faults, lag
        for topic, fault in lag.faults.items():
            if before.get(topic) != fault:
                _LOG.warning("lag_unknown", topic=topic, reason=fault.reason.value, detail=fault.text)
        for topic in before.keys() - lag.faults.keys():
            _LOG.info("lag_known", topic=topic)
