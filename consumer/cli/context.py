"""What most commands need: the configuration, the parts built from it, who acts, times as people write them."""

import getpass
import logging
import math
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import click

from consumer.configuration import Configuration, read_configuration
from consumer.operations.assembly import Assembly
from consumer.operations.logs import LIBRDKAFKA_LOGGERS, configure_logs

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


def assembly() -> Assembly:
    """Return the parts of the service, by the environment."""
    return Assembly(configuration())


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
