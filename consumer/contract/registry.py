"""Confluent's schema registry: schemas by id, kept for ever (an id never changes its meaning), and registration."""

import json
from typing import TYPE_CHECKING, Any

from consumer.contract.errors import RegistryUnavailableError, UndecodableError
from consumer.contract.schemas import AvroSchema, full_name

if TYPE_CHECKING:
    from confluent_kafka.schema_registry import Schema

# One try is short, and the caller tries again: a partition that waits must still answer its group.
_TIMEOUT_SECONDS = 5
# The registry's own code for "no schema has this id"; other 404s mean that the address isn't a registry's.
_SCHEMA_NOT_FOUND = 40403


class Registry:
    """A client of the registry at `url`. Safe to share between threads."""

    def __init__(self, url: str) -> None:
        # Imported here: without a registry its HTTP stack would cost every process 20 MB and half a second.
        from confluent_kafka.schema_registry import SchemaRegistryClient  # noqa: PLC0415 -- see the line above

        self._url = url
        self._client = SchemaRegistryClient({"url": url, "timeout": _TIMEOUT_SECONDS, "max.retries": 0})
        self._ids: dict[tuple[str, str], int] = {}

    def schema(self, schema_id: int) -> tuple[AvroSchema, dict[str, AvroSchema]]:
        """Return the Avro schema `schema_id`, and the named types that it refers to, by full name.

        Raises:
            UndecodableError: the registry says that it has no such schema, or it is none of Avro's.
            RegistryUnavailableError: the registry doesn't answer, or not sensibly.
        """
        found = self._ask(f"for schema {schema_id}", lambda: self._client.get_schema(schema_id), schema_id=schema_id)
        definitions: dict[str, AvroSchema] = {}
        self._collect(found, definitions)
        return _parse(found, schema_id), definitions

    def register(self, subject: str, schema: AvroSchema) -> int:
        """Return the id of `schema` under `subject`, registering it where it is new.

        Raises:
            RegistryUnavailableError: the registry doesn't answer, or refuses the schema.
        """
        from confluent_kafka.schema_registry import Schema  # noqa: PLC0415 -- as above

        text = json.dumps(schema, separators=(",", ":"))
        known = self._ids.get((subject, text))
        if known is None:
            known = self._ask(
                f"to register {subject}", lambda: self._client.register_schema(subject, Schema(text, "AVRO"))
            )
            self._ids[subject, text] = known
        return known

    def _collect(self, schema: "Schema", definitions: dict[str, AvroSchema]) -> None:
        for reference in schema.references or []:
            if str(reference.name) in definitions:
                continue
            found = self._ask(
                f"for {reference.subject} version {reference.version}",
                lambda reference=reference: self._client.get_version(reference.subject, reference.version).schema,
            )
            definition = _parse(found, reference.name)
            name = full_name(definition, "") if isinstance(definition, dict) else str(reference.name)
            definitions[name] = definition
            self._collect(found, definitions)

    def _ask(self, what: str, call: Any, *, schema_id: int | None = None) -> Any:
        try:
            return call()
        except Exception as error:  # the client also lets through the errors of whichever HTTP library it found
            if schema_id is not None and getattr(error, "error_code", None) == _SCHEMA_NOT_FOUND:
                raise UndecodableError(
                    f"Written with schema id {schema_id}, which the registry at {self._url} doesn't have. "
                    "Register the writer's schema under that id, or publish the message again."
                ) from error
            raise RegistryUnavailableError(
                f"The schema registry at {self._url} couldn't be asked {what}: {error}. "
                "Nothing is lost: reading goes on as soon as it answers."
            ) from error


def _parse(found: "Schema", name: object) -> AvroSchema:
    if found.schema_type not in {None, "AVRO"}:
        raise UndecodableError(f"Schema {name} of the registry is {found.schema_type}, not Avro. Publish as Avro.")
    try:
        parsed: AvroSchema = json.loads(found.schema_str or "")
    except ValueError as error:
        raise UndecodableError(f"Schema {name} of the registry is no JSON: {error}. Correct the schema.") from error
    return parsed
