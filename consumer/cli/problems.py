"""`problems`: what keeps orders from Xero."""

import click

from consumer.cli.context import as_json, assembly
from consumer.cli.known import refuse_unknown
from consumer.cli.output import print_json, print_table
from consumer.results import open_problems
from consumer.sync.settling import SettledOrder, settled_orders


@click.command()
@click.option("--organisation", help="Only this one.")
@click.option("--settled", is_flag=True, help="The orders that somebody settled instead: who, when, how and why.")
@as_json
def problems(*, organisation: str | None, settled: bool, as_json: bool) -> None:
    """Show what keeps orders from Xero, and what to do about it; those that keep most orders first.

    --json prints one document, a list. Once a problem is mended: hearlink-xero retry --problem CODE. Where that can't
    end it: hearlink-xero settle ORDER_ID
    """
    with assembly() as parts, parts.connect("problems") as connection:
        refuse_unknown(connection, organisation_id=organisation)
        if settled:
            _show_settled(settled_orders(connection, organisation), as_json=as_json)
            return
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


def _show_settled(found: list[SettledOrder], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    if not found:
        click.echo("No order is settled.")
        return
    print_table(
        "",
        ["order", "organisation", "clinic", "settled as", "by", "reason", "had failed for", "since (UTC)"],
        [
            [
                order.order_id,
                order.organisation_id,
                order.clinic_id,
                order.settled_as.value,
                order.actor,
                order.reason,
                order.problem,
                order.settled_at,
            ]
            for order in found
        ],
    )
