import time
from concurrent.futures import ThreadPoolExecutor

from consumer.sandbox.xero import Fault
from tests.sandbox.xero.client import Api, Reply


def contacts(api: Api) -> int:
    return len(api.control.ledger(api.tenant_id)["Contacts"])


def put(api: Api, key: str, name: str = "A") -> Reply:
    return api.put("Contacts", {"Name": name}, Idempotency_Key=key)


def test_the_first_answer_is_given_again_for_six_minutes(api: Api) -> None:
    first = put(api, "k")
    api.control.advance_clock(359)
    again = put(api, "k")
    assert (again.status, again.body) == (200, first.body)
    assert contacts(api) == 1
    assert [call["replayed"] for call in api.control.calls(api.tenant_id)] == [False, True]
    assert api.control.statistics()["elements"] == 1
    api.control.advance_clock(1)
    assert put(api, "k").status == 400, "the key is new again, the name is taken"


def test_another_body_address_method_or_tenant_is_another_request(api: Api) -> None:
    put(api, "k")
    text = "Idempotency Key: k is used with a different request."
    other = api.control.demo_tenant("Other")
    elsewhere = Api(api.xero, other, api.control.authorise()["access_token"])
    for reply in (
        put(api, "k", "B"),
        api.put("Contacts?summarizeErrors=false", {"Name": "A"}, Idempotency_Key="k"),
        api.post("Contacts", {"Name": "A"}, Idempotency_Key="k"),
        put(elsewhere, "k"),
    ):
        assert (reply.status, reply.body) == (400, text)
    assert contacts(api) == 1


def test_keys_belong_to_an_app(api: Api) -> None:
    put(api, "k")
    api.control.register_app("second", "secret")
    second = Api(api.xero, api.tenant_id, api.control.authorise(client_id="second")["access_token"])
    assert put(second, "k", "B").status == 200


def test_refusals_are_kept_too(api: Api) -> None:
    refused = put(api, "k", "<")
    assert refused.status == 400
    assert put(api, "k", "<").body == refused.body
    calls = api.control.calls(api.tenant_id)
    assert [call["replayed"] for call in calls] == [False, True]


def test_a_key_has_at_most_128_characters(api: Api) -> None:
    assert put(api, "k" * 128).status == 200
    reply = put(api, "k" * 129, "B")
    assert reply.status == 400
    assert reply.body.startswith(f"Idempotency Key: {'k' * 129} has 129 characters.")


def test_reads_and_deletes_ignore_keys(api: Api) -> None:
    api.get("Contacts", Idempotency_Key="k")
    api.contact()
    assert len(api.get("Contacts", Idempotency_Key="k").body["Contacts"]) == 1


def test_an_internal_error_is_kept_for_the_window(api: Api) -> None:
    api.control.add_fault(Fault(kind="internal_error_before"))
    assert put(api, "k").status == 500
    assert put(api, "k").status == 500
    assert contacts(api) == 0
    assert put(api, "new").status == 200


def test_the_answer_that_was_lost_is_given_to_the_same_key(api: Api) -> None:
    api.control.add_fault(Fault(kind="internal_error_after"))
    assert put(api, "k").status == 500
    assert contacts(api) == 1
    assert put(api, "k").status == 500, "Xero keeps the error, not what it hid"


def test_a_concurrent_repeat_waits_for_the_first(api: Api) -> None:
    api.control.add_fault(Fault(kind="delay_before", method="PUT"))
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(put, api, "k") for _ in range(2)]
        while len(api.control.calls(api.tenant_id)) < 2:
            time.sleep(0.005)
        assert not any(one.done() for one in both)
        api.control.release_delayed()
        first, second = (one.result() for one in both)
    assert (first.status, first.body) == (second.status, second.body)
    assert contacts(api) == 1
