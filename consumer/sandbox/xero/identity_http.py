"""OAuth and connections over HTTP: consent, tokens, revocation, the list of connected organisations."""

import base64
import binascii
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, parse_qsl, unquote, urlencode

from consumer.sandbox.xero.http_answer import HttpAnswer, empty_answer, json_answer, not_found, problem
from consumer.sandbox.xero.identity import AuthorisationRequest, Connection, Grant, OAuthError, TokenRefused
from consumer.sandbox.xero.values import Json

if TYPE_CHECKING:
    from aiohttp import web

    from consumer.sandbox.xero.world import World


def answer_identity(world: "World", request: "web.Request", body: bytes) -> HttpAnswer:
    """Answer whatever is not the Accounting API."""
    route = (request.method, request.path.lower())
    if route == ("GET", "/identity/connect/authorize"):
        return _authorise(world, dict(request.query))
    if route == ("POST", "/identity/connect/consent"):
        return _consent(world, body)
    if route == ("POST", "/connect/token"):
        return _token(world, request.headers.get("Authorization", ""), body)
    if route == ("POST", "/connect/revocation"):
        return _revoke(world, request.headers.get("Authorization", ""), body)
    if route[1].startswith("/connections"):
        return _connections(world, request)
    return not_found()


def _authorise(world: "World", query: dict[str, str]) -> HttpAnswer:
    try:
        asked = world.identity.check_authorisation(query)
    except OAuthError as error:
        return _page(400, f"<h1>Sorry, something went wrong</h1><p>Error: {escape(error.error)}</p>")
    consent = world.identity.consent
    if consent.deny:
        return _redirect(asked, {"error": "access_denied"})
    if consent.page:
        return _page(200, _consent_form(world, query))
    tenant_ids = list(world.ledgers) if consent.tenant_ids is None else consent.tenant_ids
    return _redirect(asked, {"code": world.identity.issue_code(asked, tenant_ids)})


def _consent(world: "World", body: bytes) -> HttpAnswer:
    form = parse_qs(body.decode())
    query = dict(parse_qsl(form.get("query", [""])[0]))
    try:
        asked = world.identity.check_authorisation(query)
    except OAuthError as error:
        return _page(400, f"<p>Error: {escape(error.error)}</p>")
    chosen = [tenant_id for tenant_id in form.get("tenant", []) if tenant_id in world.ledgers]
    if not chosen:
        return _redirect(asked, {"error": "access_denied"})
    return _redirect(asked, {"code": world.identity.issue_code(asked, chosen)})


def _consent_form(world: "World", query: dict[str, str]) -> str:
    choices = "".join(
        f'<p><label><input type="checkbox" name="tenant" value="{escape(tenant_id)}" checked> '
        f"{escape(ledger.organisation.name)}</label></p>"
        for tenant_id, ledger in world.ledgers.items()
    )
    return (
        "<h1>Simulated Xero</h1><p>Which organisations may the app work in?</p>"
        '<form method="post" action="/identity/connect/consent">'
        f'<input type="hidden" name="query" value="{escape(urlencode(query))}">{choices}'
        "<button>Allow access</button></form>"
    )


def _redirect(asked: AuthorisationRequest, answer: dict[str, str]) -> HttpAnswer:
    parameters = {**answer, "state": asked.state} if asked.state else answer
    joint = "&" if "?" in asked.redirect_uri else "?"
    return empty_answer(302, {"Location": f"{asked.redirect_uri}{joint}{urlencode(parameters)}"})


def _token(world: "World", authorization: str, body: bytes) -> HttpAnswer:
    form = dict(parse_qsl(body.decode()))
    try:
        app = world.identity.authenticate(*_client(authorization, form))
        grant_type = form.get("grant_type")
        if grant_type == "authorization_code":
            tokens = world.identity.redeem_code(
                app, form.get("code", ""), form.get("redirect_uri", ""), form.get("code_verifier")
            )
        elif grant_type == "refresh_token":
            tokens = world.identity.refresh(app, form.get("refresh_token", ""))
        else:
            raise OAuthError("unsupported_grant_type")  # noqa: TRY301 - one place turns all of them into answers
    except OAuthError as error:
        return json_answer(400, {"error": error.error})
    return json_answer(200, tokens).with_headers({"Cache-Control": "no-store"})


def _revoke(world: "World", authorization: str, body: bytes) -> HttpAnswer:
    form = dict(parse_qsl(body.decode()))
    try:
        world.identity.authenticate(*_client(authorization, form))
    except OAuthError as error:
        return json_answer(400, {"error": error.error})
    world.identity.revoke(form.get("token", ""))
    return empty_answer(200)


def _client(authorization: str, form: dict[str, str]) -> tuple[str, str | None]:
    """Client id and secret, from HTTP Basic or else from the form."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return form.get("client_id", ""), form.get("client_secret")
    try:
        client_id, _, client_secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise OAuthError("invalid_client") from None
    return unquote(client_id), unquote(client_secret)


def _connections(world: "World", request: "web.Request") -> HttpAnswer:
    try:
        grant = world.identity.bearer(request.headers.get("Authorization", ""))
    except TokenRefused as refusal:
        return problem(401, "Unauthorized", str(refusal))
    connection_id = request.path.rstrip("/").rpartition("/")[2]
    if connection_id.lower() == "connections" and request.method == "GET":
        wanted = request.query.get("authEventId")
        return json_answer(200, _shown(world, grant, wanted))
    own = {row.connection_id for row in world.identity.connections_of(grant)}
    if request.method == "DELETE" and connection_id in own:
        del world.identity.connections[connection_id]
        return empty_answer(204)
    return not_found()


def _shown(world: "World", grant: Grant, auth_event_id: str | None) -> list[Json]:
    return [
        _connection(world, row)
        for row in world.identity.connections_of(grant)
        if auth_event_id in {None, row.auth_event_id}
    ]


def _connection(world: "World", row: Connection) -> Json:
    return {
        "id": row.connection_id,
        "authEventId": row.auth_event_id,
        "tenantId": row.tenant_id,
        "tenantType": "ORGANISATION",
        "tenantName": world.ledgers[row.tenant_id].organisation.name,
        "createdDateUtc": row.created_at.replace(tzinfo=None).isoformat(),
        "updatedDateUtc": row.updated_at.replace(tzinfo=None).isoformat(),
    }


def _page(status: int, content: str) -> HttpAnswer:
    text = f"<!doctype html><html lang=en><title>Simulated Xero</title><body>{content}</body></html>"
    return HttpAnswer(status, text.encode(), "text/html; charset=utf-8")
