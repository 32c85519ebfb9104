import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from consumer.sandbox.xero import Fault, XeroSimulator
from consumer.sandbox.xero.faults import FAULT_KINDS
from tests.sandbox.xero.client import Api


def names(api: Api) -> list[str]:
    return [row["Name"] for row in api.control.ledger(api.tenant_id)["Contacts"]]


@pytest.mark.parametrize(
    ("kind", "problem", "retry_after", "spent"),
    [
        ("rate_limit_minute", "minute", "30", "X-MinLimit-Remaining"),
        ("rate_limit_day", "day", "30", "X-DayLimit-Remaining"),
        ("rate_limit_concurrent", "concurrent", None, None),
        ("rate_limit_app_minute", "appminute", None, "X-AppMinLimit-Remaining"),
    ],
)
def test_too_many(api: Api, kind: str, problem: str, retry_after: str | None, spent: str | None) -> None:
    api.control.add_fault({"kind": kind})
    reply = api.put("Contacts", {"Name": "A"})
    assert (reply.status, reply.body) == (429, "")
    assert reply.headers["X-Rate-Limit-Problem"] == problem
    assert reply.headers.get("Retry-After") == retry_after
    if spent:
        assert reply.headers[spent] == "0"
    assert names(api) == []
    assert api.put("Contacts", {"Name": "A"}).status == 200


@pytest.mark.parametrize(("kind", "kept"), [("internal_error_before", []), ("internal_error_after", ["A"])])
def test_internal_errors(api: Api, kind: str, kept: list[str]) -> None:
    api.control.add_fault({"kind": kind, "detail": "Sorry"})
    reply = api.put("Contacts", {"Name": "A"})
    assert (reply.status, reply.body["Detail"]) == (500, "Sorry")
    assert names(api) == kept


def test_any_answer(api: Api) -> None:
    said = {"status": 418, "content_type": "text/xml", "detail": "<Tea />", "headers": {"X-Pot": "short"}}
    api.control.add_fault({"kind": "answer", "containing": "B", **said})
    assert api.put("Contacts", {"Name": "A"}).status == 200
    reply = api.put("Contacts", {"Name": "B"})
    assert (reply.status, reply.headers["Content-Type"], reply.headers["X-Pot"]) == (418, "text/xml", "short")
    assert reply.body == "<Tea />"
    assert names(api) == ["A"]


def test_elements_are_refused_by_what_is_in_them(api: Api) -> None:
    api.control.add_fault(Fault(kind="refuse", containing="B", detail="Not this one.\nNor its like."))
    batch = {"Contacts": [{"Name": name} for name in "ABC"]}
    reply = api.put("Contacts?summarizeErrors=false", batch)
    _, refused, _ = reply.body["Contacts"]
    assert [error["Message"] for error in refused["ValidationErrors"]] == ["Not this one.", "Nor its like."]
    assert names(api) == ["A", "C"]


def test_an_error_in_the_midst_of_a_batch(api: Api) -> None:
    api.control.add_fault(Fault(kind="internal_error_after", committed_elements=2))
    batch = {"Contacts": [{"Name": name} for name in "ABC"]}
    assert api.put("Contacts?summarizeErrors=false", batch).status == 500
    assert names(api) == ["A", "B"]


@pytest.mark.parametrize(("kind", "kept"), [("drop_before", []), ("drop_after", ["A"])])
def test_dropped_connections(api: Api, kind: str, kept: list[str]) -> None:
    api.control.add_fault({"kind": kind})
    with pytest.raises(requests.ConnectionError):
        api.put("Contacts", {"Name": "A"}, Idempotency_Key="k")
    assert names(api) == kept
    (call,) = api.control.calls(api.tenant_id)
    assert (call["status"], call["fault"]) == (0, kind)
    again = api.put("Contacts", {"Name": "A"}, Idempotency_Key="k")
    assert again.status == 200, "the key gives the answer that was lost, or does the work for the first time"
    assert names(api) == ["A"]


def test_out_of_service(api: Api) -> None:
    api.control.add_fault(Fault(kind="unavailable"))
    api.control.add_fault(Fault(kind="unavailable", detail="The Organisation is offline"))
    replies = [api.get("Organisation") for _ in range(3)]
    assert [reply.status for reply in replies] == [503, 503, 200]
    assert replies[0].headers["Content-Type"].startswith("text/plain")
    assert replies[0].body == "The Xero API is temporarily unavailable"
    assert replies[1].body == "The Organisation is offline"


@pytest.mark.parametrize(("kind", "status"), [("unauthorized", 401), ("forbidden", 403)])
def test_refused(api: Api, kind: str, status: int) -> None:
    api.control.add_fault({"kind": kind, "detail": "Why"})
    reply = api.get("Organisation")
    assert (reply.status, reply.body["Status"], reply.body["Detail"]) == (status, status, "Why")


def test_a_dripping_answer_arrives_whole(api: Api) -> None:
    expected = len(api.get("Organisation/Actions").body["Actions"])
    api.control.add_fault(Fault(kind="drip", bytes_per_second=20_000))
    assert len(api.get("Organisation/Actions").body["Actions"]) == expected


def test_a_dripping_answer_outlives_a_timeout_between_bytes(api: Api) -> None:
    api.control.add_fault(Fault(kind="drip", bytes_per_second=50))
    address = f"{api.xero.url}/api.xro/2.0/Organisation"
    with requests.get(address, headers=dict(api.session.headers), stream=True, timeout=30) as answer:
        assert answer.status_code == 200
        assert answer.raw.read(3) == b'{"I'


@pytest.mark.parametrize(("kind", "kept_while_held"), [("delay_before", []), ("delay_after", ["A"])])
def test_held_answers(api: Api, kind: str, kept_while_held: list[str]) -> None:
    api.control.add_fault({"kind": kind})
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(api.put, "Contacts", {"Name": "A"})
        while names(api) != kept_while_held or not api.control.calls(api.tenant_id):
            time.sleep(0.005)
        assert not held.done()
        api.control.release_delayed()
        assert held.result().status == 200
    assert names(api) == ["A"]


def test_a_caller_that_gives_up_does_not_stop_the_commit(api: Api) -> None:
    api.control.add_fault(Fault(kind="delay_before"))
    with pytest.raises(requests.Timeout):
        api.session.put(f"{api.xero.url}/api.xro/2.0/Contacts", json={"Name": "A"}, timeout=(30, 0.05))
    assert names(api) == []
    api.control.clear_faults()
    while names(api) != ["A"]:
        time.sleep(0.005)


def test_delays_have_a_length(api: Api) -> None:
    api.control.add_fault(Fault(kind="delay_after", delay_seconds=0.001))
    assert api.get("Organisation").status == 200


def test_rules_choose_calls(api: Api) -> None:
    other_id = api.control.demo_tenant("Other")
    other = Api(api.xero, other_id, api.control.authorise()["access_token"])
    api.control.add_fault(
        Fault(kind="unavailable", method="GET", path="/Organisation$", tenant_id=other_id, nth=2, count=2)
    )
    assert api.get("Organisation").status == 200
    assert other.get("Organisation/Actions").status == 200
    assert [other.get("Organisation").status for _ in range(4)] == [200, 503, 503, 200]
    (fault,) = api.control.faults()
    assert (fault["seen"], fault["struck"]) == (4, 2)
    api.control.clear_faults()
    api.control.add_fault(Fault(kind="unavailable", count=None))
    assert [api.get("Organisation").status for _ in range(3)] == [503] * 3


def test_the_identity_service_fails_as_well(xero: XeroSimulator) -> None:
    tokens = xero.control.authorise()
    xero.control.add_fault(Fault(kind="drop_after", path="/connect/token"))
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    auth = (xero.client_id, xero.client_secret or "")
    with pytest.raises(requests.ConnectionError):
        requests.post(f"{xero.url}/connect/token", data=form, auth=auth, timeout=30)
    again = requests.post(f"{xero.url}/connect/token", data=form, auth=auth, timeout=30)
    assert again.status_code == 200, "the previous token is in its grace"


def test_a_fault_must_be_one(api: Api) -> None:
    with pytest.raises(ValueError, match="There is no fault 'fire'"):
        api.control.add_fault({"kind": "fire"})
    assert len(FAULT_KINDS) == 16


def test_stopping_lets_held_calls_go() -> None:
    with ThreadPoolExecutor(1) as pool:
        with XeroSimulator() as xero:
            tenant = xero.control.demo_tenant("A")
            api = Api(xero, tenant, xero.control.authorise()["access_token"])
            xero.control.add_fault(Fault(kind="delay_after"))
            held = pool.submit(api.get, "Organisation")
            while not xero.control.calls():
                time.sleep(0.005)
        try:
            assert held.result(timeout=10).status == 200
        except requests.ConnectionError:
            assert xero.control.calls()[0]["status"] in {0, 200}
