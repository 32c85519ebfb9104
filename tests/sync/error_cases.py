"""How each row of the list of Xero's errors is brought about, what it must become, and what mends it."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.sync.books import Books, line, lines, patient

INVOICE_1 = "WH-order-1"


@dataclass(frozen=True)
class Case:
    """`said` is part of Xero's own words, "" where the service stops by itself; `mend` makes the retry go through."""

    row: int
    arrange: Callable[[Books], None]
    operation: str
    code: str
    problem_class: str
    said: str = ""
    mend: Callable[[Books], None] | None = None


def both(*acts: Callable[[Books], object]) -> Callable[[Books], None]:
    def act(books: Books) -> None:
        for one in acts:
            one(books)

    return act


def push(books: Books) -> None:
    books.push()


def invoice(books: Books) -> None:
    books.save_invoice()


def pushed(books: Books) -> None:
    books.save_invoice()
    books.push()


def payment(books: Books) -> None:
    books.save_payment()


def hand(name: str, *arguments: object, **more: object) -> Callable[[Books], None]:
    """Someone does this in Xero."""

    def act(books: Books) -> None:
        getattr(books.simulator.control, name)(books.tenant_id, *arguments, **more)

    return act


def settings(**columns: object) -> Callable[[Books], None]:
    return lambda books: books.settings(**columns)  # type: ignore[arg-type]


def stranger(books: Books) -> None:
    books.simulator.control.create_invoice(
        books.tenant_id,
        {
            "Type": "ACCREC",
            "Contact": {"Name": "Stranger"},
            "InvoiceNumber": INVOICE_1,
            "LineItems": [{"Description": "Theirs", "Quantity": 1, "UnitAmount": 5}],
        },
    )


def use_the_credit_elsewhere(books: Books) -> None:
    """The credit of our note stands on another invoice of the patient's, by the bookkeeper's hand."""
    books.save_invoice()
    books.patients["order-2"] = patient("patient-of-order-1")
    books.save_invoice("order-2")
    books.save_credit_note()
    books.push()
    (allocation,) = books.ledger()["Allocations"]
    books.simulator.control.remove_allocation(books.tenant_id, allocation["AllocationID"])
    books.simulator.control.allocate_credit_note(books.tenant_id, "CN-note-1", "WH-order-2", 40)
    books.delete_credit_note()


def only(books: Books, kind: str) -> str:
    """The id of the only one of its kind in Xero."""
    (row,) = books.ledger()[kind]
    return str(row[f"{kind.removesuffix('s')}ID"])


def reconcile(books: Books, *, reconciled: bool = True) -> None:
    books.simulator.control.reconcile_payment(books.tenant_id, only(books, "Payments"), reconciled=reconciled)


def rename(books: Books) -> None:
    books.patients["order-1"] = patient("patient-of-order-1", last_name="Taken")
    books.save_invoice(reference="PO 7")


def archived_namesake(books: Books) -> None:
    contact = {"Name": "Test Old", "ContactNumber": "patient-of-order-1"}
    books.simulator.control.create_contact(books.tenant_id, contact)
    books.simulator.control.archive_contact(books.tenant_id, "patient-of-order-1")


def lose_the_invoice(books: Books) -> None:
    books.connection.execute(
        "update xero_link set xero_id = '11111111-2222-4333-8444-555555555555' where kind = 'invoice'"
    )


def find_the_invoice(books: Books) -> None:
    books.connection.execute("update xero_link set xero_id = %s where kind = 'invoice'", [books.invoice()["InvoiceID"]])


restore_contact = hand("restore_contact", "patient-of-order-1")

CASES = [
    Case(
        1,
        both(hand("set_lock_dates", period="2026-10-31"), invoice),
        "invoice_create",
        "period_locked",
        "xero",
        "period lock date, currently set at 31-Oct-2026",
        hand("set_lock_dates"),
    ),
    Case(
        2,
        both(hand("set_lock_dates", end_of_year="2026-10-31"), invoice),
        "invoice_create",
        "year_locked",
        "xero",
        "end of year lock date",
        hand("set_lock_dates"),
    ),
    Case(
        3,
        both(settings(services_revenue_account="240"), invoice),
        "invoice_create",
        "account_archived",
        "settings",
        "Account code '240' has been archived",
        settings(services_revenue_account="260"),
    ),
    Case(
        4,
        both(settings(services_revenue_account="999"), invoice),
        "invoice_create",
        "account_not_usable",
        "settings",
        "Account code '999' is not a valid code",
        settings(services_revenue_account="260"),
    ),
    Case(
        5,
        both(settings(services_tax_type="INPUT2"), invoice),
        "invoice_create",
        "tax_rate_not_for_account",
        "settings",
        "The TaxType code 'INPUT2' cannot be used",
        settings(services_tax_type="OUTPUT2"),
    ),
    Case(9, both(stranger, invoice), "invoice_create", "number_taken_by_other", "xero", "Invoice # must be unique"),
    Case(
        10,
        both(pushed, hand("void_invoice", INVOICE_1), lambda books: books.save_invoice(reference="PO 7")),
        "invoice_update",
        "deleted_in_xero",
        "xero",
        "Invoice not of valid status for modification",
    ),
    Case(
        11,
        both(pushed, hand("pay_invoice", INVOICE_1, 10), lambda books: books.save_invoice(**lines("50.0000"))),
        "invoice_update",
        "invoice_has_payments",
        "xero",
        "cannot be edited as it has a payment or credit note allocated",
        lambda books: books.save_invoice(),
    ),
    Case(
        12,
        use_the_credit_elsewhere,
        "credit_note_void",
        "status_has_payments",
        "xero",
        "The status VOIDED cannot be applied",
        lambda books: books.simulator.control.remove_allocation(books.tenant_id, only(books, "Allocations")),
    ),
    Case(
        13,
        both(pushed, hand("void_invoice", INVOICE_1), payment),
        "payment_create",
        "invoice_not_authorised",
        "xero",
        "Payments can only be made against Authorised documents",
    ),
    Case(
        14,
        both(pushed, hand("pay_invoice", INVOICE_1, 10), payment),
        "payment_create",
        "payment_exceeds_outstanding",
        "xero",
        "Payment amount exceeds the amount outstanding",
        lambda books: hand("delete_payment", only(books, "Payments"))(books),
    ),
    Case(
        15,
        both(invoice, payment, push, reconcile, lambda books: books.delete_payment()),
        "payment_delete",
        "payment_closed",
        "xero",
        "Payment not of valid status for modification",
        lambda books: reconcile(books, reconciled=False),
    ),
    Case(
        16,
        both(hand("create_contact", {"Name": "Test Taken"}), pushed, rename),
        "contact_rename",
        "contact_name_taken",
        "hearlink",
        "already assigned to another contact",
    ),
    Case(
        17,
        both(archived_namesake, invoice),
        "contact_create",
        "contact_archived",
        "xero",
        "Another contact has this contact number",
        restore_contact,
    ),
    Case(
        19,
        both(pushed, hand("archive_contact", "patient-of-order-1"), lambda books: books.save_invoice(reference="PO 7")),
        "invoice_update",
        "contact_archived",
        "xero",
        "must be un-archived",
        restore_contact,
    ),
    Case(
        21,
        both(pushed, hand("set_contact_website", "patient-of-order-1", "nowhere"), rename),
        "contact_rename",
        "website_refused",
        "xero",
        "Website must be valid",
    ),
    Case(
        22,
        both(hand("set_approvals_per_month", 0), invoice),
        "invoice_create",
        "plan_limit",
        "xero",
        "limit of invoices you can approve",
        hand("set_approvals_per_month", None),
    ),
    Case(
        24,
        both(pushed, lambda books: books.simulator.control.disconnect(books.tenant_id), payment),
        "order_sync",
        "xero_disconnected",
        "connection",
        "",
        lambda books: books.reconnect(),
    ),
    Case(
        26,
        both(
            pushed,
            lambda books: books.simulator.control.expire_access_tokens(),
            lambda books: books.simulator.control.expire_refresh_tokens(),
            payment,
        ),
        "order_sync",
        "xero_disconnected",
        "connection",
        "",
        lambda books: books.reconnect(),
    ),
    Case(
        32,
        lambda books: books.save_invoice(lines=[line("a"), line("b", quantity="-1.0000", unit_price="5.0000")]),
        "invoice_create",
        "quantity_negative",
        "hearlink",
        "Quantity must not be less than zero",
        lambda books: books.save_invoice(),
    ),
    Case(
        33,
        both(pushed, lose_the_invoice, lambda books: books.save_invoice(reference="PO 7")),
        "invoice_update",
        "invoice_not_found",
        "xero",
        # Its 404 is an empty page.
        "",
        find_the_invoice,
    ),
    Case(
        34,
        both(settings(payment_account="999"), invoice, payment),
        "payment_create",
        "payment_account_missing",
        "settings",
        "Account could not be found",
        settings(payment_account="090"),
    ),
]
