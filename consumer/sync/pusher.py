"""The pusher: threads that each serve one tenant at a time, woken the moment something is due."""

import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import psycopg
import structlog
from psycopg import Connection

from consumer.database import connect, is_limit, is_outage, note_server
from consumer.sync import queue
from consumer.sync.lease import Lease, LeaseLostError, Presence, acquire
from consumer.sync.linger import linger_seconds
from consumer.sync.services import Services
from consumer.sync.tenant_pass import TenantPass
from consumer.xero import TokenKeyError, try_app_again
from consumer.xero.budget import CALL_SECONDS
from consumer.xero.payloads import BATCH_ELEMENTS

# Slow tenants hold their thread while they answer: with so many, a few slow ones leave room for the others.
THREADS = 4
# Without a word from the database the queue is looked at this often: a notification can be lost with its connection.
POLL_SECONDS = 2.0
# When all that is ready is being served by others.
BUSY_SECONDS = 0.1
OUTAGE_SECONDS = 1.0
# All threads meet the same outage, again and again: it is told now and then, not five times a second.
OUTAGE_TOLD_SECONDS = 30.0
# The orders gather while the lease is held: no longer than leaves time for a call.
LONGEST_LINGER_SECONDS = CALL_SECONDS / 2

_log = structlog.get_logger()


class Pusher:
    """Serves tenants until it is stopped. `last_round` is the monotonic time of the newest sign of life."""

    def __init__(
        self,
        database_url: str,
        services: Services,
        *,
        threads: int = THREADS,
        on_defect: Callable[[BaseException], None],
    ) -> None:
        self._database_url = database_url
        self._services = services
        self._threads = threads
        self._on_defect = on_defect
        self._stop = threading.Event()
        self._bell = _Bell()
        self._outage_lock = threading.Lock()
        self._outage_told_at = -OUTAGE_TOLD_SECONDS
        self.last_round = time.monotonic()

    def run(self, stop: threading.Event) -> None:
        """Serve until `stop` is set; then give back what is in hand and return."""
        owner = f"{socket.gethostname()}:{os.getpid()}"
        self._stop = stop
        presence = self._presence(owner)
        if presence is None:
            return
        with ExitStack() as ending:
            # Only its end: it is there already, and to enter it again would ask a database that may be away by now.
            ending.push(presence)
            threads = [
                threading.Thread(target=self._serve, args=(presence, f"push-{number}"), name=f"push-{number}")
                for number in range(self._threads)
            ]
            for thread in threads:
                thread.start()
            try:
                self._listen(presence)
            finally:
                self._bell.ring(self._threads)
                for thread in threads:
                    thread.join()

    def _presence(self, owner: str) -> Presence | None:
        presence = Presence(self._database_url, owner)
        while not self._stop.is_set():
            try:
                presence.assure()
            except psycopg.Error as error:
                self._wait_for_database(error)
            else:
                return presence
        return None

    def _listen(self, presence: Presence) -> None:
        """Wake the threads when the database says that something is due, and keep the sign of life up."""
        while not self._stop.is_set():
            try:
                with connect(self._database_url, name="push-listen") as connection:
                    # This process may have other credentials of the app than the one that they were refused to.
                    try_app_again(connection)
                    connection.execute("listen hearlink_due")
                    self._bell.ring(self._threads)
                    while not self._stop.is_set():
                        presence.assure()
                        for _ in connection.notifies(timeout=POLL_SECONDS, stop_after=1):
                            self._bell.ring(self._threads)
            except psycopg.Error as error:
                self._wait_for_database(error)

    def _serve(self, presence: Presence, name: str) -> None:
        while not self._stop.is_set():
            try:
                with connect(self._database_url, name=name) as connection:
                    note_server(connection)
                    while not self._stop.is_set():
                        self.last_round = time.monotonic()
                        wait_seconds = self._round(connection, presence, name)
                        if wait_seconds > 0:
                            self._bell.wait(wait_seconds)
            except psycopg.Error as error:
                if not is_outage(error):
                    self._defect(error)
                    return
                self._wait_for_database(error)
            except TokenKeyError as error:
                self._defect(error)
                return
            except Exception as error:  # noqa: BLE001 -- a defect stops the process loudly, not one thread silently
                self._defect(error)
                return

    def _round(self, connection: Connection[Any], presence: Presence, name: str) -> float:
        """Serve one tenant; return how long to wait for the next, 0 = not at all."""
        books = queue.next_books(connection)
        ready = [book for book in books if book.wait_seconds <= 0]
        for book in ready:
            lease = acquire(connection, book.book, presence, name)
            if lease is not None:
                self._serve_book(connection, book, lease)
                return 0.0
        if ready:
            return BUSY_SECONDS
        return min([POLL_SECONDS, *(book.wait_seconds for book in books)])

    def _serve_book(self, connection: Connection[Any], book: queue.Book, lease: Lease) -> None:
        try:
            self._linger(connection, book)
            claimed = TenantPass(
                connection, lease, book.organisation_id, book.clinic_ids, self._services, self._stop.is_set
            ).run()
            _log.debug("pass_done", book=book.book, orders=claimed)
        except LeaseLostError:
            self._services.metrics.lease_lost()
            _log.warning("lease_lost", book=book.book)
        finally:
            if not connection.closed and not connection.broken:
                lease.release(connection)

    def _linger(self, connection: Connection[Any], book: queue.Book) -> None:
        if book.book.startswith("-:") or not book.clinic_ids:
            return
        due = queue.due_count(connection, book, BATCH_ELEMENTS)
        usage = self._services.budget.usage(connection, book.book)
        urgent = queue.has_urgent(connection, book)
        seconds = linger_seconds(usage, due=due, full_call=BATCH_ELEMENTS, urgent=urgent)
        until = time.monotonic() + min(seconds, LONGEST_LINGER_SECONDS)
        while (left := until - time.monotonic()) > 0 and not self._stop.is_set():
            time.sleep(min(left, 0.25))
            if left > 1 and queue.has_urgent(connection, book):
                return

    def _wait_for_database(self, error: psycopg.Error) -> None:
        with self._outage_lock:
            now = time.monotonic()
            is_told = now < self._outage_told_at + OUTAGE_TOLD_SECONDS
            if not is_told:
                self._outage_told_at = now
        if not is_told:
            _log.warning(
                "database_too_slow" if is_limit(error) else "database_away",
                error=str(error) if is_limit(error) else type(error).__name__,
                sqlstate=error.sqlstate,
                action="trying again by itself; told at most every half minute",
            )
        self._stop.wait(OUTAGE_SECONDS)

    def _defect(self, error: BaseException) -> None:
        _log.error("push_defect", error=type(error).__name__, exc_info=error)
        self._on_defect(error)


class _Bell:
    """Wakes as many waiting threads as there are; a ring that nobody waits for is kept for the next wait."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._rings = 0

    def ring(self, threads: int) -> None:
        with self._condition:
            self._rings = threads
            self._condition.notify_all()

    def wait(self, seconds: float) -> None:
        with self._condition:
            if self._rings == 0:
                self._condition.wait(seconds)
            self._rings = max(self._rings - 1, 0)
