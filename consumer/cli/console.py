"""`console`: the pages for finance staff."""

import os
from functools import partial

import click
import structlog

from consumer.cli.context import assembly
from consumer.cli.failure import FAILED, UNREACHABLE, Failure
from consumer.console import ConsoleHealth, ConsoleServer
from consumer.operations.health import HttpServer
from consumer.operations.logs import configure_logs
from consumer.operations.readiness import look_at_database, look_at_server

_LOG = structlog.get_logger()


@click.command()
def console() -> None:
    """Serve the console's pages, and the JSON API beside them, until it is told to stop (SIGTERM or Ctrl-C).

    CONSOLE_ADDRESS says where, CONSOLE_SIGN_IN who gets in, CONSOLE_METRICS_ADDRESS where /metrics, /healthz and
    /readyz are. Any number of these may run. What people ask for goes
    through the outbox, so a `run` has to be at work somewhere for it to happen.
    """
    with assembly() as parts:
        configure_logs(os.environ)
        looks = (look_at_server, partial(look_at_database, for_console=True))
        for look in looks:
            verdict = look(parts.configuration.require_database())
            if not verdict.ready:
                raise Failure(verdict.reason, FAILED if verdict.hopeless else UNREACHABLE)
        server = ConsoleServer(parts)
        address = parts.configuration.console.metrics_address
        with HttpServer(address, ConsoleHealth(parts), variable="CONSOLE_METRICS_ADDRESS") as probes:
            _LOG.info("http_listening", url=probes.url)
            click.echo(f"The console is at {server.addresses.public}", err=True)
            server.serve_until_signalled()
