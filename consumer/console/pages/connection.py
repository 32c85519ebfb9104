"""Start Integration and Reconnect: to Xero's consent page and back."""

import hmac
from http import HTTPStatus

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from consumer.console.identity import Identity, Permission
from consumer.console.log_store import load_tenant_names
from consumer.console.notes import add_note
from consumer.console.parts import ConsoleParts
from consumer.console.refusal import Refusal
from consumer.console.tenants import describe_tenants
from consumer.console.visit import Visit, page_address, require_identity
from consumer.sync.queue import wake_after_connect
from consumer.xero import (
    AuthorisationRequest,
    DifferentOrganisationError,
    InvalidGrantError,
    TokenKeyError,
    XeroError,
    authorisation_request,
)

CALLBACK_PATH = "/xero/callback"
_SESSION_KEY, _OTHER_KEY = "connecting", "other_organisation"
# What is named of them: a session is a cookie, and browsers take 4 kB.
_MOST_NAMED = 10


class _Pending(msgspec.Struct, frozen=True):
    """What must be remembered while somebody is at Xero. Goes into their session, encrypted."""

    organisation_id: str
    request: AuthorisationRequest
    confirmed: bool


class _Other(msgspec.Struct, frozen=True):
    """What was chosen in Xero, and what is in use but was not. Stays in the session until somebody connects again."""

    organisation_id: str
    missing_tenants: list[str]
    chosen_names: list[str]


def start(visit: Visit) -> Response:
    """Send the browser to Xero's consent page."""
    assembly = visit.console.assembly
    xero = assembly.configuration.xero
    request = authorisation_request(
        login_url=xero.login_url,
        client_id=assembly.configuration.require_client_id(),
        redirect_uri=xero.redirect_uri,
        scopes=xero.scopes,
    )
    confirmed = visit.form.get("other_organisation") == "1"
    pending = _Pending(visit.organisation_id, request, confirmed)
    visit.request.session.pop(_OTHER_KEY, None)
    visit.request.session[_SESSION_KEY] = assembly.cipher.encrypt(msgspec.json.encode(pending).decode()).decode()
    visit.act("connect_start", other_organisation_confirmed=confirmed)
    return RedirectResponse(request.url, HTTPStatus.SEE_OTHER)


async def finish(request: Request) -> Response:
    """Take what Xero sends people back with."""
    console: ConsoleParts = request.app.state.console
    identity = require_identity(request, console)
    pending = _take_pending(request, console)
    # Asked again: between leaving and coming back somebody may have lost the permission.
    if not identity.belongs_to(pending.organisation_id) or not identity.may(Permission.MANAGE):
        raise Refusal(HTTPStatus.FORBIDDEN, "You may not do this.", "Nothing was connected.")
    back = page_address(pending.organisation_id, "/settings")
    if "error" in request.query_params:
        raise Refusal(
            HTTPStatus.BAD_REQUEST,
            "Xero was not connected.",
            "Xero, or you there, said no.",
            way_on=(back, "Start again"),
        )
    return await console.in_thread(_connect, request, identity, pending)


def _take_pending(request: Request, console: ConsoleParts) -> _Pending:
    """Return what was remembered, which counts once."""
    sealed = request.session.pop(_SESSION_KEY, None)
    refusal = Refusal(
        HTTPStatus.BAD_REQUEST,
        "This connection was not started here.",
        "Nothing was connected. Start it again on the Xero settings page, in this browser.",
    )
    if sealed is None:
        raise refusal
    try:
        pending = msgspec.json.decode(console.assembly.cipher.decrypt(sealed.encode()), type=_Pending)
    except TokenKeyError:
        raise refusal from None
    if not hmac.compare_digest(request.query_params.get("state", "").encode(), pending.request.state.encode()):
        raise refusal
    return pending


def _connect(request: Request, identity: Identity, pending: _Pending) -> Response:
    console: ConsoleParts = request.app.state.console
    authorisation = console.assembly.authorisation
    organisation_id = pending.organisation_id
    settings_address = page_address(organisation_id, "/settings")
    chosen: list[str] = []
    try:
        granted = authorisation.exchange_code(pending.request, request.query_params.get("code", ""))
        chosen = [tenant.name for tenant in granted.tenants]
        # As the service, not as the console: that one's role has no way to the tokens.
        with console.assembly.connections.borrow() as connection, connection.transaction():
            tenants = authorisation.store(
                connection,
                organisation_id,
                granted,
                actor=identity.user,
                other_organisation_confirmed=pending.confirmed,
            )
            # In the same transaction: who waits for the connection finds it.
            wake_after_connect(connection, organisation_id)
    except DifferentOrganisationError as error:
        other = _Other(organisation_id, list(error.missing_tenants[:_MOST_NAMED]), chosen[:_MOST_NAMED])
        request.session[_OTHER_KEY] = msgspec.to_builtins(other)
        return RedirectResponse(
            page_address(organisation_id, "/settings/other-organisation"),
            HTTPStatus.SEE_OTHER,
        )
    except XeroError as error:
        status = HTTPStatus.BAD_REQUEST if isinstance(error, InvalidGrantError) else HTTPStatus.BAD_GATEWAY
        raise Refusal(
            status, "Xero was not connected.", str(error), way_on=(settings_address, "Start again")
        ) from error
    failed = describe_tenants(console, organisation_id, [tenant.tenant_id for tenant in tenants])
    if failed is not None:
        add_note(request, f"Xero could not be asked for its accounts and tax rates: {failed}", "note")
    return RedirectResponse(settings_address, HTTPStatus.SEE_OTHER)


def confirm_other(visit: Visit) -> Response:
    """Say that Xero now offers other organisations than those in use, and let that be confirmed."""
    remembered = visit.request.session.get(_OTHER_KEY)
    other = None if remembered is None else msgspec.convert(remembered, _Other)
    if other is None or other.organisation_id != visit.organisation_id:
        return visit.go("/settings")
    names = load_tenant_names(visit.connection, visit.organisation_id)
    missing = [names[tenant_id].name if tenant_id in names else tenant_id for tenant_id in other.missing_tenants]
    return visit.page("other_organisation.html", missing=missing, chosen=other.chosen_names)
