"""Walks of Xero's accounts, tax rates, currencies and lock dates, and of the settings that name them."""

from uuid import uuid4

from tests.sync.books import Books, lines
from tests.sync.walk.walks import (
    Act,
    Ends,
    Walk,
    both,
    hand,
    invoice,
    payment,
    push,
    pushed,
    settings,
    xero_relents,
    xero_says,
)

LOCKED = "2026-10-31"


def quietly(**columns: object) -> Act:
    """The settings say so from the start."""
    return lambda books: books.settings(**columns)  # type: ignore[arg-type]


def books_in_euro(books: Books) -> None:
    """The clinic's books are kept in euro, as far as we know, and Xero has not switched it on."""
    books.connection.execute("update xero_tenant set base_currency = 'EUR'")
    books.save_invoice(currency="EUR")


def without_currency(books: Books) -> None:
    books.connection.execute("update xero_tenant set base_currency = null")
    books.strike("unavailable", method="GET", path="/Organisation$")
    books.save_invoice()


def halfway_and_off(books: Books) -> None:
    """A payment makes way for a changed one, and then synchronisation is switched off."""
    halfway(books)
    books.settings(synchronisation_enabled=False)
    books.hasten()


def halfway(books: Books) -> None:
    books.save_invoice(**lines("100.0000"))
    books.save_payment(amount="40.0000")
    books.push()
    books.strike("rate_limit_minute", method="PUT", path="/Payments$")
    books.save_payment(amount="40.0000", method="CASH")
    books.push_once()
    assert books.payments() == []


def halfway_without_invoice(books: Books) -> None:
    halfway(books)
    books.delete_invoice()
    xero_relents(books)
    books.hasten()


def another_tenant(books: Books) -> None:
    pushed(books)
    other = str(uuid4())
    books.simulator.control.demo_tenant("Elsewhere", other)
    books.add_tenant(other, "Elsewhere")
    books.settings(tenant_id=other)
    books.save_payment()


def unlisted_tenant(books: Books) -> None:
    books.settings(tenant_id=str(uuid4()))
    books.save_invoice()


def own_tenant(books: Books) -> None:
    books.settings(tenant_id=books.tenant_id, wake=True)


def ask_while_off(books: Books) -> None:
    books.settings(synchronisation_enabled=False)
    books.save_invoice()
    books.request_sync()


ON = settings(synchronisation_enabled=True)
USABLE_ACCOUNT = settings(services_revenue_account="260")
USABLE_RATE = settings(services_tax_type="OUTPUT2")

WALKS = (
    Walk("period_locked", both(hand("set_lock_dates", period=LOCKED), invoice), hand("set_lock_dates")),
    Walk(
        "period_locked",
        both(hand("set_lock_dates", period=LOCKED), invoice),
        lambda books: books.save_invoice(issued_on="2026-11-05"),
        Ends.ITSELF,
        by="another date",
    ),
    Walk("year_locked", both(hand("set_lock_dates", end_of_year=LOCKED), invoice), hand("set_lock_dates")),
    Walk(
        "account_archived",
        both(quietly(services_revenue_account="240"), invoice),
        USABLE_ACCOUNT,
        Ends.ITSELF,
        by="another account",
    ),
    Walk(
        "account_archived",
        both(hand("archive_account", "260"), invoice),
        hand("restore_account", "260"),
        by="restored",
    ),
    Walk("account_not_usable", both(quietly(services_revenue_account="999"), invoice), USABLE_ACCOUNT, Ends.ITSELF),
    Walk(
        "tax_rate_missing",
        both(xero_says("The TaxType code 'OUTPUT9' does not exist or cannot be used for this type of"), invoice),
        both(xero_relents, USABLE_RATE),
        Ends.ITSELF,
    ),
    Walk("tax_rate_not_for_account", both(quietly(services_tax_type="INPUT2"), invoice), USABLE_RATE, Ends.ITSELF),
    Walk(
        "account_missing",
        both(xero_says("Account code or ID must be specified"), invoice),
        both(xero_relents, USABLE_ACCOUNT),
        Ends.ITSELF,
    ),
    Walk(
        "tax_rate_not_chosen",
        both(xero_says("The TaxType field is mandatory"), invoice),
        both(xero_relents, USABLE_RATE),
        Ends.ITSELF,
    ),
    Walk(
        "payment_account_missing",
        both(quietly(payment_account="999"), invoice, payment),
        settings(payment_account="090"),
        Ends.ITSELF,
    ),
    Walk("currency_not_enabled", books_in_euro, hand("set_currencies", ["EUR"])),
    Walk("base_currency_unknown", without_currency, push, Ends.ITSELF),
    Walk(
        "currency_mismatch",
        lambda books: books.save_invoice(currency="EUR"),
        lambda books: books.save_invoice(),
        Ends.ITSELF,
    ),
    Walk("no_tenant", both(quietly(tenant_id=None), invoice), own_tenant, Ends.ITSELF),
    Walk("tenant_not_connected", unlisted_tenant, own_tenant, Ends.ITSELF),
    Walk("synchronisation_disabled", ask_while_off, ON),
    Walk("mapping_incomplete", both(quietly(services_tax_type=None), invoice), USABLE_RATE, Ends.ITSELF),
    Walk(
        "amount_beyond_limit",
        lambda books: books.save_invoice(**lines("100001.0000")),
        settings(amount_limit=200000),
        Ends.ITSELF,
        by="a higher limit",
    ),
    Walk(
        "amount_beyond_limit",
        lambda books: books.save_invoice(**lines("100001.0000")),
        invoice,
        Ends.ITSELF,
        by="corrected",
    ),
    Walk("left_unfinished", halfway_and_off, both(xero_relents, ON), Ends.ITSELF),
    Walk(
        "change_not_finished",
        halfway_without_invoice,
        hand("pay_invoice", "WH-order-1", 40),
        by="recorded by hand",
    ),
    Walk(
        "change_not_finished",
        halfway_without_invoice,
        lambda books: books.save_invoice(**lines("100.0000")),
        Ends.ITSELF,
        by="corrected in HearLink",
    ),
    Walk("linked_elsewhere", another_tenant, own_tenant, Ends.ITSELF),
)
