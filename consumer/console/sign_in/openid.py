"""OpenID Connect: the provider says who it is, and which groups and organisations they belong to."""

import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import httpx2
import structlog
from authlib.integrations.base_client import OAuthError
from authlib.integrations.starlette_client import OAuth
from joserfc.errors import JoseError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from consumer.configuration import ConfigurationError, ConsoleSettings
from consumer.console.identity import Identity, permissions_of
from consumer.console.rate_limit import RateLimit
from consumer.console.refusal import Refusal
from consumer.console.sign_in.proxy import client_address

SIGN_IN_PATH = "/sign-in"
CALLBACK_PATH = "/sign-in/callback"
# A working day: whoever leaves loses what they could do here at most so much later.
SESSION_SECONDS = 8 * 60 * 60
_SESSION_KEY = "identity"
_LOG = structlog.get_logger()


class OpenIdConnect:
    """The code flow with PKCE, state and nonce, by Authlib.

    Raises:
        ConfigurationError: the provider or the client is not set.
    """

    sign_in_path: str | None = SIGN_IN_PATH

    def __init__(self, settings: ConsoleSettings, public_url: str) -> None:
        for name, value in (("OIDC_ISSUER", settings.oidc_issuer), ("OIDC_CLIENT_ID", settings.oidc_client_id)):
            if not value:
                raise ConfigurationError(f"{name} is not set; CONSOLE_SIGN_IN=oidc needs it.")
        self._settings = settings
        self._callback_url = public_url + CALLBACK_PATH
        self._limit = RateLimit(attempts=10, seconds=60.0)
        issuer = str(settings.oidc_issuer)
        self.form_origins: Sequence[str] = (issuer,)
        self._client: Any = OAuth().register(
            "provider",
            client_id=settings.oidc_client_id,
            client_secret=settings.oidc_client_secret,
            server_metadata_url=f"{issuer}/.well-known/openid-configuration",
            client_kwargs={"scope": settings.oidc_scopes, "code_challenge_method": "S256", "timeout": 10.0},
        )

    def identify(self, request: Request) -> Identity | None:
        """Return whom the session names, unless it is too old."""
        known = request.session.get(_SESSION_KEY)
        if not known or known["until"] < time.time():
            return None
        return Identity(
            user=known["user"],
            permissions=permissions_of(known["groups"], self._settings),
            organisations=tuple(known["organisations"]),
        )

    def routes(self) -> Sequence[BaseRoute]:
        """Return the way to the provider and back."""
        return (
            Route(SIGN_IN_PATH, self._start, methods=["GET"]),
            Route(CALLBACK_PATH, self._finish, methods=["GET"]),
        )

    async def _start(self, request: Request) -> Response:
        self._limit.count(client_address(request, self._settings))
        request.session.clear()
        request.session["after"] = _own_path(request.query_params.get("next", "/"))
        try:
            response: Response = await self._client.authorize_redirect(request, self._callback_url)
        except httpx2.HTTPError as error:
            raise _unreachable() from error
        return response

    async def _finish(self, request: Request) -> Response:
        try:
            token = await self._client.authorize_access_token(request)
        except (OAuthError, JoseError) as error:
            raise _refused(error.error) from error
        except httpx2.HTTPError as error:
            raise _unreachable() from error
        if "userinfo" not in token:
            raise _refused("no_id_token")
        after = request.session.get("after", "/")
        # A session from before signing in ends here: nobody can have prepared it for someone else.
        request.session.clear()
        request.session[_SESSION_KEY] = self._identity(token["userinfo"])
        return RedirectResponse(after, HTTPStatus.SEE_OTHER)

    def _identity(self, claims: Mapping[str, Any]) -> dict[str, Any]:
        settings = self._settings
        return {
            "user": str(claims.get("preferred_username") or claims["sub"]),
            "groups": _texts(claims.get(settings.oidc_groups_claim)),
            "organisations": _texts(claims.get(settings.oidc_organisations_claim)),
            "until": time.time() + SESSION_SECONDS,
        }


def _refused(reason: str) -> Refusal:
    _LOG.warning("sign_in_refused", reason=reason)
    return Refusal(
        HTTPStatus.FORBIDDEN, "Signing in did not work.", "Start again; if it goes on, tell your administrator."
    )


def _texts(claim: Any) -> list[str]:
    if isinstance(claim, str):
        return [claim]
    return [str(part) for part in claim] if isinstance(claim, list) else []


def _own_path(path: str) -> str:
    """Return `path` if it is one of ours: nobody is to be sent elsewhere after signing in."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"


def _unreachable() -> Refusal:
    return Refusal(
        HTTPStatus.BAD_GATEWAY,
        "The sign-in service can't be reached.",
        "Try again in a minute; then tell your administrator.",
    )
