"""`migrate`: the tables."""

import click
import psycopg

from consumer.cli.context import configuration
from consumer.cli.failure import Failure
from consumer.database import is_outage
from consumer.database import migrate as apply_migrations
from consumer.operations.logs import error_text


@click.command()
def migrate() -> None:
    """Create the tables, or bring them up to date. Safe to run at any time, also by several at once."""
    try:
        applied = apply_migrations(configuration().require_database())
    except psycopg.Error as error:
        if is_outage(error) or error.sqlstate is None:
            raise
        raise Failure(
            f"Postgres refuses a migration: {error_text(error)}. It was rolled back; those before it stay."
        ) from error
    for name in applied:
        click.echo(f"applied {name}")
    if not applied:
        click.echo("The database is up to date.")
