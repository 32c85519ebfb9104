"""`migrate`: the tables."""

import click
import psycopg

from consumer.cli.context import configuration
from consumer.cli.failure import Failure
from consumer.database import is_limit, is_outage
from consumer.database import migrate as apply_migrations
from consumer.operations.logs import error_text


@click.command()
def migrate() -> None:
    """Create the tables, or bring them up to date. Safe to run at any time, also by several at once.

    Puts back roles, grants and policies too, which a restored dump lacks; what only an administrator may do is printed
    as the statements to run.
    """
    try:
        applied, mended = apply_migrations(configuration().require_database())
    except psycopg.Error as error:
        if (is_outage(error) and not is_limit(error)) or error.sqlstate is None:
            raise
        hint = f" {error.diag.message_hint}." if error.diag.message_hint else ""
        raise Failure(
            f"Postgres refuses a migration: {error_text(error)}. It was rolled back; those before it stay.{hint}"
        ) from error
    for name in applied:
        click.echo(f"applied {name}")
    for right in mended:
        click.echo(f"put back {right}")
    if not applied and not mended:
        click.echo("The database is up to date.")
