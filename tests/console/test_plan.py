"""What the plan shows is what is sent: field by field, against the very bytes that left for Xero."""

import json
from decimal import Decimal
from typing import Any

import pytest

from consumer.operations.assembly import Assembly
from consumer.xero.transport import HttpAnswer
from tests.console.conftest import Visitor, deliver_requests, mark_of
from tests.sync.books import Books, line

Json = dict[str, Any]


@pytest.fixture
def sent(assembly: Assembly, monkeypatch: pytest.MonkeyPatch) -> list[Json]:
    """The elements of all writes that leave for Xero, as they leave."""
    elements: list[Json] = []
    send = assembly.transport.send

    def listen(method: str, url: str, **more: Any) -> HttpAnswer:
        if method != "GET" and "/api.xro/" in url and more.get("body"):
            body = json.loads(more["body"], parse_float=Decimal, parse_int=Decimal)
            lists = [part for part in body.values() if isinstance(part, list)]
            elements.extend(lists[0] if lists else [body])
        return send(method, url, **more)

    monkeypatch.setattr(assembly.transport, "send", listen)
    return elements


def planned(visitor: Visitor, order_id: str) -> list[Json]:
    answer = visitor.api(f"/plan/{order_id}")
    assert answer.status_code == 200, answer.text
    plan: Json = json.loads(answer.text, parse_float=Decimal, parse_int=Decimal)
    return list(plan["calls"])


def leaves(value: Any, path: str = "") -> dict[str, str]:
    if isinstance(value, dict):
        return {key: leaf for name, part in value.items() for key, leaf in leaves(part, f"{path}.{name}").items()}
    if isinstance(value, list):
        return {key: leaf for place, part in enumerate(value) for key, leaf in leaves(part, f"{path}.{place}").items()}
    try:
        return {path: format(Decimal(str(value)).normalize(), "f")}
    except ArithmeticError:
        return {path: str(value)}


def assert_same(plan: Json, element: Json) -> None:
    """Compare but for ids that an earlier step of the same push brought."""
    shown, left = leaves(plan["body"]), leaves(element)
    assert shown.keys() == left.keys(), plan["operation"]
    hidden = {"(the patient's)", "None"}
    assert {name: value for name, value in shown.items() if value not in hidden} == {
        name: value for name, value in left.items() if shown[name] not in hidden
    }, plan["operation"]


def test_the_first_push_is_what_its_plan_showed(visitor: Visitor, books: Books, sent: list[Json]) -> None:
    lines = [line("a", quantity="2.0000", unit_price="40.1250", discount="1.0000"), line("b", category="HEARING_AIDS")]
    books.save_invoice("order-1", lines=lines, total="119.2500", due_on="2026-11-01")
    books.save_payment("order-1", amount="10.0000")
    books.save_credit_note("order-1", lines=[line("c", unit_price="20.0000")], total="20.0000")
    plan = planned(visitor, "order-1")
    assert [call["operation"] for call in plan] == [
        "contact_create",
        "invoice_create",
        "credit_note_create",
        "credit_note_allocate",
        "payment_create",
    ]
    books.push()
    assert len(sent) == len(plan)
    for call, element in zip(plan, sent, strict=True):
        assert_same(call, element)
    assert planned(visitor, "order-1") == []


def test_a_change_is_what_its_plan_showed(visitor: Visitor, books: Books, sent: list[Json]) -> None:
    books.save_invoice("order-1")
    books.save_payment("order-1")
    books.push()
    sent.clear()
    books.save_payment("order-1", amount="30.0000")
    plan = planned(visitor, "order-1")
    assert [call["stage"] for call in plan] == ["payment_delete", "payment_create"]
    books.push()
    for call, element in zip(plan, sent, strict=True):
        assert_same(call, element)


def test_the_confirmation_shows_every_field_and_sends_nothing(visitor: Visitor, books: Books, sent: list[Json]) -> None:
    books.save_invoice("order-1")
    page = visitor.page("/sync/order-1").text
    plan = planned(visitor, "order-1")
    for call in plan:
        for name, value in call["fields"]:
            assert f"<code>{name}</code>" in page
            assert value in {None, "(the patient's)"} or value in page
    # The patient's own data is on the page for people, and not in the answer for programs.
    assert "patient-of-order-1@example.com" in page
    assert "example.com" not in json.dumps([call["body"] for call in plan], default=str)
    assert sent == []


def test_what_will_be_cut_is_said_before_anything_is_sent(visitor: Visitor, books: Books) -> None:
    books.save_invoice("order-1", reference="r" * 256)
    cut = "The reference of the invoice WH-order-1 is longer than Xero takes: it is cut after 255 characters."
    assert [call["warnings"] for call in planned(visitor, "order-1")] == [[], [cut]]
    assert cut in visitor.page("/sync/order-1").text


def test_a_number_that_xero_does_not_take_is_said_before_anything_is_sent(visitor: Visitor, books: Books) -> None:
    books.save_invoice("order-1", number="WH-€1")
    (finding,) = visitor.api("/plan/order-1").json()["not_sent"]
    assert (finding["fails"], finding["problem"]) == (True, "number_refused")


def test_what_stands_in_the_way_is_said_first(visitor: Visitor, books: Books, assembly: Assembly) -> None:
    books.settings(synchronisation_enabled=False)
    books.save_invoice("order-1")
    page = visitor.page("/sync/order-1").text
    assert "Synchronisation is disabled" in page
    assert "As things are, nothing would be sent." in page
    assert "Confirm" not in page
    visitor.api("/sync/order-1", {})
    deliver_requests(books, assembly)
    books.push()
    assert [(row["outcome"], row["problem"]) for row in books.log()][-1] == ("failed", "synchronisation_disabled")


def test_a_missing_account_would_fail_and_says_so(visitor: Visitor, books: Books) -> None:
    books.settings(services_revenue_account=None)
    books.save_invoice("order-1")
    answer = visitor.api("/plan/order-1").json()
    (finding,) = answer["not_sent"]
    assert finding["fails"] is True
    assert finding["problem"] == "mapping_incomplete"
    assert "Would fail" in visitor.page("/sync/order-1").text


def test_what_is_confirmed_is_the_plan_that_was_shown(visitor: Visitor, books: Books) -> None:
    books.save_invoice("order-1")
    form = {"plan": mark_of(visitor.page("/sync/order-1").text)}
    books.save_payment("order-1", amount="12.0000")
    answer = visitor.post("/sync/order-1", form)
    assert answer.status_code == 409
    assert "has changed meanwhile" in answer.text
    assert "12.00" in answer.text
    assert visitor.post("/sync/order-1", {}).status_code == 409
    # Other settings make another plan of the same order.
    form = {"plan": mark_of(answer.text)}
    books.settings(services_revenue_account="260")
    assert visitor.post("/sync/order-1", form).status_code == 409
    assert books.connection.execute("select count(*) from outbox where topic = 'retry'").fetchone() == (0,)
    assert visitor.sync().status_code == 200
    assert books.connection.execute("select count(*) from outbox where topic = 'retry'").fetchone() == (1,)


def test_what_would_send_nothing_is_not_offered(visitor: Visitor, books: Books) -> None:
    books.save_invoice("order-1")
    books.push()
    page = visitor.page("/sync/order-1").text
    assert "Xero holds this order as it is in HearLink already" in page
    assert "Confirm" not in page
    # A problem that may be gone by now is worth a try.
    books.settings(services_revenue_account=None)
    books.save_invoice("order-2")
    assert "Confirm" not in visitor.page("/sync/order-2").text
    books.push()
    assert "Confirm" in visitor.page("/sync/order-2").text


def test_what_is_confirmed_while_xero_is_away_is_sent_once_it_is_back(
    visitor: Visitor, books: Books, assembly: Assembly
) -> None:
    books.settings(mode="manual")
    books.save_invoice("order-1")
    books.save_invoice("order-2")
    books.connection.execute("update xero_connection set state = 'disconnected', disconnected_at = now()")
    assert "What you confirm now is sent once Xero is reconnected." in visitor.page("/sync/order-1").text
    visitor.sync()
    deliver_requests(books, assembly)
    books.push()
    books.reconnect()
    books.push()
    assert [invoice["InvoiceNumber"] for invoice in books.ledger()["Invoices"]] == ["WH-order-1"]
