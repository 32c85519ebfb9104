"""A schema registry with Confluent's API: schemas by id, kept for ever (an id never changes its meaning), and ids."""

import json
from typing import TYPE_CHECKING, Any

from consumer.contract import registry_faults as faults
from consumer.contract.errors import RegistryUnavailableError, UndecodableError
from consumer.contract.patience import WAIT_SECONDS, Patience
from consumer.contract.registry_access import RegistryAccess
from consumer.contract.resolution import full_name
from consumer.contract.schema_rules import CHARACTERS_MAX, AvroSchema, cut

if TYPE_CHECKING:
    from confluent_kafka.schema_registry import Schema

# One try is short, and the caller tries again: a partition that waits must still answer its group.
_TIMEOUT_SECONDS = 5


class Registry:
    """A client of the registry at `url`, who comes as `access` says. Safe to share between threads."""

    def __init__(self, url: str, access: RegistryAccess | None = None, patience: Patience | None = None) -> None:
        # Imported here: without a registry its HTTP stack would cost every process 20 MB and half a second.
        from confluent_kafka.schema_registry import SchemaRegistryClient  # noqa: PLC0415 -- see the line above

        self._url = url
        properties = {} if access is None else access.properties()
        self._client = SchemaRegistryClient({"url": url, "timeout": _TIMEOUT_SECONDS, "max.retries": 0, **properties})
        self._patience = patience or Patience()
        self._ids: dict[tuple[str, str], int] = {}

    def close(self) -> None:
        """Let go of the connections; the client is of no use afterwards."""
        self._client.close()

    def schema(self, schema_id: int) -> tuple[AvroSchema, dict[str, AvroSchema]]:
        """Return the Avro schema `schema_id`, and the named types that it refers to, by full name.

        Raises:
            UndecodableError: the registry has no such schema, and was given a while to get it; or it is none of Avro's.
            RegistryUnavailableError: the registry doesn't answer, or not sensibly, or may get the schema in a moment.
        """
        found = self._find(f"schema id {schema_id}", lambda: self._client.get_schema(schema_id))
        definitions: dict[str, AvroSchema] = {}
        self._collect(found, definitions)
        return _parse(found, schema_id), definitions

    def register(self, subject: str, schema: AvroSchema) -> int:
        """Return the id of `schema` under `subject`; it is registered only where the registry doesn't have it.

        Raises:
            RegistryUnavailableError: the registry doesn't answer, or hasn't the schema and refuses it.
        """
        text = json.dumps(schema, separators=(",", ":"))
        known = self._ids.get((subject, text))
        if known is None:
            known = self._look_up(subject, text)
            if known is None:
                known = self._register(subject, text)
            self._ids[subject, text] = known
        return known

    def _look_up(self, subject: str, text: str) -> int | None:
        """Return the id of a schema that is there already: whoever may only read needs no more."""
        from confluent_kafka.schema_registry import Schema  # noqa: PLC0415 -- as above

        try:
            return self._client.lookup_schema(subject, Schema(text, "AVRO")).schema_id
        except Exception as error:  # the client also lets through the errors of whichever HTTP library it found
            if faults.is_looked_up_in_vain(error):
                return None
            raise self._unavailable(f"for the id of {subject}", error) from error

    def _register(self, subject: str, text: str) -> int:
        from confluent_kafka.schema_registry import Schema  # noqa: PLC0415 -- as above

        try:
            return self._client.register_schema(subject, Schema(text, "AVRO"))
        except Exception as error:  # as above
            known = self._newest(subject, text) if faults.is_write_refused(error) else None
            if known is not None:
                return known
            raise RegistryUnavailableError(
                f"The schema registry at {self._url} doesn't have the schema of {subject} and can't be made to: "
                f"{faults.explain(error)} Register the schema of schemas/ under that subject, or give the service's "
                "user the right to. Nothing is lost: it goes on by itself then."
            ) from error

    def _newest(self, subject: str, text: str) -> int | None:
        """Return the id of the subject's newest schema where it differs from ours in its notes alone."""
        try:
            newest = self._client.get_latest_version(subject)
            same = _without_notes(json.loads(newest.schema.schema_str or "")) == _without_notes(json.loads(text))
        except Exception:  # noqa: BLE001 -- the refusal that led here is told, which says more
            return None
        return newest.schema_id if same else None

    def _collect(self, schema: "Schema", definitions: dict[str, AvroSchema]) -> None:
        for reference in schema.references or []:
            if str(reference.name) in definitions:
                continue
            found = self._find(
                f"{reference.subject} version {reference.version}",
                lambda reference=reference: self._client.get_version(reference.subject, reference.version).schema,
            )
            definition = _parse(found, reference.name)
            name = full_name(definition, "") if isinstance(definition, dict) else str(reference.name)
            definitions[name] = definition
            self._collect(found, definitions)

    def _find(self, name: str, call: Any) -> "Schema":
        """Return what `call` gives. A schema that the registry doesn't know concerns its messages alone."""
        try:
            found: Schema = call()
        except Exception as error:  # as above
            if not self._is_missing(error):
                raise self._unavailable(f"for {name}", error) from error
            if self._patience.is_over(name):
                raise UndecodableError(
                    f"Written with {name}, which the registry at {self._url} doesn't have and didn't get within "
                    f"{WAIT_SECONDS:.0f} s. Register the writer's schema so, then replay the message; or publish it "
                    "again."
                ) from error
            raise RegistryUnavailableError(
                f"The schema registry at {self._url} doesn't have {name} yet; it is asked again for "
                f"{WAIT_SECONDS:.0f} s, since a follower may be late."
            ) from error
        self._patience.end(name)
        return found

    def _is_missing(self, error: Exception) -> bool:
        if faults.is_surely_missing(error):
            return True
        if not faults.is_perhaps_missing(error):
            return False
        # Registries answer with different codes, and any server gives a 404 for a path that it doesn't know: the one
        # that tells its types of schemas is a registry.
        try:
            return bool(self._client.get_schema_types())
        except Exception:  # noqa: BLE001 -- the first answer is told
            return False

    def _unavailable(self, what: str, error: Exception) -> RegistryUnavailableError:
        return RegistryUnavailableError(
            f"The schema registry at {self._url} couldn't be asked {what}: {faults.explain(error)} Nothing is lost."
        )


def _without_notes(schema: Any) -> Any:
    """Return `schema` without its docs. Avro's canonical form would leave out the logical types as well."""
    if isinstance(schema, list):
        return [_without_notes(part) for part in schema]
    if isinstance(schema, dict):
        return {key: _without_notes(value) for key, value in schema.items() if key != "doc"}
    return schema


def _parse(found: "Schema", name: object) -> AvroSchema:
    if found.schema_type not in {None, "AVRO"}:
        raise UndecodableError(f"Schema {name} of the registry is {found.schema_type}, not Avro. Publish as Avro.")
    text = found.schema_str or ""
    if len(text) > CHARACTERS_MAX:
        raise UndecodableError(
            f"Schema {name} of the registry has {len(text)} characters; at most {CHARACTERS_MAX} are allowed. Publish "
            "by a smaller one."
        )
    try:
        parsed: AvroSchema = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UndecodableError(
            f"Schema {name} of the registry is no JSON: {cut(error)}. Correct the schema."
        ) from error
    return parsed
