"""The one way in: every route of an organisation says what it asks for, and `guard` sees to it."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import msgspec
from psycopg import Connection
from psycopg.rows import TupleRow
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from consumer.console.audit import record_act
from consumer.console.given import check_texts, is_text
from consumer.console.identity import Identity, Permission
from consumer.console.notes import Tone, add_note
from consumer.console.parts import ConsoleParts
from consumer.console.refusal import Refusal, not_found
from consumer.console.scope import organisation_scope
from consumer.console.security import check_api_call, check_form

_LARGEST_BODY_BYTES = 1_000_000
_SAFE = frozenset({"GET", "HEAD"})
_PART_HEADER = "X-Requested-With"


class Face(StrEnum):
    """Whom an answer is for: people get pages, programs JSON."""

    PAGE = "page"
    API = "api"


@dataclass
class Visit:
    """One permitted request. `connection` is in a transaction that sees the organisation's rows alone.

    `form` holds what a page's form sent, `body` the JSON of an API call.
    """

    request: Request
    console: ConsoleParts
    identity: Identity
    organisation_id: str
    connection: Connection[TupleRow]
    form: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def query(self) -> Mapping[str, str]:
        """The parameters of the address; empty ones count as left out."""
        return {name: value for name, value in self.request.query_params.items() if value.strip()}

    @property
    def is_partial(self) -> bool:
        """Whether the pages' script asks, for a part of the page."""
        return wants_part(self.request)

    def path_value(self, name: str) -> str:
        """Return a part of the address. Raises Refusal where nothing can have such a name."""
        value = str(self.request.path_params[name])
        if not is_text(value):
            raise not_found("such page")
        return value

    def act(self, action: str, **detail: Any) -> None:
        """Write down in this transaction what the visitor does."""
        record_act(
            self.connection,
            organisation_id=self.organisation_id,
            actor=self.identity.user,
            action=action,
            detail=detail,
        )

    def note(self, text: str, tone: Tone = "good") -> None:
        """Have the next page that this visitor sees say `text`, once."""
        add_note(self.request, text, tone)

    def address(self, path: str = "", **query: str | int | None) -> str:
        """Return the address of one of the organisation's pages."""
        return page_address(self.organisation_id, path, **query)

    def go(self, path: str = "", **query: str | int | None) -> Response:
        """Send the browser to another of the organisation's pages, after a form."""
        return RedirectResponse(self.address(path, **query), HTTPStatus.SEE_OTHER)

    def page(self, template: str, *, status: HTTPStatus = HTTPStatus.OK, **values: Any) -> Response:
        """Render a page."""
        # One address has the page and its part: no cache may take the one for the other.
        headers = {"Vary": _PART_HEADER}
        return HTMLResponse(self.console.rendering.render(self, template, values), status, headers)

    def within(self, connection: Connection[TupleRow]) -> "Visit":
        """Return the same visit in another transaction, as `scope` opens it."""
        return replace(self, connection=connection)

    def scope(self) -> AbstractContextManager[Connection[TupleRow]]:
        """Open another transaction like `connection`'s, after this one has ended."""
        return organisation_scope(self.console.borrow, self.organisation_id)


# What takes long, as asking Xero does, is done after the visit's transaction has ended: a handler then returns it.
Later = Callable[[], Response]
Handler = Callable[[Visit], Response | Later]


@dataclass(frozen=True)
class GuardedRoute:
    """A route below `/organisations/{organisation_id}` (`/api/organisations/…` for programs).

    `summary` is the line in the API's description.
    """

    method: str
    path: str
    permission: Permission
    handler: Handler
    face: Face = Face.PAGE
    summary: str = ""

    @property
    def full_path(self) -> str:
        """The path as Starlette matches it."""
        return ("/api" if self.face is Face.API else "") + "/organisations/{organisation_id}" + self.path


def wants_part(request: Request) -> bool:
    """Return whether the pages' script (`static/console.js`) asks, for a part of a page."""
    return request.headers.get(_PART_HEADER) == "XMLHttpRequest"


def page_address(organisation_id: str, path: str = "", **query: str | int | None) -> str:
    """Return the address of a page of an organisation; parameters that are None or empty are left out."""
    given = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in query.items() if value not in {None, ""})
    return f"/organisations/{quote(organisation_id, safe='')}{path}{'?' + given if given else ''}"


def to_starlette(route: GuardedRoute, console: ConsoleParts) -> Route:
    """Return the route with its guard."""
    # A handler reads numbers itself: the router fails at those that are too long for Python.
    return Route(route.full_path.replace(":int}", "}"), partial(_serve, route, console), methods=[route.method])


def require_identity(request: Request, console: ConsoleParts) -> Identity:
    """Return who visits.

    Raises:
        Refusal: nobody is signed in.
    """
    identity = console.sign_in.identify(request)
    if identity is None:
        raise Refusal(HTTPStatus.UNAUTHORIZED, "You are not signed in.", "Sign in through HearLink.")
    return identity


async def _serve(route: GuardedRoute, console: ConsoleParts, request: Request) -> Response:
    identity = require_identity(request, console)
    organisation_id = request.path_params["organisation_id"]
    if not is_text(organisation_id) or not identity.belongs_to(organisation_id):
        raise not_found("such organisation")
    if not identity.may(route.permission):
        raise Refusal(
            HTTPStatus.FORBIDDEN,
            "You may not do this.",
            "If you think you should, ask the organisation owner for the permission "
            f"to {_PERMISSION_WORDS[route.permission]}.",
        )
    form: Mapping[str, str] = {}
    body = b""
    if route.method not in _SAFE:
        if route.face is Face.API:
            check_api_call(request)
            body = await _read_body(request)
        else:
            form = await _read_form(request)
            check_form(request, form)
    check_texts([*request.query_params.items(), *form.items()])
    return await console.in_thread(_handle, route, console, request, identity, organisation_id, form, body)


def _handle(
    route: GuardedRoute,
    console: ConsoleParts,
    request: Request,
    identity: Identity,
    organisation_id: str,
    form: Mapping[str, str],
    body: bytes,
) -> Response:
    with organisation_scope(console.borrow, organisation_id) as connection:
        answer = route.handler(Visit(request, console, identity, organisation_id, connection, form, body))
    return answer if isinstance(answer, Response) else answer()


async def _read_body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST_BODY_BYTES:
            raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The request is too large.")
    return body


async def _read_form(request: Request) -> Mapping[str, str]:
    if request.headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "This is not one of our forms.")
    async with request.form(max_fields=200) as sent:
        return {name: value for name, value in sent.items() if isinstance(value, str)}


def read_json(visit: Visit, kind: type[Any]) -> Any:
    """Return the body of an API call as `kind`.

    Raises:
        Refusal: it has another form; the text says which.
    """
    try:
        return msgspec.json.decode(visit.body or b"{}", type=kind)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise Refusal(HTTPStatus.BAD_REQUEST, "The body can't be used.", str(error)) from error


_PERMISSION_WORDS = {
    Permission.VIEW: "view sync logs",
    Permission.SYNC: "sync and retry",
    Permission.MANAGE: "manage settings and connect Xero",
}
