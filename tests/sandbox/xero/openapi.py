"""Xero's published OpenAPI description as JSON schemas, where it is at hand."""

import os
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

_BESIDE_THE_REPOSITORY = Path(__file__).parents[4] / "shared" / "reference" / "xero_accounting.yaml"
_MONEY_TEXT = {"type": ["number", "string"]}


def description_path() -> Path:
    return Path(os.environ.get("XERO_OPENAPI", _BESIDE_THE_REPOSITORY))


@cache
def description() -> dict[str, Any]:
    path = description_path()
    if not path.is_file():
        pytest.skip(f"xero_accounting.yaml is not here ({path}); XERO_OPENAPI can say where it is")
    with path.open("rb") as file:
        loaded: dict[str, Any] = yaml.load(file, Loader=yaml.CSafeLoader)
    return loaded


@cache
def schemas() -> dict[str, Any]:
    """Every schema, closed: a field that the description does not name is an error."""
    return {name: _closed(schema) for name, schema in description()["components"]["schemas"].items()}


def properties(name: str) -> dict[str, Any]:
    found: dict[str, Any] = description()["components"]["schemas"][name]["properties"]
    return found


def problems(name: str, value: Any) -> set[str]:
    """Where `value` departs from a schema: "path: what", list positions left out."""
    root = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": schemas()}}
    validator = jsonschema.Draft202012Validator(root)
    found = set()
    for error in validator.iter_errors(value):
        path = ".".join(str(part) for part in error.absolute_path if not isinstance(part, int))
        what = error.message if error.validator == "additionalProperties" else str(error.validator)
        found.add(f"{path}: {what}")
    return found


def _closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    # Enums beside a $ref, examples and Xero's own x- keys say nothing about a value's shape.
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}
    kept = {
        key: _closed(part)
        for key, part in schema.items()
        if key in {"type", "properties", "items", "required", "enum", "maxLength"}
    }
    if "properties" in kept and isinstance(schema.get("properties"), dict):
        kept["properties"] = {name: _closed(part) for name, part in schema["properties"].items()}
        kept["additionalProperties"] = False
    return kept
