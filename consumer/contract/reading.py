"""Reads the bytes of one writer's schema as order events: compiled once for each schema, then a few operations each."""

import struct
from collections.abc import Callable
from io import BytesIO
from typing import Any

from fastavro import parse_schema, schemaless_reader
from fastavro.schema import SchemaParseException

from consumer.contract.conversion import ConversionError, Convert, UnreadableError, converter
from consumer.contract.errors import ImpossibleValueError, UndecodableError
from consumer.contract.schemas import AvroSchema, inline
from consumer.orders import ChangeKind, OrderEvent

# What the parser raises for bytes that don't fit the schema; anything else is a defect and must be seen as one.
MALFORMED = (EOFError, ValueError, IndexError, KeyError, OverflowError, TypeError, MemoryError, struct.error)

_REQUEST = "Correct it at its source and publish it again."
ReadEvent = Callable[[bytes, int, str | None], OrderEvent]


def event_reader(writer: AvroSchema, contract: dict[str, Any], definitions: dict[str, AvroSchema]) -> ReadEvent:
    """Return the function that reads an event written by `writer`: (bytes, where the record starts, trace parent).

    Raises:
        UndecodableError: no event of that writer can be read; the text says why.
    """
    plain, envelope, changes = _compile_or_refuse(writer, contract, definitions)
    known = ", ".join(kind.value for kind in ChangeKind)

    def read(value: bytes, start: int, trace_parent: str | None) -> OrderEvent:
        source = BytesIO(value)
        source.seek(start)
        try:
            record: Any = schemaless_reader(source, plain, None)
        except MALFORMED as error:
            raise UndecodableError(
                f"The bytes don't fit the writer's schema ({type(error).__name__} after {source.tell()} of "
                f"{len(value)} bytes). {_REQUEST}"
            ) from error
        if source.tell() != len(value):
            raise UndecodableError(f"{len(value) - source.tell()} bytes follow the event's end. {_REQUEST}")
        name, change = record["change"].popitem()
        found = changes.get(name)
        if found is None:
            raise UndecodableError(
                f"Unknown change kind {name}: this service knows {known}. Update the service, then replay the event.",
                **_ids(record),
            )
        kind, convert = found
        try:
            if envelope is not None:
                record = envelope(record)
            if convert is not None:
                change = convert(change)
        except ConversionError as error:
            raise _broken(record, name, error) from error
        return OrderEvent(
            record["event_id"],
            record["organisation_id"],
            record["clinic_id"],
            record["order_id"],
            record["sequence"],
            record["occurred_at"],
            record["actor"],
            record["patient"],
            kind,
            change,
            trace_parent,
        )

    return read


def _compile_or_refuse(
    writer: AvroSchema, contract: dict[str, Any], definitions: dict[str, AvroSchema]
) -> tuple[AvroSchema, Convert | None, dict[str, tuple[ChangeKind, Convert | None]]]:
    tree = inline(writer, definitions)
    reader = inline(contract, {})
    if not isinstance(tree, dict) or tree.get("type") != "record" or not isinstance(reader, dict):
        raise UndecodableError("The writer's schema is no record. Publish order events only on this topic.")
    try:
        plain: AvroSchema = parse_schema(_plain(tree, _Names(), top=True))
        envelope, changes = _compile(tree, reader)
    except UnreadableError as error:
        raise UndecodableError(f"The writer's schema breaks the contract: {error}. Correct the schema.") from error
    except SchemaParseException as error:
        raise UndecodableError(f"The writer's schema is no Avro schema: {error}. Correct the schema.") from error
    return plain, envelope, changes


def _compile(
    tree: dict[str, Any], reader: dict[str, Any]
) -> tuple[Convert | None, dict[str, tuple[ChangeKind, Convert | None]]]:
    """Return the converter of what surrounds the change, and for each kind known to both sides its converter."""
    written = _change_branches(tree)
    changes: dict[str, tuple[ChangeKind, Convert | None]] = {}
    for wanted in _change_branches(reader):
        name = _short(wanted)
        for branch in written:
            if _short(branch) == name:
                changes[name] = (ChangeKind(name), _or_refuse(branch, wanted, f"change.{name}"))
    # The change is taken out before, and put in by kind; for the rest it is as if it weren't there.
    envelope = converter(_without_change(tree), _without_change(reader), "event")
    return envelope, changes


def _or_refuse(writer: AvroSchema, reader: AvroSchema, path: str) -> Convert | None:
    """As `converter`, but what can't be read stops the messages of this kind only."""
    try:
        return converter(writer, reader, path)
    except UnreadableError as error:
        reason = str(error)

    def refuse(_: Any) -> Any:
        raise ConversionError(reason)

    return refuse


def _change_branches(record: dict[str, Any]) -> list[Any]:
    for field in record["fields"]:
        if field["name"] == "change":
            return field["type"] if isinstance(field["type"], list) else [field["type"]]
    raise UnreadableError("the field change is missing from the writer's schema")


def _without_change(record: dict[str, Any]) -> dict[str, Any]:
    return {**record, "fields": [field for field in record["fields"] if field["name"] != "change"]}


def _short(branch: AvroSchema) -> str:
    if isinstance(branch, dict):
        return str(branch.get("name", branch["type"])).rpartition(".")[2]
    return str(branch)


class _Names:
    """Fresh names for the types of a tree, in which one type may stand several times."""

    def __init__(self) -> None:
        self._count = 0

    def fresh(self) -> str:
        self._count += 1
        return f"type_{self._count}"


def _plain(schema: AvroSchema, names: _Names, *, top: bool = False) -> AvroSchema:
    """Return `schema` without logical types, each branch of the change wrapped in a record that tells its name.

    A record of one field is written as that field alone, so the wrapping changes no byte.
    """
    if isinstance(schema, str):
        return schema
    if isinstance(schema, list):
        return [_plain(branch, names) for branch in schema]
    plain: dict[str, Any] = {"type": schema["type"]}
    if "name" in schema:
        plain["name"] = names.fresh()
    for key in ("symbols", "size"):
        if key in schema:
            plain[key] = schema[key]
    for key in ("items", "values"):
        if key in schema:
            plain[key] = _plain(schema[key], names)
    if "fields" in schema:
        plain["fields"] = [
            {
                "name": field["name"],
                "type": (_wrapped if top and field["name"] == "change" else _plain)(field["type"], names),
            }
            for field in schema["fields"]
        ]
    return plain


def _wrapped(change: AvroSchema, names: _Names) -> AvroSchema:
    branches = change if isinstance(change, list) else [change]
    wrapped: list[Any] = [
        {
            "type": "record",
            "name": names.fresh(),
            "fields": [{"name": _short(branch), "type": _plain(branch, names)}],
        }
        for branch in branches
    ]
    return wrapped if isinstance(change, list) else wrapped[0]


def _ids(record: dict[str, Any]) -> dict[str, Any]:
    ids = {name: record.get(name) for name in ("order_id", "organisation_id")}
    return {name: value if isinstance(value, str) else None for name, value in ids.items()}


def _broken(record: dict[str, Any], kind: str, error: ConversionError) -> UndecodableError | ImpossibleValueError:
    raised = ImpossibleValueError if error.impossible else UndecodableError
    where = f"field {error.path} is {error.reason}" if error.path else error.reason
    return raised(
        f"Event {record.get('event_id')} ({kind}) of order {record.get('order_id')}: {where}. {_REQUEST}",
        **_ids(record),
    )
