"""Calls to Xero's Accounting API: granted, authorised, sent once, and their answers told apart.

`XeroClient` knows how to call; `consumer.xero.tenant` names the calls. Any number of threads may share one.
"""

import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from time import monotonic
from typing import Any, NamedTuple, Protocol

import psycopg
import structlog

from consumer.database import is_outage
from consumer.xero import access_store
from consumer.xero.access import AccessCode, needed_scope, read_refusal, standing_in_the_way
from consumer.xero.answer import XeroAnswer, read_document
from consumer.xero.budget import Budget, Grant, Wait, read_observation, read_retry_after
from consumer.xero.error_body import read_error
from consumer.xero.errors import (
    AccessRefusedError,
    AnswerLostError,
    BudgetSpentError,
    DisconnectedError,
    MaintenanceError,
    NotFoundError,
    RateLimitedError,
    RequestRefusedError,
    XeroError,
)
from consumer.xero.payloads import BATCH_BYTES, IDEMPOTENCY_KEY_CHARACTERS, encode_body
from consumer.xero.tokens import AccessToken, ConnectionSource, TokenKeyError
from consumer.xero.transport import BearerAuth, HttpAnswer, Transport

# Where a 503 or 429 doesn't say for how long. Xero documents about five minutes for the last of its sentences alone.
MAINTENANCE_SECONDS = {
    "temporarily unavailable": 30.0,
    "offline for maintenance": 120.0,
    "organisation is offline": 300.0,
}
DEFAULT_WAIT_SECONDS = 60.0
_SHOWN_BYTES = 500
# Whatever the answer's form and status: a request of that key is, or was, under way.
_KEY_CONFLICT = re.compile(r"\bidempotency[\s_-]?key\b", re.IGNORECASE)
# What it looks like as well when the tenant is ours no more, which the list of connections tells.
_UNCERTAIN = frozenset({AccessCode.UNEXPLAINED, AccessCode.PERMISSION_MISSING})
_log = structlog.get_logger()


class TokenSource(Protocol):
    """What the client needs of `Tokens`."""

    def access_token(self, organisation_id: str, tenant_id: str | None = None) -> AccessToken:
        """Return a valid token."""

    def replace(self, stale: AccessToken) -> AccessToken:
        """Return a newer token than `stale`."""

    def take_tenant_out(self, organisation_id: str, tenant_id: str) -> None:
        """Note that the tenant is gone."""


class CallRecord(NamedTuple):
    """One call that was sent, for metrics: `outcome` is a status such as `200`, or the name of an error."""

    tenant_id: str
    method: str
    # The first part of the path (`Invoices`), so that ids don't multiply time series.
    resource: str
    outcome: str
    seconds: float


class XeroClient:
    """Calls `{api_url}/api.xro/2.0/…`."""

    def __init__(
        self,
        *,
        api_url: str,
        tokens: TokenSource,
        budget: Budget,
        connections: ConnectionSource,
        transport: Transport,
        on_call: Callable[[CallRecord], None] = lambda _: None,
    ) -> None:
        self._api_url = api_url.rstrip("/")
        self._tokens = tokens
        self._budget = budget
        self._connections = connections
        self._transport = transport
        self._on_call = on_call

    def call(
        self,
        organisation_id: str,
        tenant_id: str,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        urgent: bool = False,
        grant: Grant | None = None,
    ) -> XeroAnswer:
        """Make one call and return its 2xx answer.

        Without a `grant` of the caller's the call takes one itself; `urgent` ones may use the day's reserve. Nothing
        is sent or read later than `budget.call_seconds` after the grant. An expired token is renewed and the call
        sent once more (Xero had not looked at it), with a grant of its own and the same deadline.

        Raises:
            XeroError: see the tree in `consumer.xero.errors`.
            ValueError: the request is larger than Xero takes, or the key longer.
            TokenKeyError, psycopg.Error: nothing was sent.
        """
        content = None if body is None else encode_body(body)
        if content is not None and len(content) > BATCH_BYTES:
            raise ValueError(f"The body has {len(content)} bytes, Xero takes {BATCH_BYTES}: send fewer elements.")
        if idempotency_key is not None and not 0 < len(idempotency_key) <= IDEMPOTENCY_KEY_CHARACTERS:
            raise ValueError(f"An Idempotency-Key has 1 to {IDEMPOTENCY_KEY_CHARACTERS} characters.")
        request = _Request(tenant_id, method, path, params, content, idempotency_key)
        deadline = monotonic() + self._budget.call_seconds if grant is None else grant.deadline
        scope = needed_scope(method, path)
        token = self._token(organisation_id, tenant_id, scope, grant)
        grant = grant or self._grant(tenant_id, urgent=urgent)
        answer, wait_seconds = self._send(request, token, grant, deadline)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            token = self._tokens.replace(token)
            answer, wait_seconds = self._send(request, token, self._grant(tenant_id, urgent=urgent), deadline)
        try:
            read = _judge(answer, wait_seconds, scope)
        except AccessRefusedError as error:
            if error.refusal.code in _UNCERTAIN and not self._still_listed(token, tenant_id):
                self._tokens.take_tenant_out(organisation_id, tenant_id)
                raise DisconnectedError("Xero no longer lists the tenant", error.messages, tenant_only=True) from None
            with self._connections() as connection:
                access_store.note(
                    connection, organisation_id, tenant_id, error.refusal, connected_at=token.connected_at
                )
            raise
        except DisconnectedError:
            self._tokens.take_tenant_out(organisation_id, tenant_id)
            raise
        if token.has_refusals:
            with self._connections() as connection:
                access_store.lift(connection, organisation_id, tenant_id, standing_in_the_way(scope))
        return read

    def _token(self, organisation_id: str, tenant_id: str, scope: str, grant: Grant | None) -> AccessToken:
        try:
            token = self._tokens.access_token(organisation_id, tenant_id)
            if token.has_refusals:
                with self._connections() as connection:
                    access_store.take_turn(connection, organisation_id, tenant_id, standing_in_the_way(scope))
        except (XeroError, TokenKeyError):
            if grant is not None:
                self._settle(grant, self._budget.release, grant)
            raise
        return token

    def _grant(self, tenant_id: str, *, urgent: bool) -> Grant:
        with self._connections() as connection:
            grant = self._budget.grant(connection, tenant_id, urgent=urgent)
        if isinstance(grant, Wait):
            raise BudgetSpentError(grant.seconds, grant.window)
        return grant

    def _send(
        self, request: "_Request", token: AccessToken, grant: Grant, deadline: float
    ) -> tuple[HttpAnswer, float | None]:
        began = monotonic()
        outcome = "error"
        try:
            answer = self._transport.send(
                request.method,
                f"{self._api_url}/api.xro/2.0/{request.path}",
                deadline=min(deadline, grant.deadline),
                params=request.params,
                headers=request.headers(),
                body=request.content,
                auth=BearerAuth(token.value),
            )
            outcome = str(answer.status)
        except XeroError as error:
            outcome = type(error).__name__
            # One that was sent and has no answer weighs as long as it may be under way.
            if not error.sent:
                self._settle(grant, self._budget.release, grant)
            raise
        finally:
            resource = request.path.partition("/")[0]
            self._on_call(CallRecord(request.tenant_id, request.method, resource, outcome, monotonic() - began))
        observation = read_observation(answer.status, answer.headers)
        return answer, self._settle(grant, self._budget.end, grant, observation)

    def _settle(self, grant: Grant, action: Callable[..., float | None], *arguments: object) -> float | None:
        try:
            with self._connections() as connection:
                return action(connection, *arguments)
        except psycopg.Error as error:
            if not is_outage(error):
                raise
            # The answer counts more than the bookkeeping: a call that isn't ended just weighs longer.
            _log.warning("xero_call_not_ended", tenant_id=grant.tenant_id, error=type(error).__name__)
            return None

    def _still_listed(self, token: AccessToken, tenant_id: str) -> bool:
        """Ask Xero whether the connection still holds `tenant_id`; True where it can't be known."""
        try:
            answer = self._transport.send(
                "GET",
                f"{self._api_url}/connections",
                deadline=monotonic() + self._budget.call_seconds,
                headers={"Accept": "application/json"},
                auth=BearerAuth(token.value),
            )
        except XeroError:
            return True
        # A list, not an object: looked for as text, which a UUID allows.
        listed = tenant_id.lower() in answer.body.decode(errors="replace").lower()
        return answer.status != HTTPStatus.OK or listed


class _Request(NamedTuple):
    tenant_id: str
    method: str
    path: str
    params: Mapping[str, str] | None
    content: bytes | None
    idempotency_key: str | None

    def headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json", "xero-tenant-id": self.tenant_id}
        if self.content is not None:
            headers["Content-Type"] = "application/json"
        # Left out where there is none: Xero takes an empty one for a key.
        if self.idempotency_key is not None:
            headers["Idempotency-Key"] = self.idempotency_key
        return headers


def _judge(answer: HttpAnswer, wait_seconds: float | None, scope: str) -> XeroAnswer:
    """Return the document of a 2xx answer, raise the error of any other."""
    status = answer.status
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return _read(answer)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        problem = read_observation(status, answer.headers).problem
        retry_after = read_retry_after(answer.headers.get("Retry-After"))
        raise RateLimitedError(problem, wait_seconds or retry_after or DEFAULT_WAIT_SECONDS)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        _raise_maintenance(answer)
    error = read_error(answer.body)
    messages = list(error.messages)
    if _is_doubtful(status):
        raise AnswerLostError(
            f"Xero answered {status}; whether it carried the request out is unknown.", messages, status=status
        )
    if any(_KEY_CONFLICT.search(message) for message in messages):
        raise AnswerLostError(f"Xero answered {status}: it knows the call's key from another request.", messages)
    said = " / ".join(messages) or "no reason given"
    refusal = read_refusal(status, answer.headers.get("WWW-Authenticate", ""), messages, scope=scope)
    if refusal is not None and refusal.code is AccessCode.DISCONNECTED:
        raise DisconnectedError("Xero no longer lets us into the tenant", messages, tenant_only=True)
    if refusal is not None:
        raise AccessRefusedError(refusal)
    if status == HTTPStatus.NOT_FOUND:
        raise NotFoundError(f"Xero doesn't know it: deleted there, or of another tenant ({said}).", messages)
    raise RequestRefusedError(status, error.kind, messages)


def _read(answer: HttpAnswer) -> XeroAnswer:
    if not answer.body.strip():
        return XeroAnswer(answer.status, {})
    try:
        return XeroAnswer(answer.status, read_document(answer.body))
    except ValueError as error:
        raise AnswerLostError(f"Xero's answer ({answer.status}) can't be read.") from error


def _is_doubtful(status: int) -> bool:
    """Whether the request may have been carried out in spite of this status.

    3xx come from something in between; 408 and 409 may speak of a request that is still being worked on; a 500 has
    been seen to follow a commit. 501 is a method that Xero doesn't know.
    """
    if status in {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT}:
        return True
    return status < HTTPStatus.BAD_REQUEST or (
        status >= HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.NOT_IMPLEMENTED
    )


def _raise_maintenance(answer: HttpAnswer) -> None:
    text = answer.body[:_SHOWN_BYTES].decode(errors="replace").strip()
    for known, seconds in MAINTENANCE_SECONDS.items():
        if known in text.lower():
            wait_seconds = read_retry_after(answer.headers.get("Retry-After")) or seconds
            raise MaintenanceError(text.splitlines()[0], wait_seconds)
