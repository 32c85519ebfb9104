"""`status`: the state of the whole service."""

import click

from consumer.cli.context import as_json, assembly
from consumer.cli.output import console, duration, print_json, print_table
from consumer.operations.status import Status, read_status


@click.command()
@as_json
def status(*, as_json: bool) -> None:
    """Show what is due, what waits, what failed, and why.

    All is quiet when lag, due, waiting and unpublished are 0. --json prints one document; lag is null where Kafka can't
    be asked, and lag_reason says why.
    """
    with assembly() as parts, parts.connect("status") as connection:
        found = read_status(connection, parts.configuration, parts.budget)
    if as_json:
        print_json(found)
    else:
        _show(found)


def _show(found: Status) -> None:
    lag = "unknown" if found.lag is None else found.lag
    waiting = ", ".join(f"{count} for {reason}" for reason, count in found.waiting_for.items())
    held = ", ".join(f"{count} {hold}" for hold, count in found.held.items())
    print_table(
        "",
        ["what", ">count", "meaning"],
        [
            ["lag", lag, found.lag_reason or "events not projected yet"],
            ["due", found.due, f"orders to push now; the oldest for {duration(found.oldest_due_seconds) or '0 s'}"],
            ["waiting", found.waiting, f"orders that go on by themselves{': ' + waiting if waiting else ''}"],
            ["failed", found.failed, f"orders that need someone: {found.open_problems} open problems"],
            ["unpublished", found.unpublished, f"results for Kafka; {found.set_aside} set aside"],
            ["open intents", found.open_intents, "calls whose outcome is not known yet"],
            ["dead letters", found.dead_letters, "events that could not be used"],
            ["held", sum(found.held.values()), f"orders as their clinics wish{': ' + held if held else ''}"],
        ],
    )
    for connection in found.connections:
        if connection.state != "connected":
            console().print(
                f"Xero is disconnected for {connection.organisation_id}: {connection.reason}. "
                f"Run: hearlink-xero connect --organisation {connection.organisation_id}",
                markup=False,
            )
    if found.tenants:
        print_table(
            "Tenants",
            ["tenant", "name", ">due", ">waiting", ">failed", ">minute", ">day", "note"],
            [
                [
                    tenant.tenant_id,
                    tenant.name,
                    tenant.due,
                    tenant.waiting,
                    tenant.failed,
                    f"{tenant.minute_used}/{tenant.minute_limit}",
                    f"{tenant.day_used}/{tenant.day_limit}",
                    _note(tenant.connected, tenant.frozen_seconds, tenant.frozen_reason),
                ]
                for tenant in found.tenants
            ],
        )


def _note(connected: bool, frozen_seconds: float, frozen_reason: str | None) -> str:  # noqa: FBT001 -- a field
    if not connected:
        return "disconnected"
    return f"rests {duration(frozen_seconds)} ({frozen_reason})" if frozen_seconds else ""
