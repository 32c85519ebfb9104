"""Retry requests and other messages of the service's own, from bytes. Rare, so read in the plain way."""

import struct
from datetime import datetime
from io import BytesIO
from typing import Any, NamedTuple, TypeVar

import msgspec
from fastavro import parse_schema, schemaless_reader
from fastavro.read import SchemaResolutionError
from fastavro.schema import SchemaParseException

from consumer.contract.check import ID_CHARACTERS_MAX, SEQUENCE_MAX
from consumer.contract.code import MALFORMED, UnreadableError
from consumer.contract.conversion import EARLIEST, LATEST
from consumer.contract.decoder import find_writer
from consumer.contract.errors import UndecodableError
from consumer.contract.messages import Message, RetryRequest
from consumer.contract.registry import Registry
from consumer.contract.resolution import resolve
from consumer.contract.schema_rules import AvroSchema, check_schemas, cut
from consumer.contract.schemas import Schemas
from consumer.contract.skipping import Skip, Skipper
from consumer.contract.wire import MESSAGE_BYTES_MAX, PUBLISHED_BYTES_MAX, Frame, read_frame

M = TypeVar("M", bound=Message)
# What fastavro raises for bytes that don't fit the schema.
_MALFORMED = (EOFError, ValueError, IndexError, KeyError, OverflowError, TypeError, MemoryError, struct.error)
_TRIGGERS = frozenset({"retry", "manual"})
_ATTEMPT_MAX = 2**31 - 1
# They stand in every row of the sync log that the request leads to, and in its messages.
TEXT_CHARACTERS_MAX = 500


# Ids that are mere noise must not fill the memory.
_WRITERS_MAX = 100


class _Writer(NamedTuple):
    """A writer's schema as fastavro has parsed it, and what steps over its bytes."""

    schema: AvroSchema
    skip: Skip


class MessageDecoder:
    """Decodes the service's own messages, and retry requests also from plain JSON or from the key alone."""

    def __init__(self, schemas: Schemas, registry: Registry | None = None) -> None:
        self._schemas = schemas
        self._registry = registry
        self._writers: dict[int | bytes, _Writer] = {}

    def decode(self, kind: type[M], value: bytes | None) -> M:
        """Return the message of `kind` in `value`, in either framing.

        Raises:
            UndecodableError: it can't be read.
            RegistryUnavailableError: its schema can't be had at present.
        """
        frame = read_frame(value, PUBLISHED_BYTES_MAX)
        writer = self._writer(frame)
        reader = self._schemas.current(kind.__name__)
        try:
            # Stepped over first: fastavro believes each count and length, and a few bytes can claim billions.
            end = writer.skip(frame.value, frame.start)
            if end != len(frame.value):
                raise ValueError(f"{abs(len(frame.value) - end)} bytes are too many or missing")
            source = BytesIO(frame.value)
            source.seek(frame.start)
            record: Any = schemaless_reader(source, writer.schema, parse_schema(reader))
            return msgspec.convert(record, kind, strict=False)
        except (*_MALFORMED, *MALFORMED, SchemaParseException, SchemaResolutionError) as error:
            raise UndecodableError(
                f"The bytes are no {kind.__name__} ({cut(error)}). Publish the message again."
            ) from error

    def _writer(self, frame: Frame) -> "_Writer":
        known = self._writers.get(frame.schema)
        if known is not None:
            return known
        schema, definitions = find_writer(frame, self._schemas, self._registry)
        check_schemas([schema, *definitions.values()])
        tree = resolve(schema, definitions)
        try:
            known = _Writer(parse_schema(schema), Skipper().function(tree))
        except (SchemaParseException, UnreadableError) as error:
            raise UndecodableError(f"The writer's schema can't be used: {cut(error)}. Correct the schema.") from error
        if len(self._writers) >= _WRITERS_MAX:
            self._writers.clear()
        self._writers[frame.schema] = known
        return known

    def decode_retry(self, value: bytes | None, key: bytes | None, received_at: datetime) -> RetryRequest:
        """Return the retry request of a message: Avro, JSON (`{"order_id": "..."}`), or no value and the order as key.

        `received_at` is the message's own time; it stands in for `requested_at` where the message has none.

        Raises:
            UndecodableError, RegistryUnavailableError: as in `decode`.
        """
        if not value:
            request = RetryRequest(order_id=_text(key), requested_at=received_at)
        elif value.lstrip()[:1] == b"{":
            request = _from_json(value, received_at)
        else:
            request = self.decode(RetryRequest, value)
        _check(request)
        return request


class _JsonRequest(msgspec.Struct):
    """A retry request as people and their tools write it; `requested_at` may be left out, other fields mean nothing."""

    order_id: str
    organisation_id: str | None = None
    requested_at: datetime | None = None
    not_before: datetime | None = None
    attempt: int | None = None
    revision: int | None = None
    trigger: str = "retry"
    actor: str | None = None
    reason: str | None = None


def _from_json(value: bytes, received_at: datetime) -> RetryRequest:
    if len(value) > MESSAGE_BYTES_MAX:
        raise UndecodableError(f"The retry request has {len(value)} bytes. Publish a shorter one.")
    try:
        request = msgspec.json.decode(value, type=_JsonRequest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UndecodableError(
            f'The JSON is no retry request ({cut(error)}). The least that is needed: {{"order_id": "..."}}.'
        ) from error
    fields = msgspec.structs.asdict(request)
    fields["requested_at"] = fields["requested_at"] or received_at
    return RetryRequest(**fields)


def _text(key: bytes | None) -> str:
    try:
        return (key or b"").decode()
    except UnicodeDecodeError:
        raise UndecodableError("The retry request has no value, and its key is no UTF-8. Use the order id.") from None


def _check(request: RetryRequest) -> None:
    fault = None
    if not request.order_id or len(request.order_id) > ID_CHARACTERS_MAX:
        fault = f"its order_id has {len(request.order_id)} characters; 1 to {ID_CHARACTERS_MAX} are allowed"
    elif any("\x00" in text for text in (request.order_id, request.actor or "", request.reason or "")):
        fault = "a text holds the character NUL"
    elif any(len(text or "") > TEXT_CHARACTERS_MAX for text in (request.actor, request.reason)):
        fault = f"its actor and its reason may have {TEXT_CHARACTERS_MAX} characters each"
    elif request.trigger not in _TRIGGERS:
        fault = f"its trigger must be one of {', '.join(sorted(_TRIGGERS))}"
    elif request.attempt is not None and not 0 <= request.attempt <= _ATTEMPT_MAX:
        fault = f"its attempt is {request.attempt}"
    elif request.revision is not None and not 0 <= request.revision <= SEQUENCE_MAX:
        fault = f"its revision is {request.revision}"
    elif request.not_before is not None and request.not_before.tzinfo is None:
        fault = 'not_before has no offset from UTC; write "Z" after it'
    else:
        fault = _time_fault("not_before", request.not_before) or _time_fault("requested_at", request.requested_at)
    if fault:
        raise UndecodableError(f"The retry request can't be used: {fault}. Publish it again.")


def _time_fault(name: str, time: datetime | None) -> str | None:
    # The first and last years that Python writes may be before Christ, or have five digits, in UTC: Postgres stores
    # such a time, and nobody can read the row again.
    if time is not None and not EARLIEST.year <= time.year <= LATEST.year:
        return f"{name} lies outside of the years {EARLIEST.year} to {LATEST.year}"
    return None
