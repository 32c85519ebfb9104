"""Random histories in which a bookkeeper acts in Xero as well.

Nothing is foretold of the books then, but nothing may be doubled, resurrected, fought over, or left unexplained.
"""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from consumer.sandbox.xero.errors import Refused as XeroRefused
from tests.sync.conftest import COUNTED, OpenBooks
from tests.sync.model import Held
from tests.sync.test_histories import Histories, run


class Bookkept(Histories):
    """Someone acts in Xero as well: what the books hold is theirs to decide, and only what must never be is checked."""

    def __init__(self) -> None:
        super().__init__()
        # What people deleted there, and HearLink has not deleted since.
        self.deleted_there: set[tuple[str, str]] = set()

    def delete_payment(self, order_id: str, key: str) -> None:
        super().delete_payment(order_id, key)
        self.deleted_there.discard((order_id, key))

    def check(self, expected: dict[str, Held]) -> None:
        del expected
        held = self.held()
        assert not [key for order_id, key in self.deleted_there if key in held[order_id].payments], "resurrected"
        for order_id in self.orders:
            if not self.books.sequences[order_id]:
                continue
            row = self.books.order(order_id)
            assert row["due_at"] is None
            if row["hold"] == "problem":
                assert [one for one in self.books.log(order_id) if one["outcome"] == "failed" and one["problem"]]
            elif row["hold"] is None:
                assert row["synced_revision"] == row["revision"]
        self.check_problems()
        self.check_strangers()

    def check_strangers(self) -> None:
        ledger = self.books.ledger()
        theirs = {
            entry["Key"]
            for entry in ledger["History"]
            if (entry["Actor"], entry["Action"]) == ("bookkeeper", "created")
        }
        ours = {
            entry["Key"]
            for entry in ledger["History"]
            if entry["Actor"] != "bookkeeper" and entry["Action"] != "settled"
        }
        assert not theirs & ours, "what people made in Xero is theirs"

    def teardown(self) -> None:
        if hasattr(self, "books"):
            self.push([], 1)

    def act(self, name: str, *arguments: Any, **more: Any) -> bool:
        """Do this in Xero; whether Xero let them."""
        try:
            getattr(self.books.simulator.control, name)(self.books.tenant_id, *arguments, **more)
        except (XeroRefused, ValueError):
            COUNTED["acts that Xero refused"] += 1
            return False
        COUNTED["acts of the bookkeeper"] += 1
        return True

    @precondition(lambda self: self.books.ledger()["Invoices"])
    @rule(
        data=st.data(),
        act=st.sampled_from(["pay_invoice", "void_invoice", "delete_invoice", "approve_invoice"]),
    )
    def act_on_invoice(self, data: st.DataObject, act: str) -> None:
        invoice = data.draw(st.sampled_from(sorted(row["InvoiceNumber"] for row in self.books.ledger()["Invoices"])))
        self.act(act, invoice)

    @precondition(lambda self: self.books.ledger()["Invoices"])
    @rule(data=st.data(), body=st.sampled_from([{"Reference": "by hand"}, {"DueDate": "2026-12-31"}]))
    def edit_invoice(self, data: st.DataObject, body: dict[str, str]) -> None:
        invoice = data.draw(st.sampled_from(sorted(row["InvoiceNumber"] for row in self.books.ledger()["Invoices"])))
        self.act("edit_invoice", invoice, body)

    @precondition(lambda self: self.books.ledger()["Payments"])
    @rule(data=st.data(), act=st.sampled_from(["delete_payment", "reconcile_payment"]))
    def act_on_payment(self, data: st.DataObject, act: str) -> None:
        payments = sorted(self.books.ledger()["Payments"], key=lambda row: (row["Reference"], row["Amount"]))
        index = data.draw(st.integers(0, len(payments) - 1))
        row = payments[index]
        done = self.act(act, row["PaymentID"])
        ours = row["Reference"].partition(" ")[2]
        if done and act == "delete_payment" and ours:
            self.deleted_there.add((row["Invoice"]["InvoiceNumber"].removeprefix("WH-"), ours))

    @precondition(lambda self: self.books.ledger()["Contacts"])
    @rule(data=st.data(), act=st.sampled_from(["archive_contact", "restore_contact"]))
    def act_on_contact(self, data: st.DataObject, act: str) -> None:
        numbers = sorted(row["ContactNumber"] for row in self.books.ledger()["Contacts"])
        self.act(act, data.draw(st.sampled_from(numbers)))

    @precondition(lambda self: self.books.ledger()["Allocations"])
    @rule(data=st.data())
    def take_credit_off(self, data: st.DataObject) -> None:
        allocations = self.books.ledger()["Allocations"]
        index = data.draw(st.integers(0, len(allocations) - 1))
        self.act("remove_allocation", allocations[index]["AllocationID"])

    @precondition(lambda self: self.books.ledger()["CreditNotes"])
    @rule(data=st.data())
    def void_credit_note(self, data: st.DataObject) -> None:
        numbers = sorted(row["CreditNoteNumber"] for row in self.books.ledger()["CreditNotes"])
        self.act("edit_credit_note", data.draw(st.sampled_from(numbers)), {"Status": "VOIDED"})

    @rule(period=st.sampled_from([None, "2026-10-01", "2026-10-02"]))
    def lock(self, period: str | None) -> None:
        self.act("set_lock_dates", period=period)

    @rule(act=st.sampled_from(["archive_account", "restore_account"]))
    def act_on_account(self, act: str) -> None:
        self.act(act, "260")


def test_histories_with_a_bookkeeper(open_books: OpenBooks) -> None:
    run(Bookkept, open_books, examples=40)
