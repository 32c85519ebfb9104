"""`settings`: what an organisation and its clinics have chosen."""

from pathlib import Path

import click
from psycopg import Connection
from psycopg.rows import TupleRow

from consumer.cli.context import actor_option, as_json, assembly
from consumer.cli.failure import Failure
from consumer.cli.output import print_json, print_table, shown
from consumer.settings import (
    CATEGORIES,
    ClinicSettings,
    Difference,
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


@settings.command()
@click.argument("file", type=click.Path(path_type=Path))
@actor_option
def apply(*, file: Path, actor: str) -> None:
    """Make the settings in FILE (TOML) hold.

    The file is the whole truth of its organisation: what it leaves out is no longer set. Orders that had failed because
    of the settings are tried again.
    """
    wanted = read_settings_file(file)
    with assembly() as parts, parts.connect("settings") as connection:
        differences = apply_settings(connection, wanted, actor=actor)
        woken = wake_after_settings(connection, wanted.organisation_id)
        incomplete = [
            finding for finding in check_settings(connection, wanted.organisation_id) if finding.level is Level.ERROR
        ]
    for difference in differences:
        click.echo(_line(difference))
    if not differences:
        click.echo(f"Nothing changed: the settings of {wanted.organisation_id} are as the file says.")
    if woken:
        click.echo(f"{woken} orders that had failed because of the settings are tried again.")
    if incomplete:
        click.echo(
            f"{len(incomplete)} things keep orders from Xero: hearlink-xero settings check "
            f"--organisation {wanted.organisation_id}",
            err=True,
        )


@settings.command()
@click.option("--organisation", help="Only this one.")
@as_json
def show(*, organisation: str | None, as_json: bool) -> None:
    """Show what holds for each clinic, and what it overrides. --json prints one document, a list of organisations."""
    with assembly() as parts, parts.connect("settings") as connection:
        found = [load_overview(connection, name) for name in _organisations(connection, organisation)]
    overviews = [overview for overview in found if overview is not None]
    if as_json:
        print_json(overviews)
        return
    if not overviews:
        raise Failure(f"{organisation or 'No organisation'} has no settings. Run: hearlink-xero settings apply FILE")
    for overview in overviews:
        print_table(
            f"{overview.organisation_id}: defaults",
            ["setting", "value"],
            [[field, value] for field, value in overview.defaults.items()],
        )
        print_table(
            f"{overview.organisation_id}: clinics",
            ["clinic", "enabled", "mode", "invoices", "tenant", "payments", "revenue and tax", "overrides"],
            [_clinic_row(clinic.settings, sorted(clinic.overrides)) for clinic in overview.clinics.values()],
        )


@settings.command()
@click.option("--organisation", help="Only this one.")
@as_json
def check(*, organisation: str | None, as_json: bool) -> None:
    """List what is incomplete or can't work, and what to do. Ends with 1 if orders would fail.

    --json prints one document: findings by organisation.
    """
    with assembly() as parts, parts.connect("settings") as connection:
        names = _organisations(connection, organisation)
        findings = {name: check_settings(connection, name) for name in names}
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
        "\n".join(chosen),
        ", ".join(overrides),
    ]
