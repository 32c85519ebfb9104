"""`migrate`: the tables."""

import click

from consumer.cli.context import configuration
from consumer.database import migrate as apply_migrations


@click.command()
def migrate() -> None:
    """Create the tables, or bring them up to date. Safe to run at any time, also by several at once."""
    applied = apply_migrations(configuration().require_database())
    for name in applied:
        click.echo(f"applied {name}")
    if not applied:
        click.echo("The database is up to date.")
