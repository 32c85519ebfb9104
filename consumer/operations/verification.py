"""Whether the projection and the links to Xero agree: counts, sums, and each thing that doesn't fit.

Looks at Postgres alone. Orders that wait for something are not judged; those in step must be linked whole.
"""

from typing import Any

import msgspec
from psycopg import Connection, IsolationLevel
from psycopg.rows import class_row

from consumer.database import load_queries

_QUERIES = load_queries(__file__, "verification.sql")

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
}


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


class Finding(msgspec.Struct, frozen=True):
    """Something that doesn't fit; `code` is one of `WORDS`."""

    code: str
    order_id: str
    detail: str


class Verification(msgspec.Struct, frozen=True):
    """What was found."""

    totals: list[Totals]
    findings: list[Finding]


def verify_links(connection: Connection[Any]) -> Verification:
    """Compare, in one snapshot. `connection` is outside of a transaction.

    Raises:
        psycopg.Error: the database.
    """
    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    try:
        with connection.transaction():
            with connection.cursor(row_factory=class_row(Totals)) as cursor:
                totals = cursor.execute(_QUERIES["totals"]).fetchall()
            with connection.cursor(row_factory=class_row(Finding)) as found:
                return Verification(totals, found.execute(_QUERIES["findings"]).fetchall())
    finally:
        connection.isolation_level = None
