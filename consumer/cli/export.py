"""`export`: CSV files for Xero's own import."""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click
from psycopg import Connection

from consumer.cli.audit import record_act
from consumer.cli.context import actor_option, as_json, assembly
from consumer.cli.failure import Failure
from consumer.cli.output import print_json, print_table
from consumer.export import (
    ExportKind,
    ExportReport,
    ExportSelection,
    FolderNotEmptyError,
    UnknownScopeError,
    count_documents,
    export_pieces,
    require_known,
    write_folder,
)

_DAY = click.DateTime(formats=["%Y-%m-%d"])


@click.group()
def export() -> None:
    """Write invoices or credit notes as CSV for Xero's import."""


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(
        (
            click.option("--organisation", required=True, help="HearLink's id of the organisation."),
            click.option("--clinic", help="Only this clinic's."),
            click.option("--since", required=True, type=_DAY, help="The first day of issue."),
            click.option("--until", required=True, type=_DAY, help="The last day of issue."),
            click.option(
                "--missing-only/--include-in-xero",
                default=True,
                show_default=True,
                help="Leave out, or include, what the live sync put into Xero already: imported, it would double.",
            ),
            click.option(
                "--output",
                type=click.Path(path_type=Path, file_okay=False),
                default=Path(),
                help="The folder for the files; the present one by default.",
            ),
            click.option("--reason", help="Why, for the records."),
            as_json,
            actor_option,
        )
    ):
        command = option(command)
    return command


@export.command()
@_options
def invoices(**options: Any) -> None:
    """Write the invoices issued in a range of days.

    One file for each Xero organisation and kind of prices (tax inclusive or exclusive: Xero's import asks which), of at
    most 500 invoices, and a text to read first: what was left out and why. --json prints one document with the same.

    Left out and told, whatever the options: invoices without a number, or with one that another order's has too (the
    import would make one invoice of the two), in another currency than the books, or voided in Xero.
    """
    _export(ExportKind.INVOICES, **options)


@export.command()
@_options
def credit_notes(**options: Any) -> None:
    """Write the credit notes issued in a range of days, as documents with negative prices.

    Try it with one note first: that Xero's import makes credit notes of them is not documented by Xero. A text
    to read first says what was left out and why. --json prints one document with the same.
    """
    _export(ExportKind.CREDIT_NOTES, **options)


def _export(
    kind: ExportKind,
    *,
    organisation: str,
    clinic: str | None,
    since: datetime,
    until: datetime,
    missing_only: bool,
    output: Path,
    reason: str | None,
    as_json: bool,
    actor: str,
) -> None:
    first, last = _days(since, until)
    selection = ExportSelection(
        organisation_id=organisation,
        kind=kind,
        since=first,
        until=last,
        clinic_id=clinic,
        missing_only=missing_only,
    )
    report = ExportReport()
    with assembly() as parts, parts.connect("export") as connection:
        try:
            require_known(connection, selection)
            _record(connection, selection, actor=actor, reason=reason)
            # Closed before the connection is: an export that is broken off ends its transaction itself.
            with (
                _progress(count_documents(connection, selection)) as bar,
                closing(export_pieces(connection, selection, report)) as pieces,
            ):
                write_folder(
                    pieces,
                    output,
                    report,
                    notes_name=f"read-me-first-{kind.value}-{first}-to-{last}.txt",
                    on_documents=bar.update if bar is not None else lambda _: None,
                )
        except (FolderNotEmptyError, UnknownScopeError) as error:
            raise Failure(str(error)) from error
        except OSError as error:
            raise Failure(f"{output} can't be written: {error.strerror}.") from error
    if as_json:
        print_json(report.as_document())
        return
    if report.files:
        print_table(
            "",
            ["file", "Xero organisation", "amounts are tax", f">{kind.value}"],
            [[output / file.name, file.tenant_name, file.prices, file.documents] for file in report.files],
        )
    else:
        click.echo(f"No {kind.value.replace('-', ' ')} to export from {first} to {last}.")
    for why, count in report.left_out.most_common():
        click.echo(f"Left out: {count}: {why}.", err=True)
    for remark in report.remarks:
        click.echo(f"{remark}.", err=True)
    if report.remarks_untold:
        click.echo(f"... and {report.remarks_untold} more of that kind.", err=True)


def _record(connection: Connection[Any], selection: ExportSelection, *, actor: str, reason: str | None) -> None:
    """Write down what leaves, before it does: it holds patients' names and addresses."""
    record_act(
        connection,
        "export",
        actor=actor,
        organisation_id=selection.organisation_id,
        kind=selection.kind.value,
        since=selection.since,
        until=selection.until,
        clinic_id=selection.clinic_id,
        missing_only=selection.missing_only,
        reason=reason,
    )


def _days(since: datetime, until: datetime) -> tuple[date, date]:
    if until < since:
        raise click.BadParameter("is before --since", param_hint="--until")
    return since.date(), until.date()


def _progress(length: int) -> AbstractContextManager[Any]:
    """Return a bar on standard error, where a person sees it."""
    if not sys.stderr.isatty():
        return nullcontext()
    return click.progressbar(length=length, label="Exporting", file=sys.stderr)
