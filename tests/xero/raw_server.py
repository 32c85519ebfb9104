"""An HTTP server that may answer wrongly: each connection goes to a script that holds the bare socket."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from ssl import SSLContext
from types import TracebackType
from typing import Self

Script = Callable[[socket.socket], None]


class RawServer:
    """Runs `script` with each accepted connection, in a thread; counts connections and requests."""

    def __init__(self, script: Script, *, tls: SSLContext | None = None) -> None:
        self._script = script
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._open: list[socket.socket] = []
        self.connections = 0
        self.requests: list[bytes] = []

    @property
    def url(self) -> str:
        scheme = "https" if self._tls else "http"
        return f"{scheme}://localhost:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._accepting.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # Closing alone would not wake the accepting thread.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listener.close()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def read_request(self, connection: socket.socket) -> bytes:
        """Read one whole request with a Content-Length; b'' where the other side has gone."""
        data = b""
        while b"\r\n\r\n" not in data:
            if not (some := connection.recv(65_536)):
                return b""
            data += some
        head, _, body = data.partition(b"\r\n\r\n")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        length = int(lengths[0].partition(b":")[2]) if lengths else 0
        while len(body) < length:
            body += connection.recv(65_536)
        request = head + b"\r\n\r\n" + body
        self.requests.append(request)
        return request

    def _accept(self) -> None:
        # The listener's closing ends the thread.
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._open.append(connection)
                self.connections += 1
                threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        # The client may hang up at any time: that is what the tests are about.
        with suppress(OSError):
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            self._script(connection)


def http_answer(
    status: int, body: bytes = b"", headers: dict[str, str] | None = None, *, length: int | None = None
) -> bytes:
    """Compose an answer; `length` overrides the Content-Length."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body) if length is None else length}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def answering(*answers: bytes) -> RawServer:
    """Make a server that gives these answers in turn, over any number of connections; the last one again and again."""
    left = list(answers)

    def script(connection: socket.socket) -> None:
        while server.read_request(connection):
            connection.sendall(left.pop(0) if len(left) > 1 else left[0])

    server = RawServer(script)
    return server
