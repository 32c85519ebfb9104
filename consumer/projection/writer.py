"""One batch, one transaction: the swap of the offsets, then everything that the events change."""

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import msgspec
import psycopg
import structlog
from confluent_kafka import Message
from psycopg import Connection

from consumer import results
from consumer.contract import DeadLetter, Encoder, check_texts
from consumer.database import load_queries
from consumer.database.crash import crash_point
from consumer.orders import ChangeKind, FoldOutcome, ImpossibleEventError, OrderEvent, ProjectedOrder, apply_event
from consumer.projection.batch import Segment, dead_letter, headers_json
from consumer.projection.brake import Brake
from consumer.projection.metrics import ProjectionMetrics
from consumer.projection.rows import Folded, columns, from_row

_QUERIES = load_queries(__file__, "queries.sql")
_LOG = structlog.get_logger()

# The dead-letter topic's broker takes messages of 1 MiB as the orders' does; with the rest of the record around it, a
# value of nearly that size would be refused. The table has the bytes in any case.
_LETTER_VALUE_BYTES_MAX = 900 * 1024
# SQLSTATE classes of data that Postgres refuses: data exception, constraint violation, a limit of the program.
_REFUSAL_CLASSES = ("22", "23", "54")


class FenceLostError(Exception):
    """A swap matched too few rows: some of the partitions belong to someone else, or were written already."""


class LostUpdateError(Exception):
    """An order appeared between its load and its write, through another partition; the batch is done again."""


@dataclass
class Written:
    """What a transaction did."""

    outcomes: Counter[str] = field(default_factory=Counter)
    retries: Counter[str] = field(default_factory=Counter)
    letters: list[DeadLetter] = field(default_factory=list)
    orders: int = 0
    clinics: set[tuple[str, str]] = field(default_factory=set)
    newest_us: int = 0


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

    def write(self, connection: Connection[Any], segments: list[Segment], *, carefully: bool) -> Written:
        """Write `segments` in one transaction.

        With `carefully`, events that Postgres refuses are found by halving, and become dead letters.

        Raises:
            FenceLostError: not all partitions are ours, at the offsets where we are; nothing was written.
            LostUpdateError: do it again.
            BrakeError: too many messages are bad; nothing was written.
            psycopg.Error: outage, refused data, or a defect.
            RegistryUnavailableError: dead letters can't be encoded at present.
        """
        written = Written()
        with connection.transaction():
            _swap(connection, segments)
            crash_point("projection.after_swap")
            events = [event for segment in segments for event in segment.events]
            origins = [origin for segment in segments for origin in segment.origins]
            if carefully:
                self._halve(connection, events, origins, written)
            elif events:
                self._project(connection, events, origins, written)
            new_clinics = written.clinics - self._clinics
            self._register_clinics(connection, new_clinics)
            rung = self._ring(connection, segments, written)
            written.letters.extend(letter for segment in segments for letter in segment.letters)
            verdicts = self._judge(segments, written.letters)
            self._bury(connection, written.letters)
            if written.orders or rung:
                connection.execute(_QUERIES["wake_sync"])
            crash_point("projection.before_commit")
        self._clinics |= new_clinics
        self._brake.accept(verdicts)
        return written

    def _judge(self, segments: list[Segment], letters: list[DeadLetter]) -> list[bool]:
        """Let the brake look at the events of this batch; return which of them were good."""
        if not letters:
            return [True] * sum(len(segment.events) for segment in segments)
        verdicts: list[bool] = []
        for segment in segments:
            place = (segment.claim.topic, segment.claim.partition)
            bad = {letter.offset for letter in letters if (letter.topic, letter.partition) == place}
            # A retry request is a doorbell that can be rung again: a bad one stops nobody.
            if place[0] == self._brake.topic:
                offsets = bad.union(origin.offset() or 0 for origin in segment.origins)
                verdicts.extend(offset not in bad for offset in sorted(offsets))
        self._brake.judge(verdicts)
        return verdicts

    def _project(
        self, connection: Connection[Any], events: list[OrderEvent], origins: list[Message], written: Written
    ) -> None:
        """Load the orders of `events`, fold, write them back; all at once."""
        started = time.perf_counter()
        order_ids = sorted({event.order_id for event in events})
        loaded = connection.execute(_QUERIES["load"], {"order_ids": order_ids}).fetchall()
        orders = {row[0]: from_row(row) for row in loaded}
        base_revisions = {order_id: order.revision for order_id, order in orders.items()}
        self._metrics.phase("load", time.perf_counter() - started)

        started = time.perf_counter()
        requested_by = _fold(events, origins, orders, written)
        folded = [
            Folded(orders[order_id], base_revisions.get(order_id, 0), requested_by.get(order_id))
            for order_id in order_ids
            if order_id in orders and orders[order_id].first_change_at_us is not None
        ]
        parameters = columns(folded)
        self._metrics.phase("fold", time.perf_counter() - started)
        if not folded:
            return
        started = time.perf_counter()
        if connection.execute(_QUERIES["upsert"], parameters).rowcount != len(folded):
            raise LostUpdateError
        written.orders += len(folded)
        written.clinics |= {(row.order.organisation_id, row.order.clinic_id) for row in folded}
        self._metrics.phase("write", time.perf_counter() - started)

    def _halve(
        self, connection: Connection[Any], events: list[OrderEvent], origins: list[Message], written: Written
    ) -> None:
        """As `_project`, but what Postgres refuses is narrowed down to single events, which become dead letters."""
        if not events:
            return
        attempt = Written()
        try:
            with connection.transaction():
                self._project(connection, events, origins, attempt)
        except psycopg.Error as error:
            if not is_refusal(error):
                raise
            if len(events) == 1:
                letter = dead_letter(origins[0], _fault(events[0], error), event=events[0])
                written.outcomes[letter.reason] += 1
                written.letters.append(letter)
                return
            middle = len(events) // 2
            self._halve(connection, events[:middle], origins[:middle], written)
            self._halve(connection, events[middle:], origins[middle:], written)
            return
        written.outcomes += attempt.outcomes
        written.letters += attempt.letters
        written.orders += attempt.orders
        written.clinics |= attempt.clinics
        written.newest_us = max(written.newest_us, attempt.newest_us)

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


def stored_offsets(connection: Connection[Any], segments: list[Segment]) -> dict[tuple[str, int], tuple[int, int]]:
    """Return (epoch, next offset) of the segments' partitions, as Postgres has them now."""
    rows = connection.execute(
        _QUERIES["stored"],
        {
            "topics": [segment.claim.topic for segment in segments],
            "partitions": [segment.claim.partition for segment in segments],
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
        },
    ).rowcount
    if matched != len(segments):
        raise FenceLostError


def _fold(
    events: list[OrderEvent], origins: list[Message], orders: dict[str, ProjectedOrder], written: Written
) -> dict[str, str | None]:
    """Fold `events` into `orders`, which gets the new ones; return who asked for a sync, by order."""
    outcomes: list[str] = []
    requested_by: dict[str, str | None] = {}
    for event, origin in zip(events, origins, strict=True):
        order_id = event.order_id
        order = orders.get(order_id)
        if order is None:
            order = orders[order_id] = ProjectedOrder(order_id, event.organisation_id)
        try:
            outcome = apply_event(order, event)
        except ImpossibleEventError as error:
            outcomes.append("impossible")
            written.letters.append(dead_letter(origin, error, event=event))
            continue
        outcomes.append(outcome)
        if event.kind is ChangeKind.SYNC_REQUESTED and outcome is not FoldOutcome.REPEATED:
            requested_by[order_id] = event.actor
        written.newest_us = max(written.newest_us, event.occurred_at_us)
    written.outcomes.update(outcomes)
    return requested_by


def _fault(event: OrderEvent, error: psycopg.Error) -> ValueError:
    """Return what is wrong with an event that Postgres refused."""
    try:
        check_texts(event)
    except ImpossibleEventError as impossible:
        return impossible
    # The message of Postgres itself may show the row, and with it the patient: the code says enough.
    constraint = f", {error.diag.constraint_name}" if error.diag.constraint_name else ""
    return ValueError(
        f"Event {event.event_id} ({event.kind}) of order {event.order_id}: Postgres refuses it "
        f"({type(error).__name__}, SQLSTATE {error.sqlstate}{constraint}). Correct the event at its source, or the "
        "service's check of events if it should have been let in, and replay it."
    )
