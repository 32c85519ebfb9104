"""How the console is, for probes and Prometheus: its requests, and whether the database lets it work.

Served beside the pages, under an address of its own: what watches over it needs no sign-in, and nobody else gets there.
"""

import threading
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

from prometheus_client import generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consumer.operations import metric_table as table
from consumer.operations.assembly import Assembly
from consumer.operations.collector import CACHE_SECONDS
from consumer.operations.readiness import Verdict, look_at_database

# A probe is no visitor.
_NOT_COUNTED = frozenset({"/healthz"})


class ConsoleHealth(Collector):
    """The probes of a console: ready while the database answers, with the tables and rights that the pages need."""

    def __init__(self, assembly: Assembly) -> None:
        self._database_url = assembly.configuration.require_database()
        self._registry = assembly.metrics.registry
        self._lock = threading.Lock()
        self._verdict = Verdict(ready=True)
        self._looked_at = float("-inf")
        assembly.metrics.console_begins()
        self._registry.register(self)

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Name what `collect` yields."""
        yield GaugeMetricFamily(table.CONSOLE_READY.full_name, table.CONSOLE_READY.help)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield whether the console is ready; nothing while Postgres can't be asked, which is told by others."""
        metric, verdict = table.CONSOLE_READY, self._look()
        if verdict.ready or verdict.hopeless:
            yield GaugeMetricFamily(metric.full_name, metric.help, value=float(verdict.ready))

    def metrics(self) -> bytes:
        """Return what Prometheus reads."""
        return generate_latest(self._registry)

    def liveness(self) -> tuple[bool, dict[str, Any]]:
        """Say that this process answers; whether the pages do, their own /healthz says."""
        return True, {}

    def readiness(self) -> tuple[bool, dict[str, Any]]:
        """Say whether the database lets the pages work."""
        verdict = self._look()
        return verdict.ready, {"postgres": {"ready": verdict.ready, "reason": verdict.reason}}

    def _look(self) -> Verdict:
        """Look at most once in CACHE_SECONDS."""
        with self._lock:
            if time.monotonic() - self._looked_at >= CACHE_SECONDS:
                self._verdict = look_at_database(self._database_url, for_console=True)
                self._looked_at = time.monotonic()
            return self._verdict


class CountRequests:
    """Tells `count` of each request: the status of its answer, and after how many seconds it began."""

    def __init__(self, app: ASGIApp, *, count: Callable[[int, float], None]) -> None:
        self._app = app
        self._count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] in _NOT_COUNTED:
            await self._app(scope, receive, send)
            return
        began = time.monotonic()
        is_counted = False

        async def counting(message: Message) -> None:
            nonlocal is_counted
            if message["type"] == "http.response.start" and not is_counted:
                is_counted = True
                self._count(message["status"], time.monotonic() - began)
            await send(message)

        try:
            await self._app(scope, receive, counting)
        except Exception:
            # Whoever answers instead of the page does so outside of us.
            if not is_counted:
                self._count(HTTPStatus.INTERNAL_SERVER_ERROR, time.monotonic() - began)
            raise
