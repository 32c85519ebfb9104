"""The console as an ASGI application."""

import secrets
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from consumer.console.health import CountRequests
from consumer.console.openapi import describe_api
from consumer.console.parts import ConsoleParts
from consumer.console.refusal import Refusal
from consumer.console.rendering import Rendering
from consumer.console.routes import GUARDED_ROUTES, OPEN_ROUTES
from consumer.console.scope import known_organisations
from consumer.console.security import CanonicalHost, SecurityHeaders, check_form, csrf_token
from consumer.console.sign_in import choose_sign_in
from consumer.console.visit import page_address, require_identity, to_starlette, wants_part
from consumer.database import is_limit, is_outage
from consumer.operations.assembly import Assembly
from consumer.operations.connections import ThreadConnections
from consumer.operations.logs import error_text

# As many requests at work at once, and as many connections to Postgres.
_THREADS = 12
_SESSION_SECONDS = 8 * 60 * 60
_STATIC = Path(__file__).with_name("static")
_LOG = structlog.get_logger()


def create_application(assembly: Assembly, public_url: str) -> Starlette:
    """Build the console.

    Args:
        assembly: The service's parts; stays open as long as the application is used.
        public_url: How browsers reach it.

    Raises:
        ConfigurationError: a variable is missing, or the way to sign in can't be used.
    """
    configuration = assembly.configuration
    connections = ThreadConnections(configuration.require_database(), "console")
    threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="console")
    console = ConsoleParts(
        assembly=assembly,
        borrow=connections.borrow,
        threads=threads,
        sign_in=choose_sign_in(configuration, public_url),
        rendering=Rendering(),
        public_url=public_url,
    )
    secure = public_url.startswith("https:")

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        threads.shutdown()
        connections.close()

    application = Starlette(
        routes=_routes(console),
        lifespan=lifespan,
        middleware=[
            Middleware(CountRequests, count=assembly.metrics.console_answered),
            Middleware(
                SecurityHeaders,
                form_origins=[configuration.xero.login_url, *console.sign_in.form_origins],
                secure=secure,
            ),
            Middleware(CanonicalHost, public_url=public_url),
            Middleware(
                SessionMiddleware,
                secret_key=configuration.console.secret_key or secrets.token_urlsafe(32),
                # The prefix makes browsers refuse it from other hosts and over plain HTTP.
                session_cookie="__Host-hearlink" if secure else "hearlink",
                max_age=_SESSION_SECONDS,
                # Not "strict": people come back from Xero and from signing in.
                same_site="lax",
                https_only=secure,
            ),
        ],
        exception_handlers={
            Refusal: _refuse,
            HTTPException: _refuse_http,
            psycopg.Error: _refuse_database,
            Exception: _refuse_defect,
        },
    )
    application.state.console = console
    return application


def _routes(console: ConsoleParts) -> list[BaseRoute]:
    return [
        Route("/", _home, methods=["GET"]),
        Route("/healthz", _health, methods=["GET"]),
        Route("/sign-out", _sign_out, methods=["POST"]),
        Route("/api/openapi.json", _openapi, methods=["GET"]),
        Mount("/static", _Static(directory=_STATIC)),
        *console.sign_in.routes(),
        *(Route(route.path, route.endpoint, methods=[route.method]) for route in OPEN_ROUTES),
        *(to_starlette(route, console) for route in GUARDED_ROUTES),
    ]


class _Static(StaticFiles):
    """Files that pages need; they hold nobody's data, so browsers may keep them for a while."""

    def file_response(self, *arguments: Any, **named: Any) -> Response:
        response = super().file_response(*arguments, **named)
        response.headers["Cache-Control"] = "public, max-age=300"
        return response


async def _home(request: Request) -> Response:
    console: ConsoleParts = request.app.state.console
    identity = require_identity(request, console)
    organisations = identity.organisations
    if organisations is None:
        organisations = tuple(await console.in_thread(known_organisations, console.borrow))
    if len(organisations) == 1:
        return RedirectResponse(page_address(organisations[0], "/log"), HTTPStatus.SEE_OTHER)
    return console.rendering.simple(
        "home.html",
        identity=identity,
        organisations=[(name, page_address(name, "/log")) for name in organisations],
        csrf=csrf_token(request),
    )


async def _health(_: Request) -> Response:
    return PlainTextResponse("alive\n")


async def _sign_out(request: Request) -> Response:
    async with request.form() as form:
        check_form(request, {name: value for name, value in form.items() if isinstance(value, str)})
    request.session.clear()
    return request.app.state.console.rendering.simple("signed_out.html")  # type: ignore[no-any-return]


async def _openapi(request: Request) -> Response:
    console: ConsoleParts = request.app.state.console
    require_identity(request, console)
    return JSONResponse(describe_api(GUARDED_ROUTES, console.public_url))


# Answers to what goes wrong


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)  # noqa: S101 -- the table above says so
    console: ConsoleParts = request.app.state.console
    if request.url.path.startswith("/api/"):
        document = {"title": error.title, "detail": error.text, "status": int(error.status)}
        return JSONResponse(document, error.status, media_type="application/problem+json")
    sign_in_path = console.sign_in.sign_in_path
    # A script could not follow to another site: it says what happened, with the way to sign in.
    follows = request.method == "GET" and not wants_part(request)
    if error.status == HTTPStatus.UNAUTHORIZED and sign_in_path and follows:
        return RedirectResponse(f"{sign_in_path}?next={quote(request.url.path)}", HTTPStatus.SEE_OTHER)
    return console.rendering.refusal(request, error, sign_in_path)


async def _refuse_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 -- as above
    status = HTTPStatus(error.status_code)
    text = {
        HTTPStatus.NOT_FOUND: "The address is mistyped, or the page is gone.",
        HTTPStatus.METHOD_NOT_ALLOWED: "This page is not used like that.",
    }.get(status, error.detail)
    return await _refuse(request, Refusal(status, f"{status.phrase}.", text))


async def _refuse_database(request: Request, error: Exception) -> Response:
    assert isinstance(error, psycopg.Error)  # noqa: S101 -- as above
    if is_limit(error):
        _LOG.warning("console_limit_reached", path=request.url.path, reason=error_text(error))
        text = "Nothing was changed. Ask for less at once (a shorter time, one clinic), or try again in a minute."
        return await _refuse(request, Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "The database took too long.", text))
    if not is_outage(error):
        return await _refuse_defect(request, error)
    _LOG.warning("console_database_away", path=request.url.path, reason=str(error).partition("\n")[0])
    text = "Nothing was changed. Try again in a minute."
    return await _refuse(request, Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "The database can't be reached.", text))


async def _refuse_defect(request: Request, error: Exception) -> Response:
    mark = secrets.token_hex(4)
    _LOG.error("console_defect", path=request.url.path, mark=mark, exc_info=error)
    text = f"Nothing was changed. Tell whoever runs this service the mark {mark}: it is in the log."
    return await _refuse(request, Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "Something went wrong here.", text))
