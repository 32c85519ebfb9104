"""The page that Xero sends people back to: a small local server that waits for one authorisation code."""

import hmac
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, SimpleQueue
from threading import Thread
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

# A browser that opens a connection and says nothing is let go.
_REQUEST_SECONDS = 10.0


class AuthorisationDeniedError(Exception):
    """Xero, or the person there, said no; the text says why."""


class AuthorisationTimeoutError(Exception):
    """Nobody came back from Xero in time. Start anew."""


class CallbackListener:
    """Serves the redirect while in use as a context manager.

    `redirect_uri` is the one registered at Xero; `state` the one that went out with the request. `address` overrides
    where it listens: needed where a proxy or a container stands before it.

    Raises:
        OSError: the port is taken.
    """

    def __init__(self, redirect_uri: str, state: str, *, address: tuple[str, int] | None = None) -> None:
        parts = urlsplit(redirect_uri)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        self._outcome: SimpleQueue[str | AuthorisationDeniedError] = SimpleQueue()
        self._server = _Server(address or ("127.0.0.1", port), parts.path or "/", state, self._outcome)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_address[1])

    def wait(self, timeout_seconds: float) -> str:
        """Return the code that Xero sends.

        Raises:
            AuthorisationDeniedError: the person refused, or Xero refuses the request (wrong scopes, say).
            AuthorisationTimeoutError: nobody came.
        """
        try:
            outcome = self._outcome.get(timeout=timeout_seconds)
        except Empty:
            raise AuthorisationTimeoutError(
                f"Nobody came back from Xero within {timeout_seconds:.0f} s. Start again when you are ready."
            ) from None
        if isinstance(outcome, AuthorisationDeniedError):
            raise outcome
        return outcome

    def __enter__(self) -> Self:
        """Begin to serve."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop and give the port back."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Threads of idle browsers end with their time-out; closing doesn't wait for them.
    block_on_close = False

    def __init__(
        self,
        address: tuple[str, int],
        path: str,
        state: str,
        outcome: "SimpleQueue[str | AuthorisationDeniedError]",
    ) -> None:
        self.path = path
        self.state = state
        self.outcome = outcome
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _REQUEST_SECONDS
    server_version = "hearlink-xero"
    sys_version = ""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path != self.server.path:
            self._page(HTTPStatus.NOT_FOUND, "Nothing here", "This address belongs to hearlink-xero connect.")
            return
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        # Without our state anyone could make a browser connect somebody else's books; we go on waiting.
        if not hmac.compare_digest(query.get("state", "").encode(), self.server.state.encode()):
            self._page(
                HTTPStatus.BAD_REQUEST,
                "This is not the answer to our request",
                "The state doesn't match. Open the address that hearlink-xero connect has printed last.",
            )
        elif "error" in query:
            said = f"{query['error']} {query.get('error_description', '')}".strip()
            denied = query["error"] == "access_denied"
            reason = f"The access was refused in Xero ({said})." if denied else f"Xero refuses the request: {said}."
            self._page(HTTPStatus.OK, "Not connected", f"{reason} Nothing was changed. You can close this page.")
            self.server.outcome.put(AuthorisationDeniedError(reason))
        elif query.get("code"):
            self._page(
                HTTPStatus.OK, "Thank you", "Xero has said yes. The terminal tells how it goes on; close this page."
            )
            self.server.outcome.put(query["code"])
        else:
            self._page(HTTPStatus.BAD_REQUEST, "No code", "Xero's answer holds neither a code nor an error.")

    def log_message(self, *_: object) -> None:
        """Stay silent: the address holds the code."""

    def _page(self, status: HTTPStatus, title: str, text: str) -> None:
        body = (
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
            '<body style="font-family: sans-serif; max-width: 40em; margin: 4em auto">'
            f"<h1>{escape(title)}</h1><p>{escape(text)}</p></body></html>"
        ).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)
