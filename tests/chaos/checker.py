"""Compares what Xero's books, the sync log and the projection hold with what they must: lost, doubled, wrong."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from tests.chaos.histories import MAPPING, PAYMENT_ACCOUNT, Truth

Json = dict[str, Any]
_URL = "https://app.hearlink.co.uk/orders/"
_GONE = frozenset({"VOIDED", "DELETED"})
_SHOWN = 12
KINDS = ("lost", "doubled", "wrong", "unexplained")


@dataclass
class Report:
    """All lists are empty where nothing went wrong.

    `lost`: HearLink has it, Xero hasn't. `doubled`: Xero has it, or the log tells it, more than once. `wrong`: it is
    there with other content, or stands as failed. `unexplained`: Xero has it and neither order nor log say why.
    """

    orders: int = 0
    documents: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not any(getattr(self, name) for name in KINDS)

    def __str__(self) -> str:
        lines = [f"{self.orders} orders, {self.documents} documents"]
        for name in KINDS:
            found: list[str] = getattr(self, name)
            lines.append(f"{name}: {len(found)}")
            lines += [f"    {entry}" for entry in found[:_SHOWN]]
        return "\n".join(lines)


def check(
    truths: Mapping[str, Truth],
    ledgers: list[Json],
    connection: Connection[Any],
    *,
    published_log_ids: Iterable[tuple[str, int]] | None = None,
    told_elsewhere: Collection[str] = (),
) -> Report:
    """Compare. `ledgers` are the tenants' books, by the number of the tenant.

    `published_log_ids`: order id and log id of each message of the sync-log topic, in its order within an order.
    `told_elsewhere`: ids in Xero of documents that need no row of the log, since it lost rows.
    """
    report = Report(orders=len(truths))
    for number, ledger in enumerate(ledgers):
        _Books(ledger, report).compare([truth for truth in truths.values() if truth.clinic.tenant == number])
    _check_log(report, ledgers, connection, told_elsewhere)
    _check_projection(report, truths, connection)
    if published_log_ids is not None:
        _check_published(report, list(published_log_ids), connection)
    return report


class _Books:
    """One tenant's books, by HearLink's ids."""

    def __init__(self, ledger: Json, report: Report) -> None:
        self._ledger = ledger
        self._report = report
        self._seen: set[str] = set()
        self._rows = {table: _by_mark(ledger[table], mark) for table, mark in _MARKS.items()}

    def compare(self, truths: list[Truth]) -> None:
        patients = {truth.patient_id: truth for truth in truths}
        ended = {truth.patient_id for truth in truths if truth.ended}
        standing = {truth.patient_id for truth in truths if not truth.ended}
        for patient_id, truth in patients.items():
            self._compare_contact(patient_id, truth, may_lack=patient_id in ended - standing)
        for truth in truths:
            self._compare_order(truth)
        for table, key in _KEYS.items():
            rows = [row for row in self._ledger[table] if row["CreatedBy"].startswith("app:")]
            self._report.documents += len(rows)
            self._report.unexplained += [
                f"{table} {row[key]} is no order's" for row in rows if row[key] not in self._seen
            ]

    def _compare_contact(self, patient_id: str, truth: Truth, *, may_lack: bool) -> None:
        found = self._take("Contacts", patient_id)
        if len(found) > 1:
            self._report.doubled.append(f"contact of {patient_id}: {len(found)}")
        elif not found and not may_lack:
            self._report.lost.append(f"contact of {patient_id}")
        elif found and not may_lack and found[0]["Name"] != truth.name:
            self._report.wrong.append(f"contact of {patient_id}: name {found[0]['Name']!r} instead of {truth.name!r}")

    def _compare_order(self, truth: Truth) -> None:
        invoices = self._take("Invoices", _URL + truth.order_id)
        if len(invoices) > 1:
            self._report.doubled.append(f"invoice of {truth.order_id}: {len(invoices)}")
            return
        if not invoices:
            if not truth.ended:
                self._report.lost.append(f"invoice of {truth.order_id}")
            return
        (invoice,) = invoices
        if not truth.ended:
            self._differences(f"invoice of {truth.order_id}", _invoice_facts(invoice), _wanted_invoice(truth))
            self._compare_status(truth, invoice)
        self._compare_payments(truth, invoice)
        self._compare_notes(truth, invoice)

    def _compare_status(self, truth: Truth, invoice: Json) -> None:
        allowed = {"PAID"} if truth.open_pence == 0 else {"AUTHORISED"}
        if truth.clinic.draft and not truth.payments and not truth.notes:
            # Once authorised for the sake of a payment it stays so.
            allowed = {"DRAFT", "AUTHORISED"} if truth.was_applied else {"DRAFT"}
        if invoice["Status"] not in allowed:
            self._report.wrong.append(f"invoice of {truth.order_id}: {invoice['Status']} instead of {allowed}")

    def _compare_payments(self, truth: Truth, invoice: Json) -> None:
        owned = self._take("Payments", invoice["InvoiceID"])
        for payment_id, versions in truth.versions.items():
            name = f"payment {payment_id}"
            ever = [row for row in owned if row["Reference"].endswith(f" {payment_id}")]
            standing = [row for row in ever if row["Status"] not in _GONE]
            # Each content once: a payment that came, went and came again is a double that was taken back.
            if len(standing) > 1 or len(ever) > versions:
                self._report.doubled.append(f"{name}: {len(standing)} stand, {len(ever)} made of {versions} contents")
            if truth.ended:
                continue
            wanted = truth.payments.get(payment_id)
            if wanted is None:
                self._report.wrong += [f"{name} was deleted in HearLink and stands in Xero" for _ in standing]
            elif not standing:
                self._report.lost.append(name)
            else:
                facts = _payment_facts(standing[0])
                expected = (f"{wanted.method} {payment_id}", _pounds(wanted.pence), wanted.day, PAYMENT_ACCOUNT)
                self._differences(name, facts, expected)
        known = tuple(truth.versions)
        strange = [row["Reference"] for row in owned if row["Reference"].rpartition(" ")[2] not in known]
        self._report.unexplained += [f"payment {reference!r} on {truth.order_id}" for reference in strange]

    def _compare_notes(self, truth: Truth, invoice: Json) -> None:
        for note_id in truth.note_ids:
            name = f"credit note {note_id}"
            ever = self._take("CreditNotes", note_id)
            standing = [row for row in ever if row["Status"] not in _GONE]
            if len(ever) > 1:
                self._report.doubled.append(f"{name}: {len(ever)}")
            allocated = [row for note in ever for row in self._take("Allocations", note["CreditNoteID"])]
            if truth.ended:
                continue
            wanted = truth.notes.get(note_id)
            if wanted is None:
                self._report.wrong += [f"{name} was deleted in HearLink and stands in Xero" for _ in standing]
            elif not standing:
                self._report.lost.append(name)
            else:
                facts = (standing[0]["CreditNoteNumber"], _decimal(standing[0]["Total"]), _lines(standing[0]))
                self._differences(name, facts, (wanted.number, _pounds(wanted.pence), _wanted_lines(wanted.lines)))
                places = [(row["Invoice"]["InvoiceID"], _decimal(row["Amount"])) for row in allocated]
                self._differences(f"{name}: allocation", places, [(invoice["InvoiceID"], _pounds(wanted.pence))])

    def _differences(self, name: str, facts: Any, wanted: Any) -> None:
        if facts != wanted:
            self._report.wrong.append(f"{name}: {facts} instead of {wanted}")

    def _take(self, table: str, mark: str) -> list[Json]:
        found = self._rows[table].get(mark, [])
        self._seen.update(row[_KEYS[table]] for row in found)
        return found


def _by_mark(rows: list[Json], mark: Callable[[Json], str | None]) -> dict[str | None, list[Json]]:
    found: dict[str | None, list[Json]] = {}
    for row in rows:
        if row["CreatedBy"].startswith("app:"):
            found.setdefault(mark(row), []).append(row)
    return found


_KEYS = {
    "Contacts": "ContactID",
    "Invoices": "InvoiceID",
    "CreditNotes": "CreditNoteID",
    "Payments": "PaymentID",
    "Allocations": "AllocationID",
}
# What of ours each is found by.
_MARKS: dict[str, Callable[[Json], str | None]] = {
    "Contacts": lambda row: row.get("ContactNumber"),
    "Invoices": lambda row: row.get("Url"),
    "CreditNotes": lambda row: row.get("Reference"),
    "Payments": lambda row: str(row["Invoice"]["InvoiceID"]),
    "Allocations": lambda row: str(row["CreditNote"]["CreditNoteID"]),
}


def _check_log(
    report: Report, ledgers: list[Json], connection: Connection[Any], told_elsewhere: Collection[str]
) -> None:
    """Every document of ours is told once, as made or as found again; and nothing stands as failed."""
    rows = _rows(
        connection,
        "select operation, order_id, local_id, xero_id, message from sync_log where outcome = 'succeeded' order by id",
    )
    told: Counter[str] = Counter()
    for row in rows:
        made = row["operation"] in {"contact_create", "invoice_create", "payment_create"}
        # The same operation tells changes of a credit note as well.
        if made or (row["operation"] == "credit_note_create" and " changed " not in row["message"]):
            told[row["xero_id"]] += 1
    for table in ("Contacts", "Invoices", "CreditNotes", "Payments"):
        for ledger in ledgers:
            for document in ledger[table]:
                xero_id = document[_KEYS[table]]
                if document["CreatedBy"].startswith("app:") and told[xero_id] == 0 and xero_id not in told_elsewhere:
                    report.unexplained.append(f"the log does not tell of {table} {xero_id}")
                if told[xero_id] > 1 and table != "CreditNotes":
                    report.doubled.append(f"the log tells {told[xero_id]} times of {table} {xero_id}")
    held = _rows(
        connection,
        "select o.order_id, o.hold, o.due_at, p.code, p.message"
        " from orders o left join problem p on p.id = o.problem_id"
        " where o.problem_id is not null or o.hold is not null and o.hold <> 'manual' or o.due_at is not null",
    )
    report.wrong += [f"{row['order_id']} is held: {row['hold']} {row['code']} {row['message']}" for row in held]
    intents = _rows(connection, "select id, stage from xero_intent where state = 'open'")
    report.wrong += [f"intent {row['id']} ({row['stage']}) is open" for row in intents]


def _check_projection(report: Report, truths: Mapping[str, Truth], connection: Connection[Any]) -> None:
    rows = {
        row["order_id"]: row
        for row in _rows(connection, "select order_id, sequence, revision, missing::text as missing from orders")
    }
    for order_id, truth in truths.items():
        row = rows.pop(order_id, None)
        if row is None:
            report.lost.append(f"projection of {order_id}")
        elif (row["sequence"], row["revision"], row["missing"]) != (truth.sequence, truth.sequence, "{}"):
            report.wrong.append(f"projection of {order_id}: {row} after {truth.sequence} events")
    report.unexplained += [f"projected order {order_id}" for order_id in rows]


def _check_published(report: Report, published: list[tuple[str, int]], connection: Connection[Any]) -> None:
    """Every row of the log is in its topic, and first comes first: repetitions may follow, their ids tell them."""
    rows = {row["id"] for row in _rows(connection, "select id from sync_log")}
    ids = {log_id for _, log_id in published}
    report.lost += [f"log row {log_id} in the topic" for log_id in sorted(rows - ids)[:_SHOWN]]
    report.unexplained += [f"log row {log_id} in the topic alone" for log_id in sorted(ids - rows)[:_SHOWN]]
    newest: dict[str, int] = {}
    seen: set[int] = set()
    for order_id, log_id in published:
        if log_id not in seen and log_id < newest.get(order_id, 0):
            report.wrong.append(f"log row {log_id} of {order_id} came after {newest[order_id]}")
        seen.add(log_id)
        newest[order_id] = max(newest.get(order_id, 0), log_id)


def _rows(connection: Connection[Any], query: str) -> list[Json]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query.encode()).fetchall()


def _invoice_facts(invoice: Json) -> tuple[Any, ...]:
    due = _decimal(invoice["AmountDue"])
    return invoice["InvoiceNumber"], _decimal(invoice["Total"]), due, _day(invoice["Date"]), _lines(invoice)


def _wanted_invoice(truth: Truth) -> tuple[Any, ...]:
    due = _pounds(truth.open_pence)
    return truth.number, _pounds(truth.pence), due, truth.issued_on, _wanted_lines(truth.lines)


def _payment_facts(payment: Json) -> tuple[Any, ...]:
    return payment["Reference"], _decimal(payment["Amount"]), _day(payment["Date"]), payment["Account"]["Code"]


def _lines(document: Json) -> list[tuple[Any, ...]]:
    return [
        (
            line["Description"],
            _decimal(line["Quantity"]),
            _decimal(line["UnitAmount"]),
            _decimal(line.get("DiscountAmount") or 0),
            line["AccountCode"],
            line["TaxType"],
        )
        for line in document["LineItems"]
    ]


def _wanted_lines(lines: list[Json]) -> list[tuple[Any, ...]]:
    return [
        (
            line["description"],
            _decimal(line["quantity"]),
            _decimal(line["unit_price"]),
            _decimal(line["discount"] or 0),
            *MAPPING[line["category"]],
        )
        for line in lines
    ]


def _day(text: str) -> date:
    milliseconds = re.search(r"-?\d+", text)
    assert milliseconds is not None, text
    return datetime.fromtimestamp(int(milliseconds[0]) / 1000, UTC).date()


def _decimal(value: Any) -> Decimal:
    return Decimal(str(value)).quantize(Decimal("0.0001"))


def _pounds(pence: int) -> Decimal:
    return _decimal(Decimal(pence) / 100)
