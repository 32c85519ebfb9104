"""Organisations to begin with: a British chart of accounts and tax rates, as a demo company has them."""

from decimal import Decimal
from uuid import NAMESPACE_URL, uuid5

from consumer.sandbox.xero.clock import Clock
from consumer.sandbox.xero.ledger import Ledger
from consumer.sandbox.xero.records import Account, Organisation, TaxRate

_EVERYTHING = frozenset({"ASSET", "EQUITY", "EXPENSE", "LIABILITY", "REVENUE"})
_SALES = frozenset({"ASSET", "EQUITY", "LIABILITY", "REVENUE"})
_PURCHASES = frozenset({"ASSET", "EQUITY", "EXPENSE", "LIABILITY"})

# Code, name, type, tax type, status, payments enabled, system account
_ACCOUNTS = (
    ("090", "Business Bank Account", "BANK", "NONE", "ACTIVE", False, ""),
    ("091", "Business Savings Account", "BANK", "NONE", "ACTIVE", False, ""),
    ("092", "Card Takings Clearing", "CURRENT", "NONE", "ACTIVE", True, ""),
    ("200", "Sales", "REVENUE", "OUTPUT2", "ACTIVE", False, ""),
    ("210", "Hearing Aid Sales", "REVENUE", "ZERORATEDOUTPUT", "ACTIVE", False, ""),
    ("220", "Accessory Sales", "REVENUE", "OUTPUT2", "ACTIVE", False, ""),
    ("230", "Clinical Services", "REVENUE", "EXEMPTOUTPUT", "ACTIVE", False, ""),
    ("240", "Former Sales", "REVENUE", "OUTPUT2", "ARCHIVED", False, ""),
    ("260", "Other Revenue", "REVENUE", "OUTPUT2", "ACTIVE", False, ""),
    ("270", "Interest Income", "REVENUE", "NONE", "ACTIVE", False, ""),
    ("310", "Cost of Goods Sold", "DIRECTCOSTS", "INPUT2", "ACTIVE", False, ""),
    ("400", "Advertising & Marketing", "OVERHEADS", "INPUT2", "ACTIVE", False, ""),
    ("610", "Accounts Receivable", "CURRENT", "NONE", "ACTIVE", False, "DEBTORS"),
    ("800", "Accounts Payable", "CURRLIAB", "NONE", "ACTIVE", False, "CREDITORS"),
    ("820", "VAT", "CURRLIAB", "NONE", "ACTIVE", False, "GST"),
    ("860", "Rounding", "CURRLIAB", "NONE", "ACTIVE", False, "ROUNDING"),
    ("960", "Retained Earnings", "EQUITY", "NONE", "ACTIVE", False, "RETAINEDEARNINGS"),
)

# Tax type, name, report tax type, percent, where it applies
_TAX_RATES = (
    ("OUTPUT2", "20% (VAT on Income)", "OUTPUT", "20", _SALES),
    ("RROUTPUT", "5% (VAT on Income)", "OUTPUT", "5", _SALES),
    ("ZERORATEDOUTPUT", "Zero Rated Income", "ZERORATEDOUTPUT", "0", _SALES),
    ("EXEMPTOUTPUT", "Exempt Income", "EXEMPTOUTPUT", "0", _SALES),
    ("INPUT2", "20% (VAT on Expenses)", "INPUT", "20", _PURCHASES),
    ("NONE", "No VAT", "NONE", "0", _EVERYTHING),
)


def demo_ledger(name: str, tenant_id: str, clock: Clock, *, base_currency: str = "GBP") -> Ledger:
    """The books of a fresh British demo company; its account ids depend on the tenant's id alone."""
    organisation = Organisation(
        organisation_id=tenant_id,
        name=name,
        base_currency=base_currency,
        currencies=frozenset({base_currency}),
        created_at=clock.now(),
    )
    ledger = Ledger(organisation, clock)
    for code, title, kind, tax_type, status, enable_payments, system_account in _ACCOUNTS:
        account = Account(
            account_id=str(uuid5(NAMESPACE_URL, f"{tenant_id}/{code}")),
            code=code,
            name=title,
            type=kind,
            tax_type=tax_type,
            status=status,
            enable_payments=enable_payments,
            system_account=system_account,
            currency_code=base_currency if kind == "BANK" else None,
            updated_at=clock.now(),
        )
        ledger.save(account, "xero", "created")
    for tax_type, title, report_tax_type, percent, applies_to in _TAX_RATES:
        rate = TaxRate(
            tax_type=tax_type,
            name=title,
            report_tax_type=report_tax_type,
            rate_percent=Decimal(percent),
            applies_to=applies_to,
        )
        ledger.save(rate, "xero", "created")
    return ledger
