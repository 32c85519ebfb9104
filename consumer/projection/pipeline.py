"""The writer's thread: it takes one batch at a time, while the poll thread reads the next one ahead."""

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import psycopg
import structlog
from psycopg import Connection

from consumer.contract import RegistryUnavailableError
from consumer.database import connect, is_outage
from consumer.database.crash import crash_point
from consumer.projection.batch import Batch, Segment
from consumer.projection.claims import Claim
from consumer.projection.errors import FoldError
from consumer.projection.folding import Written
from consumer.projection.metrics import ProjectionMetrics
from consumer.projection.preparation import Prepared
from consumer.projection.writer import (
    BatchWriter,
    FenceLostError,
    LostUpdateError,
    is_refusal,
    stored_offsets,
)

_LOG = structlog.get_logger()
_BACKOFF_FIRST_SECONDS = 0.1
_BACKOFF_MAX_SECONDS = 5.0


class Backoff:
    """Growing waits that an event can cut short."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._seconds = _BACKOFF_FIRST_SECONDS

    def wait(self) -> float:
        """Wait; return for how long."""
        seconds = self._seconds
        self._seconds = min(seconds * 2, _BACKOFF_MAX_SECONDS)
        self._stop.wait(seconds)
        return seconds


class Work(NamedTuple):
    """A batch, with what was folded ahead of it."""

    batch: Batch
    prepared: Prepared | None
    segments: int


@dataclass
class _Way:
    """How a batch is written: as it was prepared, else under locks, and at last in search of what fails."""

    prepared: Prepared | None
    carefully: bool = False


class Pipeline:
    """Writes batches in a thread of its own, in the order in which they were offered, one waiting at most.

    What ends the thread (a defect, the brake) is raised by the next `offer` or `check`.
    """

    def __init__(self, writer: BatchWriter, database_url: str, metrics: ProjectionMetrics) -> None:
        self._writer = writer
        self._database_url = database_url
        self._metrics = metrics
        self._condition = threading.Condition()
        self._waiting: Work | None = None
        # Grows whenever a batch isn't written as it was prepared: what was built upon it is worth nothing then.
        self.generation = 0
        self._is_busy = False
        self._failure: BaseException | None = None
        self._stop = threading.Event()
        # Held while a transaction is under way: who takes it knows that none is, and that none begins.
        self.transaction_lock = threading.Lock()
        self._committed: dict[tuple[str, int], int] = {}
        self._connection: Connection[Any] | None = None
        self._thread = threading.Thread(target=self._run, name="projection-writer")

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Let the transaction under way end, drop what waits, and end the thread."""
        self._stop.set()
        with self._condition:
            self._condition.notify_all()
        if self._thread.ident is not None:
            self._thread.join()

    def offer(self, work: Work, timeout_seconds: float) -> bool:
        """Hand `work` over; False = the place was still taken after `timeout_seconds`."""
        with self._condition:
            self._condition.wait_for(lambda: self._waiting is None or self._failure is not None, timeout_seconds)
            self._raise_failure()
            if self._waiting is not None:
                return False
            self._waiting = work
            self._condition.notify_all()
            return True

    def wait_until_idle(self, timeout_seconds: float) -> bool:
        """Wait until nothing waits and nothing is being written; False = that didn't come within `timeout_seconds`."""
        with self._condition:
            self._condition.wait_for(
                lambda: (self._waiting is None and not self._is_busy) or self._failure is not None, timeout_seconds
            )
            self._raise_failure()
            return self._waiting is None and not self._is_busy

    def forget(self) -> None:
        """Build on nothing that was written or folded so far: the database may have lost it."""
        with self.transaction_lock:
            self.generation += 1
            self._writer.forget()

    def check(self) -> None:
        """Raise what ended the thread, if anything did."""
        with self._condition:
            self._raise_failure()

    def note_claimed(self, claims: Iterable[Claim]) -> None:
        """Have Kafka told where Postgres stands, also where that is not what the group committed before it died."""
        with self._condition:
            self._committed.update({(claim.topic, claim.partition): claim.position for claim in claims})

    def take_committed(self) -> dict[tuple[str, int], int]:
        """Return the next offsets that were committed to Postgres, or claimed, since the last call, by partition."""
        with self._condition:
            committed, self._committed = self._committed, {}
            return committed

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            while (work := self._next()) is not None:
                self._write(work)
        except BaseException as error:  # noqa: BLE001 -- not swallowed: the poll thread raises it
            with self._condition:
                self._failure = error
                self._condition.notify_all()
        finally:
            if self._connection is not None:
                self._connection.close()

    def _next(self) -> Work | None:
        with self._condition:
            self._is_busy = False
            self._condition.notify_all()
            self._condition.wait_for(lambda: self._waiting is not None or self._stop.is_set())
            if self._stop.is_set():
                return None
            work, self._waiting = self._waiting, None
            self._is_busy = True
            self._condition.notify_all()
            return work

    def _write(self, work: Work) -> None:
        """Write a batch until it is written, or nothing of it is ours any more."""
        backoff = Backoff(self._stop)
        way = _Way(work.prepared)
        if work.prepared is not None and work.prepared.upsert.written.conflicts:
            # Folded upon what was known ahead; whether it is a conflict is to be said of the row as it is.
            self._give_up_prepared(way)
        while not self._stop.is_set():
            try:
                with self.transaction_lock:
                    segments = [segment for segment in work.batch.segments.values() if segment.claim.is_alive]
                    if len(segments) < work.segments:
                        self._give_up_prepared(way)
                    if segments:
                        self._attempt(segments, way)
            except FenceLostError:
                self._give_up_prepared(way)
                self._settle_fence(work.batch)
            except LostUpdateError:
                self._give_up_prepared(way)
                _LOG.info("order_changed_meanwhile", action="the batch is done again")
            except RegistryUnavailableError as error:
                self._wait("registry", backoff, error)
            except (FoldError, psycopg.Error) as error:
                self._give_up_prepared_or_wait(way, error, backoff)
            else:
                return

    def _give_up_prepared(self, way: "_Way") -> None:
        """Do the batch under locks, and tell whoever folded further batches upon it."""
        if way.prepared is not None and way.prepared.generation == self.generation:
            self.generation += 1
        way.prepared = None

    def _give_up_prepared_or_wait(self, way: "_Way", error: psycopg.Error | FoldError, backoff: Backoff) -> None:
        if isinstance(error, FoldError):
            _LOG.warning(
                "batch_not_folded", error=type(error.__cause__).__name__, action="looking for the event concerned"
            )
            self._give_up_prepared(way)
            way.carefully = True
        elif is_refusal(error) and not way.carefully:
            _LOG.warning("batch_refused", sqlstate=error.sqlstate, action="looking for the events concerned")
            self._give_up_prepared(way)
            way.carefully = True
        elif is_outage(error):
            self._disconnect()
            self._wait("postgres", backoff, error)
        else:
            raise error

    def _attempt(self, segments: list[Segment], way: "_Way") -> None:
        started = time.perf_counter()
        if self._connection is None:
            self._connection = connect(self._database_url, name="projection")
        is_valid = way.prepared is not None and way.prepared.generation == self.generation
        upsert = way.prepared.upsert if way.prepared is not None and is_valid else None
        written = self._writer.write(self._connection, segments, upsert, carefully=way.carefully)
        crash_point("projection.after_commit")
        self._note_committed(segments)
        self._tell(segments, written, time.perf_counter() - started)

    def _settle_fence(self, batch: Batch) -> None:
        """Find out which partitions are lost, and which were written by a commit whose answer got lost."""
        segments = [segment for segment in batch.segments.values() if segment.claim.is_alive]
        try:
            if self._connection is None:
                self._connection = connect(self._database_url, name="projection")
            stored = stored_offsets(self._connection, [segment.claim for segment in segments])
        except psycopg.Error as error:
            if not is_outage(error):
                raise
            self._disconnect()
            return
        for segment in segments:
            claim = segment.claim
            epoch, next_offset = stored.get((claim.topic, claim.partition), (None, None))
            if epoch == claim.epoch and next_offset == segment.next_offset:
                _LOG.info("commit_had_succeeded", topic=claim.topic, partition=claim.partition, next_offset=next_offset)
                self._note_committed([segment])
                del batch.segments[claim.topic, claim.partition]
            elif epoch is None or epoch < claim.epoch or (epoch == claim.epoch and next_offset != segment.first_offset):
                claim.move()
            elif epoch != claim.epoch:
                claim.fence()
                self._metrics.fence_lost(1)
                _LOG.warning(
                    "fence_lost",
                    topic=claim.topic,
                    partition=claim.partition,
                    our_epoch=claim.epoch,
                    epoch=epoch,
                    our_offset=segment.first_offset,
                    next_offset=next_offset,
                    action="its messages are left to the new owner",
                )

    def _note_committed(self, segments: list[Segment]) -> None:
        with self._condition:
            for segment in segments:
                claim = segment.claim
                claim.position = segment.next_offset
                self._committed[claim.topic, claim.partition] = segment.next_offset

    def _wait(self, part: str, backoff: Backoff, error: Exception) -> None:
        _LOG.warning("projection_waits", part=part, error=str(error).strip(), action="trying again by itself")
        self._metrics.waiting(reason=part, seconds=backoff.wait())

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _tell(self, segments: list[Segment], written: Written, seconds: float) -> None:
        outcomes = written.outcomes
        for letter in (letter for segment in segments for letter in segment.letters):
            if letter.topic == self._writer.orders_topic:
                outcomes[letter.reason] += 1
            else:
                written.retries[letter.reason] += 1
        for outcome, count in outcomes.items():
            self._metrics.events(str(outcome), count)
        for outcome, count in written.retries.items():
            self._metrics.retries(outcome, count)
        for letter in written.letters:
            _LOG.warning(
                "dead_letter",
                topic=letter.topic,
                partition=letter.partition,
                offset=letter.offset,
                reason=letter.reason,
                detail=letter.detail,
            )
        if outcomes["jumped"]:
            _LOG.warning("events_missing", jumps=outcomes["jumped"], action="see the column missing of orders")
        if written.newest_us:
            self._metrics.age(datetime.now(UTC).timestamp() - written.newest_us / 1_000_000)
        messages = sum(segment.message_count for segment in segments)
        # A batch without messages went past marks of transactions.
        (_LOG.info if messages else _LOG.debug)(
            "batch_written",
            messages=messages,
            orders=written.orders,
            outcomes={str(outcome): count for outcome, count in (outcomes + written.retries).items()},
            partitions=len(segments),
            seconds=round(seconds, 3),
        )
        self._metrics.batch(messages, written.orders, seconds)
