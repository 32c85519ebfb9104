"""`status`: the state of the whole service."""

import click

from consumer.cli.context import as_json, assembly
from consumer.cli.failure import FAILED, Failure
from consumer.cli.output import console, duration, print_json, print_table, shown
from consumer.database import describe_rights, foreign_owners
from consumer.operations.access import AccessReport
from consumer.operations.status import Status, TenantStatus, read_status


@click.command()
@as_json
def status(*, as_json: bool) -> None:
    r"""Show what is due, what waits, what failed, and why.

    \b
    due          orders that are pushed as soon as a call is free
    waiting      orders that go on by themselves, once what they wait for is over:
      pause        an order that is edited again and again
      limit        Xero's calls of the minute or the day
      retry        the next attempt after one that failed
      connection   Xero lets HearLink do it again
      in_doubt     an answer of Xero's was lost, and is looked up
      settings     the settings are mended
    failed       orders that need someone: hearlink-xero problems
    settled      orders that somebody settled: hearlink-xero problems --settled
    held         orders that wait for a person, as their clinics wish:
      manual       the clinic syncs by hand
      disabled     synchronisation is off
    left behind  saved while synchronisation was off, which is on now:
                 sent by their next change, or hearlink-xero retry --held disabled

    The numbers of a tenant hold the orders that it serves, or that were last tried in it; a row "no tenant" holds those
    that no tenant has.

    All is quiet when lag, due, waiting and unpublished are 0. --json prints one document; lag is null where it can't be
    known, and lag_reason says why.
    """
    with assembly() as parts, parts.connect("status") as connection:
        foreign = foreign_owners(connection)
        if foreign:
            # Whoever does not own the tables may see no rows, and all would look well.
            raise Failure(describe_rights(foreign), FAILED)
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
            ["lag", lag, found.lag_reason or _lag_meaning(found)],
            ["due", found.due, f"orders to push now; the oldest for {duration(found.oldest_due_seconds) or '0 s'}"],
            ["waiting", found.waiting, f"orders that go on by themselves{': ' + waiting if waiting else ''}"],
            ["failed", found.failed, f"orders that need someone: {found.open_problems} open problems"],
            ["settled", found.settled, "orders that somebody settled, so that they are left alone"],
            ["unpublished", found.unpublished, f"results for Kafka; {found.set_aside} set aside"],
            ["open intents", found.open_intents, "calls whose outcome is not known yet"],
            ["dead letters", found.dead_letters, "events that could not be used"],
            ["held", sum(found.held.values()), f"orders as their clinics wish{': ' + held if held else ''}"],
            ["left behind", found.left_behind, _left_behind(found.left_behind)],
        ],
    )
    if found.missing_rights:
        console().print(
            f"The console can't work: the database lacks {', '.join(found.missing_rights)}. Run: hearlink-xero migrate",
            markup=False,
        )
    for report in found.access:
        # Of a tenant that is gone, its own row tells: nobody need use it.
        if not report.is_disconnected or report.tenant_id is None:
            console().print(_access(report), markup=False)
    for detail, stopped_at in {stop.detail: stop.stopped_at for stop in found.stops}.items():
        # As the service said it; several partitions have their words in common.
        click.echo(f"Bad events stopped the service at {shown(stopped_at)} (UTC):\n{detail}\n")
    if found.tenants:
        print_table(
            "Tenants",
            ["organisation", "tenant", "name", ">due", ">waiting", ">failed", ">settled", ">minute", ">day", "note"],
            [
                [
                    ", ".join(tenant.organisations),
                    "" if tenant.tenant_id.startswith("-:") else tenant.tenant_id,
                    tenant.name,
                    tenant.due,
                    tenant.waiting,
                    tenant.failed,
                    tenant.settled,
                    f"{tenant.minute_used}/{tenant.minute_limit}" if tenant.minute_limit else "",
                    f"{tenant.day_used}/{tenant.day_limit}" if tenant.day_limit else "",
                    _note(tenant, found.access),
                ]
                for tenant in found.tenants
            ],
        )


def _access(report: AccessReport) -> str:
    if report.is_disconnected:
        return (
            f"Xero is disconnected for {report.organisation_id}: {report.reason}. "
            f"Run: hearlink-xero connect --organisation {report.organisation_id}"
        )
    where = f" (tenant {report.tenant_id})" if report.tenant_id else ""
    said = f" Xero says: {report.xero_message}." if report.xero_message else ""
    again = f" Tried again at {shown(report.retry_at)} (UTC)." if report.retry_at else ""
    return f"{report.organisation_id}{where}: {report.message}{said} {report.fix}{again}"


def _lag_meaning(found: Status) -> str:
    meaning = "events not projected yet"
    if found.lag:
        meaning += f"; the oldest for {duration(found.lag_seconds) or '0 s'}"
    if found.lag_held:
        meaning += f"; {found.lag_held} can't be read yet: a producer's transaction is open"
    return meaning


def _left_behind(orders: int) -> str:
    what = "orders saved while synchronisation was off, where it is on now"
    return f"{what}: hearlink-xero retry --held disabled" if orders else what


def _note(tenant: TenantStatus, access: list[AccessReport]) -> str:
    if tenant.tenant_id.startswith("-:"):
        return ""
    refused = [
        report.code.removeprefix("xero_").replace("_", " ")
        for report in access
        if report.organisation_id == tenant.organisation_id and report.tenant_id in {None, tenant.tenant_id}
    ]
    if refused:
        return ", ".join(dict.fromkeys(refused))
    if not tenant.connected:
        return "disconnected"
    return f"rests {duration(tenant.frozen_seconds)} ({tenant.frozen_reason})" if tenant.frozen_seconds else ""
