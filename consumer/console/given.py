"""What requests bring, checked in one place: texts that the database can hold, numbers and times that it knows."""

from collections.abc import Iterable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from consumer.console.refusal import unusable

# Postgres' ids have 64 bits; one less, so that "up to this one" can be asked as "before the next".
_LARGEST_ID = 2**63 - 2
_MOST_DIGITS = len(str(_LARGEST_ID))


def is_text(value: str) -> bool:
    """Whether the database can hold `value`: no NUL, nothing that is no character at all."""
    return "\x00" not in value and not any("\ud800" <= character <= "\udfff" for character in value)


def check_texts(given: Iterable[tuple[str, str]]) -> None:
    """Raise Refusal where one of these names and values can't be used."""
    for name, value in given:
        if not is_text(value):
            raise unusable(f"{name} can't be used.", "It holds a character that can't be stored.")


def check_id(value: int, name: str) -> int:
    """Return `value` where it may be an id. Raises Refusal otherwise."""
    if not 0 <= value <= _LARGEST_ID:
        raise unusable(f"{name} must be a whole number that something can have.")
    return value


def read_id(value: str, name: str) -> int:
    """Return the id that `value` says. Raises Refusal where it says none."""
    # So long a text is no id, and Python refuses to read it.
    if not value.isascii() or not value.isdigit() or len(value) > _MOST_DIGITS:
        raise unusable(f"{name} must be a whole number.")
    return check_id(int(value), name)


def read_moment(value: str, name: str, zone: ZoneInfo) -> datetime:
    """Return the time that `value` says, in UTC; one without a zone is in `zone`. Raises Refusal otherwise."""
    try:
        moment = datetime.fromisoformat(value)
        return moment.replace(tzinfo=moment.tzinfo or zone).astimezone(UTC)
    except (ValueError, OverflowError):
        # The last hours of the year 9999 are in the year 10000 elsewhere, which no calendar here has.
        raise unusable(f"{name} must be a time such as 2026-01-31T09:30.") from None
