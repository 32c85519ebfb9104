"""Whether the projection and the links to Xero agree: counts, sums, and each thing that doesn't fit.

Looks at Postgres alone, page by page within one snapshot, in time that grows with the orders. Orders that wait for
something are not judged; those in step must be linked whole. What nobody here can know is said: an order's newest
events leave no trace where they never came, so HearLink's own list of last sequences may be laid beside.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any

import msgspec
from psycopg import Connection, IsolationLevel

from consumer.database import load_queries

_QUERIES = load_queries(__file__, "verification.sql")
# Orders that are looked at with one statement: so few that it is done within a second.
_PAGE_ORDERS = 20_000

# What each finding means, and what to do about it.
WORDS = {
    "not_linked": "in step, and yet not linked: retry the order",
    "amount_differs": "the amount that was sent is another: retry the order",
    "linked_too_much": "linked, and not in HearLink any more: retry the order",
    "orphan": "linked, and no order of ours: rebuild, or see who removed it",
    "linked_twice": "one document of Xero is linked twice: a defect",
    "open_intent": "a call without a known outcome for longer than ten minutes: see whether Xero answers",
    "events_missing": "events that never came: have HearLink publish them",
    "synced_beyond": "synced further than the projection is: rebuild",
    "not_arrived": "on HearLink's list, and nothing of it ever came: have HearLink publish the order",
    "behind": "HearLink's list is further: have HearLink publish the order again, with its next sequence",
}
NEVER_CAME = (
    "Whether HearLink has orders of which nothing came, or newer events of those that are here: a gap shows only when "
    "a later event of the same order comes. HearLink's own list tells: verify --against FILE."
)
SINCE_THE_LIST = "What HearLink saved after its list was made."
NOT_ASKED = "Whether Xero still holds what is linked: Xero was not asked."


class Totals(msgspec.Struct, frozen=True):
    """Orders of one organisation that are in step and have an invoice; amounts as decimal text."""

    organisation_id: str
    orders: int
    invoices_linked: int
    payments: int
    payments_linked: int
    payment_amount: str
    linked_amount: str
    credit_notes: int
    credit_notes_linked: int


class Finding(msgspec.Struct, frozen=True, order=True):
    """Something that doesn't fit; `code` is one of `WORDS`."""

    code: str
    order_id: str
    detail: str


class ListComparison(msgspec.Struct, frozen=True):
    """HearLink's list beside the projection, in orders; `ahead` = further here than there, `unlisted` = not on it."""

    listed: int
    equal: int
    ahead: int
    behind: int
    not_arrived: int
    unlisted: int


class Verification(msgspec.Struct, frozen=True):
    """What was found of so many `orders`; `cannot_know` says in sentences what this look could not see.

    `settled` of them are not judged: somebody said that Xero is right as it is, or will be made so by hand.
    `against` is None where no list of HearLink's was given.
    """

    totals: list[Totals]
    findings: list[Finding]
    orders: int
    settled: int
    against: ListComparison | None
    cannot_know: list[str]


def load_list(connection: Connection[Any], last_sequences: Iterable[tuple[str, int]]) -> None:
    """Take HearLink's own list of (order_id, last sequence) into this session, for `verify_links`.

    Raises:
        psycopg.Error: the database.
        ValueError: whatever reading `last_sequences` raises ends it; nothing is left behind.
    """
    connection.execute(_QUERIES["patience"])
    connection.execute(_QUERIES["make_list"])
    with connection.cursor() as cursor, cursor.copy(_QUERIES["fill_list"]) as copy:
        for row in last_sequences:
            copy.write_row(row)
    for statement in _QUERIES["index_list"].split(";"):
        connection.execute(statement)


def verify_links(
    connection: Connection[Any],
    *,
    with_list: bool = False,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Verification:
    """Compare, in one snapshot. `connection` is outside of a transaction; `with_list`: after `load_list`.

    `progress` is told after each page how many orders were looked at, of how many.

    Raises:
        psycopg.Error: the database.
    """
    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    try:
        with connection.transaction():
            for statement in _QUERIES["begin"].split(";"):
                connection.execute(statement)
            return _Look(connection, with_list=with_list, progress=progress).look()
    finally:
        connection.isolation_level = None


class _Look:
    """One look, whose pages add up."""

    def __init__(self, connection: Connection[Any], *, with_list: bool, progress: Callable[[int, int], None]) -> None:
        self._connection = connection
        self._with_list = with_list
        self._progress = progress
        self._findings: list[Finding] = []
        self._totals: dict[str, Totals] = {}
        self._standings: Counter[str] = Counter()

    def look(self) -> Verification:
        orders = self._count("count")
        for number, bounds in enumerate(self._pages(), start=1):
            self._look_at_links(bounds)
            if self._with_list:
                self._look_at_list(bounds)
            self._progress(min(number * _PAGE_ORDERS, orders), orders)
        self._findings += [Finding(*found) for found in self._connection.execute(_QUERIES["whole"])]
        return Verification(
            totals=sorted(self._totals.values(), key=lambda totals: totals.organisation_id),
            findings=sorted(self._findings),
            orders=orders,
            settled=self._count("settled"),
            against=self._comparison() if self._with_list else None,
            cannot_know=[SINCE_THE_LIST if self._with_list else NEVER_CAME, NOT_ASKED],
        )

    def _count(self, name: str) -> int:
        row = self._connection.execute(_QUERIES[name]).fetchone()
        return 0 if row is None else int(row[0])

    def _pages(self) -> Iterator[dict[str, Any]]:
        """Yield the bounds of one page after another; the last has no end, and holds whatever lies beyond."""
        after = ""
        while True:
            where = {"after": after, "orders": _PAGE_ORDERS}
            found = self._connection.execute(_QUERIES["page_end"], where).fetchone()
            last = None if found is None else str(found[0])
            yield {"after": after, "last": last}
            if last is None:
                return
            after = last

    def _look_at_links(self, bounds: dict[str, Any]) -> None:
        for code, order_id, detail in self._connection.execute(_QUERIES["page"], bounds):
            if code == "totals":
                self._add(msgspec.json.decode(detail), order_id)
            else:
                self._findings.append(Finding(code, order_id, detail))

    def _look_at_list(self, bounds: dict[str, Any]) -> None:
        for standing, order_id, detail in self._connection.execute(_QUERIES["compare_page"], bounds):
            if order_id is None:
                self._standings[standing] += int(detail)
            else:
                self._findings.append(Finding(standing, order_id, detail))

    def _add(self, further: dict[str, Any], organisation_id: str) -> None:
        known = self._totals.get(organisation_id)
        if known is not None:
            further = {name: _sum(getattr(known, name), value) for name, value in further.items()}
        self._totals[organisation_id] = Totals(organisation_id=organisation_id, **further)

    def _comparison(self) -> ListComparison:
        standings = self._standings
        return ListComparison(
            listed=standings.total() - standings["unlisted"],
            **{name: standings[name] for name in ("equal", "ahead", "behind", "not_arrived", "unlisted")},
        )


def _sum(first: Any, second: Any) -> Any:
    """Add two counts, or two amounts as decimal text."""
    return str(Decimal(first) + Decimal(second)) if isinstance(second, str) else first + second
