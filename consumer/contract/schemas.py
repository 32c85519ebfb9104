"""The Avro schemas of `schemas/`: the current one of each message, and every known one by its fingerprint."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastavro.schema import SchemaParseException, fingerprint, parse_schema, to_parsing_canonical_form

from consumer.contract.errors import UndecodableError
from consumer.contract.resolution import resolve
from consumer.contract.schema_rules import AvroSchema, check_schemas


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


def _files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.avsc"))


def _read(path: Path) -> AvroSchema:
    try:
        schema: AvroSchema = json.loads(path.read_text(encoding="utf-8"))
        check_schemas([schema])
        parse_schema(schema)
        resolve(schema, {})
    except (OSError, ValueError, KeyError, TypeError, RecursionError, SchemaParseException) as error:
        raise SchemaFolderError(f"{path} is no Avro schema: {error}. Correct the file.") from error
    return schema


def _essence(schema: Any) -> Any:
    """Return `schema` without what is for readers of the file alone."""
    if isinstance(schema, dict):
        return {key: _essence(value) for key, value in schema.items() if key != "doc"}
    return [_essence(part) for part in schema] if isinstance(schema, list) else schema
