"""`metrics`: all metrics with their meaning."""

import click

from consumer.cli.context import as_json
from consumer.cli.output import print_json, print_table
from consumer.operations.metric_table import TABLE, markdown_table


@click.command()
@click.option("--markdown", is_flag=True, help="As a table of Markdown.")
@as_json
def metrics(*, markdown: bool, as_json: bool) -> None:
    """Print all metrics with their meaning. --json prints one document, a list."""
    if as_json:
        fields = ("kind", "unit", "help", "labels", "shared")
        print_json([{"name": entry.full_name, **{name: getattr(entry, name) for name in fields}} for entry in TABLE])
        return
    if markdown:
        click.echo(markdown_table())
        return
    print_table(
        "",
        ["metric", "type", "labels", "unit", "meaning"],
        [[entry.full_name, entry.kind, ", ".join(entry.labels), entry.unit, entry.help] for entry in TABLE],
    )
