"""Signing in by OpenID Connect, against a provider with real keys and tokens."""

from collections.abc import Iterator

import pytest
import requests
from joserfc.jwk import RSAKey

from consumer.configuration import read_configuration
from tests.console.conftest import Visitor, running_console
from tests.console.provider import Provider, running_provider
from tests.sync.books import ORGANISATION, Books

LOG = f"/organisations/{ORGANISATION}/log"


@pytest.fixture
def provider() -> Iterator[Provider]:
    with running_provider() as provider:
        provider.claims = {
            "preferred_username": "reader@example.com",
            "groups": ["hearlink-xero-view"],
            "hearlink_organisations": [ORGANISATION],
        }
        yield provider


@pytest.fixture
def visitor(books: Books, variables: dict[str, str], provider: Provider) -> Iterator[Visitor]:
    del books
    configuration = read_configuration(
        {
            **variables,
            "CONSOLE_SIGN_IN": "oidc",
            "OIDC_ISSUER": provider.url,
            "OIDC_CLIENT_ID": "console",
            "OIDC_CLIENT_SECRET": "secret",
        }
    )
    with running_console(configuration) as url:
        yield Visitor(url)


def test_whoever_signs_in_comes_back_to_where_they_wanted(visitor: Visitor) -> None:
    answer = visitor.get(f"{LOG}?outcome=failed")
    assert answer.url == visitor.url + LOG
    assert answer.status_code == 200
    assert "reader@example.com" in answer.text
    assert "Xero settings" not in answer.text


def test_signing_out_ends_it(visitor: Visitor) -> None:
    token = visitor.get(LOG.replace("/log", "/export")).text.partition('name="csrf" value="')[2].partition('"')[0]
    assert "signed out" in visitor.session.post(f"{visitor.url}/sign-out", data={"csrf": token}, timeout=30).text
    answer = visitor.get(LOG, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/sign-in?next={LOG}")


def test_programs_are_told_and_not_sent_elsewhere(visitor: Visitor) -> None:
    answer = visitor.api("/problems", allow_redirects=False)
    assert answer.status_code == 401
    assert answer.json()["title"] == "You are not signed in."
    answer = visitor.get(LOG, headers={"X-Requested-With": "XMLHttpRequest"}, allow_redirects=False)
    assert (answer.status_code, "You are not signed in." in answer.text) == (401, True)


def test_groups_and_organisations_decide(visitor: Visitor, provider: Provider) -> None:
    provider.claims = {"groups": ["hearlink-xero-manage"], "hearlink_organisations": ["org-2"]}
    assert visitor.get(LOG).status_code == 404
    visitor.session.cookies.clear()
    provider.claims = {"groups": "hearlink-xero-manage", "hearlink_organisations": ORGANISATION}
    assert visitor.get(LOG.replace("/log", "/settings")).status_code == 200
    visitor.session.cookies.clear()
    provider.claims = {}
    assert "No organisation is known yet." in visitor.get("/").text


def test_a_token_that_is_not_for_this_sign_in_is_refused(visitor: Visitor, provider: Provider) -> None:
    for spoil in (
        {"nonce": "another"},
        {"aud": "another"},
        {"iss": "https://elsewhere.example"},
        {"exp": 1_000_000_000},
    ):
        provider.spoil = spoil
        answer = visitor.get(LOG)
        assert answer.status_code == 403, spoil
        assert "Signing in did not work." in answer.text


def test_a_token_of_another_key_is_refused(visitor: Visitor, provider: Provider) -> None:
    provider.signing_key = RSAKey.generate_key(2048, {"kid": "one"})
    assert visitor.get(LOG).status_code == 403


def test_an_answer_that_was_not_asked_for_is_refused(visitor: Visitor) -> None:
    answer = requests.get(f"{visitor.url}/sign-in/callback?code=x&state=y", timeout=30)
    assert answer.status_code == 403


def test_nobody_is_sent_to_another_site_after_signing_in(visitor: Visitor) -> None:
    for elsewhere in ("https://evil.example", "//evil.example", "/\\evil.example"):
        answer = visitor.get("/sign-in", params={"next": elsewhere})
        assert answer.url == f"{visitor.url}{LOG}", elsewhere


def test_signing_in_has_a_limit(visitor: Visitor) -> None:
    answers = [visitor.get("/sign-in", allow_redirects=False).status_code for _ in range(12)]
    assert answers == [302] * 10 + [429] * 2


@pytest.mark.usefixtures("books")
def test_a_provider_that_is_away_is_said_to_be(variables: dict[str, str]) -> None:
    nowhere = {"CONSOLE_SIGN_IN": "oidc", "OIDC_ISSUER": "http://127.0.0.1:1", "OIDC_CLIENT_ID": "console"}
    with running_console(read_configuration({**variables, **nowhere})) as url:
        answer = requests.get(url + LOG, timeout=30)
    assert answer.status_code == 502
    assert "The sign-in service can&#39;t be reached." in answer.text
