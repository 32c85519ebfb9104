"""Walks of what Xero says of invoices, payments and credit notes as it holds them."""

from tests.sync.books import Books, lines, patient
from tests.sync.walk.walks import (
    Ends,
    Walk,
    both,
    hand,
    invoice,
    nothing,
    only,
    payment,
    push,
    pushed,
    settings,
    xero_finds_nothing,
    xero_relents,
    xero_says,
)

INVOICE = "WH-order-1"


def paid_in_part_then_edited(books: Books) -> None:
    books.save_invoice(**lines("100.0000"))
    books.save_payment(amount="40.0000")
    books.push()
    books.save_invoice(**lines("90.0000"))


def paid_in_full_then_edited(books: Books) -> None:
    books.save_invoice(**lines("100.0000"))
    books.push()
    books.simulator.control.pay_invoice(books.tenant_id, INVOICE)
    books.save_invoice(**lines("90.0000"))


def make_the_change_in_xero(books: Books) -> None:
    """The bookkeeper takes the payment off, changes the invoice and records the payment anew."""
    (paid,) = (row for row in books.ledger()["Payments"] if row["Status"] != "DELETED")
    control = books.simulator.control
    control.delete_payment(books.tenant_id, paid["PaymentID"])
    item = {"Description": "By hand", "Quantity": 1, "UnitAmount": 90, "AccountCode": "260", "TaxType": "OUTPUT2"}
    control.edit_invoice(books.tenant_id, INVOICE, {"LineItems": [item]})
    control.pay_invoice(books.tenant_id, INVOICE, min(90, paid["Amount"]))


def take_off_the_credit(books: Books) -> None:
    books.simulator.control.remove_allocation(books.tenant_id, only(books, "Allocations"))


def use_the_credit_elsewhere(books: Books) -> None:
    """The credit of our note stands on another invoice of the patient's, by the bookkeeper's hand."""
    books.save_invoice()
    books.patients["order-2"] = patient("patient-of-order-1")
    books.save_invoice("order-2")
    books.save_credit_note()
    books.push()
    control = books.simulator.control
    control.remove_allocation(books.tenant_id, only(books, "Allocations"))
    control.allocate_credit_note(books.tenant_id, "CN-note-1", "WH-order-2", 40)
    books.delete_credit_note()


def two_notes_of_one_number(books: Books) -> None:
    books.save_invoice(**lines("100.0000"))
    for note_id in ("note-1", "note-2"):
        books.save_credit_note(credit_note_id=note_id, number="CN1", **lines("10.0000"))
        books.push()


def lose_the_invoice(books: Books) -> None:
    """The clinic's settings lead to another organisation, say: an invoice of our id is not there."""
    books.connection.execute(
        "update xero_link set xero_id = '11111111-2222-4333-8444-555555555555' where kind = 'invoice'"
    )


def find_the_invoice(books: Books) -> None:
    books.connection.execute("update xero_link set xero_id = %s where kind = 'invoice'", [books.invoice()["InvoiceID"]])


def credit_beyond_what_is_due(books: Books) -> None:
    pushed(books)
    books.simulator.control.pay_invoice(books.tenant_id, INVOICE, 30)
    books.save_credit_note(**lines("20.0000"))


def use_up_the_credit(books: Books) -> None:
    books.simulator.control.allocate_credit_note(books.tenant_id, "CN-note-1", INVOICE, 10)
    books.simulator.control.refund_credit_note(books.tenant_id, "CN-note-1")


def delete_the_payment(books: Books) -> None:
    books.simulator.control.delete_payment(books.tenant_id, only(books, "Payments"))


def reconcile(books: Books, *, reconciled: bool = True) -> None:
    books.simulator.control.reconcile_payment(books.tenant_id, only(books, "Payments"), reconciled=reconciled)


def reconciled_then_deleted(books: Books) -> None:
    both(invoice, payment, push, reconcile)(books)
    books.delete_payment()


def undo_the_reconciliation(books: Books) -> None:
    reconcile(books, reconciled=False)


def credited_then_edited(books: Books) -> None:
    """Of our note the bookkeeper has allocated a part in their own way, and HearLink changes it."""
    books.save_invoice(**lines("100.0000"))
    books.save_credit_note(**lines("20.0000"))
    books.push()
    books.simulator.control.remove_allocation(books.tenant_id, only(books, "Allocations"))
    books.simulator.control.allocate_credit_note(books.tenant_id, "CN-note-1", INVOICE, 15)
    books.save_credit_note(**lines("18.0000"))


def credited(books: Books) -> None:
    books.save_invoice(**lines("100.0000"))
    books.save_credit_note(**lines("20.0000"))
    books.push()


def paid_then_deleted(books: Books) -> None:
    both(invoice, payment, push)(books)
    books.delete_payment()


def paid_out_of_turn(books: Books) -> None:
    """The payment is recorded in Xero by hand, and Xero minds the invoice's status."""
    pushed(books)
    books.simulator.control.pay_invoice(books.tenant_id, INVOICE)
    xero_says("Payments can only be made against Authorised documents", path="/Payments$")(books)
    books.save_payment()


def deleted_payment_then_edited(books: Books) -> None:
    both(invoice, payment, push, delete_the_payment)(books)
    books.save_payment(amount="30.0000")


def made_by_hand_then_deleted(books: Books) -> None:
    pushed(books)
    books.simulator.control.pay_invoice(books.tenant_id, INVOICE)
    books.save_payment()
    books.push()
    books.retry()
    books.push()
    assert books.open_problems() == []
    books.delete_payment()


def number_of_a_stranger(books: Books) -> None:
    item = {"Description": "Theirs", "Quantity": 1, "UnitAmount": 5}
    body = {"Type": "ACCREC", "Contact": {"Name": "Stranger"}, "InvoiceNumber": INVOICE, "LineItems": [item]}
    books.simulator.control.create_invoice(books.tenant_id, body)
    books.save_invoice()


def number_of_another_order(books: Books) -> None:
    books.save_invoice("order-2", number="WH1")
    books.push()
    books.save_invoice(number="WH1")


def note_comes_again(books: Books) -> None:
    books.save_invoice(**lines("100.0000"))
    books.save_credit_note(**lines("30.0000"))
    books.push()
    books.delete_credit_note()
    books.push()
    books.save_credit_note(**lines("30.0000"))


def edited_too_late(books: Books) -> None:
    pushed(books)
    xero_says("Invoice not of valid status for modification", method="POST")(books)
    books.save_invoice(reference="PO 7")


WALKS = (
    Walk("invoice_has_payments", paid_in_part_then_edited, make_the_change_in_xero),
    Walk("paid_in_xero", paid_in_full_then_edited, make_the_change_in_xero),
    Walk("status_has_payments", use_the_credit_elsewhere, take_off_the_credit),
    Walk(
        "number_taken",
        two_notes_of_one_number,
        lambda books: books.save_credit_note(credit_note_id="note-2", number="CN2", **lines("10.0000")),
        Ends.ITSELF,
    ),
    Walk("document_closed", edited_too_late, hand("edit_invoice", INVOICE, {"Reference": "PO 7"})),
    Walk(
        "invoice_not_found",
        both(pushed, lose_the_invoice, lambda books: books.save_invoice(reference="PO 7")),
        find_the_invoice,
    ),
    Walk("plan_limit", both(hand("set_approvals_per_month", 0), invoice), hand("set_approvals_per_month", None)),
    Walk(
        "plan_limit",
        both(hand("set_approvals_per_month", 0), invoice),
        settings(invoice_status="draft"),
        by="drafts",
    ),
    Walk("invoice_not_authorised", paid_out_of_turn, nothing),
    Walk(
        "payment_exceeds_outstanding",
        both(pushed, hand("pay_invoice", INVOICE, 10), payment),
        delete_the_payment,
        by="what is double is deleted",
    ),
    Walk(
        "payment_exceeds_outstanding",
        both(pushed, hand("pay_invoice", INVOICE), payment),
        nothing,
        by="it is left as it is",
    ),
    Walk("payment_closed", reconciled_then_deleted, undo_the_reconciliation, by="undone"),
    Walk(
        "payment_closed",
        reconciled_then_deleted,
        both(undo_the_reconciliation, delete_the_payment),
        by="corrected there",
    ),
    Walk(
        "invoice_already_paid",
        both(invoice, payment, push, lambda books: books.save_credit_note()),
        hand("refund_credit_note", "CN-note-1"),
        by="refunded",
    ),
    Walk(
        "invoice_already_paid",
        both(pushed, hand("pay_invoice", INVOICE), lambda books: books.save_credit_note()),
        delete_the_payment,
        by="a payment is removed",
    ),
    Walk("credit_exceeds_outstanding", credit_beyond_what_is_due, use_up_the_credit, by="used up"),
    Walk("credit_exceeds_outstanding", credit_beyond_what_is_due, delete_the_payment, by="corrected"),
    Walk(
        "credit_wrong_invoice",
        both(
            pushed,
            xero_says("Credit Note cannot be allocated to an incorrect invoice type", path="/Allocations$"),
            lambda books: books.save_credit_note(),
        ),
        xero_relents,
    ),
    Walk(
        "number_taken_by_other",
        number_of_a_stranger,
        hand("edit_invoice", INVOICE, {"InvoiceNumber": "THEIRS"}),
    ),
    Walk(
        "number_taken_by_other_order",
        number_of_another_order,
        lambda books: books.save_invoice(number="WH2"),
        Ends.ITSELF,
    ),
    Walk(
        "number_used_up",
        note_comes_again,
        lambda books: books.save_credit_note(number="CN2", **lines("30.0000")),
        Ends.ITSELF,
    ),
    Walk(
        "deleted_in_xero",
        both(pushed, hand("void_invoice", INVOICE), lambda books: books.save_invoice(reference="PO 7")),
        lambda books: books.delete_invoice(),
        Ends.ITSELF,
        by="deleted in HearLink too",
    ),
    Walk(
        "deleted_in_xero",
        deleted_payment_then_edited,
        hand("pay_invoice", INVOICE, 30),
        by="entered by hand",
    ),
    Walk("credit_note_has_allocations", credited_then_edited, take_off_the_credit),
    Walk(
        "credit_note_not_found",
        both(credited, xero_finds_nothing("POST", "/CreditNotes$"), lambda books: books.delete_credit_note()),
        xero_relents,
    ),
    Walk("payment_not_found", both(xero_finds_nothing("POST", "/Payments/"), paid_then_deleted), xero_relents),
    Walk(
        "payment_in_batch",
        both(
            xero_says("Payments within a batch cannot be deleted.", method="POST", path="/Payments/"), paid_then_deleted
        ),
        xero_relents,
        by="the batch is removed",
    ),
    Walk(
        "payment_in_batch",
        both(
            xero_says("Payments within a batch cannot be deleted.", method="POST", path="/Payments/"), paid_then_deleted
        ),
        delete_the_payment,
        by="corrected there",
    ),
    Walk("made_by_hand", made_by_hand_then_deleted, delete_the_payment),
)

# What goes on failing however often it is asked for, until somebody acts.
LASTING = frozenset(
    {
        "invoice_has_payments",
        "paid_in_xero",
        "status_has_payments",
        "credit_note_has_allocations",
        "payment_closed",
        "payment_in_batch",
        "invoice_already_paid",
        "credit_exceeds_outstanding",
        "two_of_ours",
        "made_by_hand",
        "number_taken_by_other",
        "change_not_finished",
    }
)
