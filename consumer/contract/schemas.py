"""The Avro schemas of `schemas/`: the current one of each message, and every known one by its fingerprint."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastavro.schema import SchemaParseException, fingerprint, parse_schema, to_parsing_canonical_form

from consumer.contract.errors import UndecodableError

# A schema as JSON gives it: a name, a union (list) or an object.
AvroSchema = str | list[Any] | dict[str, Any]

_PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
_NAMED = frozenset({"record", "error", "enum", "fixed"})


class SchemaFolderError(Exception):
    """A file of the schema folder can't be used; the text names it. The service must not start with it."""


class Schemas:
    """The schemas of one folder, and of a further one.

    The files right inside the first are the current versions; those in folders below and in the further folder are
    versions that writers use besides. All are known by fingerprint.
    """

    def __init__(self, current: Mapping[str, AvroSchema], by_fingerprint: Mapping[bytes, AvroSchema]) -> None:
        self._current = dict(current)
        self._by_fingerprint = dict(by_fingerprint)

    @classmethod
    def load(cls, folder: Path, further: Path | None = None) -> "Schemas":
        """Read all `*.avsc` files of `folder`, of `further`, and of the folders below them.

        Raises:
            SchemaFolderError: a file is no Avro schema, or two files differ but have one fingerprint.
        """
        current: dict[str, AvroSchema] = {}
        known: dict[bytes, tuple[AvroSchema, Path]] = {}
        for path in [*_files(folder), *([] if further is None else _files(further))]:
            schema = _read(path)
            mark = schema_fingerprint(schema)
            twin, twin_path = known.setdefault(mark, (schema, path))
            # Avro's fingerprint ignores logical types, so decimals of two scales would be told apart by nothing.
            if _essence(twin) != _essence(schema):
                raise SchemaFolderError(
                    f"{path} has the fingerprint of {twin_path} but other logical types or defaults. "
                    "Writers of the two can't be told apart: publish one of them through the schema registry."
                )
            if path.parent == folder and isinstance(schema, dict):
                current[schema["name"]] = schema
        return cls(current, {mark: schema for mark, (schema, _) in known.items()})

    def current(self, name: str) -> dict[str, Any]:
        """Return the current schema of the record `name` ("OrderEvent"); its absence is a SchemaFolderError."""
        schema = self._current.get(name)
        if not isinstance(schema, dict):
            raise SchemaFolderError(f"The folder schemas/ has no schema of {name}: install the package anew.")
        return schema

    def by_fingerprint(self, mark: bytes) -> AvroSchema:
        """Return the schema with the CRC-64-AVRO fingerprint `mark` (8 bytes, little-endian).

        Raises:
            UndecodableError: no file has it.
        """
        try:
            return self._by_fingerprint[mark]
        except KeyError:
            raise UndecodableError(
                f"Written with a schema (CRC-64-AVRO {mark.hex()}, little-endian) that this service doesn't know. "
                "Put the writer's .avsc file into SCHEMAS_DIRECTORY, start the service again and replay the message."
            ) from None


def schema_fingerprint(schema: AvroSchema) -> bytes:
    """Return the CRC-64-AVRO fingerprint of `schema` as single-object encoding writes it: 8 bytes, little-endian."""
    return bytes.fromhex(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"))


def full_name(schema: Mapping[str, Any], namespace: str) -> str:
    """Return the full name of a named type that stands inside `namespace`."""
    name = str(schema["name"])
    if "." in name:
        return name
    space = schema.get("namespace", namespace)
    return f"{space}.{name}" if space else name


def inline(schema: AvroSchema, definitions: Mapping[str, AvroSchema]) -> AvroSchema:
    """Return `schema` with each named type written out where it is used, names made full, as a tree without names.

    `definitions` gives the types that other schemas define (the registry's references), by full name.

    Raises:
        UndecodableError: a type is unknown or contains itself, or an array's elements take no bytes.
    """
    return _inline(schema, "", dict(definitions), ())


def _inline(schema: AvroSchema, space: str, known: dict[str, AvroSchema], open_names: tuple[str, ...]) -> AvroSchema:
    if isinstance(schema, list):
        return [_inline(branch, space, known, open_names) for branch in schema]
    if isinstance(schema, str):
        return schema if schema in _PRIMITIVES else _named(schema, space, known, open_names)
    if isinstance(schema["type"], str) and schema["type"] in _PRIMITIVES:
        return schema
    return _inline_complex(schema, space, known, open_names)


def _inline_complex(
    schema: dict[str, Any], space: str, known: dict[str, AvroSchema], open_names: tuple[str, ...]
) -> AvroSchema:
    kind = schema["type"]
    if isinstance(kind, str) and kind in _NAMED:
        name = full_name(schema, space)
        known[name] = {**schema, "name": name}
        return _expand(known[name], name, known, open_names)
    if kind == "array":
        items = _inline(schema["items"], space, known, open_names)
        if _size_min(items) == 0:
            # A few bytes could claim billions of them, which cost no byte, but all memory.
            raise UndecodableError(
                "The writer's schema has an array of elements that take no bytes. Correct the schema."
            )
        return {**schema, "items": items}
    if kind == "map":
        return {**schema, "values": _inline(schema["values"], space, known, open_names)}
    # {"type": {"type": "string"}} and {"type": "Name"} are allowed, and mean the inner one.
    return _inline(kind, space, known, open_names)


def _named(name: str, space: str, known: dict[str, AvroSchema], open_names: tuple[str, ...]) -> AvroSchema:
    for candidate in (name,) if "." in name or not space else (f"{space}.{name}", name):
        if candidate in known:
            return _expand(known[candidate], candidate, known, open_names)
    raise UndecodableError(f"The writer's schema uses the type {name}, which nothing defines. Correct the schema.")


def _expand(schema: AvroSchema, name: str, known: dict[str, AvroSchema], open_names: tuple[str, ...]) -> AvroSchema:
    if name in open_names:
        raise UndecodableError(f"The writer's schema has the type {name} inside itself; the contract never does.")
    if not isinstance(schema, dict) or schema["type"] not in {"record", "error"}:
        return schema
    space = name.rpartition(".")[0]
    inside = (*open_names, name)
    fields = [{**field, "type": _inline(field["type"], space, known, inside)} for field in schema["fields"]]
    return {**schema, "name": name, "fields": fields}


def _size_min(schema: AvroSchema) -> int:
    """Return the smallest number of bytes that a value of `schema` takes."""
    if isinstance(schema, list):
        return 1
    if isinstance(schema, str):
        return 0 if schema == "null" else 1
    if schema["type"] == "record":
        return sum(_size_min(field["type"]) for field in schema["fields"])
    if schema["type"] == "fixed":
        return int(schema["size"])
    return 0 if schema["type"] == "null" else 1


def _files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.avsc"))


def _read(path: Path) -> AvroSchema:
    try:
        schema: AvroSchema = json.loads(path.read_text(encoding="utf-8"))
        parse_schema(schema)
        inline(schema, {})
    except (OSError, ValueError, KeyError, TypeError, SchemaParseException) as error:
        raise SchemaFolderError(f"{path} is no Avro schema: {error}. Correct the file.") from error
    return schema


def _essence(schema: Any) -> Any:
    """Return `schema` without what is for readers of the file alone."""
    if isinstance(schema, dict):
        return {key: _essence(value) for key, value in schema.items() if key != "doc"}
    return [_essence(part) for part in schema] if isinstance(schema, list) else schema
