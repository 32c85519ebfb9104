"""What most commands need: the configuration, the parts built from it, who acts, times as people write them."""

import getpass
import logging
import math
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, TypeVar

import click
from psycopg import Connection
from psycopg.rows import TupleRow

from consumer.configuration import Configuration, read_configuration
from consumer.database import check_server
from consumer.operations.assembly import Assembly
from consumer.operations.connections import ThreadConnections
from consumer.operations.logs import LIBRDKAFKA_LOGGERS, configure_logs
from consumer.projection import ProjectionSettings

F = TypeVar("F", bound=Callable[..., Any])

_AGO = re.compile(r"(\d{1,6})([smhd])")
# A month.
_SECONDS_MAX = 31 * 86_400
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def configuration() -> Configuration:
    """Read the environment, and show logs on standard error from warnings on unless LOG_LEVEL says otherwise."""
    configure_logs({"LOG_LEVEL": "warning", **{name: value for name, value in os.environ.items() if value}})
    # What Kafka's client complains of while it tries, the command says in its own words if it comes to nothing.
    for name in LIBRDKAFKA_LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return read_configuration(os.environ)


class CommandAssembly(Assembly):
    """The parts of one command, which sees before its first connection that it can work on this database.

    Reading is possible on a standby as well; what can't be written says so itself.
    """

    _is_checked = False

    def connect(self, name: str) -> Connection[TupleRow]:
        """Open a connection of the caller's own.

        Raises:
            UnsupportedServerError: the service can't work on this database.
            psycopg.OperationalError: the database can't be reached.
        """
        self.check_database()
        return super().connect(name)

    @cached_property
    def connections(self) -> ThreadConnections:
        """Where the Xero client and the tokens borrow connections."""
        self.check_database()
        return super().connections

    def projection_settings(self) -> ProjectionSettings:
        """Return what the projection is told from outside."""
        self.check_database()
        return super().projection_settings()

    def check_database(self) -> None:
        """See, once, that the service can work on this database.

        Raises:
            UnsupportedServerError: it can't.
            psycopg.OperationalError: the database can't be reached.
        """
        if not self._is_checked:
            check_server(self.configuration.require_database())
            self._is_checked = True


def assembly() -> Assembly:
    """Return the parts of the service, by the environment."""
    return CommandAssembly(configuration())


def actor_option(command: F) -> F:
    """Add `--actor`: who acts, for the audit and the sync log."""
    return click.option("--actor", default=_user, show_default="your user name", help="Who does it, for the records.")(
        command
    )


class Moment(click.ParamType[datetime]):
    """A time: ISO 8601 (UTC unless it says otherwise), or `15m`, `2h`, `3d` for so long ago."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return an aware time."""
        if isinstance(value, datetime):
            return value
        ago = _AGO.fullmatch(value)
        if ago:
            try:
                return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
            except OverflowError:
                self.fail(f"{value!r} ago there was no calendar.", param, ctx)
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no time. Write 2026-01-31T09:30, 2026-01-31, 15m, 2h or 3d.", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class Seconds(click.ParamType[float]):
    """So many seconds, none included; no `nan`, and no longer than anybody waits."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number."""
        try:
            seconds = float(value)
        except ValueError:
            seconds = math.nan
        if not 0 <= seconds <= _SECONDS_MAX:
            self.fail(f"{value!r} is no number of seconds from 0 to {_SECONDS_MAX:,}.", param, ctx)
        return seconds


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container may run under a number that no user has.
        return f"uid-{os.getuid()}"
