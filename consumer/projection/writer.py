"""One batch, one transaction: the swap of the offsets, then everything that the events change."""

import time
from typing import Any

import msgspec
import psycopg
import structlog
from confluent_kafka import Message
from psycopg import Connection

from consumer import results
from consumer.contract import MESSAGE_BYTES_MAX, DeadLetter, Encoder, check_texts
from consumer.database import load_queries
from consumer.database.crash import crash_point
from consumer.orders import FoldOutcome, ImpossibleEventError, OrderEvent
from consumer.projection.batch import Segment, dead_letter, headers_json
from consumer.projection.brake import Brake
from consumer.projection.brake_marks import load_marks, note_stop
from consumer.projection.claims import Claim
from consumer.projection.conflicts import hold, letters_of, undecided
from consumer.projection.errors import BrakeError, FoldError, RefusedEventError
from consumer.projection.folding import Upsert, Written, fold, load_orders
from consumer.projection.metrics import ProjectionMetrics

_QUERIES = load_queries(__file__, "queries.sql")
_LOG = structlog.get_logger()

# A message of the size that the contract allows travels whole; the dead-letter topic takes twice that, for what stands
# around it. The table has the bytes in any case.
_LETTER_VALUE_BYTES_MAX = MESSAGE_BYTES_MAX
# SQLSTATE classes of data that Postgres refuses: data exception, constraint violation, a limit of the program.
_REFUSAL_CLASSES = ("22", "23", "54")


class FenceLostError(Exception):
    """A swap matched too few rows: some of the partitions belong to someone else, or were written already."""


class LostUpdateError(Exception):
    """An order changed between its load and its write, through another partition; the batch is done again."""


class BatchWriter:
    """Writes segments. Dead letters go to their table, and by the outbox to `dead_letter_topic`."""

    def __init__(self, encoder: Encoder, dead_letter_topic: str, brake: Brake, metrics: ProjectionMetrics) -> None:
        self._encoder = encoder
        self._brake = brake
        self.orders_topic = brake.topic
        self._dead_letter_topic = dead_letter_topic
        self._metrics = metrics
        # Clinics that are registered for certain; a set of all that ever were would stay small as well.
        self._clinics: set[tuple[str, str]] = set()

    def forget(self) -> None:
        """Take nothing for certain that was written: the database may have lost it. No transaction is under way."""
        self._clinics.clear()

    def write(
        self, connection: Connection[Any], segments: list[Segment], prepared: Upsert | None, *, carefully: bool
    ) -> Written:
        """Write `segments` in one transaction; their orders as `prepared`, or else loaded and folded under locks.

        With `carefully`, events that can't be folded, or that Postgres refuses, are found by halving, and become dead
        letters.

        Raises:
            FenceLostError: not all partitions are ours, at the offsets where we are; nothing was written.
            LostUpdateError: do it again.
            FoldError: an event can't be folded; do it again, carefully.
            BrakeError: too many messages are bad; nothing was written.
            psycopg.Error: outage, refused data, or a defect.
            RegistryUnavailableError: dead letters can't be encoded at present.
        """
        try:
            return self._write(connection, segments, prepared, carefully=carefully)
        except BrakeError as stop:
            note_stop(connection, segments, stop)
            raise

    def _write(
        self, connection: Connection[Any], segments: list[Segment], prepared: Upsert | None, *, carefully: bool
    ) -> Written:
        written = Written()
        with connection.transaction():
            _swap(connection, segments)
            crash_point("projection.after_swap")
            if prepared is not None:
                self._upsert(connection, prepared)
                written.add(prepared.written)
            else:
                events = [event for segment in segments for event in segment.events]
                origins = [origin for segment in segments for origin in segment.origins]
                if carefully:
                    self._halve(connection, events, origins, written)
                elif events:
                    written.add(self._project(connection, events, origins))
            new_clinics = written.clinics - self._clinics
            self._register_clinics(connection, new_clinics)
            rung = self._ring(connection, segments, written)
            written.letters.extend(letter for segment in segments for letter in segment.letters)
            verdicts = self._judge(connection, segments, written.letters)
            has_conflicts = self._set_aside_conflicts(connection, written)
            self._bury(connection, written.letters)
            hold(connection, written.conflicts)
            if written.orders or rung or has_conflicts:
                connection.execute(_QUERIES["wake_sync"])
            crash_point("projection.before_commit")
        self._clinics |= new_clinics
        self._brake.accept(verdicts)
        return written

    def _judge(self, connection: Connection[Any], segments: list[Segment], letters: list[DeadLetter]) -> list[bool]:
        """Let the brake look at the events of this batch; return which of them were good.

        What a person let through is none of them: it counts neither as bad nor as good.
        """
        # A retry request is a doorbell that can be rung again: a bad one stops nobody.
        watched = [segment for segment in segments if segment.claim.topic == self._brake.topic]
        bad = [letter for letter in letters if letter.topic == self._brake.topic]
        if not bad:
            return [True] * sum(len(segment.events) for segment in watched)
        marks = load_marks(connection, watched)
        counted = [letter for letter in bad if not marks.is_released(letter)]
        verdicts: list[bool] = []
        for segment in watched:
            partition = segment.claim.partition
            left_out = {letter.offset for letter in bad if letter.partition == partition}
            is_good = dict.fromkeys((origin.offset() or 0 for origin in segment.origins), True)
            is_good = {offset: True for offset in is_good if offset not in left_out}
            is_good |= {letter.offset: False for letter in counted if letter.partition == partition}
            verdicts.extend(is_good[offset] for offset in sorted(is_good))
        self._brake.judge(verdicts, counted, marks.stops_of(counted))
        return verdicts

    def _set_aside_conflicts(self, connection: Connection[Any], written: Written) -> bool:
        """Add the letters of the conflicts that wait for a decision from now on; whether there are any.

        The brake has not seen them: each concerns its order alone, and a HearLink that was restored makes many.
        """
        if not written.conflicts:
            return False
        written.conflicts, known = undecided(connection, written.conflicts)
        letters = letters_of(written.conflicts)
        written.letters.extend(letters)
        written.outcomes.update({"conflict": len(letters), FoldOutcome.REPEATED: known})
        return bool(letters)

    def _project(self, connection: Connection[Any], events: list[OrderEvent], origins: list[Message]) -> Written:
        """Load the orders of `events`, fold, write them back; all at once."""
        started = time.perf_counter()
        order_ids = sorted({event.order_id for event in events})
        orders = load_orders(connection, order_ids, lock=True)
        self._metrics.phase("load", time.perf_counter() - started)
        upsert = fold(events, origins, orders, order_ids, self._metrics)
        self._upsert(connection, upsert)
        return upsert.written

    def _upsert(self, connection: Connection[Any], upsert: Upsert) -> None:
        if not upsert.written.orders:
            return
        started = time.perf_counter()
        if connection.execute(_QUERIES["upsert"], upsert.parameters).rowcount != upsert.written.orders:
            raise LostUpdateError
        self._metrics.phase("write", time.perf_counter() - started)

    def _halve(
        self, connection: Connection[Any], events: list[OrderEvent], origins: list[Message], written: Written
    ) -> None:
        """As `_project`, but what fails is narrowed down to single events, which become dead letters."""
        if not events:
            return
        try:
            with connection.transaction():
                written.add(self._project(connection, events, origins))
        except (psycopg.Error, FoldError) as error:
            if isinstance(error, psycopg.Error) and not is_refusal(error):
                raise
            if len(events) == 1:
                letter = dead_letter(origins[0], _fault(events[0], error), event=events[0])
                written.outcomes[letter.reason] += 1
                written.letters.append(letter)
                return
            middle = len(events) // 2
            self._halve(connection, events[:middle], origins[:middle], written)
            self._halve(connection, events[middle:], origins[middle:], written)

    def _register_clinics(self, connection: Connection[Any], clinics: set[tuple[str, str]]) -> None:
        if clinics:
            connection.execute(
                _QUERIES["register_clinics"],
                {
                    "organisation_ids": [clinic[0] for clinic in clinics],
                    "clinic_ids": [clinic[1] for clinic in clinics],
                },
            )

    def _ring(self, connection: Connection[Any], segments: list[Segment], written: Written) -> bool:
        """Make the orders of the retry requests due; whether any became due."""
        rings = [ring for segment in segments for ring in segment.rings]
        if not rings:
            return False
        rung = results.ring(connection, rings)
        asked = len({ring.order_id for ring in rings})
        written.retries.update(
            due=len(rung.due), unknown=len(rung.unknown), unchanged=asked - len(rung.due) - len(rung.unknown)
        )
        if rung.unknown:
            _LOG.warning("retry_of_unknown_orders", count=len(rung.unknown), order_ids=list(rung.unknown[:10]))
        return bool(rung.due)

    def _bury(self, connection: Connection[Any], letters: list[DeadLetter]) -> None:
        """Write dead letters to their table and, by the outbox, to their topic."""
        if not letters:
            return
        connection.execute(
            _QUERIES["dead_letters"],
            {
                "topics": [letter.topic for letter in letters],
                "partitions": [letter.partition for letter in letters],
                "offsets": [letter.offset for letter in letters],
                "timestamps": [letter.message_timestamp for letter in letters],
                "keys": [letter.key for letter in letters],
                "values": [letter.value for letter in letters],
                "headers": [headers_json(letter) for letter in letters],
                "organisation_ids": [letter.organisation_id for letter in letters],
                "order_ids": [letter.order_id for letter in letters],
                "reasons": [letter.reason for letter in letters],
                "details": [letter.detail for letter in letters],
                "dead_ats": [letter.dead_at for letter in letters],
            },
        )
        results.post(connection, [self._message(letter) for letter in letters])

    def _message(self, letter: DeadLetter) -> results.OutboxMessage:
        if letter.value is not None and len(letter.value) > _LETTER_VALUE_BYTES_MAX:
            letter = msgspec.structs.replace(letter, value=None)
        value = self._encoder.encode(self._dead_letter_topic, letter)
        return results.OutboxMessage(results.OutboxTopic.DEAD_LETTER, letter.key, value)


def stored_offsets(connection: Connection[Any], claims: list[Claim]) -> dict[tuple[str, int], tuple[int, int]]:
    """Return (epoch, next offset) of the claimed partitions, as Postgres has them now."""
    rows = connection.execute(
        _QUERIES["stored"],
        {
            "topics": [claim.topic for claim in claims],
            "partitions": [claim.partition for claim in claims],
        },
    ).fetchall()
    return {(topic, partition): (epoch, next_offset) for topic, partition, epoch, next_offset in rows}


def is_refusal(error: psycopg.Error) -> bool:
    """Whether Postgres refused the data themselves, so that another try of the same can't end otherwise."""
    # psycopg itself refuses a NUL in a text, and then there is no SQLSTATE.
    return isinstance(error, psycopg.DataError) or (error.sqlstate or "")[:2] in _REFUSAL_CLASSES


def _swap(connection: Connection[Any], segments: list[Segment]) -> None:
    matched = connection.execute(
        _QUERIES["swap"],
        {
            "topics": [segment.claim.topic for segment in segments],
            "partitions": [segment.claim.partition for segment in segments],
            "epochs": [segment.claim.epoch for segment in segments],
            "expected": [segment.first_offset for segment in segments],
            "next_offsets": [segment.next_offset for segment in segments],
            "last_offsets": [None if segment.last is None else segment.last.offset for segment in segments],
            "last_leader_epochs": [None if segment.last is None else segment.last.leader_epoch for segment in segments],
        },
    ).rowcount
    if matched != len(segments):
        raise FenceLostError


def _fault(event: OrderEvent, error: psycopg.Error | FoldError) -> Exception:
    """Return what is wrong with an event that could not be folded, or that Postgres refused."""
    if isinstance(error, FoldError):
        return error.__cause__ if isinstance(error.__cause__, Exception) else error
    try:
        check_texts(event)
    except ImpossibleEventError as impossible:
        return impossible
    # The message of Postgres itself may show the row, and with it the patient: the code says enough.
    constraint = f", {error.diag.constraint_name}" if error.diag.constraint_name else ""
    return RefusedEventError(
        f"Event {event.event_id} ({event.kind}) of order {event.order_id}: Postgres refuses it "
        f"({type(error).__name__}, SQLSTATE {error.sqlstate}{constraint}). Correct the event at its source, or the "
        "service's check of events if it should have been let in, and replay it."
    )
