"""Order events from bytes, whichever version of the contract wrote them."""

import time

from consumer.contract.errors import UndecodableError
from consumer.contract.reading import ReadEvent, event_reader
from consumer.contract.registry import Registry
from consumer.contract.schema_rules import AvroSchema
from consumer.contract.schemas import Schemas
from consumer.contract.wire import (
    CONFLUENT,
    CONFLUENT_BYTES,
    MESSAGE_BYTES_MAX,
    SINGLE_OBJECT_BYTES,
    Frame,
    read_frame,
)
from consumer.orders import OrderEvent

# An unknown id is asked for again after this time: a registry that was restored may know it by then.
_UNKNOWN_SECONDS = 30.0
# Ids that are mere noise must not fill the memory.
_REFUSED_MAX = 1_000


class Decoder:
    """Decodes order events; keeps one compiled reader for each writer's schema. For one thread."""

    def __init__(self, schemas: Schemas, registry: Registry | None = None) -> None:
        self._schemas = schemas
        self._registry = registry
        self._contract = schemas.current("OrderEvent")
        # By the bytes that stand before the record: the quickest to look up.
        self._readers: dict[bytes, tuple[ReadEvent, int]] = {}
        self._refused: dict[int | bytes, tuple[UndecodableError, float]] = {}

    def decode(self, value: bytes | None, trace_parent: str | None = None) -> OrderEvent:
        """Return the event in `value`; `trace_parent` is passed on.

        Raises:
            UndecodableError: the bytes can't be read, now or later.
            ImpossibleEventError: they can, but hold a value that can't be true.
            RegistryUnavailableError: their schema can't be had at present; try again later.
        """
        if value and len(value) <= MESSAGE_BYTES_MAX:
            found = self._readers.get(value[:CONFLUENT_BYTES] if value[0] == CONFLUENT else value[:SINGLE_OBJECT_BYTES])
            if found is not None:
                return found[0](value, found[1], trace_parent)
        frame = read_frame(value)
        read = self._reader(frame)
        self._readers[frame.prefix] = (read, frame.start)
        return read(frame.value, frame.start, trace_parent)

    def _reader(self, frame: Frame) -> ReadEvent:
        refused = self._refused.get(frame.schema)
        if refused is not None and refused[1] > time.monotonic():
            raise UndecodableError(str(refused[0]))
        try:
            writer, definitions = find_writer(frame, self._schemas, self._registry)
            return event_reader(writer, self._contract, definitions)
        except UndecodableError as error:
            if len(self._refused) >= _REFUSED_MAX:
                self._refused.clear()
            self._refused[frame.schema] = (error, time.monotonic() + _UNKNOWN_SECONDS)
            raise


def find_writer(frame: Frame, schemas: Schemas, registry: Registry | None) -> tuple[AvroSchema, dict[str, AvroSchema]]:
    """Return the schema that wrote a message, and the named types that it refers to.

    Raises:
        UndecodableError: nobody has it.
        RegistryUnavailableError: the registry can't be asked at present.
    """
    if isinstance(frame.schema, bytes):
        return schemas.by_fingerprint(frame.schema), {}
    if registry is None:
        raise UndecodableError(
            f"Written in Confluent's wire format with schema id {frame.schema}, but SCHEMA_REGISTRY_URL is not set. "
            "Set it, or publish in single-object encoding."
        )
    return registry.schema(frame.schema)
