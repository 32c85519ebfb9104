"""What guards every answer and every act: headers, the host name, where a form came from."""

import hmac
import secrets
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consumer.console.refusal import Refusal

CSRF_FIELD = "csrf"
CSRF_HEADER = "X-CSRF-Token"
# Probes come by address, and learn nothing.
_OPEN_PATHS = frozenset({"/healthz"})


class SecurityHeaders:
    """Puts the headers on every answer. `form_origins` are other sites that a form's answer may lead to."""

    def __init__(self, app: ASGIApp, *, form_origins: Iterable[str], secure: bool) -> None:
        self._app = app
        forms = " ".join(["'self'", *dict.fromkeys(_origin(url) for url in form_origins)])
        self._headers = {
            "Content-Security-Policy": (
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
                f"form-action {forms}; frame-ancestors 'none'; base-uri 'none'"
            ),
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        }
        if secure:
            self._headers["Strict-Transport-Security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers[name] = value
                if "Cache-Control" not in headers:
                    # Pages show patients; nothing of them stays behind on a shared machine.
                    headers["Cache-Control"] = "no-store"
            await send(message)

        await self._app(scope, receive, with_headers)


class CanonicalHost:
    """Answers under the public address alone.

    A site that makes its own name point at this machine (DNS rebinding) gets nothing, and cookies set under one name
    are there when Xero sends people back to it.
    """

    def __init__(self, app: ASGIApp, *, public_url: str) -> None:
        self._app = app
        self._public_url = public_url
        self._host = urlsplit(public_url).netloc

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["path"] not in _OPEN_PATHS:
            request = Request(scope)
            if request.headers.get("host", "") != self._host:
                await self._elsewhere(request)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _elsewhere(self, request: Request) -> Response:
        if request.method in {"GET", "HEAD"}:
            query = f"?{request.url.query}" if request.url.query else ""
            return RedirectResponse(f"{self._public_url}{request.url.path}{query}", HTTPStatus.TEMPORARY_REDIRECT)
        return PlainTextResponse(f"This is {self._public_url}.\n", HTTPStatus.MISDIRECTED_REQUEST)


def csrf_token(request: Request) -> str:
    """Return the token that this session's forms carry."""
    token = request.session.get(CSRF_FIELD)
    if not token:
        token = request.session[CSRF_FIELD] = secrets.token_urlsafe(32)
    return str(token)


def check_form(request: Request, form: Mapping[str, str]) -> None:
    """Check that one of our own pages sent this form.

    Raises:
        Refusal: it lacks the session's token, or comes from another site.
    """
    check_origin(request)
    given = request.headers.get(CSRF_HEADER) or form.get(CSRF_FIELD, "")
    expected = request.session.get(CSRF_FIELD, "")
    if not expected or not hmac.compare_digest(given.encode(), str(expected).encode()):
        raise Refusal(
            HTTPStatus.FORBIDDEN,
            "This form has expired.",
            "Nothing was done. Go back, load the page again, and repeat it.",
        )


def check_api_call(request: Request) -> None:
    """Check that no other site's page makes this call through somebody's browser.

    A page of another site can only send JSON after asking for permission, which nobody gets here.

    Raises:
        Refusal: it is not JSON, or comes from another site.
    """
    check_origin(request)
    if request.headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The body must be JSON (Content-Type: application/json).")


def check_origin(request: Request) -> None:
    """Raise Refusal where a browser says that the request began at another site."""
    origin = request.headers.get("Origin")
    own = request.url.netloc
    foreign = origin is not None and urlsplit(origin).netloc != own
    if foreign or request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        raise Refusal(HTTPStatus.FORBIDDEN, "This request comes from another site.", "Nothing was done.")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
