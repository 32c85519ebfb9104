"""Xero's identity service without HTTP: apps, consents, tokens and the connections they open."""

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import urlsplit
from uuid import uuid4

from consumer.sandbox.xero.clock import Clock
from consumer.sandbox.xero.scopes import known_scopes
from consumer.sandbox.xero.values import Json

CODE_SECONDS = 300.0
ACCESS_TOKEN_SECONDS = 1_800
REFRESH_TOKEN_SECONDS = 60 * 86_400.0
GRACE_SECONDS = 1_800.0
_SHORTEST_VERIFIER = 43


class OAuthError(Exception):
    """An OAuth error answer.

    Args:
        error: The code that the standard names, such as ``invalid_grant``.
    """

    def __init__(self, error: str) -> None:
        self.error = error
        super().__init__(error)


class TokenRefused(Exception):  # noqa: N818 - an answer (401), not a fault of the program
    """The access token is missing, unknown or expired."""


@dataclass(frozen=True, slots=True)
class App:
    """A registered app; without a secret it must use PKCE.

    Attributes:
        broad_scopes: Whether it is old enough for ``accounting.transactions``.
    """

    client_id: str
    client_secret: str | None
    broad_scopes: bool = False


@dataclass(slots=True, kw_only=True)
class Consent:
    """What the person at the consent page does next.

    Attributes:
        user: Who it is; connections belong to a user.
        tenant_ids: Organisations that are chosen; `None` for all that exist.
        deny: Whether consent is refused.
        page: Whether a page asks, instead of consent being given at once.
    """

    user: str = "owner"
    tenant_ids: list[str] | None = None
    deny: bool = False
    page: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorisationRequest:
    """The query of ``/identity/connect/authorize``, checked."""

    app: App
    redirect_uri: str
    scopes: frozenset[str]
    state: str
    code_challenge: str | None


@dataclass(slots=True, kw_only=True)
class Grant:
    """A consent and its chain of refresh tokens: the newest, and the one before it while its grace lasts."""

    app: App
    user: str
    scopes: frozenset[str]
    auth_event_id: str
    refresh_token: str | None = None
    refreshed_at_seconds: float = 0.0
    previous_token: str | None = None
    previous_used_at_seconds: float = 0.0
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A bearer token."""

    grant: Grant
    expires_at_seconds: float


@dataclass(slots=True, kw_only=True)
class Connection:
    """An organisation that a user has connected to an app."""

    connection_id: str
    client_id: str
    user: str
    tenant_id: str
    auth_event_id: str
    created_at: datetime
    updated_at: datetime


Role = Literal["standard", "invoice_only", "read_only"]
# What only the role "standard" may do, besides reading: "invoice_only" writes no payments, "read_only" nothing.
_BEYOND_INVOICES = frozenset({"Payments"})


@dataclass(slots=True)
class _Code:
    grant: Grant
    request: AuthorisationRequest
    expires_at_seconds: float


@dataclass(slots=True)
class Identity:
    """The identity service's memory.

    Args:
        clock: The simulator's clock.
    """

    clock: Clock
    apps: dict[str, App] = field(default_factory=dict)
    consent: Consent = field(default_factory=Consent)
    connections: dict[str, Connection] = field(default_factory=dict)
    # By user and organisation; whoever is not among them may do everything there.
    roles: dict[tuple[str, str], Role] = field(default_factory=dict)
    access_tokens: dict[str, AccessToken] = field(default_factory=dict)
    grants: list[Grant] = field(default_factory=list)
    _codes: dict[str, _Code] = field(default_factory=dict)
    _grant_by_refresh_token: dict[str, Grant] = field(default_factory=dict)
    _signing_key: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    def check_authorisation(self, query: dict[str, str]) -> AuthorisationRequest:
        """Check the query of the authorise address.

        Raises:
            OAuthError: ``unauthorized_client``, ``invalid_request``, ``unsupported_response_type`` or
                ``invalid_scope``.
        """
        app = self.apps.get(query.get("client_id", ""))
        if app is None:
            raise OAuthError("unauthorized_client")
        if not _redirect_allowed(query.get("redirect_uri", "")):
            raise OAuthError("invalid_request")
        if query.get("response_type") != "code":
            raise OAuthError("unsupported_response_type")
        scopes = frozenset(query.get("scope", "").split())
        if not scopes or not scopes <= known_scopes(broad=app.broad_scopes):
            raise OAuthError("invalid_scope")
        challenge = query.get("code_challenge")
        if challenge is not None and query.get("code_challenge_method") != "S256":
            raise OAuthError("invalid_request")
        if challenge is None and app.client_secret is None:
            raise OAuthError("invalid_request")
        return AuthorisationRequest(
            app=app,
            redirect_uri=query["redirect_uri"],
            scopes=scopes,
            state=query.get("state", ""),
            code_challenge=challenge,
        )

    def issue_code(self, request: AuthorisationRequest, tenant_ids: list[str]) -> str:
        """Consent is given: connect the organisations, and hand out a code that works once for five minutes."""
        grant = self.grant(request.app, request.scopes, tenant_ids)
        code = secrets.token_urlsafe(32)
        self._codes[code] = _Code(grant, request, self.clock.seconds() + CODE_SECONDS)
        return code

    def grant(self, app: App, scopes: frozenset[str], tenant_ids: list[str]) -> Grant:
        """A consent by the present user for these organisations."""
        grant = Grant(app=app, user=self.consent.user, scopes=scopes, auth_event_id=str(uuid4()))
        self.grants.append(grant)
        for tenant_id in tenant_ids:
            self._connect(grant, tenant_id)
        return grant

    def authenticate(self, client_id: str, client_secret: str | None) -> App:
        """The app that calls the token address.

        Raises:
            OAuthError: ``invalid_client`` (``unauthorized_client`` without a client id).
        """
        if not client_id:
            raise OAuthError("unauthorized_client")
        app = self.apps.get(client_id)
        if app is None:
            raise OAuthError("invalid_client")
        expected, given = app.client_secret or "", client_secret or ""
        if not hmac.compare_digest(expected.encode(), given.encode()):
            raise OAuthError("invalid_client")
        return app

    def redeem_code(self, app: App, code: str, redirect_uri: str, verifier: str | None) -> Json:
        """Exchange a code for tokens.

        Raises:
            OAuthError: ``invalid_grant``: unknown, used, expired, another redirect address or a wrong verifier.
        """
        entry = self._codes.pop(code, None)
        if (
            entry is None
            or entry.expires_at_seconds <= self.clock.seconds()
            or entry.request.app.client_id != app.client_id
            or entry.request.redirect_uri != redirect_uri
            or not _verifier_fits(entry.request.code_challenge, verifier)
        ):
            raise OAuthError("invalid_grant")
        return self.issue_tokens(entry.grant)

    def refresh(self, app: App, refresh_token: str) -> Json:
        """Exchange a refresh token for new tokens; the old one works for another 30 minutes only.

        When the old one is used again, the tokens that replaced it die: two workers that refresh at once lose.

        Raises:
            OAuthError: ``invalid_grant``: unknown, used up, revoked, or unused for 60 days.
        """
        grant = self._grant_by_refresh_token.get(refresh_token)
        if grant is None or grant.revoked or grant.app.client_id != app.client_id:
            raise OAuthError("invalid_grant")
        now = self.clock.seconds()
        if refresh_token == grant.refresh_token:
            if grant.refreshed_at_seconds + REFRESH_TOKEN_SECONDS <= now:
                raise OAuthError("invalid_grant")
            grant.previous_token, grant.previous_used_at_seconds = refresh_token, now
        elif refresh_token != grant.previous_token or grant.previous_used_at_seconds + GRACE_SECONDS <= now:
            raise OAuthError("invalid_grant")
        return self.issue_tokens(grant)

    def issue_tokens(self, grant: Grant) -> Json:
        """The token address's answer; a refresh token only with ``offline_access``."""
        expires_at = self.clock.seconds() + ACCESS_TOKEN_SECONDS
        access_token = self._sign(grant, expires_at)
        self.access_tokens[access_token] = AccessToken(grant, expires_at)
        answer: Json = {
            "access_token": access_token,
            "expires_in": ACCESS_TOKEN_SECONDS,
            "token_type": "Bearer",
            "scope": " ".join(sorted(grant.scopes)),
        }
        if "openid" in grant.scopes:
            answer["id_token"] = self._sign(grant, expires_at)
        if "offline_access" in grant.scopes:
            grant.refresh_token = secrets.token_urlsafe(32)
            grant.refreshed_at_seconds = self.clock.seconds()
            self._grant_by_refresh_token[grant.refresh_token] = grant
            answer["refresh_token"] = grant.refresh_token
        return answer

    def revoke(self, refresh_token: str) -> None:
        """Revoke a refresh token: all connections of its user to the app go with it. Unknown ones are ignored."""
        grant = self._grant_by_refresh_token.get(refresh_token)
        if grant is not None:
            self.revoke_user(grant.app.client_id, grant.user)

    def revoke_user(self, client_id: str, user: str) -> None:
        """End every grant and connection between a user and an app."""
        for grant in self.grants:
            if (grant.app.client_id, grant.user) == (client_id, user):
                grant.revoked = True
        for connection in list(self.connections.values()):
            if (connection.client_id, connection.user) == (client_id, user):
                del self.connections[connection.connection_id]

    def bearer(self, header: str) -> Grant:
        """The grant behind an Authorization header.

        Raises:
            TokenRefused: With the words for the answer's Detail.
        """
        scheme, _, token = header.partition(" ")
        entry = self.access_tokens.get(token.strip()) if scheme.lower() == "bearer" else None
        if entry is None or entry.grant.revoked:
            raise TokenRefused("AuthenticationUnsuccessful")
        if entry.expires_at_seconds <= self.clock.seconds():
            expired = datetime.fromtimestamp(entry.expires_at_seconds, tz=UTC)
            raise TokenRefused(f"TokenExpired: token expired at {expired:%m/%d/%Y %H:%M:%S}")
        return entry.grant

    def connections_of(self, grant: Grant) -> list[Connection]:
        """The connections of a grant's user to its app."""
        return [
            connection
            for connection in self.connections.values()
            if (connection.client_id, connection.user) == (grant.app.client_id, grant.user)
        ]

    def is_connected(self, grant: Grant, tenant_id: str) -> bool:
        """Whether a grant reaches an organisation."""
        return any(connection.tenant_id == tenant_id for connection in self.connections_of(grant))

    def may(self, user: str, tenant_id: str, endpoint: str, method: str) -> bool:
        """Whether a user's role in an organisation allows a call."""
        role = self.roles.get((user, tenant_id), "standard")
        if method == "GET" or role == "standard":
            return True
        return role == "invoice_only" and endpoint not in _BEYOND_INVOICES

    def disconnect_tenant(self, tenant_id: str) -> None:
        """Someone removes the app from an organisation's connected apps."""
        for connection in list(self.connections.values()):
            if connection.tenant_id == tenant_id:
                del self.connections[connection.connection_id]

    def expire_access_tokens(self) -> None:
        """Every access token is too old from now on."""
        now = self.clock.seconds()
        self.access_tokens = {
            token: AccessToken(entry.grant, min(entry.expires_at_seconds, now))
            for token, entry in self.access_tokens.items()
        }

    def expire_refresh_tokens(self) -> None:
        """Every refresh token is too old from now on, as after 60 days of disuse."""
        for grant in self.grants:
            grant.refreshed_at_seconds = self.clock.seconds() - REFRESH_TOKEN_SECONDS
            grant.previous_token = None

    def _connect(self, grant: Grant, tenant_id: str) -> None:
        now = self.clock.now()
        for connection in self.connections_of(grant):
            if connection.tenant_id == tenant_id:
                connection.auth_event_id, connection.updated_at = grant.auth_event_id, now
                return
        connection_id = str(uuid4())
        self.connections[connection_id] = Connection(
            connection_id=connection_id,
            client_id=grant.app.client_id,
            user=grant.user,
            tenant_id=tenant_id,
            auth_event_id=grant.auth_event_id,
            created_at=now,
            updated_at=now,
        )

    def _sign(self, grant: Grant, expires_at_seconds: float) -> str:
        header = {"alg": "HS256", "typ": "JWT"}
        claims = {
            "nbf": int(expires_at_seconds) - ACCESS_TOKEN_SECONDS,
            "exp": int(expires_at_seconds),
            "client_id": grant.app.client_id,
            "authentication_event_id": grant.auth_event_id,
            "scope": sorted(grant.scopes),
            "jti": secrets.token_hex(16),
        }
        signed = ".".join(_base64(json.dumps(part).encode()) for part in (header, claims))
        return f"{signed}.{_base64(hmac.digest(self._signing_key, signed.encode(), 'sha256'))}"


def _redirect_allowed(address: str) -> bool:
    """Https anywhere, http on localhost by that name only."""
    parts = urlsplit(address)
    return (parts.scheme == "https" and bool(parts.netloc)) or (
        parts.scheme == "http" and parts.hostname == "localhost"
    )


def _verifier_fits(challenge: str | None, verifier: str | None) -> bool:
    if challenge is None:
        return verifier is None
    if verifier is None or len(verifier) < _SHORTEST_VERIFIER:
        return False
    return hmac.compare_digest(_base64(hashlib.sha256(verifier.encode()).digest()), challenge)


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
