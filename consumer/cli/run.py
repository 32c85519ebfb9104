"""`run`: the service itself."""

import os

import click

from consumer.configuration import read_configuration
from consumer.operations.assembly import Assembly
from consumer.operations.logs import configure_logs
from consumer.operations.process import Process, run_until_signalled
from consumer.operations.readiness import Role


@click.command()
@click.option(
    "--only",
    "roles",
    multiple=True,
    type=click.Choice([role.value for role in Role]),
    help="Run this role alone; may be given more than once. Any number of processes may run in any mix of roles.",
)
def run(roles: tuple[str, ...]) -> None:
    """Run the service until it is told to stop (SIGTERM or Ctrl-C).

    Waits for Postgres, Kafka and the schema registry, and says so. HTTP_ADDRESS serves /metrics, /healthz and /readyz;
    the log says where. Ends with 0 when it was stopped, 1 when a role can't go on, 4 when stopping had to be forced: it
    took too long, or a second signal came.
    """
    configure_logs(os.environ)
    configuration = read_configuration(os.environ)
    chosen = [Role(role) for role in roles] or list(Role)
    configuration.require_database()
    configuration.require_kafka()
    if Role.PUSH in chosen:
        configuration.require_client_id()
        configuration.require_token_keys()
    with Assembly(configuration) as assembly:
        run_until_signalled(Process(assembly, chosen))
