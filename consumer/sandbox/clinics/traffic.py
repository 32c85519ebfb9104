"""Sample traffic: the sample clinics at work now, without end, with orders that nobody has seen before."""

import time
from collections.abc import Iterator
from itertools import count

import msgspec

from consumer.orders import OrderEvent
from consumer.sandbox.clinics.month import sample_month

_ORDERS_PER_MONTH = 300
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def sample_traffic(started_at_seconds: int) -> Iterator[OrderEvent]:
    """Yield events without end: sample months one after another, each event with the time at which it is taken.

    Ids, numbers and names carry `started_at_seconds` (since 1970), so that what another start has published is never
    met again. Redeliveries are the same to the last field, as in `sample_month`.
    """
    for month in count():
        mark = f"{_base36(started_at_seconds)}-{_base36(month)}-"
        happened_at_us: dict[str, int] = {}
        for event in sample_month(seed=started_at_seconds + month, orders=_ORDERS_PER_MONTH, mark=mark):
            at_us = happened_at_us.setdefault(event.event_id, time.time_ns() // 1_000)
            yield msgspec.structs.replace(event, occurred_at_us=at_us)


def _base36(number: int) -> str:
    digits = ""
    while number or not digits:
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits
