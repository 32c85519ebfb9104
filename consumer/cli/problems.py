"""`problems`: what keeps orders from Xero."""

import click

from consumer.cli.context import as_json, assembly
from consumer.cli.known import refuse_unknown
from consumer.cli.output import print_json, print_table
from consumer.results import open_problems


@click.command()
@click.option("--organisation", help="Only this one.")
@as_json
def problems(*, organisation: str | None, as_json: bool) -> None:
    """Show what keeps orders from Xero, and what to do about it; those that keep most orders first.

    --json prints one document, a list. Once a problem is mended: hearlink-xero retry --problem CODE
    """
    with assembly() as parts, parts.connect("problems") as connection:
        refuse_unknown(connection, organisation_id=organisation)
        found = open_problems(connection, organisation)
    if as_json:
        print_json(found)
        return
    if not found:
        click.echo(f"No problem is open{'' if organisation is None else f' in {organisation}'}.")
        return
    print_table(
        "",
        [">orders", "problem", "organisation", "what happened", "what to do", "since (UTC)"],
        [
            [
                problem.order_count,
                problem.code,
                problem.organisation_id,
                problem.message,
                problem.fix,
                problem.opened_at,
            ]
            for problem in found
        ],
    )
