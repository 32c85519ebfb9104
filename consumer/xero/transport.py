"""One HTTP exchange: sent once, never retried, over by its deadline, and clear about whether anything left.

`requests` re-sends nothing here, its time-outs (which hold per read) are backed by a watchdog that shuts the socket,
and sizes are bounded. Each thread has a session of its own: sessions aren't made to be shared.
"""

import socket
import threading
from collections.abc import Mapping
from http import HTTPStatus
from time import monotonic
from typing import Any, NamedTuple

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3 import Retry
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, NewConnectionError

from consumer.database import crash_point
from consumer.xero.errors import AnswerLostError, NotSentError

CONNECT_SECONDS = 5.0
ANSWER_BYTES = 32_000_000
# A connection that lay idle for longer is not used again: a server that closes it just as we send leaves a write in
# doubt, and opening a new one costs less than looking things up.
IDLE_SECONDS = 15.0
# Time-outs of the socket back the watchdog, they don't race it.
_MARGIN_SECONDS = 1.0
_CHUNK_BYTES = 65_536


class HttpAnswer(NamedTuple):
    """A complete answer. `headers` ignore case; `body` is decoded from its transfer and content encodings."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class BearerAuth(AuthBase):
    """Sends a token; as `auth`, because `requests` would let a .netrc overrule a plain header."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the header to `request`."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class Transport:
    """Sends requests. Any number of threads may share one."""

    def __init__(self, *, connect_seconds: float = CONNECT_SECONDS, answer_bytes: int = ANSWER_BYTES) -> None:
        self._connect_seconds = connect_seconds
        self._answer_bytes = answer_bytes
        self._local = threading.local()

    def send(
        self,
        method: str,
        url: str,
        *,
        deadline: float,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | Mapping[str, str] | None = None,
        auth: AuthBase | tuple[str, str] | None = None,
    ) -> HttpAnswer:
        """Send one request and read its whole answer before `deadline` (monotonic seconds).

        `body` is bytes, or a form. An answer of any status is an answer.

        Raises:
            NotSentError: nothing left this machine.
            AnswerLostError: some of the request left, and no complete answer came in time.
        """
        remaining = deadline - monotonic()
        if remaining <= 0:
            raise NotSentError(f"No time was left to send {method} {url}.")
        exchange = _Exchange(remaining)
        watchdog = threading.Timer(remaining, exchange.expire)
        watchdog.daemon = True
        watchdog.start()
        _current.exchange = exchange
        try:
            with self._session().request(
                method,
                url,
                params=params,
                headers=headers,
                data=body,
                auth=auth,
                timeout=(min(self._connect_seconds, remaining), remaining + _MARGIN_SECONDS),
                allow_redirects=False,
                stream=True,
            ) as response:
                answer = HttpAnswer(response.status_code, response.headers, self._read(response, method, url))
            return _complete(exchange, answer, method, url)
        except (requests.RequestException, HTTPError, OSError) as error:
            # The text of these errors holds addresses at most; the request's headers are never in it.
            raise _explain(exchange, method, url, error) from error
        finally:
            exchange.finish()
            watchdog.cancel()
            _current.exchange = None
            self._local.used_at = monotonic()

    def _read(self, response: requests.Response, method: str, url: str) -> bytes:
        chunks = []
        size = 0
        for chunk in response.iter_content(_CHUNK_BYTES):
            size += len(chunk)
            if size > self._answer_bytes:
                raise AnswerLostError(f"The answer to {method} {url} has more than {self._answer_bytes} bytes.")
            chunks.append(chunk)
        return b"".join(chunks)

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = requests.Session()
            session.headers["User-Agent"] = "hearlink-xero"
            adapter = _Adapter(max_retries=Retry(0, read=False), pool_connections=4, pool_maxsize=1)
            session.mount("https://", adapter)
            session.mount("http://", adapter)
            self._local.session = session
        elif monotonic() - self._local.used_at > IDLE_SECONDS:
            session.close()
        return session


class _Exchange:
    """What the watchdog needs of an exchange in progress: its socket, and whether anything was sent on it."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.sent = False
        self.expired = False
        self._over = False
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()

    def begin(self, connection: HTTPConnection) -> None:
        with self._lock:
            if self.expired:
                raise NewConnectionError(connection, "the deadline passed before anything was sent")
            self._socket = connection.sock
            if self._socket is not None:
                # Else the time-out for connecting would hold for sending, too; ending it is the watchdog's.
                self._socket.settimeout(self._seconds + _MARGIN_SECONDS)
            self.sent = True

    def expire(self) -> None:
        with self._lock:
            if self._over:
                return
            self.expired = True
            if self._socket is not None:
                try:
                    # Below TLS on purpose: the reading thread sees the end of the stream at once.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
                except OSError:
                    # The other side was quicker: the reading thread has its error already.
                    return

    def finish(self) -> None:
        with self._lock:
            self._over = True


_current = threading.local()


def _begin(connection: HTTPConnection) -> None:
    if connection.sock is None:
        connection.connect()
    exchange: _Exchange | None = getattr(_current, "exchange", None)
    if exchange is not None:
        exchange.begin(connection)


class _Connection(HTTPConnection):
    def request(self, *arguments: Any, **options: Any) -> None:
        _begin(self)
        super().request(*arguments, **options)
        crash_point("push.after_send")


class _SecureConnection(HTTPSConnection):
    def request(self, *arguments: Any, **options: Any) -> None:
        _begin(self)
        super().request(*arguments, **options)
        crash_point("push.after_send")


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


_POOLS: dict[str, type[HTTPConnectionPool]] = {"http": _Pool, "https": _SecurePool}


class _Adapter(HTTPAdapter):
    """Makes connections that tell the exchange when they begin to send."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *arguments: Any, **options: Any) -> Any:
        manager = super().proxy_manager_for(*arguments, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager


def _complete(exchange: _Exchange, answer: HttpAnswer, method: str, url: str) -> HttpAnswer:
    """Return `answer`, or refuse one that may be cut short: http.client takes any end of the stream for its end."""
    exchange.finish()
    if exchange.expired:
        raise AnswerLostError(f"{method} {url} had no complete answer by its deadline.")
    framed = "Content-Length" in answer.headers or "Transfer-Encoding" in answer.headers
    if not framed and answer.status in {HTTPStatus.OK, HTTPStatus.CREATED}:
        raise AnswerLostError(f"The answer to {method} {url} was lost: it doesn't say how long it is.")
    return answer


def _explain(exchange: _Exchange, method: str, url: str, error: Exception) -> NotSentError | AnswerLostError:
    if not exchange.sent:
        return NotSentError(f"{method} {url} could not be sent: {_root(error)}")
    # The socket's own time-out ends later than the deadline, but sooner than a watchdog that gets no time to run.
    if exchange.expired or isinstance(error, requests.Timeout) or "timed out" in _root(error):
        return AnswerLostError(f"{method} {url} had no complete answer by its deadline.")
    return AnswerLostError(f"The answer to {method} {url} was lost: {_root(error)}")


def _root(error: BaseException) -> str:
    """Name the innermost cause: `requests` wraps it three deep and repeats the address each time."""
    seen: BaseException = error
    while True:
        inner = seen.__cause__ or seen.__context__ or getattr(seen, "reason", None)
        if not isinstance(inner, BaseException):
            return f"{type(seen).__name__}: {seen}"
        seen = inner
