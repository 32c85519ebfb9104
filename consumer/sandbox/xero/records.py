"""What a tenant's ledger holds. Records never change: an edit saves a new one under the same id."""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import ClassVar

from consumer.sandbox.xero.values import ZERO, Json

# Records have a field named date, which would hide the type.
Day = date

CLASS_OF_TYPE = {
    "BANK": "ASSET",
    "CURRENT": "ASSET",
    "FIXED": "ASSET",
    "INVENTORY": "ASSET",
    "NONCURRENT": "ASSET",
    "PREPAYMENT": "ASSET",
    "EQUITY": "EQUITY",
    "DEPRECIATN": "EXPENSE",
    "DIRECTCOSTS": "EXPENSE",
    "EXPENSE": "EXPENSE",
    "OVERHEADS": "EXPENSE",
    "CURRLIAB": "LIABILITY",
    "LIABILITY": "LIABILITY",
    "TERMLIAB": "LIABILITY",
    "PAYG": "LIABILITY",
    "OTHERINCOME": "REVENUE",
    "REVENUE": "REVENUE",
    "SALES": "REVENUE",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """A tenant's settings."""

    organisation_id: str
    name: str
    base_currency: str = "GBP"
    currencies: frozenset[str] = frozenset({"GBP"})
    country_code: str = "GB"
    period_lock_date: Day | None = None
    end_of_year_lock_date: Day | None = None
    approvals_per_month: int | None = None
    shows_payment_references: bool = True
    is_demo_company: bool = True
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A row of the chart of accounts."""

    table: ClassVar[str] = "Accounts"
    account_id: str
    code: str
    name: str
    type: str
    tax_type: str = "NONE"
    status: str = "ACTIVE"
    enable_payments: bool = False
    system_account: str = ""
    currency_code: str | None = None
    updated_at: datetime

    @property
    def key(self) -> str:
        """The record's id."""
        return self.account_id

    @property
    def account_class(self) -> str:
        """ASSET, EQUITY, EXPENSE, LIABILITY or REVENUE."""
        return CLASS_OF_TYPE[self.type]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxRate:
    """A tax rate; `tax_type` is the code that lines carry."""

    table: ClassVar[str] = "TaxRates"
    tax_type: str
    name: str
    report_tax_type: str
    rate_percent: Decimal
    applies_to: frozenset[str]
    status: str = "ACTIVE"

    @property
    def key(self) -> str:
        """The record's id."""
        return self.tax_type


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A customer. Addresses and phones are kept by their type."""

    table: ClassVar[str] = "Contacts"
    contact_id: str
    name: str
    contact_number: str = ""
    account_number: str = ""
    status: str = "ACTIVE"
    texts: dict[str, str] = field(default_factory=dict)
    addresses: dict[str, dict[str, str]] = field(default_factory=dict)
    phones: dict[str, dict[str, str]] = field(default_factory=dict)
    persons: tuple[Json, ...] = ()
    website: str = ""
    is_customer: bool = False
    merged_to: str | None = None
    created_by: str
    updated_at: datetime

    @property
    def key(self) -> str:
        """The record's id."""
        return self.contact_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of an invoice or credit note, with its amounts worked out."""

    line_item_id: str
    description: str = ""
    quantity: Decimal | None = None
    unit_amount: Decimal | None = None
    line_amount: Decimal = ZERO
    discount_rate: Decimal | None = None
    discount_amount: Decimal | None = None
    account_id: str | None = None
    account_code: str = ""
    tax_type: str | None = None
    tax_amount: Decimal = ZERO
    tax_overridden: bool = False

    @property
    def discount(self) -> Decimal:
        """What the line's discount takes off."""
        discounted = self.discount_rate is not None or self.discount_amount is not None
        if not discounted or self.quantity is None or self.unit_amount is None:
            return ZERO
        return self.quantity * self.unit_amount - self.line_amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What invoices and credit notes share."""

    document_id: str
    number: str
    contact_id: str
    status: str
    date: Day
    due_date: Day | None = None
    line_amount_types: str = "Exclusive"
    lines: tuple[Line, ...] = ()
    reference: str = ""
    branding_theme_id: str | None = None
    currency_code: str = "GBP"
    currency_rate: Decimal = Decimal(1)
    sub_total: Decimal = ZERO
    total_tax: Decimal = ZERO
    total: Decimal = ZERO
    fully_paid_on: Day | None = None
    created_by: str
    updated_at: datetime

    @property
    def key(self) -> str:
        """The record's id."""
        return self.document_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice(Document):
    """A sales invoice (ACCREC)."""

    table: ClassVar[str] = "Invoices"
    url: str = ""
    sent_to_contact: bool = False
    expected_payment_date: Day | None = None
    approved_on: Day | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditNote(Document):
    """A sales credit note (ACCRECCREDIT)."""

    table: ClassVar[str] = "CreditNotes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """Credit of a note that is set against an invoice. Removed allocations leave the table."""

    table: ClassVar[str] = "Allocations"
    allocation_id: str
    credit_note_id: str
    invoice_id: str
    amount: Decimal
    date: Day
    created_by: str

    @property
    def key(self) -> str:
        """The record's id."""
        return self.allocation_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """Money received for an invoice, or paid back for a credit note."""

    table: ClassVar[str] = "Payments"
    payment_id: str
    document_id: str
    payment_type: str
    account_id: str
    date: Day
    amount: Decimal
    currency_rate: Decimal = Decimal(1)
    reference: str = ""
    status: str = "AUTHORISED"
    is_reconciled: bool = False
    created_by: str
    updated_at: datetime

    @property
    def key(self) -> str:
        """The record's id."""
        return self.payment_id


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """Who did what to which record. `actor` is ``app:<client id>`` or ``bookkeeper``."""

    at: datetime
    actor: str
    action: str
    table: str
    key: str


Record = Account | TaxRate | Contact | Invoice | CreditNote | Allocation | Payment
