"""`verify`: whether the projection and what is linked in Xero agree."""

import click

from consumer.cli.context import as_json, assembly
from consumer.cli.failure import FAILED, Failure
from consumer.cli.output import print_json, print_table
from consumer.operations.verification import WORDS, Verification, verify_links

_SHOWN_ROWS = 50


@click.command()
@as_json
def verify(*, as_json: bool) -> None:
    """Check that the projection and what is linked in Xero agree.

    Compares counts and sums of orders that are in step, and looks for whatever doesn't fit: not linked, linked too
    much, orphans, calls without a known outcome, events that never came. Asks Postgres alone. Ends with 1 on a finding.
    """
    with assembly() as parts, parts.connect("verify") as connection:
        found = verify_links(connection)
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
    if not found.findings:
        click.echo("Everything fits.")
        return
    print_table(
        "What doesn't fit",
        ["what", "order", "detail", "meaning"],
        [[entry.code, entry.order_id, entry.detail, WORDS[entry.code]] for entry in found.findings[:_SHOWN_ROWS]],
    )
    if len(found.findings) > _SHOWN_ROWS:
        click.echo(f"... and {len(found.findings) - _SHOWN_ROWS} more; --json shows all.")
