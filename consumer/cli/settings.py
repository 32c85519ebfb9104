"""`settings`: what an organisation and its clinics have chosen."""

from pathlib import Path

import click
import msgspec
from psycopg import Connection, Rollback
from psycopg.rows import TupleRow

from consumer.cli.audit import record_act
from consumer.cli.context import actor_option, as_json, assembly
from consumer.cli.failure import MISUSED, Failure
from consumer.cli.output import print_json, print_table, shown
from consumer.cli.tenants import ask_xero, chosen_tenants, impossible_settings
from consumer.operations.assembly import Assembly
from consumer.results import left_behind_count
from consumer.settings import (
    CATEGORIES,
    ClinicSettings,
    Difference,
    FileSettings,
    Finding,
    Level,
    apply_settings,
    check_settings,
    load_overview,
    read_settings_file,
)
from consumer.sync.queue import wake_after_settings


@click.group()
def settings() -> None:
    """Apply, show and check an organisation's settings."""


class Outcome(msgspec.Struct, frozen=True):
    """What came of a file.

    `left_behind`: orders saved while synchronisation was off, in clinics where it is on now; nothing sends them by
    itself. `faults`: what can't work in Xero. `not_asked`: why Xero could not be asked.
    """

    organisation_id: str
    applied: bool
    changed: list[Difference]
    tried_again: int
    left_behind: int
    faults: list[Finding]
    errors: list[Finding]
    not_asked: str | None


@settings.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@click.option("--force", is_flag=True, help="Apply it although it can't work in Xero as it is there now.")
@as_json
@actor_option
def apply(*, file: Path, dry_run: bool, force: bool, as_json: bool, actor: str) -> None:
    """Make the settings in FILE (TOML) hold.

    The file is the whole truth of its organisation: what it leaves out is no longer set. Orders that had failed because
    of the settings are tried again. Those saved while synchronisation was off are counted, and go with their next
    change or by hearlink-xero retry --held disabled. Where Xero is connected, the file is checked against what Xero
    offers now, and refused if it names what is not there or can't be used. --json prints one document.
    """
    wanted = read_settings_file(file)
    with assembly() as parts, parts.connect("settings") as connection:
        asked = ask_xero(parts, connection, wanted.organisation_id, _tenant_ids(wanted))
        not_asked = None if asked is None else asked.reason
        outcome = _apply(connection, wanted, dry_run=dry_run, force=force, actor=actor)
    outcome = msgspec.structs.replace(outcome, not_asked=not_asked)
    if as_json:
        changed = [difference._asdict() for difference in outcome.changed]
        print_json(msgspec.structs.asdict(outcome) | {"changed": changed})
    elif outcome.applied or dry_run:
        _tell(outcome, dry_run=dry_run)
    if not_asked is not None:
        click.echo(f"Xero could not be asked, so what was read before counts: {not_asked}", err=True)
    if outcome.faults and not force:
        faults = "\n".join(f"- {_fault(finding)}" for finding in outcome.faults)
        raise Failure(
            f"These settings can't work in Xero, and were not applied (--force does it all the same):\n{faults}",
            MISUSED,
        )


def _apply(
    connection: Connection[TupleRow], wanted: FileSettings, *, dry_run: bool, force: bool, actor: str
) -> Outcome:
    """Apply `wanted` unless it must not be; the outcome tells what it does, or would do."""
    organisation_id = wanted.organisation_id
    with connection.transaction() as transaction:
        differences = apply_settings(connection, wanted, actor=actor)
        faults = impossible_settings(connection, organisation_id)
        findings = check_settings(connection, organisation_id)
        outcome = Outcome(
            organisation_id=organisation_id,
            applied=not dry_run and (force or not faults),
            changed=differences,
            tried_again=wake_after_settings(connection, organisation_id),
            left_behind=left_behind_count(connection, organisation_id),
            faults=faults,
            errors=[finding for finding in findings if finding.level is Level.ERROR],
            not_asked=None,
        )
        if not outcome.applied:
            raise Rollback(transaction)
        if faults:
            codes = sorted({finding.code for finding in faults})
            record_act(connection, "settings_forced", actor=actor, organisation_id=organisation_id, faults=codes)
    return outcome


def _tell(outcome: Outcome, *, dry_run: bool) -> None:
    for difference in outcome.changed:
        click.echo(_line(difference))
    if not outcome.changed:
        click.echo(f"Nothing changed: the settings of {outcome.organisation_id} are as the file says.")
    if outcome.tried_again:
        would = "would be" if dry_run else "are"
        click.echo(f"{outcome.tried_again} orders that had failed because of the settings {would} tried again.")
    if outcome.left_behind:
        click.echo(
            f"{outcome.left_behind} orders were saved while synchronisation was off, in clinics where it "
            f"{'would be' if dry_run else 'is'} on. They do not go by themselves: hearlink-xero retry --held disabled "
            f"--organisation {outcome.organisation_id}"
        )
    if dry_run:
        click.echo("This is what would change. Nothing was applied.")
    if outcome.errors and outcome.applied:
        click.echo(
            f"{len(outcome.errors)} things keep orders from Xero: hearlink-xero settings check "
            f"--organisation {outcome.organisation_id}",
            err=True,
        )


def _tenant_ids(wanted: FileSettings) -> set[str]:
    named = [wanted.defaults.get("tenant_id"), *(values.get("tenant_id") for values in wanted.clinics.values())]
    return {str(tenant_id) for tenant_id in named if tenant_id is not None}


def _fault(finding: Finding) -> str:
    return f"{finding.message} {finding.fix}"


@settings.command()
@click.option("--organisation", help="Only this one.")
@as_json
def show(*, organisation: str | None, as_json: bool) -> None:
    """Show what holds for each clinic, and what it overrides. --json prints one document, a list of organisations."""
    with assembly() as parts, parts.connect("settings") as connection:
        found = [load_overview(connection, name) for name in _organisations(connection, organisation)]
    overviews = [overview for overview in found if overview is not None]
    if not overviews:
        who = "No organisation has" if organisation is None else f"{organisation} has no"
        raise Failure(f"{who} settings. Run: hearlink-xero settings apply FILE")
    if as_json:
        print_json(overviews)
        return
    for overview in overviews:
        print_table(
            f"{overview.organisation_id}: defaults",
            ["setting", "value"],
            [[field, value] for field, value in overview.defaults.items()],
        )
        print_table(
            f"{overview.organisation_id}: clinics",
            [
                "clinic",
                "enabled",
                "mode",
                "invoices",
                "tenant",
                "payments",
                "amount limit",
                "revenue and tax",
                "overrides",
            ],
            [_clinic_row(clinic.settings, sorted(clinic.overrides)) for clinic in overview.clinics.values()],
        )


@settings.command()
@click.option("--organisation", help="Only this one.")
@click.option("--offline", is_flag=True, help="Go by what was last read of Xero, asking nothing of it.")
@as_json
def check(*, organisation: str | None, offline: bool, as_json: bool) -> None:
    """List what is incomplete or can't work, and what to do. Ends with 1 if orders would fail.

    Xero is asked afresh for its tenants, accounts and tax rates, which also renews a token that got old. --json prints
    one document: findings by organisation.
    """
    with assembly() as parts, parts.connect("settings") as connection:
        names = _organisations(connection, organisation)
        lock_outs = {name: [] if offline else _ask_anew(parts, connection, name) for name in names}
        findings = {name: [*lock_outs[name], *check_settings(connection, name)] for name in names}
    if as_json:
        print_json(findings)
    else:
        for name, found in findings.items():
            print_table(
                name,
                ["level", "clinics", "what", "what to do"],
                [
                    [finding.level, ", ".join(finding.clinic_ids) or "all", finding.message, finding.fix]
                    for finding in found
                ],
            )
    if any(finding.level is Level.ERROR for found in findings.values() for finding in found):
        raise click.exceptions.Exit(1)


def _ask_anew(parts: Assembly, connection: Connection[TupleRow], organisation_id: str) -> list[Finding]:
    """Ask Xero what it offers; what keeps us from it also keeps all orders from it is a finding, the rest a remark."""
    not_asked = ask_xero(parts, connection, organisation_id, chosen_tenants(connection, organisation_id))
    if not_asked is None:
        return []
    if not_asked.locked_out:
        fix = "Put the key that these tokens were encrypted with among TOKEN_ENCRYPTION_KEYS, or connect again."
        return [Finding("tokens_locked", Level.ERROR, f"Nothing can be sent: {not_asked.reason}", fix)]
    click.echo(
        f"{organisation_id}: Xero could not be asked, so what was read before counts: {not_asked.reason}", err=True
    )
    return []


def _organisations(connection: Connection[TupleRow], wanted: str | None) -> list[str]:
    if wanted is not None:
        return [wanted]
    return [name for (name,) in connection.execute("select organisation_id from organisation order by 1")]


def _line(difference: Difference) -> str:
    place = difference.clinic_id or "organisation"
    return f"{place}: {difference.field}: {_value(difference.before)} -> {_value(difference.after)}"


def _value(value: object) -> str:
    return "not set" if value is None else shown(value)


def _clinic_row(clinic: ClinicSettings, overrides: list[str]) -> list[object]:
    categories = [(category, clinic.categories[category]) for category in CATEGORIES]
    chosen = [f"{name}: {chosen.revenue_account or '?'} {chosen.tax_type or '?'}" for name, chosen in categories]
    return [
        clinic.clinic_id,
        clinic.synchronisation_enabled,
        clinic.mode,
        clinic.invoice_status,
        clinic.tenant_id or "none",
        clinic.payment_account or "none",
        clinic.amount_limit,
        "\n".join(chosen),
        ", ".join(overrides),
    ]
