"""What is in Xero beside what is in HearLink: read from the simulator's ledger and from the tables, then compared."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec
from psycopg import Connection
from psycopg.rows import dict_row

from consumer.database import load_queries
from consumer.results import LogFilter, log_counts, open_problems
from consumer.sandbox.clinics import ORGANISATION_ID
from consumer.sandbox.xero import ControlClient

_QUERIES = load_queries(__file__, "picture.sql")
_ZERO = Decimal(0)
# The ledger's table of each kind, what its amount is called, and the states in which it counts.
_LEDGER = {
    "invoice": ("Invoices", "InvoiceID", "Total", {"DRAFT", "SUBMITTED", "AUTHORISED", "PAID"}),
    "payment": ("Payments", "PaymentID", "Amount", {"AUTHORISED"}),
    "credit_note": ("CreditNotes", "CreditNoteID", "Total", {"DRAFT", "SUBMITTED", "AUTHORISED", "PAID"}),
}


class Sum(msgspec.Struct, frozen=True):
    """How many documents, and what they come to."""

    count: int = 0
    amount: Decimal = _ZERO

    def plus(self, amount: Decimal) -> "Sum":
        """Return the sum with one more."""
        return Sum(self.count + 1, self.amount + amount)


class Difference(msgspec.Struct, frozen=True):
    """A document that is in both, with different amounts."""

    number: str
    in_hearlink: Decimal
    in_xero: Decimal


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of document in one tenant.

    `hearlink` less `not_sent`, with `only_in_xero` and the `differences`, is what must be in `xero`; what then remains
    is `unexplained`.
    """

    tenant_id: str
    tenant: str
    kind: str
    hearlink: Sum
    not_sent: Sum
    only_in_xero: Sum
    xero: Sum
    differences: tuple[Difference, ...]
    unexplained: Sum


class Problem(msgspec.Struct, frozen=True):
    """A problem that holds orders, with what to do."""

    code: str
    message: str
    fix: str
    xero_message: str | None
    orders: int


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """All that the demo shows at its end."""

    documents: tuple[Comparison, ...]
    # Why documents are not in Xero, and how many of them.
    not_sent: dict[str, int]
    # By operation, then outcome.
    sync_log: dict[str, dict[str, int]]
    warnings: dict[str, int]
    problems: tuple[Problem, ...]
    orders_in_xero: int
    calls: dict[str, int]


class Progress(msgspec.Struct, frozen=True):
    """How far the service is: events projected, orders, orders and calls and messages still under way, dead letters."""

    projected: int
    in_step: int
    held: int
    busy: int
    dead_letters: int


def read_progress(connection: Connection[Any]) -> Progress:
    """Return how far the service is."""
    row = connection.execute(_QUERIES["progress"]).fetchone()
    assert row is not None  # noqa: S101 -- sums without grouping give one row.
    return Progress(*row)


def read_picture(connection: Connection[Any], xero: ControlClient, tenants: Mapping[str, str]) -> Picture:
    """Read everything and compare; `tenants` are names by id."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_QUERIES["documents"]).fetchall()
    ledgers = {tenant_id: xero.call("ledger", tenant_id=tenant_id) for tenant_id in tenants}
    comparisons = [
        _compare(tenant_id, name, kind, [row for row in rows if (row["tenant_id"], row["kind"]) == (tenant_id, kind)],
                 ledgers[tenant_id])
        for tenant_id, name in tenants.items()
        for kind in _LEDGER
    ]  # fmt: skip
    return Picture(
        documents=tuple(comparisons),
        not_sent=dict(Counter(row["reason"] for row in rows if row["xero_id"] is None).most_common()),
        sync_log=_log_summary(connection),
        warnings=dict(connection.execute(_QUERIES["warnings"]).fetchall()),
        problems=tuple(
            Problem(found.code, found.message, found.fix, found.xero_message, found.order_count)
            for found in open_problems(connection, ORGANISATION_ID)
        ),
        orders_in_xero=_orders_in_xero(connection),
        calls=_calls(xero),
    )


def _compare(
    tenant_id: str, tenant: str, kind: str, rows: Iterable[Mapping[str, Any]], ledger: Mapping[str, Any]
) -> Comparison:
    amounts = _ledger_amounts(kind, ledger)
    hearlink = not_sent = only_in_xero = Sum()
    differences = []
    for row in rows:
        held = amounts.get(row["xero_id"])
        if row["in_hearlink"]:
            hearlink = hearlink.plus(row["amount"])
            if held is None:
                not_sent = not_sent.plus(row["amount"])
            elif held != row["amount"]:
                differences.append(Difference(row["number"] or "a payment", row["amount"], held))
        elif held is not None:
            only_in_xero = only_in_xero.plus(held)
    xero = Sum(len(amounts), sum(amounts.values(), _ZERO))
    differing = sum((each.in_xero - each.in_hearlink for each in differences), _ZERO)
    return Comparison(
        tenant_id=tenant_id,
        tenant=tenant,
        kind=kind,
        hearlink=hearlink,
        not_sent=not_sent,
        only_in_xero=only_in_xero,
        xero=xero,
        differences=tuple(differences),
        unexplained=Sum(
            xero.count - (hearlink.count - not_sent.count + only_in_xero.count),
            xero.amount - (hearlink.amount - not_sent.amount + only_in_xero.amount + differing),
        ),
    )


def _ledger_amounts(kind: str, ledger: Mapping[str, Any]) -> dict[str, Decimal]:
    """Return the amounts that stand in Xero, by Xero's id."""
    table, id_name, amount_name, states = _LEDGER[kind]
    return {row[id_name]: Decimal(str(row[amount_name])) for row in ledger[table] if row["Status"] in states}


def _log_summary(connection: Connection[Any]) -> dict[str, dict[str, int]]:
    summary: defaultdict[str, dict[str, int]] = defaultdict(lambda: {"succeeded": 0, "failed": 0, "skipped": 0})
    for counted in log_counts(connection, LogFilter(organisation_id=ORGANISATION_ID)):
        summary[counted.operation.value][counted.outcome.value] += counted.count
    return dict(sorted(summary.items()))


def _orders_in_xero(connection: Connection[Any]) -> int:
    row = connection.execute(_QUERIES["orders_in_xero"]).fetchone()
    assert row is not None  # noqa: S101 -- a count without grouping gives one row.
    return int(row[0])


def _calls(xero: ControlClient) -> dict[str, int]:
    """Return the calls to the accounting API by what they did: writes and reads."""
    counted: Counter[str] = Counter(reads=0, writes=0)
    for endpoint, count in xero.call("statistics")["by_endpoint"].items():
        method, path = endpoint.split(" ", 1)
        if path.startswith("/api.xro/"):
            counted["reads" if method == "GET" else "writes"] += count
    return dict(counted)
