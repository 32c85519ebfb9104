"""The filter of the sync log as it stands in an address."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

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
        problem_id=_number(query, "problem_id"),
        since=_moment(query, "since", zone),
        until=_moment(query, "until", zone),
    )


def read_id(query: Mapping[str, str], name: str) -> int | None:
    """Return the id in the parameter `name`, None where it is left out. Raises as `read_filter`."""
    return _number(query, name)


def chosen(query: Mapping[str, str]) -> dict[str, str]:
    """Return those parameters of `query` that belong to the filter, to carry them on."""
    return {name: query[name] for name in PARAMETERS if query.get(name)}


def _text(query: Mapping[str, str], name: str) -> str | None:
    value = query.get(name, "").strip()
    if "\x00" in value:
        raise unusable(f"{name} can't be used.")
    return value or None


def _choice(query: Mapping[str, str], name: str, kind: type[E]) -> E | None:
    value = _text(query, name)
    if value is None:
        return None
    try:
        return kind(value)
    except ValueError:
        raise unusable(f"There is no {name} {value!r}.", f"There are {', '.join(kind)}.") from None


def _number(query: Mapping[str, str], name: str) -> int | None:
    value = _text(query, name)
    if value is None:
        return None
    # Postgres' ids have 64 bits.
    if not value.isascii() or not value.isdigit() or int(value) >= 2**63:
        raise unusable(f"{name} must be a whole number.")
    return int(value)


def _moment(query: Mapping[str, str], name: str, zone: ZoneInfo) -> datetime | None:
    value = _text(query, name)
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise unusable(f"{name} must be a time such as 2026-01-31T09:30.") from None
    return moment.replace(tzinfo=moment.tzinfo or zone).astimezone(UTC)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # Not every machine knows every zone; times then count as UTC, and the page says so.
        return ZoneInfo("UTC")
