"""How the client tells answers apart: against a server that says anything, and against the simulator."""

import json
import logging
from collections.abc import Callable
from decimal import Decimal
from time import monotonic
from typing import Any

import pytest

from consumer.sandbox.processes import free_port
from consumer.sandbox.xero import Fault
from consumer.xero import (
    AccessCode,
    AccessRefusedError,
    AnswerLostError,
    BudgetSpentError,
    DisconnectedError,
    Grant,
    MaintenanceError,
    NotFoundError,
    NotSentError,
    RateLimitedError,
    Refusal,
    RequestRefusedError,
    TenantClient,
    Transport,
    Wait,
    XeroClient,
    XeroError,
    load_access,
)
from consumer.xero.access_store import note
from consumer.xero.budget import PROBE_SECONDS
from tests.xero.conftest import ORGANISATION, Access
from tests.xero.raw_server import answering, http_answer

_ID = "243216c5-369e-4056-ac67-05388f86dc81"
_CONTACT = {"Name": "A Patient", "ContactNumber": "p-1"}
_FORBIDDEN = b'{"Type":null,"Title":"Forbidden","Status":403,"Detail":"%s"}'


def client_at(access: Access, url: str) -> XeroClient:
    return XeroClient(
        api_url=url,
        tokens=access.tokens,
        budget=access.budget,
        connections=access.connections,
        transport=Transport(),
        on_call=access.records.append,
    )


def error_of(access: Access, *answers: bytes) -> XeroError:
    """What a PUT raises that gets these answers."""
    with answering(*answers) as server, pytest.raises(XeroError) as caught:
        client_at(access, server.url).call(ORGANISATION, access.tenant_id, "PUT", "Contacts", body={"Contacts": []})
    return caught.value


def frozen_seconds(access: Access) -> Wait:
    with access.connections() as connection:
        grant = access.budget.grant(connection, access.tenant_id)
    assert isinstance(grant, Wait)
    return grant


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408, 409, 302])
def test_a_status_that_says_nothing_of_the_outcome_leaves_a_write_in_doubt(access: Access, status: int) -> None:
    error = error_of(access, http_answer(status, b"Service Unavailable"))
    assert isinstance(error, AnswerLostError)
    assert error.sent
    assert error.wrote


@pytest.mark.parametrize("body", [b"<html>", b'{"Contacts": [', b"[]"])
def test_an_unreadable_success_leaves_a_write_in_doubt(access: Access, body: bytes) -> None:
    assert isinstance(error_of(access, http_answer(200, body)), AnswerLostError)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("The Xero API is currently offline for maintenance", 120),
        ("The Xero API is temporarily unavailable", 30),
        ("The Organisation is offline", 300),
    ],
)
def test_the_documented_maintenance_texts_say_how_long_and_leave_a_write_in_doubt(
    access: Access, text: str, seconds: float
) -> None:
    error = error_of(access, http_answer(503, text.encode(), {"Content-Type": "text/plain"}))
    assert isinstance(error, MaintenanceError)
    assert error.wrote
    assert (error.text, error.wait_seconds) == (text, seconds)


def test_maintenance_honours_retry_after(access: Access) -> None:
    error = error_of(access, http_answer(503, b"The Organisation is offline", {"Retry-After": "42"}))
    assert isinstance(error, MaintenanceError)
    assert error.wait_seconds == 42


def test_a_minute_limit_waits_as_xero_says_and_holds_the_next_call_back(access: Access) -> None:
    error = error_of(access, http_answer(429, b"", {"X-Rate-Limit-Problem": "Minute", "Retry-After": "26"}))
    assert isinstance(error, RateLimitedError)
    assert not error.wrote
    assert error.problem == "minute"
    assert error.wait_seconds == pytest.approx(26, abs=1)
    wait = frozen_seconds(access)
    assert wait.window == "minute"
    assert 20 < wait.seconds <= 26
    with pytest.raises(BudgetSpentError, match="minute"):
        access.tenant.organisation()


def test_a_limit_that_names_no_window_is_the_days_where_the_day_is_used_up(access: Access) -> None:
    error = error_of(access, http_answer(429, b"", {"X-DayLimit-Remaining": "0", "X-MinLimit-Remaining": "57"}))
    assert isinstance(error, RateLimitedError)
    assert error.problem == "day"
    wait = frozen_seconds(access)
    assert wait.window == "day"
    assert 500 < wait.seconds <= PROBE_SECONDS, "not every few seconds, all day long"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/plain", b"Idempotency Key: k is used with a different request."),
        ("application/json", b"Idempotency Key: k is used with a different request."),
        ("application/json", b'{"Message": "Idempotency-Key k is used with a different request"}'),
        ("application/json", b'{"Elements":[{"ValidationErrors":[{"Message":"IdempotencyKey k is in use"}]}]}'),
        (
            "text/xml",
            b"<Error><Message>Idempotency key k was used with another request</Message></Error>",
        ),
    ],
)
def test_a_conflict_of_keys_leaves_the_call_in_doubt_in_any_form(
    access: Access, content_type: str, body: bytes
) -> None:
    error = error_of(access, http_answer(400, body, {"Content-Type": content_type}))
    assert isinstance(error, AnswerLostError)
    assert error.wrote, "so Xero is looked up"
    assert "dempotency" in (error.said or "")


def test_a_concurrency_limit_without_retry_after_backs_off(access: Access) -> None:
    error = error_of(access, http_answer(429, b"", {"X-Rate-Limit-Problem": "concurrent"}))
    assert isinstance(error, RateLimitedError)
    assert error.problem == "concurrent"
    assert 0 < error.wait_seconds <= 1


def test_a_refused_request_gives_its_reasons(access: Access) -> None:
    body = {"ErrorNumber": 14, "Type": "PostDataInvalidException", "Message": "The element 'X' was not recognised."}
    error = error_of(access, http_answer(400, json.dumps(body).encode()))
    assert isinstance(error, RequestRefusedError)
    assert (error.status, error.kind) == (400, "PostDataInvalidException")
    assert error.messages == ("The element 'X' was not recognised.",)


@pytest.mark.parametrize("status", [400, 405, 412, 413, 501])
def test_a_refusal_need_not_be_json(access: Access, status: int) -> None:
    error = error_of(access, http_answer(status, b"<html>no</html>"))
    assert isinstance(error, RequestRefusedError)
    assert error.status == status


def test_not_found_has_no_body(access: Access) -> None:
    assert isinstance(error_of(access, http_answer(404, b"", {"Content-Type": "text/html"})), NotFoundError)


def test_a_tenant_that_refuses_us_is_noted_and_not_asked_again(access: Access) -> None:
    error = error_of(access, http_answer(403, _FORBIDDEN % b"AuthenticationUnsuccessful"))
    assert isinstance(error, DisconnectedError)
    assert error.tenant_only
    with pytest.raises(DisconnectedError, match="taken out"):
        access.tenant.organisation()
    assert access.count_calls("/api.xro/2.0/Organisation") == 0
    assert access.state() == ("connected", None)


def refusal_of(error: XeroError) -> Refusal:
    assert isinstance(error, AccessRefusedError)
    assert not error.wrote
    return error.refusal


def assert_not_asked_again(access: Access) -> None:
    with pytest.raises(AccessRefusedError):
        access.tenant.put_contacts([_CONTACT], idempotency_key="key")
    assert access.count_calls("/api.xro/2.0/Contacts") == 0


def test_a_refusal_without_a_reason_does_not_take_a_tenant_out(access: Access) -> None:
    listed = http_answer(200, json.dumps([{"tenantId": access.tenant_id}]).encode())
    refusal = refusal_of(error_of(access, http_answer(403, b""), listed))
    assert refusal == Refusal(AccessCode.PERMISSION_MISSING, "accounting.contacts", None)
    # It is not asked again before it is time, and what needs another right is.
    assert_not_asked_again(access)
    assert access.tenant.organisation()


def test_too_few_rights_are_named(access: Access) -> None:
    refusal = refusal_of(error_of(access, http_answer(403, _FORBIDDEN % b"insufficient_scope")))
    assert refusal == Refusal(AccessCode.SCOPE_MISSING, "accounting.contacts", "insufficient_scope")
    assert_not_asked_again(access)
    assert access.state() == ("connected", None)


@pytest.mark.parametrize("status", [400, 403])
def test_a_user_without_permission_is_named(access: Access, status: int) -> None:
    said = b"The User specified does not have the correct permissions to perform this action"
    listed = http_answer(200, json.dumps([{"tenantId": access.tenant_id}]).encode())
    refusal = refusal_of(error_of(access, http_answer(status, _FORBIDDEN % said), listed))
    assert refusal == Refusal(AccessCode.PERMISSION_MISSING, "accounting.contacts", said.decode())


def test_a_token_refused_twice_is_not_fought(access: Access) -> None:
    listed = http_answer(200, json.dumps([{"tenantId": access.tenant_id.upper()}]).encode())
    unauthorised = http_answer(401, b'{"Title":"Unauthorized","Detail":"TokenExpired"}')
    refusal = refusal_of(error_of(access, unauthorised, unauthorised, listed))
    assert refusal == Refusal(AccessCode.UNEXPLAINED, "accounting.contacts", "TokenExpired")
    assert access.count_calls("/connect/token") == 1
    assert_not_asked_again(access)
    with access.connections() as connection:
        connection.execute("update xero_refusal set retry_at = now()")
    assert access.tenant.put_contacts([_CONTACT], idempotency_key="key")[0].ok
    with access.connections() as connection:
        assert load_access(connection) == []


def test_what_somebody_connected_meanwhile_is_not_refused(access: Access) -> None:
    stale = access.tokens.access_token(ORGANISATION)
    with access.connections() as connection:
        connection.execute("update xero_connection set connected_at = now()")
        note(connection, ORGANISATION, "", Refusal(AccessCode.SCOPE_MISSING), connected_at=stale.connected_at)
        assert load_access(connection) == []


def test_a_tenant_that_xero_no_longer_lists_is_taken_out(access: Access) -> None:
    unauthorised = http_answer(401, b"{}")
    error = error_of(access, unauthorised, unauthorised, http_answer(200, b"[]"))
    assert isinstance(error, DisconnectedError)
    assert error.tenant_only


def test_an_unreachable_xero_was_not_sent_to(access: Access) -> None:
    client = client_at(access, f"http://127.0.0.1:{free_port()}")
    with pytest.raises(NotSentError):
        TenantClient(client, ORGANISATION, access.tenant_id).organisation()
    assert [record.outcome for record in access.records] == ["NotSentError"]
    with access.connections() as connection:
        assert connection.execute("select count(*) from xero_call").fetchone() == (0,)


def test_a_lost_call_weighs_until_it_must_have_ended(access: Access, keys: Callable[[], str]) -> None:
    access.simulator.control.add_fault(Fault(kind="drop_after", path="Contacts"))
    with pytest.raises(AnswerLostError):
        access.tenant.put_contacts([_CONTACT], idempotency_key=keys())
    with access.connections() as connection:
        assert connection.execute("select ended_at from xero_call").fetchall() == [(None,)]


def test_a_grant_that_ran_out_is_not_used(access: Access) -> None:
    stale = Grant(call_id=1, tenant_id=access.tenant_id, deadline=monotonic() - 1)
    with pytest.raises(NotSentError, match="No time"):
        access.client.call(ORGANISATION, access.tenant_id, "GET", "Organisation", grant=stale)
    assert access.count_calls("/api.xro/2.0/Organisation") == 0


def test_a_grant_that_no_token_was_found_for_is_given_back(access: Access) -> None:
    with access.connections() as connection:
        grant = access.budget.grant(connection, access.tenant_id)
        assert isinstance(grant, Grant)
        with pytest.raises(DisconnectedError):
            access.client.call("org-2", access.tenant_id, "GET", "Organisation", grant=grant)
        assert connection.execute("select count(*) from xero_call").fetchone() == (0,)


def test_a_grant_of_the_callers_is_used_up(access: Access) -> None:
    with access.connections() as connection:
        grant = access.budget.grant(connection, access.tenant_id)
        assert isinstance(grant, Grant)
        access.client.call(ORGANISATION, access.tenant_id, "GET", "Organisation", grant=grant)
        rows = connection.execute("select id, ended_at is not null from xero_call").fetchall()
    assert rows == [(grant.call_id, True)]


def test_an_expired_token_is_renewed_within_the_call(access: Access) -> None:
    access.simulator.control.expire_access_tokens()
    assert access.tenant.organisation()["ShortCode"]
    assert access.count_calls("/connect/token") == 1
    assert [record.outcome for record in access.records] == ["401", "200"]
    with access.connections() as connection:
        assert connection.execute("select count(*) from xero_call").fetchone() == (2,)


def test_a_key_is_sent_only_where_there_is_one(access: Access, keys: Callable[[], str]) -> None:
    access.tenant.organisation()
    access.tenant.put_contacts([_CONTACT], idempotency_key=keys())
    sent = {call["path"].rpartition("/")[2]: call["idempotency_key"] for call in access.simulator.control.calls()}
    assert sent == {"Organisation": None, "Contacts": "key-0"}


@pytest.mark.parametrize("key", ["", "k" * 129])
def test_a_key_that_xero_would_refuse_is_not_sent(access: Access, key: str) -> None:
    with pytest.raises(ValueError, match="128 characters"):
        access.tenant.put_contacts([_CONTACT], idempotency_key=key)


@pytest.mark.parametrize("count", [0, 51])
def test_a_batch_that_is_none_is_refused(access: Access, count: int, keys: Callable[[], str]) -> None:
    with pytest.raises(ValueError, match="1 to 50"):
        access.tenant.put_contacts([_CONTACT] * count, idempotency_key=keys())


def test_a_body_too_large_is_not_sent(access: Access) -> None:
    with pytest.raises(ValueError, match="fewer elements"):
        access.client.call(ORGANISATION, access.tenant_id, "PUT", "Contacts", body={"a": "x" * 3_000_000})


def test_a_key_used_for_something_else_leaves_the_call_in_doubt(access: Access, keys: Callable[[], str]) -> None:
    key = keys()
    access.tenant.put_contacts([_CONTACT], idempotency_key=key)
    with pytest.raises(AnswerLostError, match="from another request") as caught:
        access.tenant.put_contacts([_CONTACT | {"Name": "Another"}], idempotency_key=key)
    assert caught.value.said == f"Idempotency Key: {key} is used with a different request."


_VALIDATION = json.dumps(
    {
        "ErrorNumber": 10,
        "Type": "ValidationException",
        "Message": "A validation exception occurred",
        "Elements": [{"ValidationErrors": [{"Message": "Account code '999' is not a valid code."}]}],
    }
).encode()


def test_one_refused_element_is_a_result_also_where_the_whole_request_is_refused(access: Access) -> None:
    with answering(http_answer(400, _VALIDATION)) as server:
        tenant = TenantClient(client_at(access, server.url), ORGANISATION, access.tenant_id)
        [result] = tenant.put_contacts([_CONTACT], idempotency_key="key")
    assert not result.ok
    assert result.messages == ("Account code '999' is not a valid code.",)


def test_of_several_refused_elements_nobody_knows_which(access: Access) -> None:
    with answering(http_answer(400, _VALIDATION)) as server:
        tenant = TenantClient(client_at(access, server.url), ORGANISATION, access.tenant_id)
        with pytest.raises(RequestRefusedError, match="999"):
            tenant.put_contacts([_CONTACT, _CONTACT], idempotency_key="key")


def test_too_few_elements_in_an_answer_leave_the_batch_in_doubt(access: Access) -> None:
    with answering(http_answer(200, b'{"Contacts":[]}')) as server:
        tenant = TenantClient(client_at(access, server.url), ORGANISATION, access.tenant_id)
        with pytest.raises(AnswerLostError, match="0 Contacts to the 1"):
            tenant.put_contacts([_CONTACT], idempotency_key="key")


def test_batches_ask_for_each_elements_own_errors(access: Access) -> None:
    with answering(http_answer(200, b'{"Contacts":[]}')) as server:
        tenant = TenantClient(client_at(access, server.url), ORGANISATION, access.tenant_id)
        with pytest.raises(AnswerLostError):
            tenant.put_contacts([_CONTACT], idempotency_key="key")
    request = server.requests[0].decode()
    assert request.startswith("PUT /api.xro/2.0/Contacts?summarizeErrors=false HTTP/1.1")
    assert f"xero-tenant-id: {access.tenant_id}" in request
    assert "Accept: application/json" in request


@pytest.mark.parametrize("body", [b"", b"{}"])
def test_an_answer_that_tells_nothing_of_an_allocation_leaves_doubt(
    access: Access, keys: Callable[[], str], body: bytes
) -> None:
    allocation = {"Amount": Decimal(40), "Invoice": {"InvoiceID": _ID}, "Date": "2026-01-31"}
    with answering(http_answer(200, body), http_answer(200, body)) as server:
        tenant = TenantClient(client_at(access, server.url), ORGANISATION, access.tenant_id)
        with pytest.raises(AnswerLostError):
            tenant.put_allocation(_ID, allocation, idempotency_key=keys())
        with pytest.raises(AnswerLostError):
            tenant.delete_allocation(_ID, _ID)


def test_numbers_of_answers_are_exact(access: Access, keys: Callable[[], str]) -> None:
    [contact] = access.tenant.put_contacts([_CONTACT], idempotency_key=keys())
    line = {
        "Description": "Batteries",
        "Quantity": Decimal(3),
        "UnitAmount": Decimal("3.3333"),
        "AccountCode": "200",
        "TaxType": "OUTPUT2",
    }
    invoice: dict[str, Any] = {
        "Type": "ACCREC",
        "Contact": {"ContactID": contact.xero_id},
        "InvoiceNumber": "HL-1",
        "Date": "2026-01-31",
        "DueDate": "2026-01-31",
        "Status": "AUTHORISED",
        "LineItems": [line],
    }
    [saved] = access.tenant.put_invoices([invoice], idempotency_key=keys())
    assert saved.ok, saved.messages
    assert saved.document["LineItems"][0]["UnitAmount"] == Decimal("3.3333")
    assert saved.document["Total"] == Decimal("12.00")


def test_neither_logs_nor_errors_show_a_token(access: Access, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    token = access.tokens.access_token(ORGANISATION)
    shown = [repr(token), str(token), repr(access.tokens.__dict__), repr(access.client.__dict__)]
    for answer in (http_answer(500), http_answer(400, b"{}"), http_answer(403, b"{}")):
        error: BaseException | None = error_of(access, answer)
        while error is not None:
            shown += [str(error), repr(error)]
            error = error.__cause__ or error.__context__
    shown.append(caplog.text)
    assert not [text for text in shown if token.value in text]
