"""Tokens at rest and in use: encrypted in Postgres, refreshed by one worker at a time, shown to nobody."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

import structlog
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from psycopg import Connection, errors
from psycopg.rows import TupleRow, dict_row

from consumer.database import crash_point, load_queries
from consumer.xero import access_store
from consumer.xero.access import read_app_refusal
from consumer.xero.errors import AccessRefusedError, AppRefusedError, DisconnectedError, NotSentError
from consumer.xero.identity import IdentityClient, InvalidGrantError, TokenSet

# Where a thread borrows a connection (autocommit, outside a transaction) for a moment: a pool's `connection` method,
# or `lambda: nullcontext(connection)`.
ConnectionSource = Callable[[], AbstractContextManager[Connection[TupleRow]]]

# Refreshed this long before it ends, so that it doesn't end on its way.
MARGIN_SECONDS = 120.0

_QUERIES = load_queries(__file__, "tokens.sql")
_log = structlog.get_logger()


class TokenKeyError(Exception):
    """TOKEN_ENCRYPTION_KEYS can't be used, or none of them opens the stored tokens. Give up: someone must set it."""


class TokenCipher:
    """Encrypts with the first of the keys, decrypts with any: a new key goes to the front, then `rotate`."""

    def __init__(self, keys: Sequence[str]) -> None:
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError:
            # Without its cause: that one may quote the key.
            raise TokenKeyError(
                "TOKEN_ENCRYPTION_KEYS must be comma-separated Fernet keys (32 bytes in URL-safe base64) and hold at "
                "least one."
            ) from None

    def encrypt(self, token: str) -> bytes:
        """Return `token` encrypted."""
        return self._fernet.encrypt(token.encode())

    def decrypt(self, encrypted: bytes) -> str:
        """Return the token in `encrypted`.

        Raises:
            TokenKeyError: no key opens it.
        """
        try:
            return self._fernet.decrypt(bytes(encrypted)).decode()
        except InvalidToken:
            raise _wrong_keys() from None

    def rotate(self, encrypted: bytes) -> bytes:
        """Return `encrypted` re-encrypted with the first key. Raises as `decrypt`."""
        try:
            return self._fernet.rotate(bytes(encrypted))
        except InvalidToken:
            raise _wrong_keys() from None


class AccessToken:
    """An access token in use, with the generation of the connection that it belongs to. Doesn't show its value.

    `connected_at`: when somebody made that connection. `has_refusals`: something is refused to it, see `access_store`.
    """

    __slots__ = ("connected_at", "generation", "has_refusals", "organisation_id", "value")

    def __init__(
        self,
        value: str,
        *,
        organisation_id: str,
        generation: int,
        connected_at: datetime | None = None,
        has_refusals: bool = False,
    ) -> None:
        self.value = value
        self.organisation_id = organisation_id
        self.generation = generation
        self.connected_at = connected_at
        self.has_refusals = has_refusals

    def __repr__(self) -> str:
        return f"AccessToken(organisation_id={self.organisation_id!r}, generation={self.generation})"


class Tokens:
    """Gives valid access tokens. Any number of threads and processes may ask at once; one of them refreshes."""

    def __init__(
        self,
        *,
        connections: ConnectionSource,
        cipher: TokenCipher,
        identity: IdentityClient,
        margin_seconds: float = MARGIN_SECONDS,
    ) -> None:
        self._connections = connections
        self._cipher = cipher
        self._identity = identity
        self._margin_seconds = margin_seconds

    def access_token(self, organisation_id: str, tenant_id: str | None = None) -> AccessToken:
        """Return a token of `organisation_id` that is good for a while yet, refreshed first where it is not.

        Raises:
            DisconnectedError: the organisation, or `tenant_id` of it, is not connected; Xero was not asked.
            NotSentError: the refresh failed for now.
            AccessRefusedError: the app's id, secret or scopes are wrong.
            TokenKeyError: no key opens the stored token.
            psycopg.Error: the database.
        """
        with self._connections() as connection, connection.cursor(row_factory=dict_row) as cursor:
            row = cursor.execute(
                _QUERIES["read"],
                {
                    "organisation_id": organisation_id,
                    "tenant_id": tenant_id,
                    "margin_seconds": self._margin_seconds,
                },
            ).fetchone()
        row = _connected(row)
        if row["tenant_connected"] is False:
            raise DisconnectedError("the tenant was taken out of the connection", tenant_only=True)
        if row["fresh"] and row["access_token"] is not None:
            return self._token(organisation_id, row)
        return self._refreshed(organisation_id, stale_generation=None)

    def replace(self, stale: AccessToken) -> AccessToken:
        """Return a newer token than `stale`, which Xero refused; raises as `access_token`."""
        return self._refreshed(stale.organisation_id, stale_generation=stale.generation)

    def take_tenant_out(self, organisation_id: str, tenant_id: str) -> None:
        """Note that Xero no longer lets this connection into `tenant_id`, until someone connects again."""
        with self._connections() as connection:
            changed = connection.execute(
                _QUERIES["take_tenant_out"], {"organisation_id": organisation_id, "tenant_id": tenant_id}
            ).rowcount
        if changed:
            _log.warning("xero_tenant_disconnected", organisation_id=organisation_id, tenant_id=tenant_id)

    def rotate(self) -> int:
        """Re-encrypt all stored tokens with the first key; return how many connections that were."""
        with self._connections() as connection, connection.transaction():
            rows = connection.execute(_QUERIES["all_tokens"]).fetchall()
            for organisation_id, access_token, refresh_token in rows:
                connection.execute(
                    _QUERIES["re_encrypt"],
                    {
                        "organisation_id": organisation_id,
                        "access_token": None if access_token is None else self._cipher.rotate(access_token),
                        "refresh_token": None if refresh_token is None else self._cipher.rotate(refresh_token),
                    },
                )
        return len(rows)

    def _refreshed(self, organisation_id: str, stale_generation: int | None) -> AccessToken:
        """Refresh under the row's lock, unless someone did so while we waited for it.

        The lock is why an invalid_grant is final here: no other worker can have rotated the token that we read.
        """
        with self._connections() as connection:
            try:
                with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
                    row = _connected(
                        cursor.execute(
                            _QUERIES["lock"],
                            {"organisation_id": organisation_id, "margin_seconds": self._margin_seconds},
                        ).fetchone()
                    )
                    if row["generation"] != stale_generation and row["fresh"] and row["access_token"] is not None:
                        return self._token(organisation_id, row)
                    if row["has_refusals"]:
                        access_store.take_turn(connection, organisation_id, "", [""])
                    return self._refresh(connection, organisation_id, row)
            except InvalidGrantError as error:
                reason = "Xero no longer accepts the authorisation: it was revoked, or not used for 60 days"
                self._disconnect(connection, organisation_id, row["generation"], reason)
                raise DisconnectedError(reason, error.messages) from error
            except AppRefusedError as error:
                refusal = read_app_refusal(error.code, error.messages)
                access_store.note(connection, organisation_id, "", refusal, connected_at=row["connected_at"])
                raise AccessRefusedError(refusal) from error
            except errors.LockNotAvailable as error:
                raise NotSentError("Another worker is still refreshing the token.") from error

    def _refresh(self, connection: Connection[TupleRow], organisation_id: str, row: dict[str, Any]) -> AccessToken:
        if row["refresh_token"] is None:
            raise InvalidGrantError("There is no refresh token.")
        fresh = self._identity.refresh(self._cipher.decrypt(row["refresh_token"]))
        crash_point("tokens.after_refresh")
        generation = self._save(connection, organisation_id, fresh)
        if row["has_refusals"]:
            access_store.lift_app(connection, organisation_id)
        _log.info("xero_token_refreshed", organisation_id=organisation_id, generation=generation)
        return self._in_use(fresh.access_token, organisation_id, row | {"generation": generation})

    def _save(self, connection: Connection[TupleRow], organisation_id: str, fresh: TokenSet) -> int:
        row = connection.execute(
            _QUERIES["save"],
            {
                "organisation_id": organisation_id,
                "access_token": self._cipher.encrypt(fresh.access_token),
                "refresh_token": self._cipher.encrypt(fresh.refresh_token),
                "expires_seconds": fresh.expires_seconds,
            },
        ).fetchone()
        if row is None:
            raise DisconnectedError("the connection was removed")
        return int(row[0])

    @staticmethod
    def _disconnect(connection: Connection[TupleRow], organisation_id: str, generation: int, reason: str) -> None:
        changed = connection.execute(
            _QUERIES["disconnect"],
            {"organisation_id": organisation_id, "generation": generation, "reason": reason},
        ).rowcount
        if changed:
            _log.error("xero_disconnected", organisation_id=organisation_id, reason=reason)

    def _token(self, organisation_id: str, row: dict[str, Any]) -> AccessToken:
        return self._in_use(self._cipher.decrypt(row["access_token"]), organisation_id, row)

    @staticmethod
    def _in_use(value: str, organisation_id: str, row: dict[str, Any]) -> AccessToken:
        return AccessToken(
            value,
            organisation_id=organisation_id,
            generation=row["generation"],
            connected_at=row["connected_at"],
            has_refusals=row["has_refusals"],
        )


def _connected(row: dict[str, Any] | None) -> dict[str, Any]:
    if row is None:
        raise DisconnectedError("the organisation was never connected")
    if row["state"] != "connected":
        raise DisconnectedError(row["disconnected_reason"] or "the connection was ended")
    return row


def _wrong_keys() -> TokenKeyError:
    return TokenKeyError(
        "None of TOKEN_ENCRYPTION_KEYS opens the stored tokens. Add the key that encrypted them, or connect again."
    )
