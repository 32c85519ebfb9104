"""The probes and the metrics over HTTP: /healthz (is it stuck?), /readyz (what is missing?), /metrics.

Liveness never depends on Postgres, Kafka or Xero being there: restarting us mends none of them. What counts is that the
loops go round, or have a reason to wait.
"""

import socket
import threading
import time
from collections.abc import Callable
from functools import cached_property
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Protocol, Self

import msgspec
import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from consumer.operations.assembly import Assembly
from consumer.operations.collector import Collector
from consumer.operations.kafka import admin_client
from consumer.operations.readiness import (
    Role,
    Verdict,
    look_at_database,
    look_at_lag,
    look_at_topics,
    needed_topics,
)
from consumer.operations.running import Running
from consumer.projection import Admin

# Longer than any of the loops is quiet while it can work: a call to Xero takes 20 s at most, a statement 60 s.
STUCK_SECONDS = 120.0
# A group that has not given a word by then is stuck in joining.
JOIN_SECONDS = 300.0
# After an outage of Postgres the loops need a moment to notice that it is back.
_RECOVERY_SECONDS = 30.0

_LOG = structlog.get_logger()


class Probes(Protocol):
    """What the three paths answer: bytes for Prometheus; whether all is well, and the reasons by part."""

    def metrics(self) -> bytes:
        """What Prometheus reads."""

    def liveness(self) -> tuple[bool, dict[str, Any]]:
        """Whether the process is stuck."""

    def readiness(self) -> tuple[bool, dict[str, Any]]:
        """What is missing."""


class Health:
    """What the probes say about the `running` roles."""

    def __init__(self, assembly: Assembly, running: Running) -> None:
        self._assembly = assembly
        self._running = running
        self._outage_at = float("-inf")
        assembly.metrics.registry.register(Collector(assembly, running))

    def metrics(self) -> bytes:
        """Return what Prometheus reads."""
        return generate_latest(self._assembly.metrics.registry)

    def liveness(self) -> tuple[bool, dict[str, Any]]:
        """Say for each role whether its loop goes round."""
        if self._running.started_at is None:
            return True, {"state": "waiting for its parts; see /readyz"}
        answer = {role.value: self._alive(role) for role in self._running.roles}
        return all(verdict["alive"] for verdict in answer.values()), answer

    def readiness(self) -> tuple[bool, dict[str, Any]]:
        """Say for each part whether it is there."""
        configuration = self._assembly.configuration
        parts: dict[str, Verdict] = {"postgres": look_at_database(configuration.require_database())}
        if needed_topics(configuration.topics, self._running.roles):
            parts["kafka"] = self._look_at_kafka()
        if self._running.started_at is None:
            parts["roles"] = Verdict(ready=False, reason="The roles have not started yet.")
        elif Role.PROJECTION in self._running.roles and not self._assembly.metrics.rebalanced:
            parts["group"] = Verdict(ready=False, reason="The consumer group has given no partitions yet.")
        lag_watch = self._running.lag_watch
        if lag_watch is not None:
            parts["lag"] = look_at_lag(lag_watch.newest())
        answer: dict[str, Any] = {
            name: {"ready": verdict.ready, "reason": verdict.reason} for name, verdict in parts.items()
        }
        if Role.PROJECTION in self._running.roles:
            answer["assigned_partitions"] = self._assembly.metrics.assigned_partitions
        if lag_watch is not None:
            found = lag_watch.newest().of(self._assembly.configuration.topics.orders)
            answer["lag"] |= {"messages": found.messages, "seconds": round(found.seconds, 1)}
        return all(verdict.ready for verdict in parts.values()), answer

    def _look_at_kafka(self) -> Verdict:
        return look_at_topics(self._admin, self._assembly.configuration.topics, self._running.roles)

    @cached_property
    def _admin(self) -> Admin:
        return admin_client(self._assembly.configuration)

    def _alive(self, role: Role) -> dict[str, Any]:
        now = time.monotonic()
        started_at = self._running.started_at or now
        projection, pusher = self._running.projection, self._running.pusher
        metrics = self._assembly.metrics
        if role is Role.PROJECTION:
            quiet = now - (projection.last_poll if projection else started_at)
            waits_for = metrics.waiting_for
            # A quiet topic and a client that reads nothing any more look alike to a loop that polls.
            silent = 0.0 if metrics.last_client_sign is None else now - metrics.last_client_sign
            if silent > STUCK_SECONDS and waits_for is None:
                return _verdict(silent, f"Kafka's client has given no sign for {silent:.0f} s: nobody reads.")
            if not metrics.rebalanced and now - started_at > JOIN_SECONDS and waits_for is None:
                if self._look_at_kafka().ready:
                    return _verdict(now - started_at, "The consumer group gave no word: stuck in joining.")
                waits_for = "kafka"
            joining = 0.0 if metrics.joining_since is None else now - metrics.joining_since
            if joining > JOIN_SECONDS and waits_for is None and self._look_at_kafka().ready:
                return _verdict(joining, f"The consumer group has not settled for {joining:.0f} s: stuck in joining.")
        elif role is Role.PUSH:
            quiet = now - max(pusher.last_round if pusher else started_at, metrics.last_push_sign)
            waits_for = None
        else:
            quiet = now - metrics.last_relay_sign
            # Its words grow rare while it waits for the brokers.
            waits_for = metrics.relay_reason if metrics.relay_reason == "broker" else None
        if quiet <= STUCK_SECONDS or waits_for is not None:
            return {"alive": True, "quiet_seconds": round(quiet, 1), "waits_for": waits_for}
        if self._database_is_away(now):
            return {"alive": True, "quiet_seconds": round(quiet, 1), "waits_for": "postgres"}
        return _verdict(quiet, f"The loop has not gone round for {quiet:.0f} s.")

    def _database_is_away(self, now: float) -> bool:
        if not look_at_database(self._assembly.configuration.require_database()).ready:
            self._outage_at = now
        return now - self._outage_at < _RECOVERY_SECONDS


def _verdict(quiet: float, reason: str) -> dict[str, Any]:
    return {"alive": False, "quiet_seconds": round(quiet, 1), "reason": reason}


class AddressError(Exception):
    """HTTP_ADDRESS, or CONSOLE_METRICS_ADDRESS, can't be listened on."""


class HttpServer:
    """Serves the three paths in a thread while in use as a context manager; `variable` says where the address is set.

    Raises:
        AddressError: the address is taken, or not this machine's.
    """

    def __init__(self, address: tuple[str, int], health: Probes, *, variable: str = "HTTP_ADDRESS") -> None:
        host, port = address
        try:
            self._server = _Server((host, port), health)
        except OSError as error:
            raise AddressError(
                f"{variable} {host}:{port} can't be listened on ({error.strerror}). Port 0 takes a free one."
            ) from error
        self._thread = threading.Thread(target=self._server.serve_forever, name="http", daemon=True)
        bound_port = self._server.server_address[1]
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{bound_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # A probe that hangs must not keep the process from ending.
    block_on_close = False

    def __init__(self, address: tuple[str, int], health: Probes) -> None:
        self.health = health
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        del request, client_address
        # A probe that hung up early is no event; anything else is.
        _LOG.debug("http_request_failed", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 30.0
    server_version = "hearlink-xero"
    sys_version = ""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        health = self.server.health
        if path == "/metrics":
            self._answer(HTTPStatus.OK, CONTENT_TYPE_LATEST, health.metrics())
        elif path == "/healthz":
            self._probe(health.liveness)
        elif path == "/readyz":
            self._probe(health.readiness)
        else:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain; charset=utf-8", b"/metrics, /healthz or /readyz\n")

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Stay silent: probes come every few seconds."""

    def _probe(self, probe: Callable[[], tuple[bool, dict[str, Any]]]) -> None:
        good, parts = probe()
        body = msgspec.json.encode({"status": "ok" if good else "unavailable", **parts})
        self._answer(HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE, "application/json", body + b"\n")

    def _answer(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
