"""Invoices and credit notes as CSV files for Xero's import, in one zip file."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta

import structlog
from starlette.responses import Response, StreamingResponse

from consumer.console.log_store import load_clinic_ids
from consumer.console.refusal import unusable
from consumer.console.scope import enter
from consumer.console.visit import Visit
from consumer.export import (
    ExportKind,
    ExportReport,
    ExportSelection,
    UnknownScopeError,
    export_pieces,
    require_known,
    zip_chunks,
)

_LOG = structlog.get_logger()


def show_export(visit: Visit) -> Response:
    """Show the form, which begins with the last whole month."""
    last = datetime.now(UTC).date().replace(day=1) - timedelta(days=1)
    return visit.page(
        "export.html",
        clinics=load_clinic_ids(visit.connection, visit.organisation_id),
        kinds=list(ExportKind),
        since=last.replace(day=1),
        until=last,
    )


def download(visit: Visit) -> Response:
    """Send the files while they are made."""
    selection = read_selection(visit.organisation_id, visit.form)
    try:
        require_known(visit.connection, selection)
    except UnknownScopeError as error:
        raise unusable(str(error)) from None
    visit.act(
        "export",
        kind=selection.kind.value,
        since=selection.since.isoformat(),
        until=selection.until.isoformat(),
        clinic_id=selection.clinic_id,
        missing_only=selection.missing_only,
    )
    name = f"{selection.kind.value}-{selection.since.isoformat()}-to-{selection.until.isoformat()}.zip"
    return StreamingResponse(
        _chunks(visit, selection),
        media_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def read_selection(organisation_id: str, form: Mapping[str, str]) -> ExportSelection:
    """Return what the form asks for. Raises Refusal where that makes no sense."""
    try:
        kind = ExportKind(form.get("kind", ""))
        since, until = date.fromisoformat(form.get("since", "")), date.fromisoformat(form.get("until", ""))
    except ValueError:
        raise unusable("Choose invoices or credit notes, and the first and last day.") from None
    if until < since:
        raise unusable("The last day is before the first one.")
    return ExportSelection(
        organisation_id=organisation_id,
        kind=kind,
        since=since,
        until=until,
        clinic_id=form.get("clinic") or None,
        missing_only=form.get("missing_only") == "1",
    )


def _chunks(visit: Visit, selection: ExportSelection) -> Iterator[bytes]:
    """Yield the file, through a connection of its own: each chunk may be made by another thread."""
    report = ExportReport()
    with visit.console.own_connection() as connection, connection.transaction():
        enter(connection, visit.organisation_id)
        yield from zip_chunks(export_pieces(connection, selection, report), report)
    _LOG.info("exported", kind=selection.kind.value, documents=report.documents, files=len(report.files))
