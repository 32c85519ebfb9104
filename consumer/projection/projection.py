"""The poll loop: messages of the orders and the retry topic, in batches, to the writer; partitions come and go."""

import gc
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import psycopg
import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from psycopg import Connection

from consumer.contract import Decoder, Encoder, MessageDecoder, RegistryUnavailableError
from consumer.database import connect, is_outage, note_server
from consumer.projection.batch import Batch, PartitionEnd, Reader
from consumer.projection.brake import Brake
from consumer.projection.claims import Claim, Claimer, lost, recreated
from consumer.projection.client_errors import explain, is_fatal
from consumer.projection.errors import ClientFailedError, OwnershipError
from consumer.projection.kafka import check_error, consumer_properties, create_admin, create_consumer, is_incremental
from consumer.projection.metrics import NoMetrics, ProjectionMetrics
from consumer.projection.pipeline import Backoff, Pipeline, Work
from consumer.projection.preparation import Preparer
from consumer.projection.settings import ProjectionSettings
from consumer.projection.topic_watch import TopicWatch
from consumer.projection.writer import BatchWriter, stored_offsets

_LOG = structlog.get_logger()
# How long a quiet loop waits for a message; a message ends the wait at once.
_POLL_SECONDS = 0.2
# While the writer is behind for longer than this, the partitions are paused and the group is answered.
_PATIENCE_SECONDS = 1.0
_LOOK_SECONDS = 1.0
_COMPARE_SECONDS = 5.0
# A consumer that lost its group learns so within its session's time-out; after that, the group itself is at fault.
_FENCED_MAX_SECONDS = 60.0
# A batch is tens of thousands of small documents without a cycle among them. Python's defaults would search them for
# cycles a hundred times a batch, which takes as long as decoding them.
_GC_THRESHOLDS = (200_000, 20, 50)


class Projection:
    """Projects the orders topic into Postgres, and rings the doorbell of the retry topic, until told to stop."""

    def __init__(
        self,
        settings: ProjectionSettings,
        decoder: Decoder,
        messages: MessageDecoder,
        encoder: Encoder,
        metrics: ProjectionMetrics | None = None,
    ) -> None:
        self._settings = settings
        self._metrics = metrics or NoMetrics()
        self._reader = Reader(decoder, messages, settings.orders_topic)
        writer = BatchWriter(
            encoder, settings.dead_letter_topic, Brake(settings.orders_topic, settings.brake), self._metrics
        )
        self._pipeline = Pipeline(writer, settings.database_url, self._metrics)
        self._preparer = Preparer(settings.database_url, self._metrics)
        admin = create_admin(settings.bootstrap_servers, settings.kafka_config)
        self._topic_watch = TopicWatch(admin)
        self._claimer = Claimer(admin, settings.owner, settings.retry_topic)
        self._is_incremental = is_incremental(consumer_properties(settings))
        self._fatal: KafkaError | None = None
        self._consumer: Consumer = create_consumer(settings, self._metrics.statistics, self._on_client_error)
        self._claims: dict[tuple[str, int], Claim] = {}
        # What was received and not read yet, with the claims at its time: a message that came under a claim which is
        # gone must not count for a later one of the same partition, or what lies between would be skipped.
        self._inbox: deque[tuple[dict[tuple[str, int], Claim], list[Message | PartitionEnd]]] = deque()
        # Whether the partitions are paused, because the writer is behind.
        self.is_paused = False
        self._looked_at = 0.0
        self._compared_at = time.monotonic()
        self._stop = threading.Event()
        self._connection: Connection[Any] | None = None
        self.last_poll = time.monotonic()

    def run(self, stop: threading.Event) -> None:
        """Project until `stop` is set. Outages are waited for; nothing is skipped.

        Raises:
            ProjectionError: a person must act; the text says how.
            Exception: a defect. Whatever was not committed is read again after a restart.
        """
        self._stop = stop
        thresholds = gc.get_threshold()
        gc.set_threshold(*_GC_THRESHOLDS)
        self._pipeline.start()
        try:
            self._consumer.subscribe(
                [self._settings.orders_topic, self._settings.retry_topic],
                on_assign=self._on_assign,
                on_revoke=self._on_revoke,
                on_lost=self._on_lost,
            )
            while not stop.is_set():
                self._step()
        finally:
            self._close()
            gc.set_threshold(*thresholds)

    @property
    def reads(self) -> set[tuple[str, int]]:
        """The partitions, as (topic, partition), that are read here: claimed, and not lost since."""
        return {(claim.topic, claim.partition) for claim in list(self._claims.values()) if claim.is_alive}

    def _step(self) -> None:
        self._receive()
        if self._inbox:
            batch = Batch()
            self._decode(batch)
            if batch.goes_on:
                self._hand_over(batch)
        self._pipeline.check()
        self._commit_to_kafka()
        self._look_after_claims()
        self._look_after_topics()
        self._claim_what_was_moved()

    def _receive(self) -> None:
        """Wait for a message, then take what lies ready with it, without waiting for more."""
        started = time.perf_counter()
        self.last_poll = time.monotonic()
        self._resume()
        if not self._inbox:
            first = self._consumer.poll(_POLL_SECONDS)
            self._take([] if first is None else [first])
            if first is not None:
                self._take(self._consumer.consume(self._settings.batch_messages_max - 1, 0))
        self._metrics.phase("poll", time.perf_counter() - started)

    def _take(self, messages: list[Message]) -> None:
        if self._fatal is not None:
            raise ClientFailedError(explain(self._fatal))
        good: list[Message | PartitionEnd] = []
        for message in messages:
            error = message.error()
            if error is None:
                good.append(message)
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 -- its name
                good.append(PartitionEnd(message.topic() or "", message.partition() or 0, message.offset() or 0))
            else:
                self._on_message_error(message, error)
        if good:
            self._inbox.append((dict(self._claims), good))

    def _decode(self, batch: Batch) -> None:
        started = time.perf_counter()
        backoff = Backoff(self._stop)
        waited = False
        while self._inbox and not self._stop.is_set() and batch.message_count < self._settings.batch_messages_max:
            claims, messages = self._inbox[0]
            try:
                self._reader.read(messages, claims, batch)
                self._inbox.popleft()
            except RegistryUnavailableError as error:
                _LOG.warning("projection_waits", part="registry", error=str(error), action="trying again by itself")
                self._hold(backoff, "registry")
                waited = True
        if waited:
            self._metrics.resumed()
        self._metrics.phase("decode", time.perf_counter() - started)

    def _hand_over(self, batch: Batch) -> None:
        if self._pipeline.generation != self._preparer.generation:
            self._wait_for(self._pipeline.wait_until_idle)
            self._preparer.begin_anew(self._pipeline.generation)
        work = Work(batch, self._preparer.prepare(batch), len(batch.segments))
        self._wait_for(lambda seconds: self._pipeline.offer(work, seconds))

    def _wait_for(self, is_done: Callable[[float], bool]) -> None:
        """Wait for the writer; `is_done` waits for so many seconds. Meanwhile the group is answered."""
        started = time.perf_counter()
        while not self._stop.is_set() and not is_done(_PATIENCE_SECONDS):
            self._pause()
            self._poll_paused()
        self._metrics.phase("wait", time.perf_counter() - started)

    def _hold(self, backoff: Backoff, reason: str) -> None:
        self._pause()
        self._poll_paused()
        self._metrics.waiting(reason=reason, seconds=backoff.wait())

    def _poll_paused(self) -> None:
        """Answer the group, which asks for a poll now and then. What comes all the same is kept for later."""
        self.last_poll = time.monotonic()
        message = self._consumer.poll(0)
        self._take([] if message is None else [message])
        self._pipeline.check()
        self._commit_to_kafka()

    def _pause(self) -> None:
        # Repeated on purpose: partitions that were assigned meanwhile are paused as well.
        self._consumer.pause(self._consumer.assignment())
        self.is_paused = True

    def _resume(self) -> None:
        if self.is_paused:
            self._consumer.resume(self._consumer.assignment())
            self.is_paused = False

    def _commit_to_kafka(self, *, wait: bool = False) -> None:
        committed = self._pipeline.take_committed()
        if not committed:
            return
        offsets = [
            TopicPartition(topic, partition, offset)
            for (topic, partition), offset in committed.items()
            if (topic, partition) in self._claims
        ]
        if not offsets:
            return
        try:
            if wait:
                self._consumer.commit(offsets=offsets, asynchronous=False)
            else:
                self._consumer.commit(offsets=offsets, asynchronous=True)
        except KafkaException as error:
            # Only lag tools read it; Postgres has the truth.
            _LOG.info("offsets_not_mirrored", error=str(error))

    def _look_after_claims(self) -> None:
        now = time.monotonic()
        if now < self._looked_at + _LOOK_SECONDS:
            return
        self._looked_at = now
        for (topic, number), claim in self._claims.items():
            if claim.fenced_at is not None and now > claim.fenced_at + _FENCED_MAX_SECONDS:
                raise OwnershipError(
                    f"{topic}[{number}] was claimed by another consumer, yet the group still gives it to this one. Do "
                    "two groups (KAFKA_GROUP_ID) write to one database? Stop one of them, then start this one again."
                )

    def _look_after_topics(self) -> None:
        """Stop where the orders' topic is another one than was claimed; go on with another topic of retry requests."""
        others = self._topic_watch.others(self._claims.values())
        for claim in others:
            if not self._claimer.is_replaceable(claim):
                raise lost(claim, recreated(claim))
            claim.is_alive = False
        self._claim_anew(others, after_setback=False)

    def _claim_what_was_moved(self) -> None:
        """Go on from where Postgres stands where that isn't where we left it, as after a failover that lost something.

        Events that it lost with the offsets are read again; none would come by itself to a partition that is quiet, so
        the offsets are compared now and then.
        """
        now = time.monotonic()
        if now >= self._compared_at + _COMPARE_SECONDS:
            self._compared_at = now
            self._compare_offsets()
        moved = [claim for claim in self._claims.values() if claim.was_moved]
        if not moved:
            return
        _LOG.warning(
            "offsets_moved_in_postgres",
            partitions=[f"{claim.topic}[{claim.partition}]@{claim.position}" for claim in moved],
            action="claimed anew, to go on from where Postgres stands",
        )
        self._pipeline.forget()
        self._claim_anew(moved, after_setback=True)

    def _claim_anew(self, claims: list[Claim], *, after_setback: bool) -> None:
        partitions = [TopicPartition(claim.topic, claim.partition) for claim in claims]
        renewed = self._claim(self._consumer, partitions, after_setback=after_setback)
        self._adopt(renewed)
        for claim in renewed.values():
            self._consumer.seek(claim.place())

    def _adopt(self, claims: dict[tuple[str, int], Claim]) -> None:
        self._claims.update(claims)
        self._pipeline.note_claimed(claims.values())

    def _compare_offsets(self) -> None:
        claims = [claim for claim in self._claims.values() if claim.is_alive]
        # While a transaction is under way nobody can say where Postgres stands.
        if not claims or not self._pipeline.transaction_lock.acquire(blocking=False):
            return
        try:
            stored = stored_offsets(self._own_connection(), claims)
        except psycopg.Error as error:
            if not is_outage(error):
                raise
            self._forget_connection()
            return
        finally:
            self._pipeline.transaction_lock.release()
        for claim in claims:
            epoch, next_offset = stored.get((claim.topic, claim.partition), (0, 0))
            # Ahead of us: written by a commit whose answer got lost, which the writer finds out.
            if epoch < claim.epoch or (epoch == claim.epoch and next_offset < claim.position):
                claim.move()

    def _own_connection(self) -> Connection[Any]:
        if self._connection is None:
            self._connection = connect(self._settings.database_url, name="projection claims")
            note_server(self._connection)
        return self._connection

    def _forget_connection(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        claims = self._claim(consumer, partitions)
        self._adopt(claims)
        positions = [claim.place() for claim in claims.values() if claim.is_alive]
        if self._is_incremental:
            consumer.incremental_assign(positions)
        else:
            consumer.assign(positions)
        self._metrics.rebalance("assigned", len(partitions))
        _LOG.info(
            "partitions_assigned",
            partitions=[f"{claim.topic}[{claim.partition}]@{claim.position}" for claim in claims.values()],
        )

    def _claim(
        self, consumer: Consumer, partitions: list[TopicPartition], *, after_setback: bool = False
    ) -> dict[tuple[str, int], Claim]:
        """Claim until it succeeds: an outage of Postgres or Kafka is waited for. Who is to stop claims nothing."""
        backoff = Backoff(self._stop)
        while partitions and not self._stop.is_set():
            part = "kafka"
            try:
                watermarks = self._claimer.look(consumer, partitions)
                part = "postgres"
                claims = self._claimer.claim(self._own_connection(), watermarks, after_setback=after_setback)
            except (KafkaException, psycopg.Error) as error:
                if isinstance(error, psycopg.Error) and not is_outage(error):
                    raise
                _LOG.warning("claim_waits", part=part, error=str(error).strip(), action="trying again by itself")
            else:
                self._metrics.resumed()
                return claims
            self._forget_connection()
            self._metrics.waiting(reason=part, seconds=backoff.wait())
        return {}

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        # The transaction under way ends first; afterwards none can begin with these partitions.
        with self._pipeline.transaction_lock:
            self._drop(partitions)
        self._commit_to_kafka()
        self._unassign(consumer, partitions, "revoked")

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        # They belong to somebody else already, whose claim fences a write that is under way.
        self._drop(partitions)
        self._unassign(consumer, partitions, "lost")

    def _drop(self, partitions: list[TopicPartition]) -> None:
        for partition in partitions:
            claim = self._claims.get((partition.topic, partition.partition))
            if claim is not None:
                claim.is_alive = False

    def _unassign(self, consumer: Consumer, partitions: list[TopicPartition], kind: str) -> None:
        assigned = [part for part in partitions if self._claims.pop((part.topic, part.partition), None) is not None]
        if self._is_incremental:
            consumer.incremental_unassign(assigned)
        else:
            consumer.unassign()
        self._metrics.rebalance(kind, len(partitions))
        _LOG.info(
            "partitions_given_up", kind=kind, partitions=[f"{part.topic}[{part.partition}]" for part in partitions]
        )

    def _on_message_error(self, message: Message, error: KafkaError) -> None:
        place = f"{message.topic()}[{message.partition()}]"
        check_error(place, error)
        _LOG.warning("kafka_consumer_error", place=place, code=error.name(), error=explain(error))

    def _on_client_error(self, error: KafkaError) -> None:
        # librdkafka goes on trying by itself, unless it calls the error fatal: then it is silent from then on.
        if is_fatal(error):
            self._fatal = error
        _LOG.warning("kafka_client_error", code=error.name(), error=explain(error))

    def _close(self) -> None:
        self._pipeline.close()
        self._preparer.close()
        try:
            self._commit_to_kafka(wait=True)
            self._consumer.close()
        except KafkaException as error:
            _LOG.warning("consumer_not_closed_cleanly", error=str(error))
        if self._connection is not None:
            self._connection.close()
