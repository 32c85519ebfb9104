"""Amounts, dates and texts as Xero reads and writes them."""

import re
import unicodedata
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

Json = dict[str, Any]

ZERO = Decimal(0)
ZERO_GUID = "00000000-0000-0000-0000-000000000000"
_CENT = Decimal("0.01")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS_DATE = re.compile(r"^/Date\((-?\d+)(?:[+-]\d{4})?\)/$")
_GUID = re.compile(r"^\{?([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})\}?$")


def cents(amount: Decimal) -> Decimal:
    """Round to two places, half away from zero (Xero's tie-break is not documented)."""
    return amount.quantize(_CENT, rounding=ROUND_HALF_UP)


def places(amount: Decimal, decimal_places: int) -> Decimal:
    """Round to the given number of decimal places, half away from zero."""
    return amount.quantize(Decimal(1).scaleb(-decimal_places), rounding=ROUND_HALF_UP)


def parse_number(value: object) -> Decimal | None:
    """A JSON number, or a string that holds one; `None` for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, Decimal):
        return value if value.is_finite() else None
    if isinstance(value, int):
        return Decimal(value)
    if isinstance(value, str):
        try:
            number = Decimal(value.strip())
        except InvalidOperation:
            return None
        return number if number.is_finite() else None
    return None


def parse_date(value: object) -> date | None:
    """A day from ``YYYY-MM-DD``, an ISO date-time or ``/Date(ms)/``; `None` when it is none of them."""
    if not isinstance(value, str):
        return None
    text = value.strip()
    in_milliseconds = _MS_DATE.match(text)
    if in_milliseconds:
        return (_EPOCH + timedelta(milliseconds=int(in_milliseconds[1]))).date()
    try:
        return datetime.fromisoformat(text).date()
    except ValueError:
        return None


def parse_guid(value: object) -> str | None:
    """A GUID in lower case, or `None`."""
    match = _GUID.match(value.strip()) if isinstance(value, str) else None
    return match[1].lower() if match else None


def ms_date(day: date) -> str:
    """``/Date(ms+0000)/`` for midnight UTC."""
    return f"/Date({(day - _EPOCH.date()).days * 86_400_000}+0000)/"


def date_string(day: date) -> str:
    """The readable twin of `ms_date`: ``2026-09-14T00:00:00``."""
    return f"{day.isoformat()}T00:00:00"


def ms_datetime(moment: datetime, *, offset: bool = True) -> str:
    """``/Date(ms+0000)/`` for a moment; the envelope's own date has no offset."""
    milliseconds = int(moment.timestamp() * 1000)
    return f"/Date({milliseconds}+0000)/" if offset else f"/Date({milliseconds})/"


def lock_date_text(day: date) -> str:
    """``30-Nov-2018``, as lock date errors spell a day."""
    return day.strftime("%d-%b-%Y")


def number(amount: Decimal) -> float:
    """A JSON number. Doubles carry every amount that Xero accepts without loss of a cent."""
    return float(amount)


def normalise_spaces(text: str) -> str:
    """No leading, trailing or double spaces."""
    return " ".join(text.split())


def fold(text: str) -> str:
    """Key for comparisons that ignore case and surplus spaces."""
    return normalise_spaces(text).casefold()


@lru_cache(maxsize=100_000)
def fold_accents(text: str) -> str:
    """Key for `where` comparisons of names, which ignore accents as well."""
    decomposed = unicodedata.normalize("NFKD", text)
    return fold("".join(mark for mark in decomposed if not unicodedata.combining(mark)))
