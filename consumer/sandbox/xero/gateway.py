"""The HTTP edge: takes each call down, lets faults strike, asks the pure parts for the answer, and sends it."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import unquote

from aiohttp import ClientConnectionResetError, web

from consumer.sandbox.xero.accounting import Request, handle, knows
from consumer.sandbox.xero.calls import Call
from consumer.sandbox.xero.control import Control
from consumer.sandbox.xero.control_http import PREFIX as CONTROL_PREFIX
from consumer.sandbox.xero.control_http import answer_control
from consumer.sandbox.xero.errors import malformed_data
from consumer.sandbox.xero.faults import Fault
from consumer.sandbox.xero.http_answer import (
    HttpAnswer,
    empty_answer,
    envelope,
    json_answer,
    not_found,
    problem,
    text_answer,
    xml_answer,
)
from consumer.sandbox.xero.idempotency import LONGEST_KEY, different_request, fingerprint, key_too_long
from consumer.sandbox.xero.identity import Grant, TokenRefused
from consumer.sandbox.xero.identity_http import answer_identity
from consumer.sandbox.xero.scopes import scopes_for
from consumer.sandbox.xero.world import World

API_PREFIX = "/api.xro/2.0/"
_WRITES = frozenset({"POST", "PUT", "PATCH"})
_RATE_PROBLEMS = {
    "rate_limit_minute": "minute",
    "rate_limit_day": "day",
    "rate_limit_concurrent": "concurrent",
    "rate_limit_app_minute": "appminute",
}
_SPENT_HEADERS = {
    "rate_limit_minute": {"X-MinLimit-Remaining": "0"},
    "rate_limit_day": {"X-DayLimit-Remaining": "0"},
    "rate_limit_app_minute": {"X-AppMinLimit-Remaining": "0"},
}
_LOCKED_OUT = {"unauthorized": (401, "Unauthorized"), "forbidden": (403, "Forbidden")}
_UNAVAILABLE = "The Xero API is temporarily unavailable"
_INTERNAL_ERROR = "An error occurred in Xero."


class ConnectionDropped(Exception):  # noqa: N818 - a wish, not a fault of the program
    """The connection is to be closed without an answer."""


@dataclass(slots=True)
class Exchange:
    """A call on its way through the server."""

    request: web.Request
    body: bytes
    call: Call
    fault: Fault | None

    @property
    def kind(self) -> str | None:
        """The fault that strikes this call."""
        return self.fault.kind if self.fault else None

    def header(self, name: str) -> str:
        """A request header, "" when it is absent."""
        return self.request.headers.get(name, "")


class Gateway:
    """Serves one simulator.

    Args:
        world: What the simulator holds.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._control = Control(world)
        self._released = asyncio.Event()
        self._finished: dict[tuple[str, str], asyncio.Event] = {}

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer any request."""
        body = await request.read()
        if request.path.startswith(CONTROL_PREFIX):
            query = dict(request.query)
            return _response(answer_control(self._control, request.method, request.path, query, body))
        exchange = self._take_down(request, body)
        try:
            answer = await self._answer(exchange)
        except ConnectionDropped:
            return _drop(request)
        exchange.call.status = answer.status
        exchange.call.elements = 0 if exchange.call.replayed else answer.elements
        if exchange.kind == "drop_after":
            exchange.call.status = 0
            return _drop(request)
        if exchange.fault and exchange.kind == "drip":
            return await _drip(request, answer, exchange.fault.bytes_per_second)
        return _response(answer)

    def release(self) -> None:
        """Let go every held call; runs in the server's loop."""
        self._released.set()
        self._released = asyncio.Event()

    def _take_down(self, request: web.Request, body: bytes) -> Exchange:
        tenant_id = request.headers.get("xero-tenant-id")
        # Before the lock: whoever reads a large ledger meanwhile must not shift the time of arrival.
        at_seconds = self._world.clock.seconds()
        with self._world.lock:
            call = Call(
                sequence=0,
                at_seconds=at_seconds,
                tenant_id=tenant_id,
                method=request.method,
                path=request.path,
                query=request.query_string,
                idempotency_key=request.headers.get("Idempotency-Key"),
            )
            self._world.calls.arrived(call)
            if request.path.startswith(API_PREFIX) and tenant_id in self._world.ledgers:
                self._world.limiter.arrive(tenant_id, call.at_seconds)
            said = body.decode(errors="replace")
            fault = self._world.faults.strike(request.method, request.path, tenant_id, said)
            call.fault = fault.kind if fault else None
        return Exchange(request, body, call, fault)

    async def _answer(self, exchange: Exchange) -> HttpAnswer:
        early = _fault_before_everything(exchange.fault)
        if early is not None:
            spent = _SPENT_HEADERS.get(exchange.kind or "", {})
            limits = self._limits(exchange.call.tenant_id, "")
            return early.with_headers({**limits, **spent, **(exchange.fault.headers if exchange.fault else {})})
        if exchange.request.path.startswith(API_PREFIX):
            return await self._answer_api(exchange)
        answer = await self._work(exchange, lambda: answer_identity(self._world, exchange.request, exchange.body))
        await self._delay(exchange, "delay_after")
        return answer

    async def _answer_api(self, exchange: Exchange) -> HttpAnswer:
        raw_path = exchange.request.rel_url.raw_path
        path = tuple(unquote(part) for part in raw_path.removeprefix(API_PREFIX).strip("/").split("/"))
        with self._world.lock:
            try:
                grant = self._world.identity.bearer(exchange.header("Authorization"))
            except TokenRefused as refusal:
                return problem(401, "Unauthorized", str(refusal))
            client_id, tenant_id = grant.app.client_id, exchange.call.tenant_id or ""
            refused = self._refuse(exchange, grant, path)
            if refused is not None:
                return refused.with_headers(self._limits(None, client_id))
            rejection = self._world.limiter.enter(tenant_id, client_id, exchange.call.at_seconds)
            if rejection is not None:
                rejected = _too_many(rejection.problem, rejection.retry_after_seconds)
                return rejected.with_headers(self._limits(tenant_id, client_id))
        try:
            answer = await self._answer_once(exchange, grant, path)
            await self._delay(exchange, "delay_after")
        finally:
            with self._world.lock:
                self._world.limiter.leave(tenant_id)
        return answer.with_headers(self._limits(tenant_id, client_id))

    def _refuse(self, exchange: Exchange, grant: Grant, path: tuple[str, ...]) -> HttpAnswer | None:
        """What stops a call before it counts: an unknown path, a missing scope, a tenant out of reach."""
        if not knows(path):
            return not_found()
        if not grant.scopes & scopes_for(path[0], exchange.request.method):
            headers = {"WWW-Authenticate": "insufficient_scope"}
            return problem(401, "Unauthorized", "AuthorizationUnsuccessful", headers)
        tenant_id = exchange.call.tenant_id
        if tenant_id not in self._world.ledgers or not self._world.identity.is_connected(grant, tenant_id):
            return problem(403, "Forbidden", "AuthenticationUnsuccessful")
        if not self._world.identity.may(grant.user, tenant_id, path[0], exchange.request.method):
            return empty_answer(403)
        return None

    async def _answer_once(self, exchange: Exchange, grant: Grant, path: tuple[str, ...]) -> HttpAnswer:
        """Answer a call, or give an idempotency key's first answer again."""
        key = exchange.call.idempotency_key
        client_id = grant.app.client_id
        if not key or exchange.request.method not in _WRITES:
            return await self._work(exchange, lambda: self._account(exchange, client_id, path))
        if len(key) > LONGEST_KEY:
            return text_answer(400, key_too_long(key))
        tenant_id = exchange.call.tenant_id or ""
        mark = fingerprint(exchange.request.method, exchange.request.path_qs, tenant_id, exchange.body)
        store, now = self._world.idempotency, exchange.call.at_seconds
        with self._world.lock:
            entry = store.find(client_id, key, now)
            if entry is None:
                entry = store.open(client_id, key, mark, now)
                first = True
                self._finished[client_id, key] = asyncio.Event()
            else:
                first = False
        if entry.fingerprint != mark:
            return text_answer(400, different_request(key))
        if not first:
            exchange.call.replayed = True
            if entry.answer is None:
                await self._finished[client_id, key].wait()
            return entry.answer or problem(500, "Internal Server Error", _INTERNAL_ERROR)
        try:
            entry.answer = await self._work(exchange, lambda: self._account(exchange, client_id, path))
        finally:
            if entry.answer is None:
                store.forget(client_id, key)
            self._finished.pop((client_id, key)).set()
        return entry.answer

    async def _work(self, exchange: Exchange, work: Callable[[], HttpAnswer]) -> HttpAnswer:
        """Do the work, with the faults that strike around its commit."""
        await self._delay(exchange, "delay_before")
        if exchange.kind == "internal_error_before":
            return problem(500, "Internal Server Error", _detail(exchange.fault, _INTERNAL_ERROR))
        with self._world.lock:
            answer = work()
        if exchange.kind == "internal_error_after":
            return problem(500, "Internal Server Error", _detail(exchange.fault, _INTERNAL_ERROR))
        return answer

    def _account(self, exchange: Exchange, client_id: str, path: tuple[str, ...]) -> HttpAnswer:
        """Ask the Accounting API, and wrap its answer."""
        try:
            body = _parsed(exchange)
        except UnsupportedBody:
            return empty_answer(415)
        except type(malformed_data("")) as refusal:
            return json_answer(400, refusal.body)
        fault = exchange.fault
        asked = Request(
            method=exchange.request.method,
            path=path,
            query={name.lower(): value for name, value in exchange.request.query.items()},
            body=body,
            if_modified_since=exchange.header("If-Modified-Since"),
            app=f"app:{client_id}",
            committed_elements=fault.committed_elements if fault else None,
            refusing=_refusing(fault),
        )
        answer = handle(self._world.ledgers[exchange.call.tenant_id or ""], asked)
        if answer.body is None:
            return not_found() if answer.status == 404 else empty_answer(answer.status)  # noqa: PLR2004 - HTTP
        shown = answer.body
        if not answer.bare:
            shown = envelope(shown, client_id, self._world.clock.now())
        wants_json = "application/json" in exchange.header("Accept").lower()
        make = json_answer if wants_json else xml_answer
        return make(answer.status, shown, elements=answer.elements)

    async def _delay(self, exchange: Exchange, kind: str) -> None:
        if exchange.kind != kind or exchange.fault is None:
            return
        if exchange.fault.delay_seconds is None:
            await self._released.wait()
        else:
            await asyncio.sleep(exchange.fault.delay_seconds)

    def _limits(self, tenant_id: str | None, client_id: str) -> dict[str, str]:
        with self._world.lock:
            now = self._world.clock.seconds()
            return self._world.limiter.headers(tenant_id, client_id, now)


class UnsupportedBody(Exception):  # noqa: N818 - an answer (415), not a fault of the program
    """The body is not JSON."""


def _parsed(exchange: Exchange) -> object:
    if not exchange.body or exchange.request.method not in _WRITES:
        return None
    if exchange.request.content_type != "application/json":
        raise UnsupportedBody
    try:
        return json.loads(exchange.body, parse_float=Decimal, parse_constant=_no_constant)
    except ValueError:
        raise malformed_data("JSON for post data was invalid.") from None


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _fault_before_everything(fault: Fault | None) -> HttpAnswer | None:
    if fault is None:
        return None
    if fault.kind in _RATE_PROBLEMS:
        said = fault.kind in {"rate_limit_minute", "rate_limit_day"}
        return _too_many(_RATE_PROBLEMS[fault.kind], fault.retry_after_seconds if said else None)
    if fault.kind == "answer":
        return HttpAnswer(fault.status, (fault.detail or "").encode(), fault.content_type)
    if fault.kind == "drop_before":
        raise ConnectionDropped
    return _spoken(fault)


def _spoken(fault: Fault) -> HttpAnswer | None:
    """What a fault says by itself; None where the call is looked at first."""
    if fault.kind == "answer":
        return HttpAnswer(fault.status, (fault.detail or "").encode(), fault.content_type, fault.headers)
    if fault.kind == "unavailable":
        return text_answer(503, _detail(fault, _UNAVAILABLE))
    if fault.kind in _LOCKED_OUT:
        status, title = _LOCKED_OUT[fault.kind]
        return problem(status, title, _detail(fault, "AuthenticationUnsuccessful"))
    return None


def _refusing(fault: Fault | None) -> tuple[tuple[str, ...], str] | None:
    if fault is None or fault.kind != "refuse":
        return None
    return tuple((fault.detail or "").splitlines()), fault.containing or ""


def _detail(fault: Fault | None, usual: str) -> str:
    return fault.detail if fault and fault.detail else usual


def _too_many(problem_name: str, retry_after_seconds: int | None) -> HttpAnswer:
    headers = {"X-Rate-Limit-Problem": problem_name}
    if retry_after_seconds is not None:
        headers["Retry-After"] = str(retry_after_seconds)
    return empty_answer(429, headers)


def _response(answer: HttpAnswer) -> web.Response:
    response = web.Response(status=answer.status, body=answer.body or None, headers=dict(answer.headers))
    if answer.content_type is None:
        response.headers.popall("Content-Type", None)
    else:
        response.headers["Content-Type"] = answer.content_type
    return response


def _drop(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _drip(request: web.Request, answer: HttpAnswer, bytes_per_second: float) -> web.StreamResponse:
    headers = {**answer.headers, "Content-Length": str(len(answer.body))}
    if answer.content_type:
        headers["Content-Type"] = answer.content_type
    response = web.StreamResponse(status=answer.status, headers=headers)
    await response.prepare(request)
    # Whoever asked may lose patience: that is what the dripping is for.
    with suppress(ClientConnectionResetError):
        for position in range(len(answer.body)):
            await response.write(answer.body[position : position + 1])
            await asyncio.sleep(1 / bytes_per_second)
        await response.write_eof()
    return response
