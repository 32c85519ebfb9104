"""Settings that change while a pass has orders in hand, and tenants that wait for their turn."""

from typing import Any

import pytest

from consumer.database import connect
from consumer.sync import exchange, queue
from consumer.sync.lease import Presence, acquire
from consumer.sync.tenant_pass import TenantPass
from consumer.xero import Budget
from consumer.xero.client import XeroClient
from tests.sync.books import Books, patient
from tests.sync.conftest import add_tenant


@pytest.fixture
def elsewhere(books: Books) -> str:
    """Another tenant; the patient of the orders to come has a contact in the first one."""
    books.patients |= {"order-0": patient("known"), "order-2": patient("known")}
    books.save_invoice("order-0")
    books.settle()
    tenant_id = add_tenant(books.simulator, "Elsewhere Hearing")
    books.add_tenant(tenant_id, "Elsewhere Hearing")
    return tenant_id


@pytest.mark.parametrize("what", ["settings", "clinic"])
def test_an_order_that_goes_to_another_tenant_during_a_pass_is_in_one_of_them(
    books: Books, elsewhere: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if what == "clinic":
        books.settings(clinic_id="clinic-2", tenant_id=elsewhere)
    books.save_invoice("order-1")
    books.save_invoice("order-2")
    send, calls = exchange.send, 0

    def moving(*arguments: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 1 and what == "settings":
            books.settings(tenant_id=elsewhere)
        elif calls == 1:
            books.clinics["order-2"] = "clinic-2"
            books.save_invoice("order-2", reference="moved")
        if calls == 1:
            _serve(books, elsewhere)
        return send(*arguments, **more)

    monkeypatch.setattr(exchange, "send", moving)
    books.settle()
    here = {invoice["InvoiceNumber"] for invoice in books.ledger()["Invoices"]}
    there = {invoice["InvoiceNumber"] for invoice in books.ledger(elsewhere)["Invoices"]}
    assert not here & there
    assert here | there == {"WH-order-0", "WH-order-1", "WH-order-2"}


def test_nothing_goes_out_once_synchronisation_is_off(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(120):
        books.save_invoice(f"order-{number}")
    send, sent = exchange.send, 0

    def switching_off(*arguments: Any, **more: Any) -> Any:
        nonlocal sent
        sent += 1
        result = send(*arguments, **more)
        books.settings(synchronisation_enabled=False)
        return result

    monkeypatch.setattr(exchange, "send", switching_off)
    books.settle()
    assert sent == 1


def test_a_tenant_that_xero_never_listed_is_no_lost_connection(books: Books) -> None:
    right = books.tenant_id
    books.settings(tenant_id="00000000-0000-0000-0000-00000000dead")
    books.save_invoice()
    books.settle()
    assert (books.failure()["problem"], books.order()["hold"]) == ("tenant_not_connected", "problem")
    books.settings(tenant_id=right, wake=True)
    books.settle()
    assert len(books.ledger()["Invoices"]) == 1
    assert books.open_problems() == []


def test_what_waited_for_a_tenant_goes_to_the_one_that_takes_its_place(books: Books, elsewhere: str) -> None:
    books.connection.execute("update xero_tenant set connected = false where tenant_id = %s", [books.tenant_id])
    books.save_invoice("order-1")
    books.settle()
    assert books.order("order-1")["hold"] == "connection"
    books.settings(tenant_id=elsewhere, wake=True)
    books.settle()
    assert [invoice["InvoiceNumber"] for invoice in books.ledger(elsewhere)["Invoices"]] == ["WH-order-1"]


def test_who_was_served_least_recently_goes_first(books: Books) -> None:
    for number in range(60):
        tenant_id = f"tenant-{number:02}"
        books.settings(clinic_id=f"clinic-{number:02}", tenant_id=tenant_id)
        books.clinics[f"order-{number:02}"] = f"clinic-{number:02}"
        books.save_invoice(f"order-{number:02}")
        books.connection.execute(
            "insert into xero_lease (tenant_id, served_at) values (%s, now() - make_interval(mins => %s))",
            [tenant_id, number],
        )
    served = [book.book for book in queue.next_books(books.connection)]
    assert served == [f"tenant-{number:02}" for number in reversed(range(60))][: len(served)]


def test_a_person_gets_the_reserve_though_a_backlog_is_in_the_same_pass(books: Books) -> None:
    for number in range(120):
        books.save_invoice(f"order-{number:03}")
    books.save_invoice("zz-urgent")
    books.request_sync("zz-urgent")
    _spend(books, per_day=100, used=90)
    books.push()
    assert books.order("zz-urgent")["hold"] is None
    assert books.invoice("WH-zz-urgent")["Status"] == "AUTHORISED"


@pytest.mark.parametrize("trouble", ["xero", "budget"])
def test_a_name_that_can_not_be_looked_up_ends_the_pass(
    books: Books, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that Xero refused before is looked up first, when somebody asks: again and again, if that failed."""
    books.patients["order-2"] = patient("p2", first_name="Taken", last_name="Name")
    books.save_invoice("order-2")
    books.save_invoice()
    books.settle()
    books.patients["order-1"] = patient("patient-of-order-1", first_name="Taken", last_name="Name")
    books.save_invoice(reference="x")
    books.settle()
    if trouble == "xero":
        books.strike("internal_error_before", method="GET", path="/Contacts", count=1_000)
    else:
        _spend(books, per_day=1_000, used=0, per_minute=1)
        books.connection.execute("insert into xero_call (tenant_id, ended_at) values (%s, now())", [books.tenant_id])
    books.forget_calls()
    books.request_sync()
    with monkeypatch.context() as patched:
        patched.setattr(TenantPass, "_send_batch", lambda *_: pytest.fail("nothing can go out"))
        books.push_once()
    assert len(books.calls()) <= 1
    assert books.order()["hold"] in {"retry", "limit"}


def test_the_currency_of_the_books_is_asked_for_before_the_first_invoice(books: Books) -> None:
    books.simulator.control.set_currencies(books.tenant_id, ["GBP", "EUR"])
    books.connection.execute("update xero_tenant set base_currency = null")
    books.save_invoice(currency="EUR")
    books.settle()
    assert books.ledger()["Invoices"] == []
    assert "EUR" in books.failure()["message"]


def _serve(books: Books, tenant_id: str) -> None:
    """Do a pass over another tenant, as another worker does at the same time."""
    with connect(books.database_url, name="second") as connection, Presence(books.database_url, "second") as presence:
        for book in queue.next_books(connection):
            if book.book == tenant_id:
                lease = acquire(connection, book.book, presence, "second")
                assert lease is not None
                TenantPass(
                    connection, lease, book.organisation_id, book.clinic_ids, books.services, lambda: False
                ).run()
                lease.release(connection)


def _spend(books: Books, *, per_day: int, used: int, per_minute: int = 1_000) -> None:
    """Give the tenant such a budget, of which so much of the day is spent."""
    books.connection.execute("delete from xero_call")
    books.connection.execute("delete from xero_budget")
    budget = Budget(calls_per_minute=per_minute, calls_per_day=per_day)
    client = books.services.client
    books.use(
        budget=budget,
        client=XeroClient(
            api_url=client._api_url,
            tokens=client._tokens,
            budget=budget,
            connections=client._connections,
            transport=client._transport,
        ),
    )
    books.connection.execute(
        "insert into xero_call (tenant_id, ended_at, granted_at) "
        "select %s, now(), now() - interval '5 minutes' from generate_series(1, %s)",
        [books.tenant_id, used],
    )
