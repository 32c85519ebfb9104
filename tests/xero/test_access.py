"""What an answer means for access, on paper."""

import pytest

from consumer.xero.access import (
    AccessCode,
    Refusal,
    needed_scope,
    read_app_refusal,
    read_refusal,
    retry_seconds,
)

PAYMENTS = "accounting.payments"
TOO_LOW = "The User specified does not have the correct permissions to perform this action"


@pytest.mark.parametrize(
    ("status", "challenge", "said", "code", "scope"),
    [
        (401, "", "AuthorizationUnsuccessful", AccessCode.SCOPE_MISSING, PAYMENTS),
        (401, 'Bearer error="insufficient_scope"', "", AccessCode.SCOPE_MISSING, PAYMENTS),
        (401, "", "AuthenticationUnsuccessful", AccessCode.UNEXPLAINED, PAYMENTS),
        (401, "", "TokenExpired: token expired at 08/12/2022 07:00:40", AccessCode.UNEXPLAINED, PAYMENTS),
        (401, "", "", AccessCode.UNEXPLAINED, PAYMENTS),
        (401, "", TOO_LOW, AccessCode.PERMISSION_MISSING, PAYMENTS),
        (403, "", "", AccessCode.PERMISSION_MISSING, PAYMENTS),
        (403, "", TOO_LOW, AccessCode.PERMISSION_MISSING, PAYMENTS),
        (403, "", "Something new", AccessCode.PERMISSION_MISSING, PAYMENTS),
        (403, "", "insufficient_scope", AccessCode.SCOPE_MISSING, PAYMENTS),
        (403, "", "AuthenticationUnsuccessful", AccessCode.DISCONNECTED, ""),
        (400, "", TOO_LOW, AccessCode.PERMISSION_MISSING, PAYMENTS),
    ],
)
def test_what_is_refused(status: int, challenge: str, said: str, code: AccessCode, scope: str) -> None:
    messages = [said] if said else []
    assert read_refusal(status, challenge, messages, scope=PAYMENTS) == Refusal(code, scope, said or None)


@pytest.mark.parametrize("status", [400, 404, 405, 409, 422])
def test_what_speaks_of_something_else(status: int) -> None:
    assert read_refusal(status, "", ["A validation exception occurred"], scope=PAYMENTS) is None


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("PUT", "Invoices", "accounting.invoices"),
        ("GET", "Invoices/1", "accounting.invoices.read"),
        ("DELETE", "CreditNotes/1/Allocations/2", "accounting.invoices"),
        ("POST", "Payments/1", PAYMENTS),
        ("PUT", "Contacts", "accounting.contacts"),
        ("GET", "TaxRates", "accounting.settings.read"),
    ],
)
def test_each_call_needs_its_scope(method: str, path: str, scope: str) -> None:
    assert needed_scope(method, path) == scope


def test_who_may_not_read_may_not_write_and_who_may_not_write_may_read() -> None:
    reading = Refusal(AccessCode.PERMISSION_MISSING, "accounting.payments.read")
    writing = Refusal(AccessCode.PERMISSION_MISSING, PAYMENTS)
    assert reading.keeps_from("GET", "Payments")
    assert reading.keeps_from("PUT", "Payments")
    assert writing.keeps_from("PUT", "Payments")
    assert not writing.keeps_from("GET", "Payments")
    assert not writing.keeps_from("PUT", "Invoices")
    assert Refusal(AccessCode.APP_REFUSED).keeps_from("GET", "Organisation")


@pytest.mark.parametrize(
    ("error", "messages", "expected"),
    [
        ("invalid_client", [], Refusal(AccessCode.APP_REFUSED, "", "invalid_client")),
        ("unauthorized_client", ["Who?"], Refusal(AccessCode.APP_REFUSED, "", "unauthorized_client / Who?")),
        ("invalid_scope", [], Refusal(AccessCode.SCOPE_MISSING, "", "invalid_scope")),
        ("", [], Refusal(AccessCode.UNEXPLAINED)),
        ("", ["a\x00b"], Refusal(AccessCode.UNEXPLAINED, "", "ab")),
    ],
)
def test_what_the_token_endpoint_refuses(error: str, messages: list[str], expected: Refusal) -> None:
    assert read_app_refusal(error, messages) == expected


def test_waits_grow_to_an_hour_and_for_credentials_to_five_minutes() -> None:
    role, app = Refusal(AccessCode.PERMISSION_MISSING, PAYMENTS), Refusal(AccessCode.APP_REFUSED)
    assert [retry_seconds(role, count) for count in (1, 2, 3, 4, 5, 500)] == [60, 180, 540, 1620, 3600, 3600]
    assert [retry_seconds(app, count) for count in (1, 2, 3, 500)] == [60, 180, 300, 300]
    assert retry_seconds(Refusal(AccessCode.SCOPE_MISSING, PAYMENTS), 1) is None
