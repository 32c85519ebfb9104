"""The root of all commands, and the last stop of all errors: one clear sentence and an exit code.

0 fine · 1 something failed · 2 wrong usage or configuration · 3 a part (Postgres, Kafka, Xero) can't be reached
4 `run` had to be stopped by force
"""

import contextlib
import importlib
import importlib.util
import io
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, NoReturn, TextIO

import click

from consumer.cli.failure import FAILED, MISUSED, Failure

INTERRUPTED = 130
# They tell what they do on standard error: nobody has to read their standard output.
_SILENT = frozenset({"run", "console"})


class _Entry(NamedTuple):
    """Where a command lives (module, attribute), and its line in the list, known without loading it."""

    module: str
    attribute: str
    help: str
    is_hidden: bool = False


_COMMANDS: dict[str, _Entry] = {
    "run": _Entry("run", "run", "Run the service: read events, push to Xero, publish results."),
    "status": _Entry("status", "status", "Show what is due, what waits, what failed, and why."),
    "logs": _Entry("logs", "logs", "Show what was done in Xero, and what failed."),
    "problems": _Entry("problems", "problems", "Show what keeps orders from Xero, and what to do about it."),
    "timeline": _Entry("timeline", "timeline", "Show all that happened to one order."),
    "plan": _Entry("plan", "plan", "Show what would be sent for one order, sending nothing."),
    "sync": _Entry("sync", "sync", "Push one order now."),
    "retry": _Entry("retry", "retry", "Push orders again that failed."),
    "settle": _Entry("settle", "settle", "Close one order's failure by hand, with a reason."),
    "unsettle": _Entry("settle", "unsettle", "Take that back, so that the order goes as any other."),
    "connect": _Entry("connect", "connect", "Connect an organisation to Xero."),
    "settings": _Entry("settings", "settings", "Apply, show and check an organisation's settings."),
    "events": _Entry("events", "events", "Publish and watch events as JSON lines."),
    "verify": _Entry("verify", "verify", "Check that the projection and what is linked in Xero agree."),
    "rebuild": _Entry("rebuild", "rebuild", "Build the projection afresh from the topic, and compare or replace."),
    "dead-letters": _Entry("dead_letters", "dead_letters", "Look after events that could not be used."),
    "topics": _Entry("topics", "topics", "Create the Kafka topics (for development)."),
    "tokens": _Entry("tokens", "tokens", "Look after the stored tokens."),
    "migrate": _Entry("migrate", "migrate", "Create the tables, or bring them up to date."),
    "export": _Entry("export", "export", "Write invoices or credit notes as CSV for Xero's import."),
    "console": _Entry("console", "console", "Serve the pages for finance staff."),
    "demo": _Entry("demo", "demo", "Show the whole service at work, with nothing to set up."),
    "sandbox": _Entry("sandbox", "sandbox", "Try the service without Xero: a Xero, clinics and their traffic."),
    "completion": _Entry("completion", "completion", "Print what makes a shell complete these commands."),
    "metrics": _Entry("metrics", "metrics", "Print the table of metrics."),
}


class _NobodyReadsError(Exception):
    """Who read our output has gone. Click and rich would call a BrokenPipeError a failure before we see it."""


@contextlib.contextmanager
def _noticing_the_reader() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        raise _NobodyReadsError from error
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):
            raise _NobodyReadsError from end
        raise


class _Commands(click.Group):
    """Finds commands in `_COMMANDS`; those whose module this installation lacks are not there."""

    def make_context(self, *arguments: Any, **further: Any) -> click.Context:
        with _noticing_the_reader():
            return super().make_context(*arguments, **further)

    def invoke(self, ctx: click.Context) -> Any:
        with _noticing_the_reader():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return [name for name, entry in _COMMANDS.items() if _exists(entry) and not entry.is_hidden]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        entry = _COMMANDS.get(cmd_name)
        if entry is None or not _exists(entry):
            return None
        command = getattr(importlib.import_module(f"consumer.cli.{entry.module}"), entry.attribute)
        assert isinstance(command, click.Command)  # noqa: S101 -- a test goes through all of them
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, _COMMANDS[name].help) for name in self.list_commands(ctx)])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in _COMMANDS and not name.startswith("-"):
            close = [known for known in self.list_commands(ctx) if known.startswith(name[:3])]
            hint = f" Did you mean {' or '.join(close)}?" if close else ""
            raise click.UsageError(f"There is no command {name!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option(package_name="hearlink-xero", prog_name="hearlink-xero")
def cli(*, debug: bool) -> None:
    """Keep the books of HearLink's clinics in Xero in step with their orders.

    Configured by environment variables; the README lists them.
    """
    # Read by `main`, also where the error comes before this line.
    del debug


def main() -> NoReturn:
    """Run the command line and end the process with its exit code."""
    _prepare_streams(sys.argv[1:])
    _refuse_bytes(sys.argv[1:])
    try:
        code = cli.main(prog_name="hearlink-xero", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Abort:
        click.echo("Stopped.", err=True)
        sys.exit(INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (_NobodyReadsError, BrokenPipeError):
        # Who read us (head, less) has seen enough.
        _drop_output()
        sys.exit(0)
    except Exception as error:  # noqa: BLE001 -- the last stop: told in one sentence, with a traceback on request
        if "--debug" in sys.argv:
            traceback.print_exception(error)
        failure = _describe(error)
        click.echo(failure.message, err=True)
        if isinstance(error, OSError):
            _drop_output()
        sys.exit(failure.exit_code)
    sys.exit(code if isinstance(code, int) else 0)


def _prepare_streams(arguments: Sequence[str]) -> None:
    """See to it that there is something to write to, and that no letter of an answer can make it fail."""
    if sys.stderr is None:
        sys.stderr = _nowhere()
    if sys.stdout is None:
        if next((word for word in arguments if not word.startswith("-")), "") not in _SILENT:
            click.echo("Standard output is closed, so nothing can be shown.", err=True)
            sys.exit(FAILED)
        sys.stdout = _nowhere()
    if isinstance(sys.stdout, io.TextIOWrapper) and not sys.stdout.encoding.lower().startswith("utf"):
        sys.stdout.reconfigure(errors="replace")


def _nowhere() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123 -- for as long as the process lives


def _drop_output() -> None:
    """Leave what is still to be written: Python would complain once more when it closes standard output."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _refuse_bytes(arguments: Sequence[str]) -> None:
    """End the process where an argument is no text: nothing that we store or look for could hold it."""
    for number, argument in enumerate(arguments, start=1):
        try:
            argument.encode()
        except UnicodeEncodeError:
            click.echo(f"Argument {number} is not text in UTF-8: {argument!a}.", err=True)
            sys.exit(MISUSED)


def _describe(error: Exception) -> Failure:
    if isinstance(error, Failure):
        return error
    from consumer.cli.failures import describe  # noqa: PLC0415 -- knows all rooms' errors, so it loads everything

    return describe(error)


def _exists(entry: _Entry) -> bool:
    return importlib.util.find_spec(f"consumer.cli.{entry.module}") is not None
