"""Walks of what HearLink says of an order: what is to be corrected there, and what is not sent on purpose."""

from typing import Any

import pytest
from psycopg.types.json import Jsonb

from consumer.operations.conflicts import keep_first
from consumer.sync.job import Job
from consumer.xero.tenant import TenantClient
from tests.sync.books import Books, line
from tests.sync.walk.walks import Ends, Walk, both, hand, invoice, nothing, pushed, xero_relents, xero_says


def save(**changes: Any) -> Any:
    """HearLink saves the invoice so."""
    return lambda books: books.save_invoice(**changes)


def two_events_of_one_sequence(books: Books) -> None:
    pushed(books)
    books.connection.execute(
        'insert into dead_letter (topic, partition, "offset", order_id, organisation_id, reason, detail, sequence, '
        "event_id) values ('orders', 0, 0, 'order-1', 'org-1', 'conflict', %s, 1, 'event-other')",
        [Jsonb({})],
    )
    books.save_payment()


def keep_the_first(books: Books) -> None:
    letters = [row[0] for row in books.connection.execute("select id from dead_letter").fetchall()]
    assert keep_first(books.connection, letters, actor="operator-1", reason="the first is right") == letters


def xero_numbers_it_otherwise(books: Books) -> None:
    call = TenantClient._call

    def numbering(self: TenantClient, method: str, to: str, **more: Any) -> Any:
        if (method, to) == ("PUT", "Invoices"):
            elements = [{**element, "InvoiceNumber": "X-0001"} for element in more["body"]["Invoices"]]
            more["body"] = {"Invoices": elements}
        return call(self, method, to, **more)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(TenantClient, "_call", numbering)
        pushed(books)


def unreadable_record(books: Books) -> None:
    books.save_invoice()
    books.connection.execute("update orders set state = jsonb_set(state, '{invoice,value,total}', '\"much\"')")


def mend_the_record(books: Books) -> None:
    """HearLink's support puts the record right."""
    books.connection.execute("update orders set state = jsonb_set(state, '{invoice,value,total}', '\"40.0000\"')")


def defect(books: Books) -> None:
    def fail(_: Job) -> None:
        raise LookupError

    books.save_invoice()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Job, "make_plan", fail)
        books.push()


def workers_die(books: Books) -> None:
    books.save_invoice()
    books.connection.execute("update orders set unended_claims = 30")


def gap_in_the_sequence(books: Books) -> None:
    pushed(books)
    books.sequences["order-1"] += 2
    books.save_payment()


WALKS = (
    Walk(
        "quantity_negative",
        save(lines=[line("a"), line("b", quantity="-1.0000", unit_price="5.0000")]),
        invoice,
        Ends.ITSELF,
    ),
    Walk("lines_missing", save(lines=[]), invoice, Ends.ITSELF),
    Walk(
        "discount_too_large",
        both(xero_says("The discount rate '127.83' is invalid."), invoice),
        both(xero_relents, save(reference="PO 7")),
        Ends.ITSELF,
    ),
    Walk(
        "due_date_missing",
        both(xero_says("The document DueDate field must be specified."), invoice),
        both(xero_relents, save(due_on="2026-12-01")),
        Ends.ITSELF,
    ),
    Walk("number_missing", save(number=" "), save(number="WH7", invoice_id="invoice- "), Ends.ITSELF),
    Walk(
        "numbered_otherwise", xero_numbers_it_otherwise, hand("edit_invoice", "X-0001", {"InvoiceNumber": "WH-order-1"})
    ),
    Walk(
        "request_too_large",
        save(lines=[line(f"line-{number}", description="\u4e2d" * 4000) for number in range(260)]),
        invoice,
        Ends.ITSELF,
    ),
    Walk(
        "total_negative",
        save(lines=[line(), line("line-2", unit_price="-50.0000")], total="-10.0000"),
        invoice,
        Ends.ITSELF,
    ),
    Walk(
        "description_missing",
        both(xero_says("The description field is mandatory for each line item."), invoice),
        both(xero_relents, save(reference="PO 7")),
        Ends.ITSELF,
    ),
    Walk("number_refused", save(number="W\u00e9"), save(number="WH7", invoice_id="invoice-W\u00e9"), Ends.ITSELF),
    Walk("sequence_used_twice", two_events_of_one_sequence, keep_the_first, Ends.ITSELF),
    Walk("not_projected", unreadable_record, mend_the_record),
    Walk("unexpected", defect, nothing),
    Walk("workers_died", workers_die, nothing),
    Walk("totals_differ", save(total="99.0000"), invoice, Ends.NOTHING),
    Walk("events_missing", gap_in_the_sequence, nothing, Ends.QUIET),
    Walk("order_closed", both(pushed, lambda books: books.close()), hand("void_invoice", "WH-order-1"), Ends.NOTHING),
    Walk(
        "invoice_deleted_in_hearlink",
        both(pushed, lambda books: books.delete_invoice()),
        hand("void_invoice", "WH-order-1"),
        Ends.NOTHING,
    ),
    Walk("no_invoice", lambda books: books.save_payment(), invoice, Ends.NOTHING),
    Walk("zero_amount", both(invoice, lambda books: books.save_payment(amount="0.0000")), nothing, Ends.NOTHING),
)
