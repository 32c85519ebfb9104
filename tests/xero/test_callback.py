import threading

import pytest
import requests

from consumer.xero.callback import AuthorisationDeniedError, AuthorisationTimeoutError, CallbackListener

_REDIRECT = "http://localhost:8080/xero/callback"


def listener() -> CallbackListener:
    return CallbackListener(_REDIRECT, "the-state", address=("127.0.0.1", 0))


def get(listening: CallbackListener, path: str, **query: str) -> requests.Response:
    return requests.get(f"http://127.0.0.1:{listening.port}{path}", params=query, timeout=10)


def test_the_code_arrives_and_the_person_is_told() -> None:
    with listener() as listening:
        answer = get(listening, "/xero/callback", code="the-code", state="the-state")
        assert listening.wait(5) == "the-code"
    assert answer.status_code == 200
    assert "close this page" in answer.text
    assert "the-code" not in answer.text


def test_it_serves_the_registered_port() -> None:
    with listener() as taken, pytest.raises(OSError, match="in use"):
        CallbackListener(f"http://localhost:{taken.port}/", "state")


def test_a_wrong_state_is_refused_and_the_right_one_still_awaited() -> None:
    with listener() as listening:
        for query in ({"state": "forged"}, {}, {"state": "ü"}):
            assert get(listening, "/xero/callback", code="forged", **query).status_code == 400
        get(listening, "/xero/callback", code="the-code", state="the-state")
        assert listening.wait(5) == "the-code"


def test_other_addresses_have_nothing() -> None:
    with listener() as listening:
        assert get(listening, "/favicon.ico").status_code == 404
        assert get(listening, "/xero/callback/", code="c", state="the-state").status_code == 404
        with pytest.raises(AuthorisationTimeoutError, match="Nobody came"):
            listening.wait(0.01)


def test_a_refusal_is_shown_and_told() -> None:
    with listener() as listening:
        answer = get(listening, "/xero/callback", error="access_denied", state="the-state")
        with pytest.raises(AuthorisationDeniedError, match="refused in Xero"):
            listening.wait(5)
    assert "Nothing was changed" in answer.text


def test_an_error_of_xero_cannot_write_into_the_page() -> None:
    with listener() as listening:
        answer = get(
            listening,
            "/xero/callback",
            error="invalid_scope",
            error_description="<script>alert(1)</script>",
            state="the-state",
        )
        with pytest.raises(AuthorisationDeniedError, match="invalid_scope"):
            listening.wait(5)
    assert "<script>" not in answer.text


def test_an_answer_without_code_is_no_answer() -> None:
    with listener() as listening:
        assert get(listening, "/xero/callback", state="the-state").status_code == 400


def test_nothing_of_the_address_is_logged(capfd: pytest.CaptureFixture[str]) -> None:
    with listener() as listening:
        get(listening, "/xero/callback", code="the-code", state="the-state")
    assert "the-code" not in "".join(capfd.readouterr())


def test_the_port_is_free_again_afterwards() -> None:
    with listener() as listening:
        port = listening.port
    with CallbackListener(_REDIRECT, "state", address=("127.0.0.1", port)):
        assert threading.active_count() >= 2
