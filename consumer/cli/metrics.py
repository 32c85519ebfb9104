"""`metrics`: the table of metrics, for the documentation."""

import click

from consumer.operations.metric_table import TABLE, markdown_table


@click.command()
@click.option("--markdown", is_flag=True, help="As a table of Markdown.")
def metrics(*, markdown: bool) -> None:
    """Print the names of all metrics, or the table of the documentation."""
    click.echo(markdown_table() if markdown else "\n".join(metric.full_name for metric in TABLE))
