"""Reads the bytes of one writer's schema as order events: compiled once for each schema, then quick."""

from collections.abc import Callable
from typing import Any

from fastavro import parse_schema
from fastavro.schema import SchemaParseException

from consumer.contract.code import MALFORMED, UnreadableError
from consumer.contract.compiler import ReadRecord, compile_reader
from consumer.contract.conversion import ConversionError
from consumer.contract.errors import ImpossibleValueError, UndecodableError
from consumer.contract.resolution import resolve
from consumer.contract.schema_rules import AvroSchema, check_schemas, cut
from consumer.orders import ChangeKind, OrderEvent

_REQUEST = "Correct it at its source and publish it again."
_IDS = ("event_id", "organisation_id", "order_id")

# (bytes, where the record starts, trace parent)
ReadEvent = Callable[[bytes, int, str | None], OrderEvent]


def event_reader(writer: AvroSchema, contract: dict[str, Any], definitions: dict[str, AvroSchema]) -> ReadEvent:
    """Return the function that reads an event written by `writer`.

    Raises:
        UndecodableError: no event of that writer can be read; the text says why.
    """
    read_record, read_ids = _compile(writer, contract, definitions)
    kinds = {kind.value: kind for kind in ChangeKind}

    def read(value: bytes, start: int, trace_parent: str | None) -> OrderEvent:
        try:
            record, end = read_record(value, start)
        except MALFORMED as error:
            raise _malformed(f"they end too early or say what can't be ({type(error).__name__})") from error
        except ConversionError as error:
            raise _broken(value, start, read_ids, error) from error
        if end != len(value):
            raise _malformed(f"{len(value) - end} bytes follow" if end < len(value) else "they end too early")
        kind, change = record["change"]
        return OrderEvent(
            record["event_id"],
            record["organisation_id"],
            record["clinic_id"],
            record["order_id"],
            record["sequence"],
            record["occurred_at"],
            record["actor"],
            record["patient"],
            kinds[kind],
            change,
            trace_parent,
        )

    return read


def _compile(
    writer: AvroSchema, contract: dict[str, Any], definitions: dict[str, AvroSchema]
) -> tuple[ReadRecord, ReadRecord]:
    """Return the reader of events, and one of their ids alone, for what to say of an event that can't be read."""
    check_schemas([writer, *definitions.values()])
    tree, reader = resolve(writer, definitions), resolve(contract, {})
    if not isinstance(tree, dict) or tree.get("type") != "record" or not isinstance(reader, dict):
        raise UndecodableError("The writer's schema is no record. Publish order events only on this topic.")
    ids = [{**field, "default": None} for field in reader["fields"] if field["name"] in _IDS]
    if not definitions:
        _validate(writer)
    try:
        return compile_reader(tree, reader), compile_reader(tree, {"type": "record", "name": "Ids", "fields": ids})
    except UnreadableError as error:
        raise UndecodableError(f"The writer's schema breaks the contract: {cut(error)}. Correct the schema.") from error


def _validate(writer: AvroSchema) -> None:
    try:
        parse_schema(writer)
    except (SchemaParseException, TypeError, ValueError, KeyError) as error:
        # The last three are how it stumbles over what stands in the place of a name.
        raise UndecodableError(f"The writer's schema is no Avro schema: {cut(error)}. Correct the schema.") from error


def _malformed(fault: str) -> UndecodableError:
    return UndecodableError(f"The bytes don't fit the writer's schema: {fault}. {_REQUEST}")


def _broken(value: bytes, start: int, read_ids: ReadRecord, error: ConversionError) -> Exception:
    try:
        ids, end = read_ids(value, start)
    except (*MALFORMED, ConversionError):
        end = -1
    if end != len(value):
        return _malformed("they end too early or too late")
    where = f"field {error.path} is {error.reason}" if error.path else error.reason
    raised = ImpossibleValueError if error.impossible else UndecodableError
    return raised(
        f"Event {ids['event_id']} of order {ids['order_id']}: {where}. {_REQUEST}",
        order_id=ids["order_id"],
        organisation_id=ids["organisation_id"],
    )
