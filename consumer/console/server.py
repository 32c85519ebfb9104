"""The console's HTTP server: listens first, so that its address is known, then serves until it is told to stop."""

import signal
import socket
import threading
from types import FrameType
from typing import NamedTuple

import structlog
import uvicorn

from consumer.configuration import ConfigurationError
from consumer.console.application import create_application
from consumer.operations.assembly import Assembly

_BACKLOG = 128
_LOG = structlog.get_logger()


class Addresses(NamedTuple):
    """Where the console listens, and how browsers reach it."""

    listening: str
    public: str


class ConsoleServer:
    """Serves the console of `assembly`.

    Raises:
        ConfigurationError: the address can't be listened on, or a variable is missing.
    """

    def __init__(self, assembly: Assembly) -> None:
        settings = assembly.configuration.console
        host, port = settings.address
        try:
            self._socket = socket.create_server(
                (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=_BACKLOG
            )
        except OSError as error:
            raise ConfigurationError(
                f"CONSOLE_ADDRESS: nobody can listen on {host}:{port}: {error.strerror}. "
                "Choose another port; 0 takes a free one."
            ) from error
        # Inherited by each connection: asyncio sets it on none whose listener is handed in, and each answer would wait
        # 40 ms for the other side's acknowledgement of its headers.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        port = self._socket.getsockname()[1]
        # By name, as XERO_REDIRECT_URI has it: cookies belong to the name.
        public = settings.url or f"http://localhost:{port}"
        self.addresses = Addresses(f"http://{host}:{port}", public)
        try:
            application = create_application(assembly, public)
        except BaseException:
            self._socket.close()
            raise
        if assembly.configuration.xero.redirect_uri != f"{public}/xero/callback":
            _LOG.warning(
                "connecting_will_fail",
                redirect_uri=assembly.configuration.xero.redirect_uri,
                reason=f"Xero sends people elsewhere: set XERO_REDIRECT_URI to {public}/xero/callback, there as well",
            )
        self._server = uvicorn.Server(
            uvicorn.Config(
                application,
                log_config=None,
                access_log=False,
                server_header=False,
                # Who it is and where from is decided by `sign_in`, not by headers that anyone can send.
                proxy_headers=False,
                timeout_graceful_shutdown=10,
                # Requests in a browser are small; a page that never ends its request is let go.
                h11_max_incomplete_event_size=64 * 1024,
            )
        )

    def serve(self) -> None:
        """Serve until `stop`."""
        with self._socket:
            self._server.run(sockets=[self._socket])

    def serve_until_signalled(self) -> None:
        """Serve from the main thread until SIGTERM or Ctrl-C, and end well."""
        # In a thread of its own the server leaves signals to us: it would end the process by them, as if it had failed.
        thread = threading.Thread(target=self.serve, name="console")
        previous = {number: signal.signal(number, self._on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
        thread.start()
        try:
            thread.join()
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def stop(self) -> None:
        """Ask it to finish; may be called from another thread."""
        self._server.should_exit = True

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.stop()
