"""The JSON face: the same things as the pages, described so that others can call it."""

import re

import pytest

from consumer.console.routes import GUARDED_ROUTES
from consumer.console.visit import Face
from consumer.operations.assembly import Assembly
from tests.console.conftest import Visitor, deliver_requests
from tests.sync.books import Books


@pytest.fixture
def busy_books(books: Books) -> Books:
    """Two orders in Xero, and two that an archived account holds."""
    for number in (1, 2):
        books.save_invoice(f"order-{number}")
    books.push()
    books.simulator.control.archive_account(books.tenant_id, "200")
    for number in (3, 4):
        books.save_invoice(f"order-{number}")
    books.push()
    return books


def test_the_log_is_read_page_by_page(visitor: Visitor, busy_books: Books) -> None:
    seen: list[int] = []
    before = None
    while True:
        answer = visitor.api("/log", params={"limit": 3, **({"before": before} if before else {})}).json()
        seen += [entry["log_id"] for entry in answer["entries"]]
        before = answer["next_before"]
        if before is None:
            break
    assert seen == sorted((row["id"] for row in busy_books.log()), reverse=True)
    assert len(seen) > 3


@pytest.mark.usefixtures("busy_books")
def test_the_log_is_filtered(visitor: Visitor) -> None:
    failed = visitor.api("/log", params={"outcome": "failed"}).json()["entries"]
    assert {entry["order_id"] for entry in failed} == {"order-3", "order-4"}
    for query, count in (
        ({"invoice": "WH-order-3", "outcome": "failed"}, 1),
        ({"order": "order-1", "operation": "invoice_create"}, 1),
        ({"problem": "account_archived"}, 2),
        ({"clinic": "clinic-9"}, 0),
        ({"until": "2020-01-01T00:00"}, 0),
        ({"since": "2020-01-01T00:00", "outcome": "failed"}, 2),
        ({"since": "2020-01-01T00:00", "zone": "Europe/London", "order": "order-4", "outcome": "failed"}, 1),
    ):
        assert len(visitor.api("/log", params=query).json()["entries"]) == count, query
    assert visitor.api("/log", params={"limit": 501}).status_code == 400


def test_a_row_comes_with_its_call(visitor: Visitor, busy_books: Books) -> None:
    row = next(row for row in busy_books.log("order-1") if row["operation"] == "invoice_create")
    answer = visitor.api(f"/log/{row['id']}").json()
    assert answer["entry"]["invoice_number"] == "WH-order-1"
    assert answer["call"]["method"] == "PUT"
    assert answer["call"]["request"]["InvoiceNumber"] == "WH-order-1"
    contact = next(row for row in busy_books.log() if row["operation"] == "contact_create")
    assert visitor.api(f"/log/{contact['id']}").json()["call"]["request"] is None
    assert visitor.api("/log/999999").status_code == 404


@pytest.mark.usefixtures("busy_books")
def test_problems_state_and_orders(visitor: Visitor) -> None:
    (problem,) = visitor.api("/problems").json()["problems"]
    assert (problem["code"], problem["order_count"]) == ("account_archived", 2)
    assert visitor.api("/state").json()["failed"] == 2
    order = visitor.api("/orders/order-3").json()
    assert (order["hold"], order["problem"]["code"]) == ("problem", "account_archived")
    assert [document["kind"] for document in visitor.api("/orders/order-1").json()["documents"]] == [
        "contact",
        "invoice",
    ]
    timeline = visitor.api("/timeline/order-3").json()
    assert {"event", "call", "answer", "log"} <= {moment["kind"] for moment in timeline["moments"]}
    assert visitor.api("/orders/none").status_code == 404
    assert visitor.api("/plan/none").status_code == 404


def test_a_problem_is_retried_as_a_whole(visitor: Visitor, busy_books: Books, assembly: Assembly) -> None:
    busy_books.simulator.control.restore_account(busy_books.tenant_id, "200")
    (problem,) = visitor.api("/problems").json()["problems"]
    answer = visitor.api("/retry", {"problem_id": problem["problem_id"]})
    assert (answer.status_code, answer.json()) == (202, {"requested": 2, "unknown": []})
    assert {request.order_id for request in deliver_requests(busy_books, assembly)} == {"order-3", "order-4"}
    busy_books.push()
    assert visitor.api("/problems").json() == {"problems": []}
    assert visitor.api("/state").json()["failed"] == 0


def test_a_filter_is_retried_from_the_page(visitor: Visitor, busy_books: Books, assembly: Assembly) -> None:
    page = visitor.page("/retry", outcome="failed", invoice="WH-order-3").text
    assert "<strong>1 order</strong> of this filter still fails." in page
    answer = visitor.post("/retry", {"outcome": "failed", "invoice": "WH-order-3"})
    assert "1 order was requested" in answer.text
    (request,) = deliver_requests(busy_books, assembly)
    assert request.order_id == "order-3"
    busy_books.simulator.control.restore_account(busy_books.tenant_id, "200")
    busy_books.push()
    assert "Resolved since" in visitor.page("/log", order="order-3").text
    assert visitor.post("/retry", {"outcome": "failed", "invoice": "WH-order-3"}).status_code == 400


BAD_BODIES: tuple[dict[str, object], ...] = (
    {},
    {"order_ids": [], "problem_id": None},
    {"order_ids": "x"},
    {"orders": ["x"]},
)


@pytest.mark.usefixtures("books")
def test_a_senseless_retry_is_refused(visitor: Visitor) -> None:
    for body in BAD_BODIES:
        answer = visitor.api("/retry", body)
        assert answer.status_code == 400, body
        assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.usefixtures("books")
def test_nobody_elses_orders_can_be_named(visitor: Visitor) -> None:
    assert visitor.api("/retry", {"order_ids": ["of-another-organisation"]}).status_code == 404


@pytest.mark.usefixtures("busy_books")
def test_settings_go_out_and_come_back(visitor: Visitor) -> None:
    visitor.post("/settings/refresh", {})
    found = visitor.api("/settings").json()
    document = found["settings"]
    seen = visitor.seen_settings()
    assert document["organisation"]["mode"] == "auto"
    assert any(finding["code"] == "revenue_account_unusable" for finding in found["findings"])
    # What was wrong before is no reason to refuse; what this change brings about is.
    services = document["organisation"]["categories"]["services"]
    services["revenue_account"] = "310"
    answer = visitor.api("/settings", document, method="PUT", headers=seen)
    assert answer.status_code == 400
    assert "clinic-1: Account 310 for services is not a revenue account" in answer.json()["detail"]
    assert "hearing aids" not in answer.json()["detail"]
    for category in document["organisation"]["categories"].values():
        category["revenue_account"] = "260"
    document["clinic"] = [{"id": "clinic-1", "mode": "manual"}]
    effects = visitor.api("/settings/preview", document).json()
    assert len(effects["differences"]) == 6
    assert effects["xero_not_asked"] is None
    assert visitor.api("/settings").json()["settings"]["clinic"] == []
    assert visitor.api("/settings", document, method="PUT", headers=seen).status_code == 200
    assert visitor.api("/settings").json()["settings"] == document
    document["organisation"]["id"] = "org-2"
    assert visitor.api("/settings", document, method="PUT").status_code == 400


def test_settings_are_checked_against_xero_as_it_is_now(visitor: Visitor, books: Books) -> None:
    books.save_invoice("order-1")
    visitor.post("/settings/refresh", {})
    document = visitor.api("/settings").json()["settings"]
    document["organisation"]["categories"]["services"]["revenue_account"] = "260"
    books.simulator.control.archive_account(books.tenant_id, "260")
    for method, path in (("POST", "/settings/preview"), ("PUT", "/settings")):
        # Longer ago than it takes to look at a preview.
        books.connection.execute("update xero_tenant set described_at = now() - interval '30 seconds'")
        answer = visitor.api(path, document, method=method, headers=visitor.seen_settings())
        assert "Account 260 for services is archived" in answer.text
        assert (answer.status_code, method) in {(200, "POST"), (400, "PUT")}
    books.simulator.control.restore_account(books.tenant_id, "260")
    books.simulator.control.add_fault({"kind": "unavailable", "count": None})
    books.connection.execute("update xero_tenant set described_at = now() - interval '30 seconds', accounts = '[]'")
    document["organisation"]["mode"] = "manual"
    del document["organisation"]["categories"]
    answer = visitor.api("/settings", document, method="PUT", headers=visitor.seen_settings())
    assert answer.status_code == 200
    assert answer.json()["xero_not_asked"]
    books.connection.execute("update xero_connection set state = 'disconnected'")
    answer = visitor.api("/settings", document, method="PUT", headers={"If-Match": answer.headers["ETag"]})
    assert answer.json()["xero_not_asked"] == "Xero is disconnected."


@pytest.mark.usefixtures("busy_books")
def test_settings_are_never_replaced_unseen(visitor: Visitor) -> None:
    before = visitor.api("/settings").json()["settings"]
    answer = visitor.api("/settings", {"organisation": {}}, method="PUT")
    assert answer.status_code == 428
    assert "If-Match" in answer.json()["detail"]
    seen = visitor.seen_settings()
    others = {**before, "organisation": {**before["organisation"], "mode": "manual"}}
    assert visitor.api("/settings", others, method="PUT", headers={"If-Match": "W/" + seen["If-Match"]}).ok
    answer = visitor.api("/settings", {"organisation": {}}, method="PUT", headers=seen)
    assert (answer.status_code, answer.json()["title"]) == (412, "Somebody changed the settings meanwhile.")
    assert visitor.api("/settings").json()["settings"] == others
    assert visitor.api("/settings", before, method="PUT", headers={"If-Match": "*"}).ok
    assert visitor.api("/settings").json()["settings"] == before


def test_a_retry_is_found_by_each_of_its_orders(visitor: Visitor, busy_books: Books) -> None:
    (problem,) = visitor.api("/problems").json()["problems"]
    visitor.api("/retry", {"problem_id": problem["problem_id"]})
    answer = visitor.api("/retry", {"order_ids": ["order-1", "nobodys", "order-2"]})
    assert answer.json() == {"requested": 2, "unknown": ["nobodys"]}
    visitor.post("/retry", {"outcome": "failed"})
    visitor.post("/retry", {"order_id": "order-3"})
    rows = busy_books.connection.execute(
        "select action, detail -> 'order_ids' from audit where action like 'retry%' order by id"
    ).fetchall()
    assert rows == [
        ("retry_problem", ["order-3", "order-4"]),
        ("retry_orders", ["order-1", "order-2"]),
        ("retry_filter", ["order-3", "order-4"]),
        ("retry_order", ["order-3"]),
    ]
    moments = visitor.api("/timeline/order-3").json()["moments"]
    acts = [moment["text"] for moment in moments if moment["kind"] == "act"]
    assert [act.partition(",")[0] for act in acts] == [
        "local user: retry problem",
        "local user: retry filter",
        "local user: retry order",
    ]


def test_many_orders_of_a_retry_go_into_several_rows(visitor: Visitor, busy_books: Books) -> None:
    busy_books.connection.execute(
        "insert into orders (order_id, organisation_id, clinic_id, patient_id, sequence, revision, event_id,"
        " occurred_at, state, problem_id)"
        " select 'crowd-' || n, organisation_id, clinic_id, patient_id, 1, 1, 'e', now(), state, problem_id"
        " from orders, generate_series(1, 1200) as n where order_id = 'order-3'"
    )
    (problem,) = visitor.api("/problems").json()["problems"]
    # The tile counts what the page of problems counts, whatever else keeps them.
    assert visitor.api("/state").json()["failed"] == problem["order_count"] == 1202
    assert visitor.api("/retry", {"problem_id": problem["problem_id"]}).json()["requested"] == 1202
    rows = busy_books.connection.execute(
        "select jsonb_array_length(detail -> 'order_ids') from audit where action = 'retry_problem' order by id"
    ).fetchall()
    assert rows == [(1000,), (202,)]


@pytest.mark.usefixtures("books")
def test_an_unknown_problem_is_not_there(visitor: Visitor) -> None:
    assert visitor.api("/retry", {"problem_id": 999}).status_code == 404
    assert visitor.post("/retry", {"of_problem": "999"}).status_code == 404


@pytest.mark.usefixtures("books")
def test_the_description_has_every_route_and_nothing_else(visitor: Visitor) -> None:
    description = visitor.get("/api/openapi.json").json()
    described = {(method.upper(), path) for path, operations in description["paths"].items() for method in operations}
    routes = {
        (route.method, re.sub(r"{(\w+):\w+}", r"{\1}", route.full_path))
        for route in GUARDED_ROUTES
        if route.face is Face.API
    }
    assert described == routes
    operations = [operation for path in description["paths"].values() for operation in path.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    assert all(operation["summary"].endswith(".") for operation in operations)
    put = description["paths"]["/api/organisations/{organisation_id}/settings"]["put"]
    assert "If-Match" in {part["name"] for part in put["parameters"] if part["in"] == "header"}
    for path, by_method in description["paths"].items():
        for operation in by_method.values():
            named = {part["name"] for part in operation["parameters"] if part["in"] == "path"}
            assert named == set(re.findall(r"{(\w+)}", path))
