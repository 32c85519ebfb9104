"""A schema with its named types put where they are used: each once, and shared by all that use it. Pure."""

from collections.abc import Mapping
from typing import Any

from consumer.contract.errors import UndecodableError
from consumer.contract.schema_rules import PRIMITIVES, RECORDS, AvroSchema

_NAMED = RECORDS | {"enum", "fixed"}


def full_name(schema: Mapping[str, Any], namespace: str) -> str:
    """Return the full name of a named type that stands inside `namespace`."""
    name = str(schema["name"])
    if "." in name:
        return name
    space = schema.get("namespace", namespace)
    return f"{space}.{name}" if space else name


def resolve(schema: AvroSchema, definitions: Mapping[str, AvroSchema]) -> AvroSchema:
    """Return `schema` with each named type in place of its name, names made full; an error is a record.

    A type that is used twice is one object, so that types which double per level stay as small as they are written.
    `definitions` gives the types that other schemas define (the registry's references), by full name. All of them have
    passed `check_schemas`.

    Raises:
        UndecodableError: a type is unknown, defined twice or contains itself, or an array's elements take no bytes.
    """
    return _Resolver(definitions).resolve(schema, "")


class _Resolver:
    def __init__(self, definitions: Mapping[str, AvroSchema]) -> None:
        # Elsewhere defined and not looked at yet; then here: None while its inside is being looked at.
        self._definitions = definitions
        self._resolved: dict[str, AvroSchema | None] = {}
        # By the object's id: they live as long as what was resolved.
        self._sizes_min: dict[int, int] = {}

    def resolve(self, schema: AvroSchema, space: str) -> AvroSchema:
        if isinstance(schema, list):
            return [self.resolve(branch, space) for branch in schema]
        if isinstance(schema, str):
            return schema if schema in PRIMITIVES else self._named(schema, space)
        kind = schema["type"]
        if not isinstance(kind, str):
            # {"type": {"type": "string"}} means the inner one.
            return self.resolve(kind, space)
        return schema if kind in PRIMITIVES else self._complex(schema, kind, space)

    def _complex(self, schema: dict[str, Any], kind: str, space: str) -> AvroSchema:
        if kind in _NAMED:
            return self._define(schema, full_name(schema, space))
        if kind == "map":
            return {**schema, "values": self.resolve(schema["values"], space)}
        if kind != "array":
            return self._named(kind, space)
        items = self.resolve(schema["items"], space)
        if self._size_min(items) == 0:
            # A few bytes could claim billions of them, which cost no byte, but all memory.
            raise UndecodableError(
                "The writer's schema has an array of elements that take no bytes. Correct the schema."
            )
        return {**schema, "items": items}

    def _define(self, schema: dict[str, Any], name: str) -> AvroSchema:
        if name in self._resolved:
            raise UndecodableError(f"The writer's schema defines the type {name} twice. Correct the schema.")
        resolved = {**schema, "name": name}
        if schema["type"] in RECORDS:
            self._resolved[name] = None
            space = name.rpartition(".")[0]
            fields = [{**field, "type": self.resolve(field["type"], space)} for field in schema["fields"]]
            resolved |= {"type": "record", "fields": fields}
        self._resolved[name] = resolved
        return resolved

    def _named(self, name: str, space: str) -> AvroSchema:
        for candidate in (name,) if "." in name or not space else (f"{space}.{name}", name):
            if candidate in self._resolved:
                found = self._resolved[candidate]
                if found is None:
                    raise UndecodableError(
                        f"The writer's schema has the type {candidate} inside itself; the contract never does."
                    )
                return found
            if candidate in self._definitions:
                return self.resolve(self._definitions[candidate], "")
        raise UndecodableError(f"The writer's schema uses the type {name}, which nothing defines. Correct the schema.")

    def _size_min(self, schema: AvroSchema) -> int:
        """Return the smallest number of bytes that a value of `schema` takes; above 1 it doesn't matter."""
        if isinstance(schema, list):
            return 1
        if isinstance(schema, str):
            return 0 if schema == "null" else 1
        if schema["type"] != "record":
            return 0 if schema["type"] == "null" else 1
        known = self._sizes_min.get(id(schema))
        if known is None:
            known = self._sizes_min[id(schema)] = max(
                (self._size_min(field["type"]) for field in schema["fields"]), default=0
            )
        return known
