"""`timeline`: all that happened to one order."""

import click

from consumer.cli.context import as_json, assembly
from consumer.cli.failure import Failure
from consumer.cli.output import print_json, print_table
from consumer.operations.timeline import load_timeline


@click.command()
@click.argument("order_id")
@as_json
def timeline(*, order_id: str, as_json: bool) -> None:
    """Show all that happened to ORDER_ID: events, calls to Xero, results. --json prints one document."""
    with assembly() as parts, parts.connect("timeline") as connection:
        found = load_timeline(connection, order_id)
    if found is None:
        raise Failure(f"Nothing is known of an order {order_id}.")
    if as_json:
        print_json(found)
        return
    if found.order is not None:
        print_table(
            f"Order {order_id}",
            ["what", "value"],
            [[name, value] for name, value in found.order.items() if value is not None],
        )
    print_table(
        "", ["time (UTC)", "what", "happened"], [[moment.at, moment.kind, moment.text] for moment in found.moments]
    )
