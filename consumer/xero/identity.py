"""Xero's token endpoint: a code or a refresh token goes in, a pair of tokens comes out."""

from http import HTTPStatus
from time import monotonic
from typing import Any

from consumer.xero.answer import read_document
from consumer.xero.budget import read_retry_after
from consumer.xero.error_body import error_messages
from consumer.xero.errors import AppRefusedError, NotSentError, XeroError
from consumer.xero.transport import HttpAnswer, Transport

# Shorter than a transaction may lie idle: a refresh happens with the connection's row locked.
IDENTITY_SECONDS = 10.0
ACCESS_TOKEN_SECONDS = 1800
# A 4xx is about us, and waiting doesn't mend it; a limit is the one that asks for patience.
_ABOUT_US = frozenset(range(400, 500)) - {HTTPStatus.TOO_MANY_REQUESTS}


class InvalidGrantError(XeroError):
    """The code or refresh token is used, expired or revoked: someone must connect again."""


class TokenSet:
    """A pair of tokens fresh from Xero. Shows neither of them when printed."""

    __slots__ = ("access_token", "expires_seconds", "refresh_token", "scopes")

    def __init__(self, *, access_token: str, refresh_token: str, expires_seconds: float, scopes: str) -> None:
        self.access_token = access_token
        self.refresh_token = refresh_token
        self.expires_seconds = expires_seconds
        self.scopes = scopes

    def __repr__(self) -> str:
        return f"TokenSet(expires_seconds={self.expires_seconds}, scopes={self.scopes!r})"


class IdentityClient:
    """Speaks with `{identity_url}/connect/token` as the app `client_id`; one without a secret is a PKCE app."""

    def __init__(self, *, identity_url: str, client_id: str, client_secret: str | None, transport: Transport) -> None:
        self._url = f"{identity_url.rstrip('/')}/connect/token"
        self._auth = None if client_secret is None else (client_id, client_secret)
        self._client = {"client_id": client_id} if client_secret is None else {}
        self._transport = transport

    def refresh(self, refresh_token: str) -> TokenSet:
        """Trade `refresh_token` for a new pair. For 30 minutes Xero accepts the old one again, should ours get lost.

        Raises:
            InvalidGrantError: it is used up, expired or revoked.
            NotSentError: Xero gave no usable answer; nothing that was to follow has been sent. Retry.
            AppRefusedError: the app's id, secret or scopes are wrong.
        """
        return self._trade({"grant_type": "refresh_token", "refresh_token": refresh_token})

    def exchange(self, code: str, *, redirect_uri: str, verifier: str) -> TokenSet:
        """Trade an authorisation code, once and within 5 minutes, for the first pair. Raises as `refresh`."""
        return self._trade(
            {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": redirect_uri,
                "code_verifier": verifier,
            }
        )

    def _trade(self, form: dict[str, str]) -> TokenSet:
        try:
            answer = self._transport.send(
                "POST",
                self._url,
                deadline=monotonic() + IDENTITY_SECONDS,
                headers={"Accept": "application/json"},
                body=form | self._client,
                auth=self._auth,
            )
        except XeroError as error:
            # A lost answer included: the call that needed the token was not sent, so nothing of it is in doubt.
            raise NotSentError(f"Xero's token endpoint gave no answer. {error}") from error
        document = _document(answer)
        if answer.status == HTTPStatus.OK:
            return _tokens(document)
        self._refuse(answer, document)
        raise NotSentError(f"Xero's token endpoint answered {answer.status}.")

    @staticmethod
    def _refuse(answer: HttpAnswer, document: dict[str, Any]) -> None:
        if answer.status not in _ABOUT_US:
            wait = read_retry_after(answer.headers.get("Retry-After"))
            hint = "" if wait is None else f" It asks for {wait:.0f} s of patience."
            raise NotSentError(f"Xero's token endpoint answered {answer.status}.{hint}")
        error = document.get("error")
        if error == "invalid_grant":
            raise InvalidGrantError("Xero no longer accepts the authorisation (invalid_grant).", ["invalid_grant"])
        messages = error_messages({key: value for key, value in document.items() if key != "error"})
        raise AppRefusedError(error if isinstance(error, str) else "", messages, status=answer.status)


def _document(answer: HttpAnswer) -> dict[str, Any]:
    try:
        return read_document(answer.body)
    except ValueError:
        # Judged by its status then; a 200 without tokens is refused below.
        return {}


def _tokens(document: dict[str, Any]) -> TokenSet:
    access, refresh = document.get("access_token"), document.get("refresh_token")
    if not isinstance(access, str) or not isinstance(refresh, str) or not access or not refresh:
        raise NotSentError("Xero's token endpoint answered without both tokens. Is `offline_access` among the scopes?")
    expires = document.get("expires_in")
    return TokenSet(
        access_token=access,
        refresh_token=refresh,
        expires_seconds=float(expires) if isinstance(expires, int) and expires > 0 else ACCESS_TOKEN_SECONDS,
        scopes=str(document.get("scope", "")),
    )
