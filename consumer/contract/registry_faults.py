"""What a schema registry answers where it is not the expected success, in words. Pure."""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

# Bodies may be whole HTML pages.
_TEXT_CHARACTERS_MAX = 200
# The client's own code for an answer that is no JSON, such as a proxy's page.
_NO_REGISTRY = -1
# Confluent's code for "no schema has this id"; other registries answer 404 with codes of their own.
_SCHEMA_NOT_FOUND = 40403
_NOT_FOUND_CODES = frozenset({40401, 40402, _SCHEMA_NOT_FOUND})
# The schema isn't there yet, or this registry can't be asked so: registering tells.
_LOOK_UP_IN_VAIN = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.UNPROCESSABLE_ENTITY})
# Who refuses to register may hold the same schema all the same.
_WRITE_REFUSED = frozenset(
    {
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.METHOD_NOT_ALLOWED,
        HTTPStatus.CONFLICT,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)
_NOT_NOW = ("it can't answer now", "Reading goes on as soon as it does.")
_REFUSED = ("it refuses", "")
# By status: what it means, and what to do.
_VERDICTS: Mapping[int, tuple[str, str]] = MappingProxyType(
    {
        HTTPStatus.UNAUTHORIZED: ("it wants other credentials", "Correct the registry's credentials."),
        HTTPStatus.FORBIDDEN: ("it refuses", "Give the service's user the right to read its subjects."),
        HTTPStatus.NOT_FOUND: ("there is no registry at this address", "Correct SCHEMA_REGISTRY_URL."),
        HTTPStatus.TOO_MANY_REQUESTS: _NOT_NOW,
    }
)


def is_surely_missing(error: Exception) -> bool:
    """Whether a registry said that it has no such schema, subject or version."""
    return _status(error) == HTTPStatus.NOT_FOUND and _code(error) in _NOT_FOUND_CODES


def is_perhaps_missing(error: Exception) -> bool:
    """Whether the answer is a 404 that a registry may give for a missing schema, or any server for a wrong path."""
    return _status(error) == HTTPStatus.NOT_FOUND and _code(error) != _NO_REGISTRY


def is_looked_up_in_vain(error: Exception) -> bool:
    """Whether a look-up's answer leaves open that the schema can be registered."""
    return _status(error) in _LOOK_UP_IN_VAIN and _code(error) != _NO_REGISTRY


def is_write_refused(error: Exception) -> bool:
    """Whether the registry refuses to register: no right, read-only, incompatible, or already registered otherwise."""
    return _status(error) in _WRITE_REFUSED and _code(error) != _NO_REGISTRY


def explain(error: Exception) -> str:
    """Return what went wrong and what to do, as the end of a sentence that names the registry and what it was asked."""
    status = _status(error)
    said = _cut(str(getattr(error, "error_message", None) or error) or type(error).__name__)
    if status is not None:
        verdict, remedy = _VERDICTS.get(status, _NOT_NOW if status >= HTTPStatus.INTERNAL_SERVER_ERROR else _REFUSED)
        return f"{verdict} (HTTP {status}: {said}). {remedy}".rstrip()
    if isinstance(error, ValueError | KeyError | AttributeError | TypeError):
        return (
            f"its answer is none of a schema registry's ({type(error).__name__}). See whether SCHEMA_REGISTRY_URL "
            "is a proxy's or a sign-in page's address."
        )
    return f"it can't be reached ({type(error).__name__}: {said}). Reading goes on as soon as it answers."


def _status(error: Exception) -> int | None:
    status: Any = getattr(error, "http_status_code", None)
    return status if isinstance(status, int) else None


def _code(error: Exception) -> int | None:
    code: Any = getattr(error, "error_code", None)
    return code if isinstance(code, int) else None


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _TEXT_CHARACTERS_MAX else f"{text[:_TEXT_CHARACTERS_MAX]} ..."
