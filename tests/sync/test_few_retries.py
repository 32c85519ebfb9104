"""Nothing permanent goes about in the clothes of an outage: no 4xx of Xero's is asked for more than a few times."""

import json
from typing import Any

from hypothesis import HealthCheck, example, given, note, settings
from hypothesis import strategies as st

from consumer.sync.back_off import REFUSALS_MAX
from tests.sync.access import let_access_be_tried, obstacles
from tests.sync.books import Books, lines
from tests.sync.conftest import COUNTED, OpenBooks

# A 401 is sent twice, and a refusal of several elements once more for each: one order's calls, all its parts.
MOST_CALLS = 2 * REFUSALS_MAX + 2
# What a try of something refused may cost: the call, once more with a fresh token, and the list of connections.
MOST_CALLS_A_TRY = 3
_DUE = "select from orders where due_at <= now()"
STATUSES = [status for status in range(400, 452) if status != 429]
ENDPOINTS = ["/Contacts", "/Invoices", "/CreditNotes$", "/Payments", "/Allocations", "/connect/token", "/api.xro/"]
SAID = [
    "AuthorizationUnsuccessful",
    "AuthenticationUnsuccessful",
    "TokenExpired: token expired at 08/12/2022 07:00:40",
    "insufficient_scope",
    "The User specified does not have the correct permissions to perform this action",
    "An error occurred in Xero. Check the API Status page",
    "The resource you're looking for cannot be found",
    "A validation exception occurred",
    "Please try again later",
]
OAUTH = ["invalid_client", "unauthorized_client", "invalid_scope", "invalid_request", "invalid_grant", "server_error"]


def as_problem(text: str) -> str:
    return json.dumps({"Type": None, "Title": "No", "Status": 400, "Detail": text})


def as_exception(text: str) -> str:
    return json.dumps({"ErrorNumber": 10, "Type": "ValidationException", "Message": text})


def as_page(text: str) -> str:
    return f"<html><body>{text}</body></html>"


BODIES = st.one_of(
    st.sampled_from(["", "{}", "[]", "null", "{", "\x00"]),
    st.builds(
        lambda shape, text: shape(text),
        st.sampled_from([as_problem, as_exception, as_page, str]),
        st.sampled_from(SAID),
    ),
    st.sampled_from([json.dumps({"error": error}) for error in OAUTH]),
)
TYPES = st.sampled_from(["application/json", "text/plain", "text/html", "application/xml"])


def make_work(books: Books) -> None:
    """One order with all that an order can have, and one that was sent before and changed."""
    books.save_invoice("order-2")
    books.save_payment("order-2", "pay-of-2")
    books.settle()
    books.forget_calls()
    books.save_payment("order-2", "pay-of-2", amount="10.0000")
    books.save_invoice("order-1")
    books.save_payment("order-1", amount="10.0000")
    books.save_credit_note("order-1", **lines("10.0000"))


def hasten(books: Books) -> None:
    """Have all waits be over but those that are as rare as a person's look."""
    books.connection.execute("update orders set due_at = now() where due_at > now()")
    books.connection.execute("update xero_intent set look_up_at = now() where look_up_at < now() + interval '12 hours'")


def refusals(books: Books, status: int) -> list[Any]:
    return [call for call in books.simulator.control.calls() if call["status"] == status]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    status=st.sampled_from(STATUSES),
    endpoint=st.sampled_from(ENDPOINTS),
    method=st.sampled_from([None, "GET", "PUT", "POST"]),
    body=BODIES,
    content_type=TYPES,
)
@example(status=409, endpoint="/api.xro/", method=None, body="", content_type="text/plain")
@example(status=408, endpoint="/Invoices", method=None, body="", content_type="text/plain")
@example(status=409, endpoint="/Payments", method="PUT", body="{}", content_type="application/json")
@example(status=404, endpoint="/api.xro/", method=None, body="", content_type="text/html")
def test_no_4xx_is_asked_for_more_than_a_few_times(
    open_books: OpenBooks, status: int, endpoint: str, method: str | None, body: str, content_type: str
) -> None:
    books = open_books()
    make_work(books)
    if endpoint == "/connect/token":
        books.connection.execute("update xero_connection set access_expires_at = now()")
    fault = {"status": status, "detail": body, "content_type": content_type, "method": method, "path": endpoint}
    books.strike_all("answer", count=None, **fault)
    struck: list[Any] = []
    for _ in range(30):
        books.push()
        hasten(books)
        before, struck = len(struck), refusals(books, status)
        if len(struck) == before and books.connection.execute(_DUE).fetchone() is None:
            break
    note(f"{len(struck)} calls: {[(call['method'], call['path']) for call in struck][:20]}")
    assert len(struck) <= 2 * MOST_CALLS, "two orders"
    COUNTED["4xx answers"] += 1
    if not struck:
        return
    COUNTED["4xx answers met"] += 1
    for order_id in ("order-1", "order-2"):
        order = books.order(order_id)
        assert order["hold"] in {None, "problem", "connection", "in_doubt"}, order["hold"]
        assert order["due_at"] is None
    # As rarely as it is worth it, and then for a call or two.
    for _ in range(3):
        books.forget_calls()
        let_access_be_tried(books)
        books.push()
        assert len(refusals(books, status)) <= MOST_CALLS_A_TRY * len(obstacles(books))
