"""One tenant's books: tables, the indexes that keep look-ups quick, and savepoints."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import uuid4

from consumer.sandbox.xero.clock import Clock
from consumer.sandbox.xero.records import (
    Account,
    Allocation,
    Contact,
    CreditNote,
    Document,
    HistoryEntry,
    Invoice,
    Organisation,
    Payment,
    Record,
    TaxRate,
)
from consumer.sandbox.xero.values import ZERO, fold


class Ledger:
    """The books of one organisation; pure memory, its only outside is the clock."""

    def __init__(self, organisation: Organisation, clock: Clock) -> None:
        self.organisation = organisation
        self.clock = clock
        self.accounts: dict[str, Account] = {}
        self.tax_rates: dict[str, TaxRate] = {}
        self.contacts: dict[str, Contact] = {}
        self.invoices: dict[str, Invoice] = {}
        self.credit_notes: dict[str, CreditNote] = {}
        self.payments: dict[str, Payment] = {}
        self.allocations: dict[str, Allocation] = {}
        self.history: list[HistoryEntry] = []
        self.account_by_code: dict[str, str] = {}
        self.contact_by_number: dict[str, str] = {}
        self.contact_by_account_number: dict[str, str] = {}
        self.contact_by_name: dict[str, str] = {}
        self.invoice_by_number: dict[str, str] = {}
        self.credit_note_by_number: dict[str, str] = {}
        # Ordered sets: a document's live payments and allocations, a contact's documents.
        self.payments_of: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self.all_payments_of: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self.allocations_of: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self.invoices_of: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self.approvals: Counter[tuple[int, int]] = Counter()
        self._undo: list[Callable[[], None]] = []
        self._depth = 0
        self._numbers: Counter[str] = Counter()

    def new_id(self) -> str:
        """A fresh GUID."""
        return str(uuid4())

    def next_number(self, prefix: str, taken: dict[str, str]) -> str:
        """The next free automatic number: ``INV-0001``, ``CN-0001``."""
        while True:
            self._numbers[prefix] += 1
            number = f"{prefix}-{self._numbers[prefix]:04d}"
            if fold(number) not in taken:
                return number

    def save(self, record: Record, actor: str, action: str) -> None:
        """Insert or replace `record`, keep the indexes true, and note it in the history."""
        rows = self._rows(record)
        old = rows.get(record.key)
        if old is not None:
            self._unlink(old)
        rows[record.key] = record
        self._link(record)
        self._note(record, actor, action)
        self._remember(lambda: self._restore(rows, record, old))

    def remove(self, record: Record, actor: str, action: str) -> None:
        """Delete `record` from its table; only allocations are ever deleted."""
        rows = self._rows(record)
        self._unlink(record)
        del rows[record.key]
        self._note(record, actor, action)
        self._remember(lambda: self._restore(rows, None, record))

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo everything saved inside the block when it raises."""
        mark, events = len(self._undo), len(self.history)
        self._depth += 1
        try:
            yield
        except BaseException:
            while len(self._undo) > mark:
                self._undo.pop()()
            del self.history[events:]
            raise
        finally:
            self._depth -= 1
            if self._depth == 0:
                self._undo.clear()

    def set_organisation(self, **changes: object) -> None:
        """Change the organisation's settings."""
        self.organisation = replace(self.organisation, **changes)  # type: ignore[arg-type]

    def account(self, reference: str) -> Account | None:
        """An account by code or id."""
        return self.accounts.get(self.account_by_code.get(reference, reference.lower()))

    def paid(self, document: Document) -> Decimal:
        """Sum of the document's live payments."""
        return sum((self.payments[key].amount for key in self.payments_of[document.key]), ZERO)

    def allocated(self, document: Document) -> Decimal:
        """Sum of the credit set against an invoice, or given away by a credit note."""
        return sum((self.allocations[key].amount for key in self.allocations_of[document.key]), ZERO)

    def outstanding(self, document: Document) -> Decimal:
        """What an invoice still owes, or what a credit note still has to give."""
        return document.total - self.paid(document) - self.allocated(document)

    def has_applied(self, document: Document) -> bool:
        """Whether payments or credit stand on the document."""
        return bool(self.payments_of.get(document.key) or self.allocations_of.get(document.key))

    def settle(self, document: Document, actor: str) -> None:
        """Turn a covered document PAID, and one that is no longer covered AUTHORISED again."""
        covered = self.has_applied(document) and self.outstanding(document) <= ZERO
        status = "PAID" if covered else "AUTHORISED"
        changed = replace(
            document,
            status=status,
            fully_paid_on=self._last_applied(document) if covered else None,
            updated_at=self.clock.now(),
        )
        self.save(changed, actor, "settled")  # type: ignore[arg-type]

    def _last_applied(self, document: Document) -> date:
        days = [self.payments[key].date for key in self.payments_of[document.key]]
        days += [self.allocations[key].date for key in self.allocations_of[document.key]]
        return max(days)

    def _note(self, record: Record, actor: str, action: str) -> None:
        self.history.append(
            HistoryEntry(at=self.clock.now(), actor=actor, action=action, table=record.table, key=record.key)
        )

    def _remember(self, undo: Callable[[], None]) -> None:
        if self._depth:
            self._undo.append(undo)

    def _restore(self, rows: dict[str, Record], new: Record | None, old: Record | None) -> None:
        if new is not None:
            self._unlink(new)
        if old is not None:
            rows[old.key] = old
            self._link(old)
        elif new is not None:
            del rows[new.key]

    def _rows(self, record: Record) -> dict[str, Record]:
        tables: dict[str, Any] = {
            "Accounts": self.accounts,
            "TaxRates": self.tax_rates,
            "Contacts": self.contacts,
            "Invoices": self.invoices,
            "CreditNotes": self.credit_notes,
            "Payments": self.payments,
            "Allocations": self.allocations,
        }
        rows: dict[str, Record] = tables[record.table]
        return rows

    def _entries(self, record: Record) -> list[tuple[dict[str, str], str]]:
        """The unique index entries that a record owns."""
        match record:
            case Account():
                return [(self.account_by_code, record.code)] if record.code else []
            case Contact():
                entries = []
                if record.contact_number:
                    entries.append((self.contact_by_number, fold(record.contact_number)))
                if record.account_number:
                    entries.append((self.contact_by_account_number, fold(record.account_number)))
                if record.status == "ACTIVE":
                    entries.append((self.contact_by_name, fold(record.name)))
                return entries
            case Invoice():
                return [(self.invoice_by_number, fold(record.number))]
            case CreditNote():
                return [(self.credit_note_by_number, fold(record.number))]
        return []

    def _memberships(self, record: Record) -> list[dict[str, None]]:
        """The ordered sets that a record belongs to."""
        match record:
            case Payment():
                deleted = record.status == "DELETED"
                live = [] if deleted else [self.payments_of[record.document_id]]
                return [self.all_payments_of[record.document_id], *live]
            case Allocation():
                return [self.allocations_of[record.invoice_id], self.allocations_of[record.credit_note_id]]
            case Invoice():
                return [self.invoices_of[record.contact_id]]
        return []

    def _link(self, record: Record) -> None:
        for index, value in self._entries(record):
            index[value] = record.key
        for members in self._memberships(record):
            members[record.key] = None
        if isinstance(record, Invoice) and record.approved_on:
            self.approvals[record.approved_on.year, record.approved_on.month] += 1

    def _unlink(self, record: Record) -> None:
        for index, value in self._entries(record):
            if index.get(value) == record.key:
                del index[value]
        for members in self._memberships(record):
            members.pop(record.key, None)
        if isinstance(record, Invoice) and record.approved_on:
            self.approvals[record.approved_on.year, record.approved_on.month] -= 1
