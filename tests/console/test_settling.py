"""Finance staff close a failure that no retry can end: in the pages, in a browser, and by the API."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from consumer.operations.assembly import Assembly
from consumer.sync.settlement import REASON_CHARACTERS_MAX, SettledAs
from tests.console.browser import NARROW, Reader, running_browser
from tests.console.conftest import Visitor, deliver_requests
from tests.sync.books import Books

REASON = "Refunded by hand in Xero."
ALL_OF_IT = {"as": "do-not-send", "reason": REASON, "problem": "account_archived"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as browser:
        yield browser


@pytest.fixture
def reader(browser: Browser, console_url: str) -> Iterator[Reader]:
    reader = Reader(browser, console_url)
    yield reader
    reader.close()


@pytest.fixture
def failing(books: Books) -> Books:
    """Two orders that an archived account holds."""
    books.simulator.control.archive_account(books.tenant_id, "200")
    for number in (1, 2):
        books.save_invoice(f"order-{number}")
    books.push()
    return books


def test_in_a_browser_a_failure_is_settled_and_that_taken_back(reader: Reader, failing: Books) -> None:
    page = reader.page
    reader.go("/orders/order-1")
    page.get_by_role("link", name="Settle by hand").click()
    expect(page.get_by_role("heading", name="Settle: WH-order-1")).to_be_visible()
    assert reader.faults() == []
    page.get_by_role("button", name="Confirm: Settle").click()
    # The browser asks for what is missing; nothing was sent.
    assert "/settle/order-1" in page.url
    page.get_by_label("Do not send").check()
    page.get_by_label("Reason").fill(REASON)
    page.get_by_role("button", name="Confirm: Settle").click()
    expect(page.get_by_text("Settled by a person")).to_be_visible()
    assert "/orders/order-1" in page.url
    assert reader.shows(REASON)
    assert reader.shows("1 failed")
    assert reader.shows("1 settled")
    expect(page.get_by_role("link", name="Sync to Xero")).to_have_count(0)
    assert reader.faults() == []
    page.get_by_role("link", name="1 settled").click()
    expect(page.get_by_role("heading", name="Settled by people")).to_be_visible()
    assert reader.faults() == []
    page.set_viewport_size(NARROW)
    assert not reader.overflows()
    page.get_by_role("link", name="WH-order-1").click()
    page.get_by_role("link", name="Unsettle").click()
    assert reader.shows(REASON)
    assert not reader.overflows()
    assert reader.faults() == []
    page.get_by_role("button", name="Confirm: Unsettle").click()
    expect(page.get_by_text("The order goes as any other now")).to_be_visible()
    failing.push()
    assert failing.open_problems() == [("account_archived", 2)]
    assert reader.complaints == []


def test_without_scripts_what_is_missing_is_said(visitor: Visitor, failing: Books) -> None:
    for form, complaint in (
        ({}, "Choose how it is settled."),
        ({"as": "somehow", "reason": REASON}, "Choose how it is settled."),
        ({"as": "do-not-send", "reason": " "}, "Say why"),
        ({"as": "do-not-send", "reason": "x" * (REASON_CHARACTERS_MAX + 1)}, "Say it shorter."),
    ):
        answer = visitor.post("/settle/order-1", form)
        assert (answer.status_code, complaint in answer.text) == (400, True), form
    assert 'id="as-do-not-send" value="do-not-send" required checked' in answer.text
    # What the page showed is not what the order fails for any more.
    answer = visitor.post("/settle/order-1", {"as": "do-not-send", "reason": REASON, "problem": "period_locked"})
    assert (answer.status_code, "it fails for account_archived" in answer.text) == (409, True)
    assert failing.open_problems() == [("account_archived", 2)]
    assert visitor.post("/settle/none", {"as": "do-not-send", "reason": REASON}).status_code == 404
    assert visitor.post("/unsettle/order-1", {}).status_code == 409
    assert "not settled any more" in visitor.page("/unsettle/order-1").text


@pytest.mark.parametrize("way", SettledAs)
def test_a_settlement_is_told_everywhere(visitor: Visitor, failing: Books, way: SettledAs) -> None:
    assert visitor.post("/settle/order-1", {**ALL_OF_IT, "as": way.value}).status_code == 200
    assert "Settled since" in visitor.page("/log", order="order-1").text
    assert REASON in visitor.page("/log", problem="settled").text
    order = visitor.api("/orders/order-1").json()
    assert (order["hold"], order["problem"]) == ("settled", None)
    assert (order["settlement"]["as"], order["settlement"]["reason"]) == (way, REASON)
    assert order["settlement"]["problem"] == "account_archived"
    state = visitor.api("/state").json()
    assert (state["failed"], state["settled"]) == (1, 1)
    (problem,) = visitor.api("/problems").json()["problems"]
    assert problem["order_count"] == 1
    (listed,) = visitor.api("/settled").json()["settled"]
    assert (listed["order_id"], listed["settled_as"], listed["reason"]) == ("order-1", way, REASON)
    plan = visitor.api("/plan/order-1").json()
    (remark,) = plan["remarks"]
    assert (remark["code"], remark["stops"], plan["calls"]) == ("settled", True, [])
    moments = visitor.api("/timeline/order-1").json()["moments"]
    assert any(REASON in moment["text"] and moment["kind"] == "log" for moment in moments)
    assert any(f"settle as {way} ({REASON})" in moment["text"] for moment in moments if moment["kind"] == "act")
    page = visitor.page("/sync/order-1").text
    assert REASON in page
    assert "Confirm" not in page
    failing.push()
    assert failing.order("order-1")["hold"] == "settled"


def test_the_api_settles_and_takes_back(visitor: Visitor, failing: Books) -> None:
    answer = visitor.api("/settle/order-1", ALL_OF_IT)
    assert (answer.status_code, answer.json()["settled_as"]) == (200, "do-not-send")
    assert REASON in answer.json()["message"]
    (row,) = (row for row in failing.log("order-1") if row["problem"] == "settled")
    assert row["actor"] == "local user"
    answer = visitor.api("/unsettle/order-1", {"reason": "it is a sale"})
    assert (answer.status_code, answer.json()["settled_as"]) == (200, None)
    assert "(it is a sale)" in answer.json()["message"]
    assert visitor.api("/unsettle/order-1", {}).status_code == 409
    failing.push()
    assert failing.order("order-1")["hold"] == "problem"
    assert visitor.api("/settled").json() == {"settled": []}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"as": "do-not-send"}, 400),
        ({"as": "somehow", "reason": REASON}, 400),
        ({"as": "do-not-send", "reason": ""}, 400),
        ({"as": "do-not-send", "reason": "\x00why"}, 400),
        ({"as": "do-not-send", "reason": REASON, "more": 1}, 400),
        ({**ALL_OF_IT, "problem": "period_locked"}, 409),
    ],
)
def test_what_can_not_be_settled_is_refused(
    visitor: Visitor, failing: Books, body: dict[str, object], status: int
) -> None:
    answer = visitor.api("/settle/order-1", body)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert failing.order("order-1")["hold"] == "problem"


def test_a_settled_order_is_not_requested(visitor: Visitor, failing: Books, assembly: Assembly) -> None:
    visitor.api("/settle/order-1", ALL_OF_IT)
    answer = visitor.api("/sync/order-1", {})
    assert (answer.status_code, "Unsettle" in answer.json()["detail"]) == (409, True)
    assert visitor.post("/retry", {"order_id": "order-1"}).status_code == 409
    answer = visitor.api("/retry", {"order_ids": ["order-1", "order-2", "none"]})
    assert answer.json() == {"requested": 1, "unknown": ["none"], "settled": ["order-1"]}
    (problem,) = visitor.api("/problems").json()["problems"]
    answer = visitor.api("/retry", {"problem_id": problem["problem_id"]})
    assert answer.json() == {"requested": 1, "unknown": [], "settled": ["order-1"]}
    assert {request.order_id for request in deliver_requests(failing, assembly)} == {"order-2"}


def test_an_order_of_another_organisation_is_none(visitor: Visitor, failing: Books) -> None:
    failing.connection.execute("update orders set organisation_id = 'org-2' where order_id = 'order-1'")
    assert visitor.api("/settle/order-1", ALL_OF_IT).status_code == 404
    assert failing.connection.execute("select count(*) from settlement").fetchone() == (0,)
