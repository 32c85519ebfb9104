"""The sync log: filtered, page by page, each row down to what was sent; and its retry."""

from typing import Any

from starlette.responses import Response

from consumer.console import given
from consumer.console.log_filter import PARAMETERS, chosen, read_filter, read_id
from consumer.console.log_store import (
    failed_order_ids,
    load_call,
    load_clinic_ids,
    load_tenant_names,
    settled_since,
    still_failing,
)
from consumer.console.refusal import Refusal, not_found, unusable
from consumer.console.retrying import note_requested, request_orders, request_problem
from consumer.console.visit import Visit
from consumer.console.xero_address import operation_address
from consumer.results import LoggedEntry, Operation, Outcome, log_entries

ROWS_A_PAGE = 50
# More than that in one go is rather a problem's retry.
MOST_ORDERS = 5_000


def show_log(visit: Visit) -> Response:
    """Show a page of the log."""
    wanted = read_filter(visit.organisation_id, visit.query)
    before_id = read_id(visit.query, "before")
    entries = log_entries(visit.connection, wanted, before_id=before_id, limit=ROWS_A_PAGE + 1)
    older_than = entries[ROWS_A_PAGE - 1].log_id if len(entries) > ROWS_A_PAGE else None
    failed = [entry.order_id for entry in entries if is_failed(entry)]
    shown: dict[str, Any] = {
        "rows": [_row(visit, entry) for entry in entries[:ROWS_A_PAGE]],
        "still_failing": still_failing(visit.connection, failed),
        "settled": settled_since(visit.connection, failed),
        "older_than": older_than,
        "is_first": before_id is None,
        "query": chosen(visit.query),
        "given": {name: visit.query.get(name, "") for name in PARAMETERS},
    }
    if visit.is_partial:
        return visit.page("_log_rows.html", **shown)
    return visit.page(
        "log.html",
        clinics=load_clinic_ids(visit.connection, visit.organisation_id),
        operations=list(Operation),
        outcomes=list(Outcome),
        problems=sorted(visit.console.assembly.catalogue.entries),
        **shown,
    )


def show_entry(visit: Visit) -> Response:
    """Show one row with all that is known of it."""
    entry = find_entry(visit)
    call = None
    if entry.intent_id is not None:
        call = load_call(visit.connection, entry.intent_id, entry.order_id, entry.local_id)
    shown: dict[str, Any] = {
        **_row(visit, entry),
        "call": call,
    }
    return visit.page("_entry.html" if visit.is_partial else "entry.html", **shown)


def find_entry(visit: Visit) -> LoggedEntry:
    """Return the row of the log that the address names. Raises Refusal where there is none in the organisation."""
    try:
        log_id = given.read_id(visit.path_value("log_id"), "log_id")
    except Refusal:
        raise not_found("such entry in the sync log") from None
    wanted = read_filter(visit.organisation_id, {})
    entries = log_entries(visit.connection, wanted, before_id=log_id + 1, limit=1)
    if not entries or entries[0].log_id != log_id:
        raise not_found("such entry in the sync log")
    return entries[0]


def confirm_retry(visit: Visit) -> Response:
    """Say which orders a retry of the filter means, before it is done."""
    query = chosen(visit.query)
    order_ids = failed_order_ids(visit.connection, read_filter(visit.organisation_id, query), MOST_ORDERS + 1)
    return visit.page("retry.html", order_ids=order_ids, query=query, most=MOST_ORDERS)


def retry(visit: Visit) -> Response:
    """Request one order, the orders of a problem, or those of a filter."""
    form = visit.form
    if form.get("order_id"):
        requested = request_orders(visit, [form["order_id"]], action="retry_order")
        if visit.is_partial:
            return visit.page("_requested.html")
        note_requested(visit, requested)
        return visit.go("/log", order=form["order_id"])
    problem_id = read_id(form, "of_problem")
    if problem_id is not None:
        note_requested(visit, request_problem(visit, problem_id))
        return visit.go("/problems")
    query = chosen(form)
    order_ids = failed_order_ids(visit.connection, read_filter(visit.organisation_id, query), MOST_ORDERS)
    if not order_ids:
        raise unusable("There is nothing to retry.", "No order of this filter still fails.")
    note_requested(visit, request_orders(visit, order_ids, action="retry_filter"))
    return visit.go("/log", **query)


def _row(visit: Visit, entry: LoggedEntry) -> dict[str, Any]:
    tenant = _tenants(visit).get(entry.tenant_id or "")
    return {
        "entry": entry,
        "tenant": tenant,
        "in_xero": operation_address(entry.operation, entry.xero_id, None if tenant is None else tenant.short_code),
    }


def _tenants(visit: Visit) -> dict[str, Any]:
    """Return the tenants, read once for all rows of a page."""
    state = visit.request.state
    if not hasattr(state, "tenants"):
        state.tenants = load_tenant_names(visit.connection, visit.organisation_id)
    known: dict[str, Any] = state.tenants
    return known


def is_failed(entry: LoggedEntry) -> bool:
    """Whether the row tells of a failure."""
    return entry.outcome is Outcome.FAILED
