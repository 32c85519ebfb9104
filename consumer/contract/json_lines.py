"""Order events as JSON lines: the contract's field names, amounts as strings, dates and times in ISO 8601."""

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from consumer.contract.conversion import ConversionError, amount_text
from consumer.contract.resolution import resolve
from consumer.contract.schema_rules import AvroSchema
from consumer.contract.schemas import Schemas
from consumer.orders import ChangeKind, OrderEvent

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DECIMAL = re.compile(r"-?\d{1,40}(\.\d{1,40})?")
# JSON numbers come as int or Decimal; true and false are no numbers, though Python thinks so.
_KINDS: dict[str, tuple[type, ...]] = {"string": (str,), "long": (int,), "int": (int,), "boolean": (bool,)}


class JsonEventError(ValueError):
    """A line is no event of the contract; the text names the field and what it should be."""


def event_to_json(event: OrderEvent) -> str:
    """Return `event` as one line of JSON, without a line feed."""
    document = {
        "event_id": event.event_id,
        "organisation_id": event.organisation_id,
        "clinic_id": event.clinic_id,
        "order_id": event.order_id,
        "sequence": event.sequence,
        "occurred_at": _time_text(event.occurred_at_us),
        "actor": event.actor,
        "patient": event.patient,
        "change": {event.kind.value: event.change},
    }
    return json.dumps(document, ensure_ascii=False)


def event_from_json(line: str | bytes, schemas: Schemas) -> OrderEvent:
    """Return the event in `line`. Fields with a default may be left out; unknown ones are refused.

    Raises:
        JsonEventError: the line is no JSON, or breaks the contract.
    """
    try:
        document = json.loads(line, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise JsonEventError(f"The line is no JSON: {error}.") from error
    contract = resolve(schemas.current("OrderEvent"), {})
    try:
        record = _read(contract, document)
    except ConversionError as error:
        raise JsonEventError(f"{error.path or 'The event'} is {error.reason}.") from error
    kind, change = record["change"]
    return OrderEvent(
        event_id=record["event_id"],
        organisation_id=record["organisation_id"],
        clinic_id=record["clinic_id"],
        order_id=record["order_id"],
        sequence=record["sequence"],
        occurred_at_us=record["occurred_at"],
        actor=record["actor"],
        patient=record["patient"],
        kind=kind,
        change=change,
    )


def _read(schema: AvroSchema, value: Any) -> Any:
    if isinstance(schema, list):
        return _read_union(schema, value)
    if isinstance(schema, str):
        return _read_plain({"type": schema}, value)
    return _READERS.get(schema.get("logicalType") or schema["type"], _read_plain)(schema, value)


def _read_union(branches: list[Any], value: Any) -> Any:
    if "null" in branches:
        return None if value is None else _read(next(branch for branch in branches if branch != "null"), value)
    if not isinstance(value, dict) or len(value) != 1:
        raise ConversionError('not an object with one member, the kind of change: {"SyncRequested": {}}')
    ((name, change),) = value.items()
    for branch in branches:
        if branch["name"].rpartition(".")[2] == name:
            try:
                return ChangeKind(name), _read(branch, change)
            except ConversionError as error:
                raise error.inside(name) from None
    raise ConversionError(f"an unknown kind of change, {name!r}; there are {', '.join(ChangeKind)}")


def _read_record(schema: dict[str, Any], value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConversionError(f"{_what(value)}, where an object belongs")
    record: dict[str, Any] = {}
    for field in schema["fields"]:
        name = field["name"]
        try:
            record[name] = _read_field(field, value)
        except ConversionError as error:
            raise error.inside(name) from None
    for name in value.keys() - record.keys():
        raise ConversionError(f"no field of the contract (in {schema['name'].rpartition('.')[2]})").inside(name)
    return record


def _read_field(field: dict[str, Any], record: dict[str, Any]) -> Any:
    if field["name"] in record:
        return _read(field["type"], record[field["name"]])
    if "default" in field:
        return field["default"]
    raise ConversionError("missing")


def _read_array(schema: dict[str, Any], value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ConversionError(f"{_what(value)}, where a list belongs")
    return [_read(schema["items"], part) for part in value]


def _read_enum(schema: dict[str, Any], value: Any) -> Any:
    if value not in schema["symbols"]:
        raise ConversionError(f"{_what(value)}; it must be one of {', '.join(schema['symbols'])}")
    return value


def _read_plain(schema: dict[str, Any], value: Any) -> Any:
    wanted = _KINDS[schema["type"]]
    if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
        raise ConversionError(f"{_what(value)}, where a {schema['type']} belongs")
    return value


def _read_amount(_: dict[str, Any], value: Any) -> str:
    text = str(value) if isinstance(value, str | int | Decimal) and not isinstance(value, bool) else ""
    if not _DECIMAL.fullmatch(text):
        raise ConversionError(f'{_what(value)}, where an amount like "40.00" belongs')
    whole, _point, fraction = text.partition(".")
    return amount_text(int(whole + fraction), len(fraction))


def _read_date(_: dict[str, Any], value: Any) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except (TypeError, ValueError):
        raise ConversionError(f'{_what(value)}, where a date like "2026-01-31" belongs') from None


def _read_time(_: dict[str, Any], value: Any) -> int:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise ConversionError(f'{_what(value)}, where a time like "2026-01-31T09:30:00Z" belongs') from None
    if moment.tzinfo is None:
        raise ConversionError('a time without its offset from UTC; write "Z" or "+01:00" after it')
    return (moment - _EPOCH) // timedelta(microseconds=1)


# By logical type, else by type.
_READERS: dict[str, Callable[[dict[str, Any], Any], Any]] = {
    "record": _read_record,
    "array": _read_array,
    "enum": _read_enum,
    "decimal": _read_amount,
    "date": _read_date,
    "timestamp-micros": _read_time,
}


def _time_text(micros: int) -> str:
    try:
        moment = _EPOCH + timedelta(microseconds=micros)
    except OverflowError:
        return str(micros)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _what(value: Any) -> str:
    """Say what kind of value was found; never the value, which may be a patient's."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
