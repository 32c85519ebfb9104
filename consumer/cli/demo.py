"""`hearlink-xero demo`: everything at work on one machine, with a broker, a database and a Xero of its own."""

import signal
import sys
from types import FrameType
from typing import Never

import click

from consumer.cli.context import as_json
from consumer.cli.failure import MISUSED, Failure
from consumer.cli.output import print_json

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Ended(BaseException):
    """A signal asks for the end. No Exception: nothing on the way may take it for a failure."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


@click.command()
@click.option("--keep", is_flag=True, help="Leave everything running until Ctrl-C, and say how to reach it.")
@click.option(
    "--orders", type=click.IntRange(1, 100_000), default=300, show_default=True, help="How many orders the month has."
)
@as_json
def demo(*, keep: bool, orders: int, as_json: bool) -> None:
    """Show the whole way on a month of sample orders, with a broker, a database and a Xero of its own.

    Nothing of it is left afterwards. It needs no configuration, and takes none. With --json, the figures of the end go
    to standard output, and all else to standard error.
    """
    stream = sys.stderr if as_json else sys.stdout
    for number in _SIGNALS:
        signal.signal(number, _end)
    try:
        _play(keep=keep, orders=orders, as_json=as_json)
    except Ended as ended:
        stream.write("\nStopped. Everything that was started has ended, and its data is gone.\n")
        sys.exit(ended.exit_code)


def _play(*, keep: bool, orders: int, as_json: bool) -> None:
    try:
        # What it stands on is an extra of the package, which the service itself does not need.
        from consumer.sandbox.demo import CommandError, Demo, Parts, Screen, StandstillError  # noqa: PLC0415 -- see above
        from consumer.sandbox.processes import ProcessError  # noqa: PLC0415 -- as above
    except ModuleNotFoundError as error:
        raise Failure(f"The demo needs further packages: install hearlink-xero[sandbox]. ({error})", MISUSED) from error
    try:
        with Parts() as parts:
            try:
                played = Demo(parts, Screen(sys.stderr if as_json else sys.stdout), orders=orders)
                outcomes = played.play()
                if as_json:
                    print_json(outcomes)
                if keep:
                    played.keep()
                else:
                    played.point_onwards()
            finally:
                # Ending takes a moment, and an impatient Ctrl-C must not leave half of it behind.
                _ignore_signals()
    except (ProcessError, CommandError, StandstillError) as error:
        raise Failure(str(error)) from error


def _end(number: int, _frame: FrameType | None) -> Never:
    _ignore_signals()
    raise Ended(number)


def _ignore_signals() -> None:
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
