"""What a schema must be before anything is made of it: Avro's own rules on names, sizes and scales, and limits. Pure.

A writer's schema comes from outside. What it says is looked at once, step by step and no deeper than is allowed, so
that whatever is made of it afterwards (a reader's code, say) ends and stays small.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from consumer.contract.errors import UndecodableError

# A schema as JSON gives it: a name, a union (list) or an object.
AvroSchema = str | list[Any] | dict[str, Any]

PRIMITIVES: Final = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
# An error is a record by another name: so says Avro's specification.
RECORDS: Final = frozenset({"record", "error"})
# The contract has 7,000 characters, 24 types and 9 levels.
CHARACTERS_MAX: Final = 256 * 1024
TYPES_MAX: Final = 2_000
LEVELS_MAX: Final = 32
# Of a fixed, as long as a message may be; of a decimal, far beyond what any amount has.
_FIXED_BYTES_MAX = 1024 * 1024
_DIGITS_MAX = 200
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}", re.ASCII)
_FULL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}(\.[A-Za-z_][A-Za-z0-9_]{0,199}){0,20}", re.ASCII)
_SHOWN_CHARACTERS_MAX = 80
_CUT_CHARACTERS_MAX = 200


def check_schemas(schemas: Iterable[AvroSchema]) -> None:
    """See that `schemas`, a writer's and those that it refers to, can be used; their names are not resolved here.

    Raises:
        UndecodableError: one breaks a rule or a limit; the text names the place within it, and what to do.
    """
    look = _Look()
    for schema in schemas:
        look.at(schema, "", 1)


class _Look:
    def __init__(self) -> None:
        self._count = 0
        self._kinds: dict[str, Callable[[dict[str, Any], str, int], None]] = {
            "record": self._record,
            "error": self._record,
            "enum": self._enum,
            "fixed": self._fixed,
            "array": lambda schema, path, level: self.at(_part(schema, "items", path), f"{path}[]", level + 1),
            "map": lambda schema, path, level: self.at(_part(schema, "values", path), f"{path}{{}}", level + 1),
        }

    def at(self, schema: Any, path: str, level: int) -> None:
        """Look at the type at `path`, which lies `level` types deep."""
        self._count += 1
        if self._count > TYPES_MAX:
            raise _fault(path, f"there are more than {TYPES_MAX} types")
        if level > LEVELS_MAX:
            raise _fault(path, f"types are nested more than {LEVELS_MAX} deep")
        if isinstance(schema, str):
            if not _FULL_NAME.fullmatch(schema):
                raise _fault(path, f"{shown(schema)} is no name of a type")
        elif isinstance(schema, list):
            self._union(schema, path, level)
        elif isinstance(schema, dict):
            self._object(schema, path, level)
        else:
            raise _fault(path, f"{shown(schema)} is no type")

    def _union(self, branches: list[Any], path: str, level: int) -> None:
        if not branches:
            raise _fault(path, "a union has no types")
        for branch in branches:
            if isinstance(branch, list):
                raise _fault(path, "a union stands right inside a union")
            self.at(branch, path, level + 1)

    def _object(self, schema: dict[str, Any], path: str, level: int) -> None:
        kind = _part(schema, "type", path)
        if not isinstance(kind, str):
            if "logicalType" in schema:
                raise _fault(path, "a logical type stands beside a type that is written as an object")
            self.at(kind, path, level + 1)
        elif kind in self._kinds:
            self._kinds[kind](schema, path, level)
        else:
            self.at(kind, path, level + 1)
        logical = schema.get("logicalType")
        if logical is not None and not (isinstance(logical, str) and len(logical) <= _SHOWN_CHARACTERS_MAX):
            raise _fault(path, f"the logical type is {shown(logical)}")
        if logical == "decimal" and kind in {"bytes", "fixed"}:
            _check_decimal(schema, path)

    def _record(self, schema: dict[str, Any], path: str, level: int) -> None:
        _check_name(schema, path)
        fields = _part(schema, "fields", path)
        if not isinstance(fields, list):
            raise _fault(path, "the fields of a record are no list")
        names = set()
        for field in fields:
            name = field.get("name") if isinstance(field, dict) else None
            if not isinstance(name, str) or not _NAME.fullmatch(name) or name in names:
                raise _fault(path, f"a record has a field without a name of its own ({shown(name)})")
            names.add(name)
            inside = f"{path}.{name}" if path else name
            self.at(_part(field, "type", inside), inside, level + 1)

    def _enum(self, schema: dict[str, Any], path: str, _level: int) -> None:
        _check_name(schema, path)
        symbols = _part(schema, "symbols", path)
        if not isinstance(symbols, list) or not symbols:
            raise _fault(path, "an enum has no symbols")
        for symbol in symbols:
            if not isinstance(symbol, str) or not _NAME.fullmatch(symbol):
                raise _fault(path, f"{shown(symbol)} is no symbol of an enum")
        if len(set(symbols)) < len(symbols):
            raise _fault(path, "an enum has a symbol twice")

    def _fixed(self, schema: dict[str, Any], path: str, _level: int) -> None:
        _check_name(schema, path)
        _check_number(schema, "size", path, smallest=1, largest=_FIXED_BYTES_MAX)


def shown(value: object) -> str:
    """Return `value` as a text for an error: short, whatever it is."""
    text = ascii(value) if isinstance(value, str | int | float | None) else type(value).__name__
    return text if len(text) <= _SHOWN_CHARACTERS_MAX else f"{text[:_SHOWN_CHARACTERS_MAX]}..."


def cut(error: Exception) -> str:
    """Return what `error` says of a schema, cut: some errors quote all of it."""
    text = " ".join(str(error).split())
    return text if len(text) <= _CUT_CHARACTERS_MAX else f"{text[:_CUT_CHARACTERS_MAX]}..."


def _check_name(schema: dict[str, Any], path: str) -> None:
    name, space = schema.get("name"), schema.get("namespace")
    if not isinstance(name, str) or not _FULL_NAME.fullmatch(name):
        raise _fault(path, f"{shown(name)} is no name of a type")
    if space is not None and space != "" and not (isinstance(space, str) and _FULL_NAME.fullmatch(space)):
        raise _fault(path, f"{shown(space)} is no namespace")


def _check_decimal(schema: dict[str, Any], path: str) -> None:
    if "precision" in schema:
        _check_number(schema, "precision", path, smallest=1, largest=_DIGITS_MAX)
    if "scale" in schema:
        _check_number(schema, "scale", path, smallest=0, largest=schema.get("precision", _DIGITS_MAX))


def _check_number(schema: dict[str, Any], name: str, path: str, *, smallest: int, largest: int) -> None:
    number = schema.get(name)
    if not isinstance(number, int) or isinstance(number, bool) or not smallest <= number <= largest:
        raise _fault(path, f"the {name} is {shown(number)}, not a number from {smallest} to {largest}")


def _part(schema: dict[str, Any], name: str, path: str) -> Any:
    if name not in schema:
        raise _fault(path, f"{name} is missing")
    return schema[name]


def _fault(path: str, what: str) -> UndecodableError:
    where = f" at {path}" if path else ""
    return UndecodableError(f"The writer's schema is no Avro schema{where}: {what}. Correct the schema.")
