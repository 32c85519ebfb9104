"""Single values: amounts as decimal texts, days as dates. Pure."""

from collections.abc import Callable
from datetime import date
from typing import Any

# Postgres keeps amounts as numeric(18, 4): everything from here up doesn't fit.
AMOUNT_SCALE = 4
AMOUNT_LIMIT = 10**18
# Room for any decimal of 150 digits, also one padded to a fixed size; longer ones aren't worth the arithmetic.
_AMOUNT_BYTES_MAX = 64
# Amounts and dates recur (prices, quantities, days), so their texts are kept; a bound keeps memory small.
_KEPT_MAX = 5_000
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
# Outside of these years something else than a date was written, seconds for days for example.
EARLIEST = date(1900, 1, 1)
LATEST = date(2999, 12, 31)
_EARLIEST_DAYS = EARLIEST.toordinal() - _EPOCH_ORDINAL
_LATEST_DAYS = LATEST.toordinal() - _EPOCH_ORDINAL


class ConversionError(ValueError):
    """A value breaks the contract at `path`. `impossible` = it was read, but can't be true."""

    def __init__(self, reason: str, *, path: str = "", impossible: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.impossible = impossible
        self.path = path

    def inside(self, name: str) -> "ConversionError":
        """Return the error, its path prefixed by the field `name`."""
        self.path = f"{name}.{self.path}" if self.path else name
        return self


class Kept(dict[Any, str]):
    """The texts of one field's values, each worked out at its first sight; errors name the field's `path`."""

    def __init__(self, work_out: Callable[[Any], str], path: str) -> None:
        super().__init__()
        self._work_out = work_out
        self._path = path

    def __missing__(self, key: Any) -> str:
        if len(self) >= _KEPT_MAX:
            self.clear()
        try:
            text = self[key] = self._work_out(key)
        except ConversionError as error:
            raise error.inside(self._path) from None
        return text


def amount_reader(scale: int) -> Callable[[bytes], str]:
    """Return the function that gives the text of a decimal's bytes (big-endian, two's complement) at `scale`."""

    def read(raw: bytes) -> str:
        if not raw:
            raise ConversionError("an amount without a single byte")
        if len(raw) > _AMOUNT_BYTES_MAX:
            raise ConversionError(f"an amount of {len(raw)} bytes, far beyond numeric(18, 4)", impossible=True)
        return amount_text(int.from_bytes(raw, "big", signed=True), scale)

    return read


def amount_text(unscaled: int, scale: int) -> str:
    """Return `unscaled` · 10^-`scale` as a decimal with four places: (400000, 4) gives "40.0000".

    Raises:
        ConversionError: it has more than four places, or doesn't fit numeric(18, 4).
    """
    if scale > AMOUNT_SCALE:
        unscaled, rest = divmod(unscaled, 10 ** (scale - AMOUNT_SCALE))
        if rest:
            raise ConversionError("an amount with more than 4 decimal places", impossible=True)
    elif scale < AMOUNT_SCALE:
        unscaled *= 10 ** (AMOUNT_SCALE - scale)
    if not -AMOUNT_LIMIT < unscaled < AMOUNT_LIMIT:
        raise ConversionError("an amount with more than 14 digits before the point", impossible=True)
    digits = f"{abs(unscaled):05d}"
    return f"{'-' if unscaled < 0 else ''}{digits[:-AMOUNT_SCALE]}.{digits[-AMOUNT_SCALE:]}"


def date_text(days: int) -> str:
    """Return the date that is `days` after 1970-01-01, as ISO 8601 writes it.

    Raises:
        ConversionError: it lies outside of the years 1900 to 2999.
    """
    if not _EARLIEST_DAYS <= days <= _LATEST_DAYS:
        raise ConversionError(
            f"{days} days after 1970-01-01, outside of the years 1900 to 2999 (was a time written for a date?)",
            impossible=True,
        )
    return date.fromordinal(_EPOCH_ORDINAL + days).isoformat()
