"""Walks of totals that differ between HearLink and Xero, by a cent or by more."""

from typing import Any

from consumer.xero import describe_tenant
from consumer.xero.tenant import TenantClient
from tests.sync.books import ORGANISATION, Books, line
from tests.sync.walk.walks import Ends, Walk, both, nothing, push, xero_says


def thirds() -> list[dict[str, Any]]:
    """Three lines whose tax, rounded by the line, comes to a cent less than on the sum."""
    return [line(f"line-{number}", unit_price="0.3200") for number in range(3)]


def invoice_of_a_cent_more(books: Books) -> None:
    books.save_invoice(prices_include_tax=False, lines=thirds(), total="1.1500")


def sent_before_totals_were_brought_together(books: Books) -> None:
    """Rates that aren't known leave Xero's total to Xero, as it was then."""
    books.connection.execute("update xero_tenant set tax_rates = '[]'")
    invoice_of_a_cent_more(books)
    books.push()
    books.connection.execute("update xero_link set detail = detail - 'mended' - 'taxed' where kind = 'invoice'")
    tenant = TenantClient(books.services.client, ORGANISATION, books.tenant_id)
    describe_tenant(books.connection, tenant, ORGANISATION, books.tenant_id)


def pay_in_full(books: Books) -> None:
    books.save_payment(amount="1.1500")


def credit_in_full(books: Books) -> None:
    books.save_credit_note(lines=thirds(), total="1.1500")


def pay_more_than_the_lines_come_to(books: Books) -> None:
    books.save_invoice(total="45.0000")
    books.save_payment(amount="45.0000")


def correct_the_order(books: Books) -> None:
    books.save_invoice()
    books.save_payment()


WALKS = (
    Walk("payment_rounded", both(sent_before_totals_were_brought_together, pay_in_full), nothing, Ends.NOTHING),
    Walk("credit_rounded", both(sent_before_totals_were_brought_together, credit_in_full), nothing, Ends.NOTHING),
    Walk("payment_exceeds_total", pay_more_than_the_lines_come_to, correct_the_order, Ends.ITSELF),
    Walk(
        "tax_amount_refused",
        both(xero_says("The TaxAmount must not be greater than the line total", count=1), invoice_of_a_cent_more),
        push,
        Ends.QUIET,
    ),
)
