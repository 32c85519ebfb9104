"""What nobody types, and somebody sends: answered in words, never with a defect."""

import pytest

from tests.console.conftest import Visitor
from tests.sync.books import ORGANISATION, Books

NUL = "%00"
BASE = f"/organisations/{ORGANISATION}"
LARGEST, TOO_LONG = 2**63 - 1, "9" * 5000
ADDRESSES = {
    f"{BASE}/log?until=9999-12-31T23:59&zone=America/New_York": 400,
    f"{BASE}/log?since=0001-01-01T00:00&zone=Asia/Tokyo": 400,
    f"{BASE}/log?since=soon": 400,
    f"{BASE}/log?before={LARGEST}": 400,
    f"{BASE}/log?before={TOO_LONG}": 400,
    f"{BASE}/log?problem_id={LARGEST + 1}": 400,
    f"{BASE}/log?order={NUL}": 400,
    f"{BASE}/log?zone={NUL}": 400,
    f"{BASE}/retry?invoice={NUL}": 400,
    f"{BASE}/orders?q={NUL}": 400,
    f"{BASE}/log/{LARGEST}": 404,
    f"{BASE}/log/{TOO_LONG}": 404,
    f"{BASE}/log/one": 404,
    f"{BASE}/orders/a{NUL}": 404,
    f"{BASE}/sync/a{NUL}": 404,
    f"{BASE}/settings/clinics/a{NUL}": 404,
    f"/organisations/a{NUL}/log": 404,
    f"/api{BASE}/log/{LARGEST}": 404,
    f"/api{BASE}/log?limit={TOO_LONG}": 400,
    f"/api{BASE}/plan/a{NUL}": 404,
    f"/api{BASE}/timeline/a{NUL}": 404,
}
# As they are sent: a text of JSON may name half of a character.
BODIES = {
    b'{"order_ids": ["a\\u0000"]}': 400,
    b'{"order_ids": ["\\ud800"]}': 400,
    b'{"order_ids": ["order-1", "a\\u0000"]}': 400,
    b'{"problem_id": 1' + b"0" * 30 + b"}": 400,
    b'{"problem_id": -1}': 400,
    b'{"problem_id": 9223372036854775807}': 400,
    b"[" * 300_000: 400,
    b"\xff": 400,
}


@pytest.mark.usefixtures("books")
def test_odd_addresses_are_answered(visitor: Visitor) -> None:
    for path, status in ADDRESSES.items():
        answer = visitor.get(path)
        assert answer.status_code == status, (path[:100], answer.text)
        assert "went wrong" not in answer.text


def test_odd_forms_are_answered(visitor: Visitor, books: Books) -> None:
    books.save_invoice("order-1")
    days = {"kind": "invoices", "since": "2026-10-01", "until": "2026-10-31"}
    assert visitor.post("/export", {**days, "clinic": "a\0"}).status_code == 400
    assert visitor.post("/export", {**days, "since": "0001-01-01", "until": "9999-12-31"}).status_code == 200
    assert visitor.post("/retry", {"order_id": "a\0"}).status_code == 400
    assert visitor.post("/retry", {"of_problem": TOO_LONG}).status_code == 400
    assert visitor.post("/settings/edit", {"clinic_id": "a\0"}).status_code == 400


@pytest.mark.usefixtures("books")
def test_odd_bodies_are_answered(visitor: Visitor) -> None:
    for body, status in BODIES.items():
        answer = visitor.session.post(
            f"{visitor.url}/api{BASE}/retry", data=body, headers={"Content-Type": "application/json"}, timeout=30
        )
        assert answer.status_code == status, (body[:50], answer.text)
    for path in ("/settings", "/settings/preview"):
        answer = visitor.api(
            path, {"organisation": {"tenant_id": "a\0"}}, method="PUT" if path == "/settings" else "POST"
        )
        assert answer.status_code == 400, path
