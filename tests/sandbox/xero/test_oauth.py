import base64
import hashlib
import json
import re
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from consumer.sandbox.xero import XeroSimulator
from consumer.sandbox.xero.identity import Role
from tests.sandbox.xero.client import Api, Json, Reply

pytestmark = pytest.mark.usefixtures("tenant_id")

REDIRECT = "http://localhost:8080/xero/callback"
SCOPES = "offline_access accounting.invoices accounting.payments accounting.contacts accounting.settings.read"
VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


def authorise(xero: XeroSimulator, **changes: str | None) -> requests.Response:
    query = {
        "response_type": "code",
        "client_id": xero.client_id,
        "redirect_uri": REDIRECT,
        "scope": SCOPES,
        "state": "s-1",
        **changes,
    }
    address = f"{xero.url}/identity/connect/authorize"
    return requests.get(address, params=query, allow_redirects=False, timeout=30)


def code_of(answer: requests.Response) -> str:
    assert answer.status_code == 302, answer.text
    query = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert query["state"] == ["s-1"]
    return query["code"][0]


def token(xero: XeroSimulator, form: dict[str, str], *, basic: bool = True) -> Reply:
    secret = xero.client_secret or ""
    auth = (xero.client_id, secret) if basic else None
    answer = requests.post(f"{xero.url}/connect/token", data=form, auth=auth, timeout=30)
    return Reply(answer.status_code, answer.json(), answer.headers)


def redeem(xero: XeroSimulator, code: str, **form: str) -> Reply:
    return token(xero, {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, **form})


def refresh(xero: XeroSimulator, refresh_token: str) -> Reply:
    return token(xero, {"grant_type": "refresh_token", "refresh_token": refresh_token})


def connections(xero: XeroSimulator, access_token: str, path: str = "/connections") -> list[Json]:
    bearer = {"Authorization": f"Bearer {access_token}"}
    answer = requests.get(xero.url + path, headers=bearer, timeout=30)
    assert answer.status_code == 200
    shown: list[Json] = answer.json()
    return shown


def test_the_code_flow_from_consent_to_a_call(xero: XeroSimulator, tenant_id: str) -> None:
    reply = redeem(xero, code_of(authorise(xero)))
    assert reply.status == 200
    assert (reply.body["expires_in"], reply.body["token_type"]) == (1800, "Bearer")
    header, claims, _ = reply.body["access_token"].split(".")
    assert json.loads(base64.urlsafe_b64decode(header + "=="))["typ"] == "JWT"
    assert json.loads(base64.urlsafe_b64decode(claims + "=="))["client_id"] == xero.client_id
    for path in ("/connections", "/Connections"):
        (connection,) = connections(xero, reply.body["access_token"], path)
        assert (connection["tenantId"], connection["tenantName"]) == (tenant_id, "Harbour Hearing")
        assert connection["id"] != tenant_id
    assert connections(xero, reply.body["access_token"], "/connections?authEventId=other") == []
    assert Api(xero, tenant_id, reply.body["access_token"]).get("Organisation").status == 200


def test_the_client_may_come_in_the_form(xero: XeroSimulator) -> None:
    code = code_of(authorise(xero))
    client = {"client_id": xero.client_id, "client_secret": xero.client_secret or ""}
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, **client}
    reply = token(xero, form, basic=False)
    assert reply.status == 200


def test_a_code_works_once_for_five_minutes_and_for_its_address(xero: XeroSimulator) -> None:
    code = code_of(authorise(xero))
    assert redeem(xero, code).status == 200
    assert (redeem(xero, code).status, redeem(xero, code).body) == (400, {"error": "invalid_grant"})
    late = code_of(authorise(xero))
    xero.control.advance_clock(300)
    assert redeem(xero, late).body == {"error": "invalid_grant"}
    elsewhere = code_of(authorise(xero, redirect_uri="https://example.org/callback"))
    assert redeem(xero, elsewhere).body == {"error": "invalid_grant"}
    assert redeem(xero, "made up").body == {"error": "invalid_grant"}


def test_pkce(xero: XeroSimulator) -> None:
    challenged = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
    assert redeem(xero, code_of(authorise(xero, **challenged)), code_verifier=VERIFIER).status == 200
    assert redeem(xero, code_of(authorise(xero, **challenged)), code_verifier="w" * 64).status == 400
    assert redeem(xero, code_of(authorise(xero, **challenged))).status == 400
    assert authorise(xero, code_challenge=CHALLENGE, code_challenge_method="plain").status_code == 400


def test_an_app_without_a_secret_must_use_pkce(xero: XeroSimulator) -> None:
    xero.control.register_app("pkce-app")
    assert authorise(xero, client_id="pkce-app").status_code == 400
    answer = authorise(xero, client_id="pkce-app", code_challenge=CHALLENGE, code_challenge_method="S256")
    proof = {"client_id": "pkce-app", "code_verifier": VERIFIER, "code": code_of(answer)}
    form = {"grant_type": "authorization_code", "redirect_uri": REDIRECT, **proof}
    reply = token(xero, form, basic=False)
    assert reply.status == 200


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client_id": "unknown"}, "unauthorized_client"),
        ({"redirect_uri": "http://127.0.0.1:8080/callback"}, "invalid_request"),
        ({"redirect_uri": "http://example.org/callback"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "accounting.transactions"}, "invalid_scope"),
        ({"scope": "accounting.everything"}, "invalid_scope"),
        ({"scope": ""}, "invalid_scope"),
    ],
)
def test_what_the_consent_page_refuses(xero: XeroSimulator, changes: dict[str, str], error: str) -> None:
    answer = authorise(xero, **changes)
    assert answer.status_code == 400
    assert error in answer.text
    assert "Location" not in answer.headers


def test_old_apps_have_broad_scopes(xero: XeroSimulator, tenant_id: str) -> None:
    xero.control.register_app("old-app", "secret", broad_scopes=True)
    assert authorise(xero, client_id="old-app", scope="accounting.transactions").status_code == 302
    tokens = xero.control.authorise(scopes=["accounting.transactions.read"], client_id="old-app")
    api = Api(xero, tenant_id, tokens["access_token"])
    assert api.get("Invoices").status == 200
    assert api.get("Payments").status == 200
    assert api.put("Invoices", {}).status == 401
    assert "refresh_token" not in tokens, "only with offline_access"


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"client_id": "", "client_secret": "x"}, "unauthorized_client"),
        ({"client_id": "unknown", "client_secret": "x"}, "invalid_client"),
        ({"client_id": "simulator-client", "client_secret": "wrong"}, "invalid_client"),
        ({"client_id": "simulator-client"}, "invalid_client"),
        (
            {"client_id": "simulator-client", "client_secret": "simulator-secret", "grant_type": "password"},
            "unsupported_grant_type",
        ),
    ],
)
def test_what_the_token_address_refuses(xero: XeroSimulator, form: dict[str, str], error: str) -> None:
    reply = token(xero, form, basic=False)
    assert (reply.status, reply.body) == (400, {"error": error})


def test_refresh_rotates_and_the_previous_token_has_half_an_hour(xero: XeroSimulator) -> None:
    first = redeem(xero, code_of(authorise(xero))).body["refresh_token"]
    second = refresh(xero, first).body["refresh_token"]
    assert second != first
    xero.control.advance_clock(1799)
    third = refresh(xero, first)
    assert third.status == 200, "the answer was lost, the previous token is tried again"
    assert refresh(xero, second).body == {"error": "invalid_grant"}, "the unseen one is dead"
    xero.control.advance_clock(2)
    assert refresh(xero, first).body == {"error": "invalid_grant"}
    assert refresh(xero, third.body["refresh_token"]).status == 200


def test_the_one_before_the_previous_is_dead(xero: XeroSimulator) -> None:
    first = redeem(xero, code_of(authorise(xero))).body["refresh_token"]
    second = refresh(xero, first).body["refresh_token"]
    refresh(xero, second)
    assert refresh(xero, first).body == {"error": "invalid_grant"}


def test_a_refresh_token_dies_after_sixty_idle_days(xero: XeroSimulator) -> None:
    kept = redeem(xero, code_of(authorise(xero))).body["refresh_token"]
    xero.control.advance_clock(59 * 86_400)
    kept = refresh(xero, kept).body["refresh_token"]
    xero.control.advance_clock(60 * 86_400)
    assert refresh(xero, kept).body == {"error": "invalid_grant"}
    newer = redeem(xero, code_of(authorise(xero))).body["refresh_token"]
    xero.control.expire_refresh_tokens()
    assert refresh(xero, newer).body == {"error": "invalid_grant"}


def test_access_tokens_last_half_an_hour(xero: XeroSimulator, api: Api) -> None:
    xero.control.advance_clock(1799)
    assert api.get("Organisation").status == 200
    xero.control.advance_clock(1)
    expired = api.get("Organisation")
    assert expired.status == 401
    assert (expired.body["Title"], expired.body["Status"]) == ("Unauthorized", 401)
    assert expired.body["Detail"] == "TokenExpired: token expired at 03/15/2026 12:30:00"


@pytest.mark.parametrize("header", ["", "Bearer nonsense", "Basic eDp5"])
def test_no_good_token(api: Api, header: str) -> None:
    reply = api.get("Organisation", Authorization=header)
    assert (reply.status, reply.body["Detail"]) == (401, "AuthenticationUnsuccessful")


def test_revocation_ends_all_of_the_user(xero: XeroSimulator, tenant_id: str) -> None:
    tokens = redeem(xero, code_of(authorise(xero))).body
    answer = requests.post(
        f"{xero.url}/connect/revocation",
        data={"token": tokens["refresh_token"]},
        auth=(xero.client_id, xero.client_secret or ""),
        timeout=30,
    )
    assert (answer.status_code, answer.content) == (200, b"")
    assert refresh(xero, tokens["refresh_token"]).body == {"error": "invalid_grant"}
    assert Api(xero, tenant_id, tokens["access_token"]).get("Organisation").status == 401
    assert xero.control.tenants()[0]["connected"] is False
    assert requests.post(f"{xero.url}/connect/revocation", data={"token": "x"}, timeout=30).status_code == 400


def test_disconnecting_one_organisation(xero: XeroSimulator, tenant_id: str) -> None:
    other = xero.control.demo_tenant("Other")
    tokens = xero.control.authorise()
    api = Api(xero, tenant_id, tokens["access_token"])
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    (first, second) = connections(xero, tokens["access_token"])
    assert {first["tenantId"], second["tenantId"]} == {tenant_id, other}
    own = first if first["tenantId"] == tenant_id else second
    assert requests.delete(f"{xero.url}/connections/{tenant_id}", headers=bearer, timeout=30).status_code == 404
    assert requests.delete(f"{xero.url}/connections/{own['id']}", headers=bearer, timeout=30).status_code == 204
    refused = api.get("Organisation")
    assert (refused.status, refused.body["Title"]) == (403, "Forbidden")
    assert refused.body["Detail"] == "AuthenticationUnsuccessful"
    assert refresh(xero, tokens["refresh_token"]).status == 200, "a refresh still works"
    assert Api(xero, other, tokens["access_token"]).get("Organisation").status == 200
    xero.control.disconnect(other)
    assert Api(xero, other, tokens["access_token"]).get("Organisation").status == 403


def test_reconnecting_keeps_the_connection(xero: XeroSimulator) -> None:
    first = connections(xero, xero.control.authorise()["access_token"])[0]
    again = connections(xero, xero.control.authorise()["access_token"])[0]
    assert again["id"] == first["id"]
    assert again["authEventId"] != first["authEventId"]


def test_a_tenant_header_must_name_a_connected_tenant(xero: XeroSimulator, api: Api) -> None:
    unconnected = xero.control.demo_tenant("Not chosen")
    for header in (unconnected, "nonsense", ""):
        assert api.get("Organisation", xero_tenant_id=header).status == 403


def test_users_have_their_own_connections(xero: XeroSimulator) -> None:
    other = xero.control.demo_tenant("Other")
    xero.control.set_consent(user="second", tenant_ids=[other])
    tokens = redeem(xero, code_of(authorise(xero))).body
    assert [row["tenantId"] for row in connections(xero, tokens["access_token"])] == [other]
    xero.control.set_consent(user="owner")
    owner = xero.control.authorise()
    xero.control.revoke_tokens("second")
    assert refresh(xero, tokens["refresh_token"]).status == 400
    assert refresh(xero, owner["refresh_token"]).status == 200


@pytest.mark.parametrize(
    ("scopes", "method", "path"),
    [
        (["accounting.contacts", "accounting.payments", "accounting.settings"], "GET", "Invoices"),
        (["accounting.invoices", "accounting.contacts.read"], "PUT", "Contacts"),
        (["accounting.invoices"], "PUT", "Payments"),
        (["accounting.invoices"], "GET", "Accounts"),
        (["accounting.payments"], "PUT", "CreditNotes"),
    ],
)
def test_each_endpoint_asks_for_its_scope(
    xero: XeroSimulator, tenant_id: str, scopes: list[str], method: str, path: str
) -> None:
    reply = Api(xero, tenant_id, xero.control.authorise(scopes=scopes)["access_token"]).call(method, path, {})
    assert (reply.status, reply.body["Detail"]) == (401, "AuthorizationUnsuccessful")
    assert reply.headers["WWW-Authenticate"] == "insufficient_scope"


@pytest.fixture
def asking(xero: XeroSimulator) -> XeroSimulator:
    xero.control.set_consent(page=True)
    return xero


def test_the_consent_page_lets_choose(asking: XeroSimulator) -> None:
    other = asking.control.demo_tenant("Other & Sons")
    page = authorise(asking)
    assert "Other &amp; Sons" in page.text
    hidden = re.search(r'name="query" value="([^"]*)"', page.text)
    assert hidden is not None
    form = {"query": hidden[1].replace("&amp;", "&"), "tenant": other}
    address = f"{asking.url}/identity/connect/consent"
    chosen = requests.post(address, data=form, allow_redirects=False, timeout=30)
    tokens = redeem(asking, code_of(chosen)).body
    assert [row["tenantId"] for row in connections(asking, tokens["access_token"])] == [other]
    nothing = requests.post(address, data={"query": form["query"]}, allow_redirects=False, timeout=30)
    assert "error=access_denied" in nothing.headers["Location"]


def test_consent_can_be_denied(xero: XeroSimulator) -> None:
    xero.control.set_consent(deny=True)
    assert authorise(xero).headers["Location"] == f"{REDIRECT}?error=access_denied&state=s-1"


@pytest.mark.parametrize(
    ("role", "contacts", "payments"), [("read_only", 403, 403), ("invoice_only", 400, 403), ("standard", 400, 400)]
)
def test_a_role_that_is_too_low_gets_a_bare_403(api: Api, role: Role, contacts: int, payments: int) -> None:
    api.control.set_role(api.tenant_id, role)
    assert api.get("Organisation").status == 200
    # What the role allows is looked at, and is nothing.
    assert api.call("PUT", "Contacts", {}).status == contacts
    assert api.call("PUT", "Payments", {}).status == payments
    if payments == 403:
        assert api.call("PUT", "Payments", {}).body == ""


def test_a_scope_can_be_withdrawn(api: Api) -> None:
    api.control.withdraw_scope("accounting.payments")
    refused = api.call("PUT", "Payments", {})
    assert (refused.status, refused.body["Detail"]) == (401, "AuthorizationUnsuccessful")
    assert api.call("PUT", "Contacts", {}).status == 400
