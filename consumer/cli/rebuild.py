"""`rebuild`: the projection built afresh from the topic, compared with the living one."""

import sys

import click

from consumer.cli.audit import record_act, record_orders, with_organisations
from consumer.cli.context import actor_option, as_json, assembly
from consumer.cli.failure import FAILED, Failure
from consumer.cli.output import print_json, print_table, show_progress
from consumer.operations.assembly import Assembly
from consumer.operations.kafka import require_topics
from consumer.projection.rebuild import KEPT, Comparison, Rebuild

_SHOWN_ROWS = 50


@click.command()
@click.option("--swap", is_flag=True, help="Put the rebuilt orders in place where they differ.")
@click.option("--reason", help="Why, for the records.")
@as_json
@actor_option
def rebuild(*, swap: bool, reason: str | None, as_json: bool, actor: str) -> None:
    """Build the projection afresh from the orders topic, beside the living one, and compare.

    Ends with 1 where they differ. --swap replaces what differs in one transaction, and lets orders go to Xero whose
    state was another. Orders of which the topic tells nothing any more, or not all, stay as they are: where its
    beginning was deleted that is no difference to end with. The service may run meanwhile.
    """
    with assembly() as parts:
        settings = parts.projection_settings()
        require_topics(parts.configuration, [settings.orders_topic])
        work = Rebuild(settings, parts.decoder(), parts.message_decoder, show_progress)
        found = work.run(swap=swap)
        if swap and found.orders:
            _record(parts, found, actor=actor, reason=reason)
    if sys.stderr.isatty():
        click.echo(err=True)
    if as_json:
        print_json(found)
    else:
        _show(found, swapped=swap)
    if found.differences and not found.orders and not found.begins_at:
        # Another topic's name: nothing was there to be put in place.
        raise Failure(
            f"{settings.orders_topic} tells of no order at all, and the projection has {len(found.differences)}. "
            "Is it the right topic (ORDERS_TOPIC)? The projection stays as it is.",
            FAILED,
        )
    different = len(found.differences) - found.kept
    if swap or (found.begins_at and not different):
        return
    if different:
        raise Failure(f"{different} orders differ. --swap puts the rebuilt ones in place.", FAILED)
    if found.differences:
        raise Failure(
            f"{found.kept} orders differ. The topic doesn't tell all of them, so --swap would leave them as they are.",
            FAILED,
        )


def _record(parts: Assembly, found: Comparison, *, actor: str, reason: str | None) -> None:
    replaced = [difference.order_id for difference in found.differences if difference.kind not in KEPT]
    with parts.connect("rebuild") as connection, connection.transaction():
        record_act(connection, "rebuild", actor=actor, replaced=found.replaced, made_due=found.made_due, reason=reason)
        record_orders(
            connection, "rebuild_replaced", with_organisations(connection, replaced), actor=actor, reason=reason
        )


def _show(found: Comparison, *, swapped: bool) -> None:
    click.echo(f"{found.events} events read, {found.unusable} of them can't be used; {found.orders} orders.")
    for partition, offset in found.begins_at.items():
        click.echo(f"Partition {partition} begins at offset {offset}: what was before is gone.")
    if found.kept:
        click.echo(f"The topic no longer tells all of {found.kept} orders (extra, incomplete): they stay as they are.")
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
