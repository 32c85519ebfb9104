"""Connecting an organisation to Xero: the OAuth code flow with PKCE and state, and the tenants that it opens."""

import base64
import hashlib
import json
import secrets
from collections.abc import Sequence
from http import HTTPStatus
from time import monotonic
from typing import NamedTuple
from urllib.parse import urlencode

import msgspec
from psycopg import Connection
from psycopg.rows import TupleRow

from consumer.database import load_queries
from consumer.xero import access_store
from consumer.xero.errors import AnswerLostError
from consumer.xero.identity import IdentityClient, TokenSet
from consumer.xero.tokens import TokenCipher
from consumer.xero.transport import BearerAuth, Transport

SCOPES = "offline_access accounting.invoices accounting.payments accounting.contacts accounting.settings.read"
CONNECTIONS_SECONDS = 20.0

_QUERIES = load_queries(__file__, "authorisation.sql")


class DifferentOrganisationError(Exception):
    """The new authorisation lacks tenants that the organisation's settings or its documents in Xero belong to.

    Nothing was stored. To be shown to whoever connects, who may confirm it.
    """

    def __init__(self, organisation_id: str, missing_tenants: Sequence[str], offered: Sequence[str]) -> None:
        names = ", ".join(offered) or "none"
        super().__init__(
            f"Xero now offers these organisations: {names}. {organisation_id} uses other ones: its settings or the "
            f"documents already pushed belong to {', '.join(missing_tenants)}. Connect again and choose the right "
            "organisation, or confirm the change."
        )
        self.missing_tenants = tuple(missing_tenants)


class AuthorisationRequest(NamedTuple):
    """What sends a person to Xero. `verifier` and `state` stay with us until the answer comes back."""

    url: str
    state: str
    verifier: str
    redirect_uri: str

    def __repr__(self) -> str:
        return f"AuthorisationRequest(redirect_uri={self.redirect_uri!r})"


class Tenant(msgspec.Struct, frozen=True):
    """One entry of Xero's list of connections."""

    tenant_id: str
    connection_id: str
    name: str
    # ORGANISATION, or PRACTICE and the like, which hold no books.
    tenant_type: str


class PendingConnection(NamedTuple):
    """An authorisation that Xero granted and that is not stored yet."""

    tokens: TokenSet
    tenants: tuple[Tenant, ...]


def authorisation_request(
    *, login_url: str, client_id: str, redirect_uri: str, scopes: str = SCOPES
) -> AuthorisationRequest:
    """Make the address to open in a browser; each has a state and a verifier of its own."""
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(64)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = urlencode(
        {
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": redirect_uri,
            "scope": scopes,
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
    )
    return AuthorisationRequest(
        f"{login_url.rstrip('/')}/identity/connect/authorize?{query}", state, verifier, redirect_uri
    )


class Authorisation:
    """Turns an authorisation code into a stored connection."""

    def __init__(self, *, api_url: str, identity: IdentityClient, cipher: TokenCipher, transport: Transport) -> None:
        self._connections_url = f"{api_url.rstrip('/')}/connections"
        self._identity = identity
        self._cipher = cipher
        self._transport = transport

    def exchange_code(self, request: AuthorisationRequest, code: str) -> PendingConnection:
        """Trade `code`, which the redirect of `request` brought, for tokens, and list the tenants they open.

        Raises:
            InvalidGrantError: the code is used, older than 5 minutes, or belongs to another request.
            XeroError: Xero could not be asked, or refuses the app.
        """
        tokens = self._identity.exchange(code, redirect_uri=request.redirect_uri, verifier=request.verifier)
        return PendingConnection(tokens, self._list_tenants(tokens.access_token))

    def store(
        self,
        connection: Connection[TupleRow],
        organisation_id: str,
        pending: PendingConnection,
        *,
        actor: str,
        other_organisation_confirmed: bool = False,
    ) -> list[Tenant]:
        """Store `pending` as the connection of `organisation_id`, in one transaction; return its tenants.

        Orders that waited for the connection are woken by the caller: this room knows nothing of orders.

        Raises:
            DifferentOrganisationError: tenants in use are missing, and that is not confirmed.
        """
        with connection.transaction():
            rows = connection.execute(_QUERIES["tenants_in_use"], {"organisation_id": organisation_id}).fetchall()
            offered = {tenant.tenant_id.lower() for tenant in pending.tenants}
            missing = sorted(tenant_id for (tenant_id,) in rows if tenant_id.lower() not in offered)
            if missing and not other_organisation_confirmed:
                raise DifferentOrganisationError(
                    organisation_id, missing, [f"{tenant.name} ({tenant.tenant_id})" for tenant in pending.tenants]
                )
            connection.execute(
                _QUERIES["store_connection"],
                {
                    "organisation_id": organisation_id,
                    "access_token": self._cipher.encrypt(pending.tokens.access_token),
                    "refresh_token": self._cipher.encrypt(pending.tokens.refresh_token),
                    "expires_seconds": pending.tokens.expires_seconds,
                    "scopes": pending.tokens.scopes,
                    "actor": actor,
                },
            )
            access_store.forget(connection, organisation_id)
            _store_tenants(connection, organisation_id, pending.tenants)
            detail = {
                "tenants": [tenant.tenant_id for tenant in pending.tenants],
                "no_longer_offered": missing,
            }
            connection.execute(
                _QUERIES["audit"],
                {"organisation_id": organisation_id, "actor": actor, "detail": json.dumps(detail)},
            )
        return list(pending.tenants)

    def refresh_tenants(
        self, connection: Connection[TupleRow], organisation_id: str, access_token: str
    ) -> list[Tenant]:
        """List the tenants of a living connection anew and store what changed; return them."""
        tenants = self._list_tenants(access_token)
        with connection.transaction():
            _store_tenants(connection, organisation_id, tenants)
        return list(tenants)

    def _list_tenants(self, access_token: str) -> tuple[Tenant, ...]:
        answer = self._transport.send(
            "GET",
            self._connections_url,
            deadline=monotonic() + CONNECTIONS_SECONDS,
            headers={"Accept": "application/json"},
            auth=BearerAuth(access_token),
        )
        if answer.status != HTTPStatus.OK:
            raise AnswerLostError(f"Xero answered {answer.status} when asked for the tenants. Try again.")
        try:
            listed = msgspec.json.decode(answer.body, type=list[_Listed])
        except msgspec.MsgspecError as error:
            raise AnswerLostError("Xero's list of tenants can't be read. Try again.") from error
        return tuple(
            Tenant(entry.tenant_id, entry.id, entry.tenant_name or entry.tenant_id, entry.tenant_type)
            for entry in listed
        )


class _Listed(msgspec.Struct, rename="camel"):
    id: str
    tenant_id: str
    tenant_type: str
    tenant_name: str | None = None


def _store_tenants(connection: Connection[TupleRow], organisation_id: str, tenants: Sequence[Tenant]) -> None:
    connection.execute(
        _QUERIES["take_out_others"],
        {"organisation_id": organisation_id, "tenant_ids": [tenant.tenant_id for tenant in tenants]},
    )
    with connection.cursor() as cursor:
        cursor.executemany(
            _QUERIES["store_tenant"],
            [
                {
                    "organisation_id": organisation_id,
                    "tenant_id": tenant.tenant_id,
                    "connection_id": tenant.connection_id,
                    "name": tenant.name,
                    "tenant_type": tenant.tenant_type,
                }
                for tenant in tenants
            ],
        )
