"""Walks of the connection, of limits and outages, of lost answers, and of what Xero says of what we sent."""

import json

import pytest

from consumer.sync import preparation
from consumer.sync.services import Patience
from consumer.xero.payloads import ZERO_GUID
from tests.sync.access import let_access_be_tried
from tests.sync.books import Books, Json
from tests.sync.walk.walks import (
    Act,
    Ends,
    Walk,
    both,
    invoice,
    payment,
    push,
    pushed,
    settings,
    xero_relents,
    xero_says,
)


def reconnect(books: Books) -> None:
    books.reconnect()


def disconnect(books: Books) -> None:
    books.simulator.control.disconnect(books.tenant_id)


def answers(element: Json) -> Act:
    """Xero answers an invoice with this, and makes none."""
    body = json.dumps({"Invoices": [element]})
    return lambda books: books.strike("answer", method="PUT", path="/Invoices$", status=200, detail=body, count=None)


def unreachable(books: Books) -> None:
    books.save_invoice()
    books.simulator.stop()
    try:
        books.push()
    finally:
        books.simulator.start()


def unreachable_for_a_day(books: Books) -> None:
    books.save_invoice()
    books.simulator.stop()
    try:
        books.push()
        books.connection.execute("update orders set projected_at = now() - interval '25 hours', attempts = 2")
        books.hasten()
        books.push()
    finally:
        books.simulator.start()


def doubt(books: Books) -> None:
    """An answer is lost, and what became of the call can't be looked up."""
    books.use(patience=Patience(safe_wait_seconds=30.0, again_seconds=5.0, pause_seconds=2.0))
    lose_an_answer(books)
    books.strike("internal_error_before", method="GET", path="/Invoices", count=None)
    for _ in range(6):
        books.push()
        books.hasten()


def lose_an_answer(books: Books) -> None:
    books.strike("drop_after", method="PUT", path="/Invoices$")
    books.save_invoice()


def paid_twice(books: Books) -> None:
    pushed(books)
    books.strike("drop_after", method="PUT", path="/Payments$")
    books.use(patience=Patience(safe_wait_seconds=3600.0))
    books.save_payment(amount="10.0000")
    books.push()
    books.simulator.control.pay_invoice(books.tenant_id, "WH-order-1", 10, reference="CARD pay-1")
    books.use(patience=Patience(safe_wait_seconds=0.0))
    books.settle()


def delete_one(books: Books, place: int = 0) -> None:
    standing = [row for row in books.ledger()["Payments"] if row["Status"] != "DELETED"]
    books.simulator.control.delete_payment(books.tenant_id, standing[place]["PaymentID"])


def not_put_back(books: Books) -> None:
    """Somebody archives the account just after it was looked at: neither the new payment goes in nor the old one."""
    both(invoice, payment, push)(books)

    def archive(*_: object) -> None:
        books.simulator.control.archive_account(books.tenant_id, "090")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(preparation, "payment_account_fault", archive)
        books.save_payment(method="CASH")
        books.push()


def token_refused(books: Books) -> None:
    books.strike_all("answer", status=400, detail='{"error": "invalid_client"}', path="/connect/token", count=None)
    books.connection.execute("update xero_connection set access_expires_at = now()")
    books.save_invoice()


def refused_without_a_word(books: Books) -> None:
    books.strike("answer", status=401, detail="", method="PUT", count=None)
    books.save_invoice()


def look_up_refused(books: Books) -> None:
    books.use(patience=Patience(safe_wait_seconds=30.0, again_seconds=5.0, pause_seconds=2.0))
    lose_an_answer(books)
    books.strike("answer", status=400, detail='{"Message": "No such filter"}', method="GET", count=None)
    for _ in range(6):
        books.push()
        if books.open_problems() == [("look_up_refused", 1)]:
            break
        books.hasten()


TRANSIENT = (
    ("token_expired", "TokenExpired: token expired at 08/12/2022 07:00:40"),
    ("xero_maintenance", "The Organisation is offline"),
    ("xero_broke_down", "Object reference not set to an instance of an object."),
)
# What needs no more than that the cause is mended, wherever it lies: in the connection, or with HearLink's support.
SAID = (
    ("permission_missing", "The User specified does not have the correct permissions to perform this action"),
    ("scope_missing", "insufficient_scope"),
    ("request_faulty", "The element 'HasValidationErrors' was not recognised. Please refer to the documentation."),
    ("idempotency_key_reused", "Idempotency Key: 6b29fc40-ca47-1067 is used with a different request."),
    ("hearlink_address_refused", "Url must be a valid absolute url"),
    ("not_in_catalogue", "The widget '17' is upside down."),
)

WALKS = (
    Walk("xero_disconnected", both(pushed, disconnect, payment), reconnect, Ends.ITSELF),
    *(Walk(code, both(xero_says(said, count=1), invoice), push, Ends.ITSELF) for code, said in TRANSIENT),
    *(Walk(code, both(xero_says(said), invoice), both(xero_relents, reconnect)) for code, said in SAID),
    Walk("app_refused", token_refused, both(xero_relents, reconnect), Ends.ITSELF),
    Walk("access_refused", refused_without_a_word, both(xero_relents, let_access_be_tried), Ends.ITSELF),
    Walk("look_up_refused", look_up_refused, xero_relents),
    Walk("xero_unreachable", unreachable, push, Ends.ITSELF),
    Walk("gave_up", unreachable_for_a_day, push),
    Walk("answer_lost", lose_an_answer, push, Ends.QUIET),
    Walk("in_doubt", doubt, xero_relents, Ends.ITSELF),
    Walk("answer_without_result", both(answers({"InvoiceID": ZERO_GUID}), invoice), xero_relents),
    Walk("refused_without_reason", both(answers({"InvoiceID": ZERO_GUID, "HasErrors": True}), invoice), xero_relents),
    Walk("two_of_ours", paid_twice, delete_one, by="the first"),
    Walk("two_of_ours", paid_twice, lambda books: delete_one(books, 1), by="the second"),
    Walk("not_put_back", not_put_back, settings(payment_account="091"), Ends.ITSELF),
)
