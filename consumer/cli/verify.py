"""`verify`: whether the projection and what is linked in Xero agree."""

from contextlib import nullcontext
from typing import TextIO

import click

from consumer.cli.context import as_json, assembly
from consumer.cli.failure import FAILED, Failure
from consumer.cli.hearlink_list import read_list
from consumer.cli.output import print_json, print_table, progress
from consumer.operations.verification import WORDS, ListComparison, Verification, load_list, verify_links

_SHOWN_ROWS = 50


@click.command()
@click.option(
    "--against",
    "listed",
    type=click.File("r", encoding="utf-8"),
    metavar="FILE",
    help="HearLink's own list of orders and last sequences (CSV or JSON lines; - reads standard input).",
)
@as_json
def verify(*, listed: TextIO | None, as_json: bool) -> None:
    """Check that the projection and what is linked in Xero agree.

    Compares counts and sums of orders that are in step, and looks for whatever doesn't fit: not linked, linked too
    much, orphans, calls without a known outcome, events that never came. Asks Postgres alone, and says what it can't
    know: newer events that never came leave no trace. HearLink's own list tells of those: lines of order_id,sequence,
    the last sequence of each order, made before lag was 0. Ends with 1 on a finding.
    """
    with assembly() as parts, parts.connect("verify") as connection:
        with nullcontext() if listed is None else listed:
            if listed is not None:
                load_list(connection, read_list(listed))
        with progress("orders") as advance:
            found = verify_links(connection, with_list=listed is not None, progress=advance)
    if as_json:
        print_json(found)
    else:
        _show(found)
    if found.findings:
        raise Failure(f"{len(found.findings)} things don't fit.", FAILED)


def _show(found: Verification) -> None:
    print_table(
        "Orders in step",
        [
            "organisation",
            ">orders",
            ">linked",
            ">payments",
            ">linked",
            ">amount",
            ">linked",
            ">credit notes",
            ">linked",
        ],
        [
            [
                totals.organisation_id,
                totals.orders,
                totals.invoices_linked,
                totals.payments,
                totals.payments_linked,
                totals.payment_amount,
                totals.linked_amount,
                totals.credit_notes,
                totals.credit_notes_linked,
            ]
            for totals in found.totals
        ],
    )
    if found.against is not None:
        click.echo(_compared(found.against))
    if found.findings:
        _show_findings(found)
    else:
        click.echo(f"Everything that is here fits: {found.orders} orders.")
    if found.settled:
        click.echo(f"{found.settled} orders are settled by people, and not judged: hearlink-xero problems --settled")
    click.echo("What this can't tell:")
    for sentence in found.cannot_know:
        click.echo(f"- {sentence}")


def _compared(against: ListComparison) -> str:
    return (
        f"HearLink's list: {against.listed} orders; {against.equal} stand here as there, {against.behind} are behind, "
        f"{against.not_arrived} never came, {against.ahead} are further here than on the list. "
        f"{against.unlisted} orders here are not on it."
    )


def _show_findings(found: Verification) -> None:
    print_table(
        "What doesn't fit",
        ["what", "order", "detail", "meaning"],
        [[entry.code, entry.order_id, entry.detail, WORDS[entry.code]] for entry in found.findings[:_SHOWN_ROWS]],
    )
    if len(found.findings) > _SHOWN_ROWS:
        click.echo(f"... and {len(found.findings) - _SHOWN_ROWS} more; --json shows all.")
