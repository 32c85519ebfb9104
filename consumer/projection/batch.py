"""A batch: messages of several partitions, decoded and checked, with where each partition goes on after them."""

import base64
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Message

from consumer.contract import (
    DeadLetter,
    Decoder,
    Header,
    ImpossibleValueError,
    MessageDecoder,
    RegistryUnavailableError,
    RetryRequest,
    UndecodableError,
    check,
)
from consumer.contract.check import ID_CHARACTERS_MAX
from consumer.orders import ImpossibleEventError, OrderEvent, SequenceConflictError
from consumer.projection.claims import Claim, LastMessage
from consumer.projection.errors import RefusedEventError
from consumer.projection.headers import read_headers, trace_parent


@dataclass(eq=False)
class Segment:
    """The messages of one partition in a batch, in their order.

    `events` and `origins` go side by side: an event and the message that it came in. What could not be read is among
    the `letters`; retry requests are among the `rings`.
    """

    claim: Claim
    first_offset: int
    next_offset: int
    # The last message before `next_offset`, as far as it is known.
    last: LastMessage | None = None
    newest: Message | None = None
    message_count: int = 0
    events: list[OrderEvent] = field(default_factory=list)
    origins: list[Message] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    rings: list[RetryRequest] = field(default_factory=list)


class PartitionEnd(NamedTuple):
    """Kafka's word that a partition has no more messages before `offset` than it gave out.

    What else is there are marks of transactions, and messages of transactions that were given up.
    """

    topic: str
    partition: int
    offset: int


class Batch:
    """The segments of a batch by partition; grows message by message."""

    def __init__(self) -> None:
        self.segments: dict[tuple[str, int], Segment] = {}
        self.message_count = 0

    @property
    def goes_on(self) -> bool:
        """Whether any partition goes on after it, be it past marks of transactions alone."""
        return any(segment.next_offset > segment.first_offset for segment in self.segments.values())


class Reader:
    """Decodes messages into batches. For one thread."""

    def __init__(self, decoder: Decoder, messages: MessageDecoder, orders_topic: str) -> None:
        self._decode = decoder.decode
        self._messages = messages
        self._orders_topic = orders_topic

    def read(
        self, messages: Sequence[Message | PartitionEnd], claims: Mapping[tuple[str, int], Claim], batch: Batch
    ) -> None:
        """Take `messages` into `batch`; what belongs to no living claim is dropped, since somebody else reads it.

        Raises:
            OffsetLostError: a message is of an earlier leader than what came before it.
            RegistryUnavailableError: a schema can't be had at present. What was taken stays in the batch, and a
                repeated call with the same messages goes on after it.
        """
        segments: dict[tuple[Any, Any], Segment | None] = {}
        try:
            self._read(messages, claims, batch, segments)
        finally:
            for segment in segments.values():
                # Retry requests may be lost, with their log.
                if segment is not None and segment.newest is not None and segment.claim.topic == self._orders_topic:
                    if (newest := _last_message(segment.newest)) is not None:
                        segment.claim.follow(newest)
                    segment.last = segment.claim.last

    def _read(
        self,
        messages: Sequence[Message | PartitionEnd],
        claims: Mapping[tuple[str, int], Claim],
        batch: Batch,
        segments: dict[tuple[Any, Any], Segment | None],
    ) -> None:
        for message in messages:
            if isinstance(message, PartitionEnd):
                _reach(message, claims, batch)
                continue
            place = (message.topic(), message.partition())
            offset: Any = message.offset()
            if place not in segments:
                segments[place] = _segment(place, claims, batch)
            segment = segments[place]
            if segment is None:
                continue
            if not segment.claim.is_proved and (first := _last_message(message)) is not None:
                segment.claim.prove(first)
            if offset < segment.next_offset:
                continue
            found = self.examine(message)
            if isinstance(found, DeadLetter):
                segment.letters.append(found)
            elif isinstance(found, RetryRequest):
                segment.rings.append(found)
            else:
                segment.events.append(found)
                segment.origins.append(message)
            segment.next_offset = segment.claim.read_position = offset + 1
            segment.newest = message
            segment.message_count += 1
            batch.message_count += 1

    def examine(self, message: Message) -> OrderEvent | RetryRequest | DeadLetter:
        """Return what `message` holds, or the dead letter that becomes of it: this alone decides what can be used.

        Raises:
            RegistryUnavailableError: its schema can't be had at present.
        """
        event: OrderEvent | None = None
        try:
            if message.topic() != self._orders_topic:
                return self._messages.decode_retry(message.value(), message.key(), _timestamp(message) or _now())
            headers = read_headers(message)
            # What no trace is found in does no harm to the event.
            event = self._decode(message.value(), trace_parent(headers) if headers else None)
            check(event, message.key(), texts=False)
        except RegistryUnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 -- whatever a message does to its reader concerns it alone
            # Of one that could be read it is known whose it is.
            return dead_letter(message, error, event=event)
        return event


def _segment(place: tuple[Any, Any], claims: Mapping[tuple[str, int], Claim], batch: Batch) -> Segment | None:
    """Return where the messages of a partition go, or None where they are somebody else's."""
    claim = claims.get(place)
    if claim is None or not claim.is_alive:
        return None
    segment = batch.segments.get(place)
    if segment is None or segment.claim is not claim:
        position = claim.read_position
        segment = batch.segments[place] = Segment(claim, position, position, claim.last)
    return segment


def _last_message(message: Message) -> LastMessage | None:
    leader_epoch = message.leader_epoch()
    return None if leader_epoch is None or leader_epoch < 0 else LastMessage(message.offset() or 0, leader_epoch)


def _reach(end: PartitionEnd, claims: Mapping[tuple[str, int], Claim], batch: Batch) -> None:
    """Go on to the partition's end where no message stands before it; else retention would once seem to win over us."""
    place = (end.topic, end.partition)
    claim = claims.get(place)
    if claim is None or not claim.is_alive or end.offset <= claim.read_position:
        return
    segment = _segment(place, claims, batch)
    if segment is not None:
        segment.next_offset = claim.read_position = end.offset


def dead_letter(message: Message, error: Exception, *, event: OrderEvent | None = None) -> DeadLetter:
    """Return the dead letter of `message`, which can't be used because of `error`.

    Its headers are left out where they can't be read.
    """
    order_id, organisation_id = None, None
    if isinstance(error, UndecodableError | ImpossibleValueError):
        order_id, organisation_id = error.order_id, error.organisation_id
    if event is not None:
        order_id, organisation_id = event.order_id, event.organisation_id
    return DeadLetter(
        topic=message.topic() or "",
        partition=message.partition() or 0,
        offset=message.offset() or 0,
        reason=_reason(error),
        detail=_plain_text(_detail(error))[:_DETAIL_CHARACTERS_MAX],
        dead_at=_now(),
        message_timestamp=_timestamp(message),
        key=_as_bytes(message.key()),
        value=_as_bytes(message.value()),
        headers=tuple(Header(_plain_text(name), value) for name, value in read_headers(message) or ()),
        order_id=_id_text(order_id) or _key_text(message.key()),
        organisation_id=_id_text(organisation_id),
    )


def _reason(error: Exception) -> str:
    """Return the letter's reason; `defect`: an exception that nobody foresaw."""
    if isinstance(error, UndecodableError):
        return "undecodable"
    if isinstance(error, ImpossibleEventError):
        return "impossible"
    if isinstance(error, SequenceConflictError):
        return "conflict"
    return "refused" if isinstance(error, RefusedEventError) else "defect"


def _detail(error: Exception) -> str:
    if _reason(error) != "defect":
        return str(error)
    # The text of an exception that nobody foresaw may hold what the message holds; where it was raised says enough.
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return (
        f"The service failed at this message with {type(error).__name__}{place}: a defect of the service. Tell its "
        "developers; once it is mended, replay the message."
    )


def headers_json(letter: DeadLetter) -> str:
    """Return a dead letter's headers for the table: a list of objects with `name` and base64 `value`."""
    return msgspec.json.encode(
        [
            {"name": header.name, "value": None if header.value is None else base64.b64encode(header.value).decode()}
            for header in letter.headers
        ]
    ).decode()


# A text of the message's own may be in it, or of its schema, however long.
_DETAIL_CHARACTERS_MAX = 1_000


def _now() -> datetime:
    return datetime.now(UTC)


def _timestamp(message: Message) -> datetime | None:
    kind, milliseconds = message.timestamp()
    # Producers may write any number; what no calendar has is left out, the bytes are kept in any case.
    if kind == TIMESTAMP_NOT_AVAILABLE or not 0 <= milliseconds < _MILLISECONDS_MAX:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


_MILLISECONDS_MAX = 32_503_680_000_000  # The year 3000.


def _as_bytes(value: Any) -> bytes | None:
    return value.encode() if isinstance(value, str) else value


def _plain_text(text: str) -> str:
    """Return `text` without what Postgres refuses."""
    return text.replace("\x00", "?").encode("utf-8", "replace").decode()


def _key_text(key: Any) -> str | None:
    try:
        return _id_text((_as_bytes(key) or b"").decode())
    except UnicodeDecodeError:
        return None


def _id_text(text: str | None) -> str | None:
    return _plain_text(text)[:ID_CHARACTERS_MAX] if text else None
