"""Which of the documents that people made stands for which of HearLink's: by amount, each for one at most. Pure."""

from collections.abc import Iterable
from decimal import Decimal

import msgspec


class Wanted(msgspec.Struct, frozen=True):
    """A payment or credit note of HearLink's that no document of ours stands for; `day` is an ISO date."""

    local_id: str
    amount: Decimal
    day: str


class Found(msgspec.Struct, frozen=True):
    """A payment or credit note in Xero that stands for none of HearLink's yet."""

    xero_id: str
    amount: Decimal
    day: str


class Pairs(msgspec.Struct, frozen=True):
    """What fits, and what is left on either side."""

    by_id: dict[str, Found]
    wanted: tuple[Wanted, ...]
    found: tuple[Found, ...]


def pair(wanted: Iterable[Wanted], found: Iterable[Found]) -> Pairs:
    """Pair what is of one amount, first what is of one day as well, then the oldest with the oldest."""
    open_ones = sorted(wanted, key=lambda one: (one.day, one.local_id))
    left = sorted(found, key=lambda one: (one.day, one.xero_id))
    by_id: dict[str, Found] = {}
    for same_day in (True, False):
        for one in tuple(open_ones):
            fitting = next(
                (other for other in left if other.amount == one.amount and (not same_day or other.day == one.day)), None
            )
            if fitting is not None:
                by_id[one.local_id] = fitting
                left.remove(fitting)
                open_ones.remove(one)
    return Pairs(by_id, tuple(open_ones), tuple(left))
