"""Bytes for Kafka: order events (for the demo, tests and trying things out) and the service's own messages."""

import json
from collections.abc import Iterator
from decimal import Decimal
from io import BytesIO
from typing import Any

import msgspec
from fastavro import parse_schema, schemaless_writer

from consumer.contract.messages import Message
from consumer.contract.registry import Registry
from consumer.contract.schemas import Schemas, schema_fingerprint
from consumer.contract.wire import confluent_prefix, single_object_prefix
from consumer.orders import OrderEvent


class Encoder:
    """Encodes by the current schemas: in Confluent's wire format with a registry, else single-object. Thread-safe."""

    def __init__(self, schemas: Schemas, registry: Registry | None = None) -> None:
        self._schemas = schemas
        self._registry = registry
        self._parsed: dict[str, Any] = {}
        self._prefixes: dict[tuple[str, str], bytes] = {}
        self._decimals = frozenset(_decimal_fields(schemas.current("OrderEvent")))

    def encode(self, topic: str, message: Message) -> bytes:
        """Return the value of one of the service's own messages, to be published to `topic`.

        Raises:
            RegistryUnavailableError: the registry can't be asked for the schema's id at present.
        """
        return self._write(topic, type(message).__name__, msgspec.structs.asdict(message), message)

    def encode_event(self, topic: str, event: OrderEvent) -> bytes:
        """Return the value of an order event, to be published to `topic` under the key `order_id`.

        Raises:
            RegistryUnavailableError: as in `encode`.
        """
        schema = self._schemas.current("OrderEvent")
        change = next(field["type"] for field in schema["fields"] if field["name"] == "change")
        branch = next(branch for branch in change if branch["name"] == event.kind)
        full_name = f"{schema['namespace']}.{branch['name']}"
        record = {
            "event_id": event.event_id,
            "organisation_id": event.organisation_id,
            "clinic_id": event.clinic_id,
            "order_id": event.order_id,
            "sequence": event.sequence,
            "occurred_at": event.occurred_at_us,
            "actor": event.actor,
            "patient": event.patient,
            "change": (full_name, _with_decimals(event.change, self._decimals)),
        }
        return self._write(topic, "OrderEvent", record, event)

    def _write(self, topic: str, name: str, record: dict[str, Any], message: Message | OrderEvent) -> bytes:
        target = BytesIO()
        target.write(self._prefix(topic, name))
        parsed = self._parsed.get(name)
        if parsed is None:
            parsed = self._parsed[name] = parse_schema(self._schemas.current(name))
        if not isinstance(message, OrderEvent):
            record = {key: _builtin(value) for key, value in record.items()}
        schemaless_writer(target, parsed, record)
        return target.getvalue()

    def _prefix(self, topic: str, name: str) -> bytes:
        known = self._prefixes.get((topic, name))
        if known is None:
            schema = self._schemas.current(name)
            if self._registry is None:
                known = single_object_prefix(schema_fingerprint(schema))
            else:
                known = confluent_prefix(self._registry.register(f"{topic}-value", schema))
            self._prefixes[topic, name] = known
        return known


def _builtin(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_builtin(part) for part in value]
    return msgspec.structs.asdict(value) if isinstance(value, msgspec.Struct) else value


def _decimal_fields(schema: Any) -> Iterator[str]:
    """Yield the names of the fields in `schema` that hold decimals."""
    if isinstance(schema, dict):
        if "name" in schema and '"decimal"' in json.dumps(schema.get("type")) and "fields" not in json.dumps(schema):
            yield schema["name"]
        for value in schema.values():
            yield from _decimal_fields(value)
    elif isinstance(schema, list):
        for part in schema:
            yield from _decimal_fields(part)


def _with_decimals(document: dict[str, Any], names: frozenset[str]) -> dict[str, Any]:
    """Return `document` with the decimal strings of its fields `names` as Decimal."""
    converted: dict[str, Any] = {}
    for name, value in document.items():
        if isinstance(value, dict):
            converted[name] = _with_decimals(value, names)
        elif isinstance(value, list):
            converted[name] = [_with_decimals(part, names) for part in value]
        elif name in names and value is not None:
            converted[name] = Decimal(value)
        else:
            converted[name] = value
    return converted
