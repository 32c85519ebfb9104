"""`rebuild`: the projection built afresh from the topic, compared with the living one."""

import sys

import click

from consumer.cli.context import as_json, assembly
from consumer.cli.failure import FAILED, Failure
from consumer.cli.output import print_json, print_table
from consumer.projection.rebuild import Comparison, Rebuild

_SHOWN_ROWS = 50


@click.command()
@click.option("--swap", is_flag=True, help="Put the rebuilt orders in place where they differ.")
@as_json
def rebuild(*, swap: bool, as_json: bool) -> None:
    """Build the projection afresh from the orders topic, beside the living one, and compare.

    Ends with 1 where they differ. --swap replaces what differs in one transaction, and lets orders go to Xero whose
    state was another; orders that the topic doesn't tell of stay as they are. The service may run meanwhile.
    """
    with assembly() as parts:
        settings = parts.projection_settings()
        work = Rebuild(settings, parts.decoder(), parts.message_decoder, _progress)
        found = work.run(swap=swap)
    if sys.stderr.isatty():
        click.echo(err=True)
    if as_json:
        print_json(found)
    else:
        _show(found, swapped=swap)
    if found.differences and not swap:
        raise Failure(f"{len(found.differences)} orders differ. --swap puts the rebuilt ones in place.", FAILED)


def _progress(read: int, total: int) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r{read} of {total} events", nl=False, err=True)


def _show(found: Comparison, *, swapped: bool) -> None:
    click.echo(f"{found.events} events read, {found.unusable} of them can't be used; {found.orders} orders.")
    if found.differences:
        print_table(
            "Orders that differ",
            ["order", "what differs", ">events, living", ">events, rebuilt"],
            [
                [entry.order_id, entry.kind, entry.living_sequence, entry.rebuilt_sequence]
                for entry in found.differences[:_SHOWN_ROWS]
            ],
        )
        if len(found.differences) > _SHOWN_ROWS:
            click.echo(f"... and {len(found.differences) - _SHOWN_ROWS} more; --json shows all.")
    else:
        click.echo("The living projection is as the topic says.")
    if swapped:
        click.echo(f"{found.replaced} orders were replaced, {found.made_due} of them are due.")
