"""Looking up what became of calls, where the looking up itself has its troubles: failures, limits, refusals, length."""

from typing import Any

import pytest

from consumer.sync import recovery
from consumer.sync.lease import Lease, Presence, acquire
from consumer.sync.look_up import look_up
from consumer.sync.services import Patience
from consumer.xero import RequestRefusedError, TenantClient
from tests.sync.books import ORGANISATION, Books, lines, patient
from tests.sync.limits import another_minute, limit, unsynced


def reads(books: Books) -> list[dict[str, Any]]:
    return [call for call in books.calls() if call["method"] == "GET"]


def credited(books: Books, count: int) -> None:
    """Orders with an invoice and a credit note each, in Xero."""
    for number in range(count):
        books.save_invoice(f"order-{number}", **lines("100.0000"))
        books.save_credit_note(f"order-{number}", f"note-{number}", **lines("10.0000"))
    books.settle()


def lose_voids(books: Books, count: int) -> None:
    """Lose the answer to the call that voids the notes of all orders."""
    credited(books, count)
    for number in range(count):
        books.delete_credit_note(f"order-{number}", f"note-{number}")
    books.strike("drop_after", method="POST", path="/CreditNotes$")
    books.push_once()
    books.forget_calls()


class TestWaiting:
    @pytest.fixture
    def in_doubt(self, books: Books) -> Books:
        books.use(patience=Patience(safe_wait_seconds=30.0, again_seconds=5.0, pause_seconds=2.0))
        books.strike("drop_after", method="PUT", path="/Invoices$")
        books.save_invoice()
        books.push_once()
        return books

    def wait_seconds(self, books: Books) -> float:
        row = books.connection.execute(
            "select extract(epoch from look_up_at - clock_timestamp())::float8 from xero_intent where state = 'open'"
        ).fetchone()
        assert row is not None
        return float(row[0])

    def test_the_more_fail_the_longer_the_next_one_waits(self, in_doubt: Books) -> None:
        in_doubt.strike("internal_error_before", method="GET", count=None)
        waits = []
        for _ in range(9):
            in_doubt.hasten()
            in_doubt.push()
            waits.append(self.wait_seconds(in_doubt))
        assert all(earlier < later for earlier, later in zip(waits, waits[2:], strict=False) if later < 900)
        assert waits[0] <= 5
        assert 900 <= waits[-1] <= 1800

    def test_the_order_is_told_once(self, in_doubt: Books) -> None:
        in_doubt.strike("internal_error_before", method="GET", count=9)
        for _ in range(9):
            in_doubt.hasten()
            in_doubt.push()
        assert (in_doubt.failure()["problem"], in_doubt.failure()["operation"]) == ("in_doubt", "invoice_create")
        in_doubt.settle()
        assert in_doubt.told()[-1] == ("invoice_create", "succeeded", None)

    def test_too_few_rights_are_told_once_and_wait(self, books: Books) -> None:
        books.save_invoice()
        books.settle()
        books.strike("drop_after", method="PUT", path="/Payments$")
        books.save_payment()
        books.push_once()
        books.use(patience=Patience(safe_wait_seconds=30.0, again_seconds=5.0, pause_seconds=2.0))
        books.connect(scopes=["offline_access", "accounting.contacts", "accounting.settings.read"])
        books.forget_calls()
        for _ in range(4):
            books.hasten()
            books.push()
        row = books.failures()[0]
        assert row["problem"] == "in_doubt"
        assert "fewer rights than HearLink needs" in row["message"]
        assert row["xero_message"] == "AuthorizationUnsuccessful"
        # Xero lets nobody in who may not look: nothing is asked again before somebody connected with all rights.
        assert len(books.calls()) <= 2
        books.connect()
        books.settle()
        assert len(books.payments()) == 1

    def test_a_look_up_that_is_refused_for_good_is_a_persons_until_it_is_mended(self, in_doubt: Books) -> None:
        in_doubt.strike("answer", status=400, detail='{"Message": "No such filter"}', method="GET", count=None)
        for _ in range(6):
            in_doubt.hasten()
            in_doubt.push()
            if self.wait_seconds(in_doubt) > 3600:
                break
        assert in_doubt.open_problems() == [("look_up_refused", 1)]
        assert in_doubt.order()["hold"] == "problem"
        assert [row["problem"] for row in in_doubt.failures()] == ["in_doubt", "look_up_refused"]
        in_doubt.simulator.control.clear_faults()
        in_doubt.connection.execute("update xero_intent set sent_at = sent_at - interval '1 minute'")
        in_doubt.retry()
        in_doubt.push()
        assert len(in_doubt.ledger()["Invoices"]) == 1
        order = in_doubt.order()
        assert (order["synced_revision"], order["hold"], in_doubt.open_problems()) == (order["revision"], None, [])

    def test_a_limit_is_no_failure(self, in_doubt: Books) -> None:
        in_doubt.strike("rate_limit_day", method="GET", count=6)
        for _ in range(6):
            in_doubt.hasten()
            in_doubt.push()
        assert in_doubt.failures() == []
        assert in_doubt.connection.execute("select sum(look_ups_failed) from xero_intent").fetchone() == (0,)


class TestMany:
    def test_notes_are_read_together(self, books: Books) -> None:
        lose_voids(books, 25)
        books.settle()
        assert {note["Status"] for note in books.ledger()["CreditNotes"]} == {"VOIDED"}
        assert len(reads(books)) == 2

    def test_each_read_settles_what_it_tells(self, books: Books) -> None:
        lose_voids(books, 45)
        limit(books, 1)
        left = []
        for _ in range(3):
            books.push()
            left.append(unsynced(books))
            another_minute(books)
        assert left == sorted(left, reverse=True)
        assert left[0] < 45
        assert left[-1] == 0

    def test_where_lists_leave_allocations_out_each_note_is_read(
        self, books: Books, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        credited(books, 3)
        tenant = TenantClient(books.services.client, ORGANISATION, books.tenant_id)
        pages = TenantClient._pages
        monkeypatch.setattr(
            TenantClient,
            "_pages",
            lambda *arguments: [{**note, "Allocations": []} for note in pages(*arguments)],
        )
        notes = tenant.credit_notes_by_id(note["CreditNoteID"] for note in books.ledger()["CreditNotes"])
        assert [len(note["Allocations"]) for note in notes] == [1, 1, 1]

    def test_long_numbers_make_no_long_address(self, books: Books) -> None:
        books.strike("drop_after", method="PUT", path="/Invoices$")
        for number in range(50):
            books.save_invoice(f"order-{number}", number=f"{number:03}" + "x" * 250)
        books.settle()
        assert len(books.ledger()["Invoices"]) == 50
        assert books.failures() == []
        assert max(len(call["query"]) for call in reads(books)) < 1900

    def test_an_intent_that_cannot_be_looked_up_does_not_keep_the_next_one_back(self, books: Books) -> None:
        books.save_invoice("order-1")
        books.settle()
        books.strike("drop_after", method="PUT", path="/Payments$")
        books.save_payment("order-1")
        books.push_once()
        books.use(patience=Patience(safe_wait_seconds=0.0, again_seconds=3600.0, pause_seconds=0.0))
        books.strike("drop_after", method="PUT", path="/Invoices$")
        books.save_invoice("order-2")
        books.strike("internal_error_before", method="GET", path="/Payments", count=None)
        books.strike("internal_error_before", method="GET", path="/Invoices", count=1)
        for _ in range(4):
            books.push()
        assert books.order("order-1")["hold"] == "in_doubt"
        assert books.order("order-2")["hold"] is None

    def test_one_that_xero_refuses_to_look_up_is_told_and_the_others_go_on(
        self, books: Books, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        books.strike("drop_after", method="PUT", path="/Invoices$")
        for number in range(3):
            books.save_invoice(f"order-{number}")
        books.push_once()
        ask = look_up

        def refuse(tenant: Any, steps: Any, **more: Any) -> Any:
            if any(step.order_id == "order-1" for step in steps):
                raise RequestRefusedError(400, "QueryParseException", ["Too long"])
            return ask(tenant, steps, **more)

        monkeypatch.setattr(recovery, "look_up", refuse)
        for _ in range(3):
            books.hasten()
            books.push_once()
        row = books.failure()
        assert (row["order_id"], row["problem"]) == ("order-1", "in_doubt")
        assert "Too long" in row["xero_message"]
        assert [books.order(f"order-{number}")["hold"] for number in range(3)] == [None, "in_doubt", None]

    def test_every_read_renews_the_lease(self, books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
        lose_voids(books, 45)
        renewed = []
        renew = Lease.renew

        def note(*arguments: Any) -> None:
            renewed.append(len(reads(books)))
            renew(*arguments)

        monkeypatch.setattr(Lease, "renew", note)
        books.hasten()
        books.push_once()
        assert {0, 1, 2} <= set(renewed)

    def test_a_process_that_is_to_end_looks_no_further(self, books: Books) -> None:
        lose_voids(books, 45)
        before = len(books.log())
        books.hasten()
        with Presence(books.database_url, "test") as presence:
            lease = acquire(books.connection, books.tenant_id, presence, "test")
            assert lease is not None
            recovery.recover(books.connection, lease, ORGANISATION, books.services, lambda: len(reads(books)) == 1)
            lease.release(books.connection)
        assert len(reads(books)) == 1
        # What that one read told is written down.
        assert 0 < len(books.log()) - before < 45


class TestFound:
    def test_who_waited_for_the_contact_of_a_patient_that_was_theirs_is_woken(self, books: Books) -> None:
        books.patients = {"order-1": patient("p"), "order-2": patient("p")}
        books.strike("drop_after", method="PUT", path="/Contacts$")
        books.save_invoice("order-1")
        books.save_invoice("order-2")
        books.push_once()
        assert [books.order(order_id)["hold"] for order_id in ("order-1", "order-2")] == ["in_doubt", "in_doubt"]
        # Merged in HearLink meanwhile.
        books.patients["order-2"] = patient("p2")
        books.save_invoice("order-2", reference="merged")
        books.settle()
        assert books.order("order-2")["hold"] is None
        assert len(books.ledger()["Invoices"]) == 2

    def test_others_still_wait_for_their_own_look_up(self, books: Books) -> None:
        books.use(patience=Patience(safe_wait_seconds=3600.0, pause_seconds=0.0))
        books.strike("drop_before", method="PUT", path="/Invoices$")
        books.save_invoice("order-1")
        books.push_once()
        books.strike("drop_after", method="PUT", path="/Invoices$")
        books.save_invoice("order-2")
        books.push_once()
        books.hasten()
        books.push()
        assert [books.order(order_id)["hold"] for order_id in ("order-1", "order-2")] == ["in_doubt", None]

    def test_what_people_voided_meanwhile_is_remembered(self, books: Books) -> None:
        books.strike("drop_after", method="PUT", path="/Invoices$")
        books.save_invoice()
        books.push_once()
        books.simulator.control.void_invoice(books.tenant_id, "WH-order-1")
        books.settle()
        assert books.failure()["problem"] == "deleted_in_xero"
        status = books.connection.execute("select status from xero_link where kind = 'invoice'").fetchone()
        assert status == ("gone",)

    def test_what_people_renumbered_meanwhile_is_not_made_again(self, books: Books) -> None:
        books.strike("drop_after", method="PUT", path="/Invoices$")
        books.save_invoice()
        books.push_once()
        books.simulator.control.edit_invoice(books.tenant_id, "WH-order-1", {"InvoiceNumber": "by-hand"})
        books.settle()
        assert [row["InvoiceNumber"] for row in books.ledger()["Invoices"]] == ["by-hand"]
        assert books.told()[-1] == ("invoice_create", "succeeded", None)

    def test_an_invoice_that_the_order_had_before_is_not_taken_for_the_new_one(self, books: Books) -> None:
        books.save_invoice(number="old")
        books.settle()
        books.strike("drop_before", method="PUT", path="/Invoices$")
        books.save_invoice(number="new")
        books.settle()
        assert {row["InvoiceNumber"] for row in books.ledger()["Invoices"]} == {"old", "new"}

    def test_a_former_problem_closes_when_the_look_up_opens_another(self, books: Books) -> None:
        books.simulator.control.archive_account(books.tenant_id, "260")
        books.save_invoice()
        books.settle()
        assert books.open_problems() == [("account_archived", 1)]
        books.settings(services_revenue_account="200")
        books.strike("drop_after", method="PUT", path="/Invoices$")
        books.retry()
        books.push_once()
        books.simulator.control.void_invoice(books.tenant_id, "WH-order-1")
        books.settle()
        assert books.open_problems() == [("deleted_in_xero", 1)]


class TestRefused:
    def test_a_spent_budget_is_no_failure_of_what_cannot_be_looked_up(self, books: Books) -> None:
        books.save_invoice("order-1", number="SAME")
        books.settle()
        books.save_invoice("order-2", number="SAME")
        limit(books, 2)
        books.push()
        order = books.order("order-2")
        assert (books.failures("order-2"), order["hold"], order["attempts"]) == ([], "limit", 0)
        limit(books, 100)
        books.settle()
        assert books.failure("order-2")["problem"] == "number_taken_by_other_order"

    @pytest.mark.parametrize("is_lost", [False, True], ids=["refused", "lost"])
    def test_the_credit_note_of_another_order_is_named(self, books: Books, is_lost: bool) -> None:  # noqa: FBT001 -- a parameter
        for order_id in ("order-1", "order-2"):
            if is_lost and order_id == "order-2":
                books.strike("drop_before", method="PUT", path="/CreditNotes$")
            books.save_invoice(order_id)
            books.save_credit_note(order_id, f"note-of-{order_id}", number="CN", **lines("10.0000"))
            books.settle()
        row = books.failure("order-2")
        assert row["problem"] == "number_taken_by_other_order"
        assert "order-1" in row["message"]

    @pytest.mark.parametrize("is_lost", [False, True], ids=["refused", "lost"])
    @pytest.mark.parametrize("note_id", ["note-1", "note-2"])
    def test_the_number_of_a_note_that_we_voided_is_used_up(
        self,
        books: Books,
        note_id: str,
        is_lost: bool,  # noqa: FBT001 -- a parameter
    ) -> None:
        books.save_invoice()
        books.save_credit_note(number="CN", **lines("10.0000"))
        books.settle()
        books.delete_credit_note()
        books.settle()
        if is_lost:
            books.strike("drop_before", method="PUT", path="/CreditNotes$")
        books.save_credit_note(credit_note_id=note_id, number="CN", **lines("12.0000"))
        books.settle()
        assert books.failure()["problem"] == "number_used_up"
        books.save_credit_note(credit_note_id=note_id, number="CN-2", **lines("12.0000"))
        books.settle()
        assert sorted(row["Status"] for row in books.ledger()["CreditNotes"]) == ["PAID", "VOIDED"]
        assert books.open_problems() == []

    @pytest.mark.parametrize("is_ours", [True, False], ids=["another order's", "a stranger's"])
    def test_a_changed_number_that_another_document_holds_is_told_with_its_holder(
        self,
        books: Books,
        is_ours: bool,  # noqa: FBT001 -- a parameter
    ) -> None:
        for order_id in ("order-1", "order-2"):
            books.save_invoice(order_id)
            books.save_credit_note(order_id, f"note-of-{order_id}", number=f"CN-{order_id}", **lines("10.0000"))
        books.settle()
        if not is_ours:
            books.connection.execute("delete from xero_link where order_id = 'order-2'")
            books.simulator.control.edit_invoice(books.tenant_id, "WH-order-2", {"Url": "https://example.com/theirs"})
        books.forget_calls()
        books.save_invoice("order-1", number="WH-order-2", invoice_id="invoice-WH-order-1")
        books.settle()
        books.save_invoice("order-1")
        books.save_credit_note("order-1", "note-of-order-1", number="CN-order-2", **lines("10.0000"))
        books.settle()
        rows = books.failures("order-1")
        code = "number_taken_by_other_order" if is_ours else "number_taken_by_other"
        assert [(row["operation"], row["problem"]) for row in rows] == [
            ("invoice_update", code),
            ("credit_note_create", code),
        ]
        assert all(("order-2" in row["message"].replace("-order-2", "")) is is_ours for row in rows)
        assert [call["query"].count("umber") for call in reads(books)].count(1) == 2

    def test_two_credit_notes_of_one_order_with_one_number(self, books: Books) -> None:
        books.save_invoice()
        for note_id in ("note-1", "note-2"):
            books.save_credit_note(credit_note_id=note_id, number="CN", **lines("10.0000"))
            books.settle()
        assert books.failure()["problem"] == "number_taken"
