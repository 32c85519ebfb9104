"""The process: runs the roles, each in a thread, until it is told to stop or one of them can't go on.

A defect in one role ends the whole process with its reason: half a service that looks alive is worse than one that its
supervisor starts again.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from types import FrameType

import psycopg
import structlog

from consumer.contract import RegistryUnavailableError
from consumer.database import missing_rights
from consumer.operations.assembly import Assembly
from consumer.operations.health import Health, HttpServer
from consumer.operations.housekeeping import Housekeeping
from consumer.operations.kafka import admin_client
from consumer.operations.logs import error_text
from consumer.operations.readiness import (
    Role,
    Verdict,
    look_at_database,
    look_at_server,
    look_at_topics,
    needed_topics,
)
from consumer.operations.role_failures import note_role_failure
from consumer.operations.running import Running

STOP_SECONDS = 10.0
# Exit code where threads had to be left; one that nothing else has, for whoever watches over the process.
FORCED = 4
# What ends of itself takes less; the rest is for giving back what is in hand.
_JOIN_SECONDS = STOP_SECONDS - 1.0
_AGAIN_SECONDS = 2.0
_LONGEST_WAIT_SECONDS = 0.5
_SAY_AGAIN_SECONDS = 30.0

_LOG = structlog.get_logger()


class NotReadyError(Exception):
    """Something is missing that only a person can put there; the text says what to do."""


class RoleFailedError(Exception):
    """A role can't go on; its cause says why."""

    def __init__(self, role: str) -> None:
        super().__init__(f"The role {role} can't go on")
        self.role = role


class Process:
    """Runs `roles`. `run` may be called once."""

    def __init__(self, assembly: Assembly, roles: Sequence[Role]) -> None:
        self._assembly = assembly
        self._roles = tuple(dict.fromkeys(roles))
        self._stop = threading.Event()
        # Set by whatever ends the waiting: a signal, a failure.
        self._wake = threading.Event()
        self._failure: RoleFailedError | None = None
        self._running = Running(self._roles)
        self._health = Health(assembly, self._running)
        self._threads: list[threading.Thread] = []

    def stop(self) -> None:
        """Ask the roles to finish."""
        self._stop.set()
        self._wake.set()

    def run(self) -> bool:
        """Run until told to stop; return whether all roles finished in time.

        Raises:
            NotReadyError: the database lacks migrations, or is none that the service can work on.
            AddressError: HTTP_ADDRESS can't be listened on.
            RoleFailedError: one of the roles could not go on.
        """
        with HttpServer(self._assembly.configuration.http_address, self._health) as server:
            _LOG.info("http_listening", url=server.url)
            self._watch_lag()
            self._await_parts()
            if not self._stop.is_set():
                self._start()
                _LOG.info("started", roles=[role.value for role in self._roles], process_id=os.getpid())
            # A signal that comes just before the wait begins is heeded when a wait ends: so none is long.
            while not self._wake.wait(_LONGEST_WAIT_SECONDS):
                pass
            self._stop.set()
            _LOG.info("stopping", roles=[role.value for role in self._roles])
            left = self._join()
        if self._failure is not None:
            self._leave_word(self._failure)
            raise self._failure
        if left:
            _LOG.error("stop_forced", threads=left, seconds=STOP_SECONDS)
            return False
        _LOG.info("stopped")
        return True

    # Starting

    def _await_parts(self) -> None:
        configuration = self._assembly.configuration
        database_url = configuration.require_database()
        self._await("postgres", lambda: look_at_server(database_url))
        self._await("postgres", lambda: look_at_database(database_url))
        self._tell_missing_rights()
        if needed_topics(configuration.topics, self._roles):
            admin = admin_client(configuration)
            self._await("kafka", lambda: look_at_topics(admin, configuration.topics, self._roles))
        self._await("registry", self._look_at_registry)

    def _tell_missing_rights(self) -> None:
        """Say what the console lacks: this process works without, and may be the only one whose log is read."""
        if self._stop.is_set():
            return
        try:
            with self._assembly.connect("rights") as connection:
                missing = [right.what for right in missing_rights(connection)]
        except psycopg.Error as error:
            # It answered a moment ago; the roles wait for it by themselves.
            _LOG.warning("rights_not_known", reason=error_text(error))
            return
        if missing:
            _LOG.warning("rights_missing", missing=missing, action="the console can't work; run: hearlink-xero migrate")

    def _look_at_registry(self) -> Verdict:
        try:
            # From then on nothing that must be written down depends on the registry.
            self._assembly.outbox_encoder.warm_up()
        except RegistryUnavailableError as error:
            return Verdict(ready=False, reason=str(error))
        return Verdict(ready=True)

    def _await(self, part: str, look: Callable[[], Verdict]) -> None:
        said_at = -_SAY_AGAIN_SECONDS
        while not self._stop.is_set():
            verdict = look()
            self._assembly.metrics.part_awaited(None if verdict.ready else part)
            if verdict.ready:
                return
            if verdict.hopeless:
                raise NotReadyError(verdict.reason)
            if time.monotonic() - said_at >= _SAY_AGAIN_SECONDS:
                said_at = time.monotonic()
                _LOG.warning("waiting_for_part", part=part, reason=verdict.reason)
            self._stop.wait(_AGAIN_SECONDS)

    def _watch_lag(self) -> None:
        """Look at the lag from the first moment on: also what is waited for before the start makes one."""
        if Role.PROJECTION not in self._roles:
            return
        watch = self._assembly.lag_watch()
        self._running.lag_watch = watch
        thread = threading.Thread(target=self._serve, args=("lag", watch.run), name="lag", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _start(self) -> None:
        runs = [(role, self._prepare(role)) for role in self._roles]
        threads = [
            threading.Thread(target=self._serve, args=(role.value, run), name=role.value, daemon=True)
            for role, run in runs
        ]
        housekeeping = Housekeeping(self._assembly.connect, self._assembly.configuration.sync_log_retention_months)
        threads.append(
            threading.Thread(
                target=self._serve, args=("housekeeping", housekeeping.run), name="housekeeping", daemon=True
            )
        )
        self._threads += threads
        for thread in threads:
            thread.start()
        self._running.started_at = time.monotonic()

    def _prepare(self, role: Role) -> Callable[[threading.Event], None]:
        if role is Role.PROJECTION:
            projection = self._assembly.projection()
            self._running.projection = projection
            return projection.run
        if role is Role.PUSH:
            pusher = self._assembly.pusher(lambda error: self._fail(role.value, error))
            self._running.pusher = pusher
            return pusher.run
        return self._assembly.relay().run

    # Running and stopping

    def _serve(self, name: str, run: Callable[[threading.Event], None]) -> None:
        self._assembly.metrics.role(name, up=True)
        try:
            run(self._stop)
            if not self._stop.is_set():
                self._fail(name, RuntimeError(f"The role {name} ended without being asked to."))
        except BaseException as error:  # noqa: BLE001 -- handed to the main thread, which raises it
            self._fail(name, error)
        finally:
            self._assembly.metrics.role(name, up=False)

    def _fail(self, role: str, error: BaseException) -> None:
        if self._failure is None:
            self._failure = RoleFailedError(role)
            self._failure.__cause__ = error
            _LOG.critical("role_failed", role=role, reason=error_text(error), exc_info=error)
        self.stop()

    def _leave_word(self, failure: RoleFailedError) -> None:
        try:
            with self._assembly.connect("last words") as connection:
                note_role_failure(connection, failure.role, failure.__cause__ or failure)
        except psycopg.Error as error:
            _LOG.warning("role_failure_not_noted", reason=error_text(error))

    def _join(self) -> list[str]:
        until = time.monotonic() + _JOIN_SECONDS
        for thread in self._threads:
            thread.join(max(until - time.monotonic(), 0.0))
        return [thread.name for thread in self._threads if thread.is_alive()]


def run_until_signalled(process: Process) -> None:
    """Run `process` in the main thread until SIGTERM or SIGINT; a second one ends it at once, with exit code 4.

    Raises as `Process.run`. Where threads are left it doesn't return but ends the process with exit code 4: they would
    keep the interpreter from ending.
    """
    signalled = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        if signalled.is_set():
            os._exit(FORCED)
        signalled.set()
        # Not from here: the interrupted main thread may hold the very lock that this needs.
        threading.Thread(target=process.stop, name="stop", daemon=True).start()

    previous = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        finished = process.run()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    if not finished:
        sys.stderr.flush()
        os._exit(FORCED)
