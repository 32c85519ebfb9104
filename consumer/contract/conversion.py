"""From what a writer's bytes hold to the documents of the contract.

Reading with logical types costs half as much again, and with a reader's schema twice as much. So the bytes are read by
the writer's schema with its logical types taken off, and this module works out once, for each writer's schema, which
few fields have to be converted then. Most need nothing.
"""

from collections.abc import Callable
from datetime import date
from typing import Any
from uuid import UUID

from consumer.contract.errors import UndecodableError
from consumer.contract.schemas import AvroSchema

Convert = Callable[[Any], Any]

# Postgres keeps amounts as numeric(18, 4): everything from here up doesn't fit.
AMOUNT_SCALE = 4
AMOUNT_LIMIT = 10**18
# Room for any decimal of 150 digits, also one padded to a fixed size; longer ones aren't worth the arithmetic.
_AMOUNT_BYTES_MAX = 64
# Amounts and dates recur (prices, quantities, days), so their texts are kept; a bound keeps memory small.
_KEPT_MAX = 20_000
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
# Outside of these years something else than a date was written, seconds for days for example.
EARLIEST = date(1900, 1, 1)
LATEST = date(2999, 12, 31)
_EARLIEST_DAYS = EARLIEST.toordinal() - _EPOCH_ORDINAL
_LATEST_DAYS = LATEST.toordinal() - _EPOCH_ORDINAL

_WHOLE = ("int", "long")
_UUID_BYTES = 16
# What a reader's type may be written as (Avro's promotions); reading gives the right Python value in each case.
_WRITTEN_AS: dict[str, tuple[str, ...]] = {
    "boolean": ("boolean",),
    "int": ("int",),
    "long": _WHOLE,
    "float": (*_WHOLE, "float"),
    "double": (*_WHOLE, "float", "double"),
    "string": ("string",),
    "bytes": ("bytes",),
}


class UnreadableError(ValueError):
    """The writer's schema and the contract can't be brought together at `path`."""


class ConversionError(ValueError):
    """A value breaks the contract; `path` grows on the way out. `impossible` = it was read, but can't be true."""

    def __init__(self, reason: str, *, impossible: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.impossible = impossible
        self.path = ""

    def inside(self, name: str) -> "ConversionError":
        """Return the error, its path prefixed by the field `name`."""
        self.path = f"{name}.{self.path}" if self.path else name
        return self


class _Kept(dict[Any, Any]):
    """Values with their texts, worked out at the first sight; None stays None."""

    def __init__(self, work_out: Convert) -> None:
        super().__init__({None: None})
        self._work_out = work_out

    def __missing__(self, key: Any) -> Any:
        if len(self) > _KEPT_MAX:
            self.clear()
            self[None] = None
        text = self[key] = self._work_out(key)
        return text


def converter(writer: AvroSchema, reader: AvroSchema, path: str) -> Convert | None:
    """Return what turns a value read by `writer` (inlined, logical types ignored) into the form of `reader`.

    None means that the value is right as it is. Records are changed in place.

    Raises:
        UnreadableError: no value of `writer` can be read as `reader`.
    """
    if isinstance(reader, list):
        return _from_union(writer, _without_null(reader, path), path, nullable="null" in reader)
    if isinstance(writer, list):
        return _from_union(writer, reader, path, nullable=False)
    kind = _kind(reader)
    if kind == "record":
        return _record(_same_kind(writer, reader, path), _as_object(reader), path)
    if kind == "array":
        return _array(_same_kind(writer, reader, path), _as_object(reader), path)
    if kind == "enum":
        return _enum(_same_kind(writer, reader, path), _as_object(reader))
    return _primitive(writer, reader, path)


def amount_text(unscaled: int, scale: int) -> str:
    """Return `unscaled` · 10^-`scale` as a decimal with four places: (400000, 4) gives "40.0000".

    Raises:
        ConversionError: it has more than four places, or doesn't fit numeric(18, 4).
    """
    if scale > AMOUNT_SCALE:
        unscaled, rest = divmod(unscaled, 10 ** (scale - AMOUNT_SCALE))
        if rest:
            raise ConversionError("an amount with more than 4 decimal places", impossible=True)
    elif scale < AMOUNT_SCALE:
        unscaled *= 10 ** (AMOUNT_SCALE - scale)
    if not -AMOUNT_LIMIT < unscaled < AMOUNT_LIMIT:
        raise ConversionError("an amount with more than 14 digits before the point", impossible=True)
    digits = f"{abs(unscaled):05d}"
    return f"{'-' if unscaled < 0 else ''}{digits[:-AMOUNT_SCALE]}.{digits[-AMOUNT_SCALE:]}"


def _record(writer: dict[str, Any], reader: dict[str, Any], path: str) -> Convert | None:
    written = {field["name"]: field["type"] for field in writer["fields"]}
    steps: list[tuple[str, Convert]] = []
    defaults: list[tuple[str, Any]] = []
    for field in reader["fields"]:
        name = field["name"]
        if name in written:
            step = converter(written.pop(name), field["type"], f"{path}.{name}")
            if step is not None:
                steps.append((name, step))
        elif "default" in field:
            defaults.append((name, field["default"]))
        else:
            raise UnreadableError(
                f"the field {path}.{name} is missing from the writer's schema, and the contract has no default for it"
            )
    surplus = tuple(written)
    return _record_step(steps, dict(defaults), surplus) if steps or defaults or surplus else None


def _record_step(steps: list[tuple[str, Convert]], defaults: dict[str, Any], surplus: tuple[str, ...]) -> Convert:
    def convert(record: dict[str, Any]) -> dict[str, Any]:
        for name, step in steps:
            try:
                record[name] = step(record[name])
            except ConversionError as error:
                raise error.inside(name) from None
        for name in surplus:
            del record[name]
        if defaults:
            record.update(defaults)
        return record

    return convert


def _array(writer: dict[str, Any], reader: dict[str, Any], path: str) -> Convert | None:
    step = converter(writer["items"], reader["items"], f"{path}[]")
    if step is None:
        return None

    def convert(items: list[Any]) -> list[Any]:
        try:
            return [step(item) for item in items]
        except ConversionError as error:
            raise error.inside("[]") from None

    return convert


def _enum(writer: dict[str, Any], reader: dict[str, Any]) -> Convert | None:
    symbols = frozenset(reader["symbols"])
    if symbols.issuperset(writer["symbols"]):
        return None
    known = ", ".join(reader["symbols"])

    def convert(symbol: str) -> str:
        if symbol not in symbols:
            raise ConversionError(f"{symbol}, which this service doesn't know (it knows {known})")
        return symbol

    return convert


def _from_union(writer: AvroSchema, reader: AvroSchema, path: str, *, nullable: bool) -> Convert | None:
    branches = writer if isinstance(writer, list) else [writer]
    steps = [converter(branch, reader, path) for branch in branches if branch != "null"]
    if not steps:
        if nullable:
            return None
        raise UnreadableError(f"the field {path} is always null in the writer's schema")
    if len(steps) > 1 and any(step is not None for step in steps):
        raise UnreadableError(f"the field {path} has several types in the writer's schema")
    step = steps[0]
    if "null" not in branches or (nullable and (step is None or isinstance(getattr(step, "__self__", None), _Kept))):
        return step

    def convert(value: Any) -> Any:
        if value is None:
            if nullable:
                return None
            raise ConversionError("null, where the contract wants a value")
        return value if step is None else step(value)

    return convert


def _primitive(writer: AvroSchema, reader: AvroSchema, path: str) -> Convert | None:
    logical = _logical(reader)
    kind = _kind(writer)
    if logical == "decimal" and kind in {"bytes", "fixed"}:
        return _decimal(writer, reader)
    if logical == "date" and kind == "int":
        return _Kept(_date_text).__getitem__
    if logical == "timestamp-micros" and kind in _WHOLE:
        return _timestamp(_logical(writer))
    if logical == "uuid" and kind == "fixed" and _as_object(writer)["size"] == _UUID_BYTES:
        return _uuid_text
    wanted = _kind(reader)
    if logical in {"decimal", "date"} or kind not in _WRITTEN_AS.get(wanted, ()):
        raise UnreadableError(f"the field {path} is {kind} in the writer's schema, which can't be read as {wanted}")
    return float if wanted in {"float", "double"} and kind in _WHOLE else None


def _decimal(writer: AvroSchema, reader: AvroSchema) -> Convert:
    # A writer that left the logical type out means the contract's scale: so say Avro's rules.
    described = writer if _logical(writer) == "decimal" else reader
    scale = int(_as_object(described).get("scale", 0))

    def text(raw: bytes) -> str:
        if not raw:
            raise ConversionError("an amount without a single byte")
        if len(raw) > _AMOUNT_BYTES_MAX:
            raise ConversionError(f"an amount of {len(raw)} bytes, far beyond numeric(18, 4)", impossible=True)
        return amount_text(int.from_bytes(raw, "big", signed=True), scale)

    return _Kept(text).__getitem__


def _date_text(days: int) -> str:
    if not _EARLIEST_DAYS <= days <= _LATEST_DAYS:
        raise ConversionError(
            f"{days} days after 1970-01-01, outside of the years 1900 to 2999 (was a time written for a date?)",
            impossible=True,
        )
    return date.fromordinal(_EPOCH_ORDINAL + days).isoformat()


def _timestamp(logical: str | None) -> Convert | None:
    if logical == "timestamp-millis":
        return lambda millis: millis * 1000
    if logical == "timestamp-nanos":
        return lambda nanos: nanos // 1000
    return None


def _uuid_text(raw: bytes) -> str:
    return str(UUID(bytes=raw))


def _same_kind(writer: AvroSchema, reader: AvroSchema, path: str) -> dict[str, Any]:
    if _kind(writer) != _kind(reader):
        raise UnreadableError(f"the field {path} is {_kind(writer)} in the writer's schema and {_kind(reader)} here")
    return _as_object(writer)


def _without_null(union: list[Any], path: str) -> AvroSchema:
    branches = [branch for branch in union if branch != "null"]
    if len(branches) != 1:
        raise UnreadableError(f"the contract's field {path} is a union of several types")
    branch: AvroSchema = branches[0]
    return branch


def _kind(schema: AvroSchema) -> str:
    if isinstance(schema, list):
        return "union"
    return schema if isinstance(schema, str) else str(schema["type"])


def _logical(schema: AvroSchema) -> str | None:
    return schema.get("logicalType") if isinstance(schema, dict) else None


def _as_object(schema: AvroSchema) -> dict[str, Any]:
    if not isinstance(schema, dict):
        raise UndecodableError(f"The schema {schema!r} has no such part. Correct the writer's schema.")
    return schema
