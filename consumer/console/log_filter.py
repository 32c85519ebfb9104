"""The filter of the sync log as it stands in an address."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from consumer.console import given
from consumer.console.refusal import unusable
from consumer.results import LogFilter, Operation, Outcome

E = TypeVar("E", bound=StrEnum)

# The names of the parameters; `zone` is the reader's time zone, for times without one.
PARAMETERS = (
    "clinic", "order", "invoice", "operation", "outcome", "problem", "problem_id", "since", "until", "zone",
)  # fmt: skip


def read_filter(organisation_id: str, query: Mapping[str, str]) -> LogFilter:
    """Return the filter that `query` describes.

    Raises:
        Refusal: a parameter can't be used; the text says which.
    """
    zone = _zone(query.get("zone", "UTC"))
    return LogFilter(
        organisation_id=organisation_id,
        clinic_id=_text(query, "clinic"),
        order_id=_text(query, "order"),
        invoice_number=_text(query, "invoice"),
        operation=_choice(query, "operation", Operation),
        outcome=_choice(query, "outcome", Outcome),
        problem=_text(query, "problem"),
        problem_id=read_id(query, "problem_id"),
        since=_moment(query, "since", zone),
        until=_moment(query, "until", zone),
    )


def read_id(query: Mapping[str, str], name: str) -> int | None:
    """Return the id in the parameter `name`, None where it is left out. Raises as `read_filter`."""
    value = _text(query, name)
    return None if value is None else given.read_id(value, name)


def chosen(query: Mapping[str, str]) -> dict[str, str]:
    """Return those parameters of `query` that belong to the filter, to carry them on."""
    return {name: query[name] for name in PARAMETERS if query.get(name)}


def _text(query: Mapping[str, str], name: str) -> str | None:
    return query.get(name, "").strip() or None


def _choice(query: Mapping[str, str], name: str, kind: type[E]) -> E | None:
    value = _text(query, name)
    if value is None:
        return None
    try:
        return kind(value)
    except ValueError:
        raise unusable(f"There is no {name} {value!r}.", f"There are {', '.join(kind)}.") from None


def _moment(query: Mapping[str, str], name: str, zone: ZoneInfo) -> datetime | None:
    value = _text(query, name)
    return None if value is None else given.read_moment(value, name, zone)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # Not every machine knows every zone; times then count as UTC, and the page says so.
        return ZoneInfo("UTC")
