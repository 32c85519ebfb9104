"""Start Integration and Reconnect: the way to Xero and back, and every way in which it must not work."""

from typing import Any

import pytest
import requests

from tests.console.conftest import Visitor
from tests.sync.books import ORGANISATION, Books


def start(visitor: Visitor, **form: str) -> str:
    """Press the button; return the address of Xero's consent page."""
    answer = visitor.post("/connect", form, allow_redirects=False)
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]


def consent(visitor: Visitor, address: str) -> str:
    """Say yes there; return the address that Xero sends the browser to."""
    answer = visitor.session.get(address, allow_redirects=False, timeout=30)
    assert answer.status_code == 302, answer.text
    return answer.headers["Location"]


def tenants(books: Books) -> list[Any]:
    return books.connection.execute(
        "select name, connected, described_at is not null, jsonb_array_length(accounts) > 5 from xero_tenant"
        " order by name"
    ).fetchall()


@pytest.fixture
def only_its_tenant(books: Books) -> Books:
    books.simulator.control.set_consent(tenant_ids=[books.tenant_id])
    return books


def test_an_organisation_is_connected_and_its_accounts_are_read(visitor: Visitor, only_its_tenant: Books) -> None:
    books = only_its_tenant
    books.connection.execute("delete from xero_connection")
    assert "not connected to Xero yet" in visitor.page("/log").text
    answer = visitor.session.get(consent(visitor, start(visitor)), timeout=60)
    assert answer.url == f"{visitor.url}/organisations/{ORGANISATION}/settings"
    assert "Connected" in answer.text
    assert tenants(books) == [("Harbour Hearing", True, True, True)]
    row = books.connection.execute("select state, connected_by, access_token from xero_connection").fetchone()
    assert row is not None
    assert row[:2] == ("connected", "local user")
    assert b"eyJ" not in bytes(row[2])[:3]
    acts = books.connection.execute("select action, actor from audit where actor <> 'test' order by id").fetchall()
    assert acts == [("connect_start", "local user"), ("connect", "local user")]


def test_orders_that_waited_go_on(visitor: Visitor, only_its_tenant: Books) -> None:
    books = only_its_tenant
    books.simulator.control.disconnect(books.tenant_id)
    books.save_invoice("order-1")
    books.push()
    page = visitor.page("/problems").text
    assert "Xero is disconnected" in page
    assert "1 order waits" in page
    visitor.session.get(consent(visitor, start(visitor)), timeout=60)
    books.push()
    assert "Xero is disconnected" not in visitor.page("/problems").text
    assert [invoice["InvoiceNumber"] for invoice in books.ledger()["Invoices"]] == ["WH-order-1"]


def test_a_redirect_counts_only_where_and_once_that_it_was_started(visitor: Visitor, only_its_tenant: Books) -> None:
    books = only_its_tenant
    books.connection.execute("update xero_connection set state = 'disconnected'")
    address = consent(visitor, start(visitor))
    # In another browser.
    assert requests.get(address, timeout=30).status_code == 400
    # With another state: somebody else's authorisation.
    forged = address.replace("state=", "state=x")
    assert visitor.session.get(forged, timeout=30).status_code == 400
    # That was the only try: what was remembered counts once.
    assert visitor.session.get(address, timeout=30).status_code == 400
    assert "Xero is disconnected" in visitor.page("/log").text
    # Nor does an answer that nobody asked for.
    assert visitor.get("/xero/callback?code=x&state=").status_code == 400


def test_the_state_in_the_cookie_is_sealed(visitor: Visitor, only_its_tenant: Books) -> None:
    del only_its_tenant
    address = start(visitor)
    state = dict(part.split("=") for part in address.partition("?")[2].split("&"))["state"]
    for cookie in visitor.session.cookies:
        assert state not in (cookie.value or "")


def test_no_is_an_answer(visitor: Visitor, only_its_tenant: Books) -> None:
    only_its_tenant.simulator.control.set_consent(deny=True)
    answer = visitor.session.get(consent(visitor, start(visitor)), timeout=30)
    assert answer.status_code == 400
    assert "Xero was not connected." in answer.text
    assert f'href="/organisations/{ORGANISATION}/settings">Start again</a>' in answer.text


def test_another_organisation_in_xero_must_be_confirmed(visitor: Visitor, books: Books) -> None:
    other = books.simulator.control.demo_tenant("Somebody Else's Books")
    books.simulator.control.set_consent(user="someone else", tenant_ids=[other])
    answer = visitor.session.get(consent(visitor, start(visitor)), timeout=60)
    assert "This is another Xero organisation" in answer.text
    # By their names: what was chosen, and what is missing.
    assert "In Xero you chose Somebody Else&#39;s Books" in answer.text
    assert "belong to Harbour Hearing." in answer.text
    assert books.tenant_id not in answer.text
    assert [row[0] for row in tenants(books)] == ["Harbour Hearing"]
    visitor.session.get(consent(visitor, start(visitor, other_organisation="1")), timeout=60)
    assert [row[:2] for row in tenants(books)] == [("Harbour Hearing", False), ("Somebody Else's Books", True)]


@pytest.mark.usefixtures("books")
def test_no_address_puts_words_on_a_page(visitor: Visitor) -> None:
    for path, name in (
        ("/settings/other-organisation", "missing"),
        ("/settings", "problem"),
        ("/settings", "saved"),
        ("/log", "requested"),
        ("/problems", "requested"),
        ("/orders", "requested"),
    ):
        page = visitor.page(path, **{name: "77 pay here"})
        assert "77 pay here" not in page.text
        assert "Saved." not in page.text
        assert "requested" not in page.text


def test_a_note_is_told_once(visitor: Visitor, books: Books) -> None:
    books.save_invoice("order-1")
    assert "1 order was requested." in visitor.post("/retry", {"order_id": "order-1"}).text
    assert "requested" not in visitor.page("/log").text
    books.simulator.control.add_fault({"kind": "unavailable", "count": None})
    assert "Xero could not be asked" in visitor.post("/settings/refresh", {}).text
    assert "Xero could not be asked" not in visitor.page("/settings").text
