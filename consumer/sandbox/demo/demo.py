"""The demo from its first line to its last."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from psycopg import Connection

from consumer.configuration import read_configuration
from consumer.database import connect
from consumer.orders import OrderEvent
from consumer.results import open_problems
from consumer.sandbox.clinics import (
    ARCHIVED_ACCOUNT,
    CLINICS,
    LOCKED_UNTIL,
    ORGANISATION_ID,
    TENANT_NAMES,
    sample_month,
    settings_text,
)
from consumer.sandbox.demo import closing
from consumer.sandbox.demo.command import Commands
from consumer.sandbox.demo.feed import Feed, StandstillError
from consumer.sandbox.demo.live import LiveDay
from consumer.sandbox.demo.mending import MENDINGS, Mending
from consumer.sandbox.demo.parts import CALLS_PER_MINUTE, Parts
from consumer.sandbox.demo.picture import Picture, read_picture
from consumer.sandbox.demo.screen import Screen

# The month comes in so many pieces, so that edits and payments meet invoices that are in Xero already.
_PIECES = 4
_MEND_SECONDS = 30.0
_KEEP_POLL_SECONDS = 0.5


class Mended(msgspec.Struct, frozen=True):
    """A problem that was mended: the orders that it held before, and those that it still holds."""

    problem: str
    held: int
    still_held: int


class Outcomes(msgspec.Struct, frozen=True, kw_only=True):
    """What `demo --json` prints."""

    orders: int
    events: int
    backlog_seconds: float
    latencies_seconds: tuple[float, ...]
    mended: tuple[Mended, ...]
    picture: Picture


class Demo:
    """Plays the demo on `screen` with a month of `orders` orders. `parts` are ended by whoever made them."""

    def __init__(self, parts: Parts, screen: Screen, *, orders: int) -> None:
        self._parts = parts
        self._screen = screen
        self._orders = orders
        self._tenants: dict[str, str] = {}
        self._service_runs: Callable[[], bool] = lambda: False

    def play(self) -> Outcomes:
        """Play it.

        Raises:
            ProcessError: a part did not start.
            CommandError: one of the service's commands failed.
            StandstillError: the service does not get on.
        """
        parts, screen = self._parts, self._screen
        screen.line("HearLink to Xero: a month of three sample clinics. Nobody in it is real.")
        self._start()
        events = sample_month(orders=self._orders)
        count = len({event.order_id for event in events})
        with connect(parts.postgres.url, name="demo") as connection:
            topic = read_configuration(parts.environment).topics.orders
            service = parts.start_service()
            self._service_runs = service.is_running
            screen.done("hearlink-xero run: ready")
            feed = Feed(parts.environment, topic, connection, parts.xero, service, screen)
            backlog_seconds = self._work_off(feed, events, count)
            screen.heading("Single changes, from Kafka to Xero")
            day = LiveDay(feed, connection, parts.xero, parts.tenant_ids, screen)
            day.play()
            feed.wait_until_quiet()
            screen.heading("What fails is explained, mended, and goes through")
            mended = [self._mend(mending, connection, feed) for mending in MENDINGS]
            picture = read_picture(connection, parts.xero, self._tenants)
            closing.show_documents(screen, picture)
            closing.show_sync_log(screen, picture)
            closing.show_problems(screen, picture)
            closing.show_figures(screen, picture, backlog_seconds=backlog_seconds, latencies=day.latencies)
        return Outcomes(
            orders=count,
            events=feed.published,
            backlog_seconds=backlog_seconds,
            latencies_seconds=tuple(day.latencies),
            mended=tuple(mended),
            picture=picture,
        )

    def point_onwards(self) -> None:
        """Say where to look further."""
        closing.show_what_next(self._screen)

    def keep(self) -> None:
        """Start the console, say how to reach what runs, and return only when the service has ended.

        Raises:
            ProcessError: the console did not start.
            StandstillError: it has.
        """
        with self._screen.busy("Starting the console"):
            console_url = self._parts.start_console()
        closing.show_addresses(self._screen, self._parts, console_url)
        while self._service_runs():
            time.sleep(_KEEP_POLL_SECONDS)
        raise StandstillError(f"The service has ended; its log: {self._parts.folder / 'service.log'}")

    def _start(self) -> None:
        parts, screen = self._parts, self._screen
        screen.heading("Starting")
        with screen.busy("Starting broker, database and Xero"):
            parts.start()
        self._tenants = dict(zip(parts.tenant_ids, TENANT_NAMES, strict=True))
        screen.done(f"{parts.broker.description}; PostgreSQL; the Xero simulator")
        screen.text(
            f"Limits here: {CALLS_PER_MINUTE} calls a minute and tenant, in the simulator and in the service. The real "
            "Xero allows 60, and the demo would wait for it most of its time.",
            indent="         ",
        )
        (parts.folder / "settings.toml").write_text(settings_text(parts.tenant_ids))
        commands = Commands(parts.environment, parts.folder)
        for arguments in (("migrate",), ("topics", "ensure"), ("settings", "apply", "settings.toml")):
            commands.run(*arguments)
            screen.done(f"hearlink-xero {' '.join(arguments)}")
        commands.connect()
        screen.done(f"hearlink-xero connect --organisation {ORGANISATION_ID}: consent given in Xero")
        # The bookkeeper was here in the meantime.
        parts.xero.call("set_lock_dates", tenant_id=parts.tenant_ids[0], period=LOCKED_UNTIL.isoformat())
        parts.xero.call("archive_account", tenant_id=parts.tenant_ids[0], account=ARCHIVED_ACCOUNT)
        screen.done(
            f"In Xero, the books are locked to {LOCKED_UNTIL:%d %b %Y}, and account {ARCHIVED_ACCOUNT} archived"
        )

    def _work_off(self, feed: Feed, events: Sequence[OrderEvent], orders: int) -> float:
        """Publish the month piece by piece; return the seconds that it took the service."""
        screen = self._screen
        screen.heading(f"A month: {len(events)} events of {orders} orders in {len(CLINICS)} clinics")
        began = time.monotonic()
        for piece in range(_PIECES):
            part = events[len(events) * piece // _PIECES : len(events) * (piece + 1) // _PIECES]
            with screen.busy("Publishing"):
                feed.publish(part)
                progress = feed.wait_until_quiet()
            until = datetime.fromtimestamp(part[-1].occurred_at_us / 1_000_000, UTC)
            screen.done(
                f"to {until:%d %b}: {progress.projected} events, {progress.in_step} orders in step, "
                f"{progress.held} wait for somebody"
            )
        return time.monotonic() - began

    def _mend(self, mending: Mending, connection: Connection[Any], feed: Feed) -> Mended:
        """Show what a problem holds, let somebody mend it, and run the commands that then follow."""
        screen, parts = self._screen, self._parts
        held = _held_by(connection, mending.code)
        if not held:
            screen.line(f"  No order of this month met the problem {mending.code}.")
            return Mended(mending.code, 0, 0)
        for problem in open_problems(connection, ORGANISATION_ID):
            if problem.code == mending.code:
                screen.text(f"{mending.code}, orders: {held}. {problem.message}", indent="  ")
                screen.text(f"Xero said: {problem.xero_message}", indent="    ")
                screen.text(f"To do: {problem.fix}", indent="    ")
        mending.act(parts)
        screen.text(mending.done, indent="    ")
        for arguments in mending.commands:
            screen.line(f"    $ hearlink-xero {' '.join(arguments)}")
            screen.output(Commands(parts.environment, parts.folder).run(*arguments), indent="      ")
        give_up = time.monotonic() + _MEND_SECONDS
        while (still_held := _held_by(connection, mending.code)) and time.monotonic() < give_up:
            time.sleep(0.05)
        feed.wait_until_quiet()
        screen.line(f"    Of {held}, {held - still_held} went through.")
        return Mended(mending.code, held, still_held)


def _held_by(connection: Connection[Any], code: str) -> int:
    return sum(problem.order_count for problem in open_problems(connection, ORGANISATION_ID) if problem.code == code)
