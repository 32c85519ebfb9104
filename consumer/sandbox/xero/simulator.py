"""The simulator as an object: a server in a thread of its own."""

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

from consumer.sandbox.xero.books import load_books, save_books
from consumer.sandbox.xero.clock import Clock
from consumer.sandbox.xero.control import Control
from consumer.sandbox.xero.gateway import Gateway
from consumer.sandbox.xero.identity import App, Identity
from consumer.sandbox.xero.limits import Limits
from consumer.sandbox.xero.world import World

CLIENT_ID = "simulator-client"
CLIENT_SECRET = "simulator-secret"  # noqa: S105 - opens nothing but this simulator
# Xero names 10 MB, and 3.5 MB for about fifty elements: the smaller one is kept.
LARGEST_BODY_BYTES = 3_500_000
_START_SECONDS = 30.0


class XeroSimulator:
    """A Xero on ``http://localhost:<port>``.

    Use it as a context manager, or `start` and `stop` it: started again it has the same address and the same books,
    as after an outage. Tenants are set up through `control`.

    Args:
        host: Where to listen.
        port: 0 takes a free one.
        client_id: The app that is registered from the start.
        client_secret: Its secret; `None` makes it an app that must use PKCE.
        broad_scopes: Whether that app is old enough for ``accounting.transactions``.
        limits: Rate limits of tenants that are given none of their own.
        time_source: Seconds since 1970; for tests that steer time themselves.
        books: A file: its content is taken over if it is there, and `stop` writes it.

    Attributes:
        control: The control surface.
        has_books: Whether there were books to take over, with the tenants in them.
        url: The address, once started.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        client_id: str = CLIENT_ID,
        client_secret: str | None = CLIENT_SECRET,
        broad_scopes: bool = False,
        limits: Limits | None = None,
        time_source: Callable[[], float] = time.time,
        books: Path | None = None,
    ) -> None:
        clock = Clock(time_source)
        identity = Identity(clock, apps={client_id: App(client_id, client_secret, broad_scopes)})
        self._world = World(clock=clock, default_limits=limits or Limits(), identity=identity)
        self._books = books
        self.has_books = books is not None and load_books(self._world, books)
        self._host, self._port = host, port
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stopping: asyncio.Event | None = None
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self.client_id = client_id
        self.client_secret = client_secret
        self.control = Control(self._world)
        self.url = ""

    def start(self) -> Self:
        """Listen; returns when calls can be made.

        Raises:
            OSError: The port is taken.
        """
        self._started.clear()
        self._failure = None
        self._thread = threading.Thread(target=self._run, name="xero-simulator", daemon=True)
        self._thread.start()
        if not self._started.wait(_START_SECONDS):
            raise TimeoutError("The Xero simulator did not start.")
        if self._failure is not None:
            raise self._failure
        return self

    def stop(self) -> None:
        """Let go held calls, close the port, end the thread; then write the books, where they are kept."""
        if self._loop is not None and self._stopping is not None and self._loop.is_running():
            self._loop.call_soon_threadsafe(self._stopping.set)
        if self._thread is not None:
            self._thread.join()
        if self._books is not None:
            save_books(self._world, self._books)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except OSError as error:
            self._failure = error
        finally:
            self._started.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        gateway = Gateway(self._world)
        self._world.release_delayed = self._from_any_thread(gateway.release)
        app = web.Application(client_max_size=LARGEST_BODY_BYTES)
        app.router.add_route("*", "/{path:.*}", gateway.serve)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port, backlog=1024).start()
            self._port = runner.addresses[0][1]
            self.url = f"http://{self._host}:{self._port}"
            self._started.set()
            await self._stopping.wait()
            gateway.release()
        finally:
            await runner.cleanup()

    def _from_any_thread(self, action: Callable[[], None]) -> Callable[[], None]:
        loop = asyncio.get_running_loop()

        def run() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(action)

        return run
