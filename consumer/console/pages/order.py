"""One order: HearLink's side and Xero's side by side, what a sync would send, and all that happened to it."""

from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from consumer.console.log_store import find_orders
from consumer.console.order_store import OrderRow, XeroDocument, load_documents, load_order
from consumer.console.plan_view import PlanView, view_plan
from consumer.console.refusal import not_found
from consumer.console.retrying import note_requested, request_orders
from consumer.console.visit import Visit
from consumer.console.words import nothing_to_send
from consumer.console.xero_address import document_address
from consumer.operations.timeline import load_timeline
from consumer.results import Problem
from consumer.sync.link import LinkKind, LinkStatus
from consumer.sync.preview import preview_order
from consumer.sync.settling import load_settlement

_GONE = {LinkStatus.REMOVED.value, LinkStatus.GONE.value}


def find(visit: Visit) -> Response:
    """Find an order by its id or its invoice's number."""
    text = visit.query.get("q", "").strip()
    found = find_orders(visit.connection, visit.organisation_id, text) if text else []
    if len(found) == 1:
        return visit.go(_path(found[0][0]))
    return visit.page("find.html", text=text, found=found)


def show_order(visit: Visit) -> Response:
    """Show the order."""
    row = order_row(visit)
    order = row.read()
    documents = load_documents(visit.connection, order)
    timeline = load_timeline(visit.connection, row.order_id)
    return visit.page(
        "order.html",
        row=row,
        order=order,
        documents=[(document, _address(document)) for document in documents],
        verb=sync_verb(documents),
        settled=_settled(visit, row),
        nothing=nothing_to_send(
            closed=None if order.state.closed is None else order.state.closed.outcome,
            has_invoice=order.invoice is not None,
        ),
        moments=[] if timeline is None else timeline.moments[::-1],
    )


def _settled(visit: Visit, row: OrderRow) -> Problem | None:
    """Return in the log's words what somebody settled of the order, None where nothing of that stands."""
    settlement = load_settlement(visit.connection, row.order_id)
    if settlement is None or not settlement.stands:
        return None
    return visit.console.assembly.catalogue.local("settled", **settlement.values())


def confirm_sync(visit: Visit) -> Response:
    """Show what a sync of the order would send, before it is asked for."""
    row = order_row(visit)
    return _confirmation(visit, row, load_plan(visit, row, with_patient=True))


def sync(visit: Visit) -> Response:
    """Ask for the order to be synced, if what was confirmed is what would be sent."""
    row = order_row(visit)
    plan = load_plan(visit, row, with_patient=True)
    if visit.form.get("plan") != plan.mark:
        return _confirmation(visit, row, plan, has_changed=True)
    note_requested(visit, request_orders(visit, [row.order_id], action="sync_order"))
    return visit.go(_path(row.order_id))


def _confirmation(visit: Visit, row: OrderRow, plan: PlanView, *, has_changed: bool = False) -> Response:
    documents = load_documents(visit.connection, row.read())
    return visit.page(
        "sync.html",
        status=HTTPStatus.CONFLICT if has_changed else HTTPStatus.OK,
        row=row,
        plan=plan,
        verb=sync_verb(documents),
        has_changed=has_changed,
        is_offered=_is_worth_asking(row, plan),
    )


def _is_worth_asking(row: OrderRow, plan: PlanView) -> bool:
    """Whether a request would do more than add a line to the sync log."""
    if plan.is_stopped:
        return plan.only_waits and bool(plan.calls)
    # One more try tells whether a problem is gone, also where nothing is left to send. A doubt is settled by looking.
    return bool(plan.calls) or row.problem_id is not None or plan.is_in_doubt


def order_row(visit: Visit) -> OrderRow:
    """Return the order that the address names. Raises Refusal where the organisation has none."""
    row = load_order(visit.connection, visit.organisation_id, visit.path_value("order_id"))
    if row is None:
        raise not_found("such order")
    return row


def load_plan(visit: Visit, row: OrderRow, *, with_patient: bool) -> PlanView:
    """Return what a sync of the order would send."""
    assembly = visit.console.assembly
    preview = preview_order(visit.connection, row.order_id, assembly.configuration.hearlink_url)
    if preview is None:
        raise not_found("such order")
    return view_plan(preview, assembly.catalogue, with_patient=with_patient)


def sync_verb(documents: list[XeroDocument]) -> str:
    """Return what the button is called: as in HearLink, the first push is another thing than the next ones."""
    synced = any(document.kind == LinkKind.INVOICE and document.status not in _GONE for document in documents)
    return "Resync to Xero" if synced else "Sync to Xero"


def _path(order_id: str) -> str:
    return f"/orders/{quote(order_id, safe='')}"


def _address(document: XeroDocument) -> str | None:
    return document_address(document.kind, document.xero_id, document.short_code)


def order_document(visit: Visit, row: OrderRow) -> dict[str, Any]:
    """Return the order for programs: how it stands, and what Xero holds of it. No patient's data."""
    documents = load_documents(visit.connection, row.read())
    settlement = load_settlement(visit.connection, row.order_id)
    return {
        "order_id": row.order_id,
        "clinic_id": row.clinic_id,
        "invoice_number": row.invoice_number,
        "revision": row.revision,
        "synced_revision": row.synced_revision,
        "hold": row.hold,
        "due_at": row.due_at,
        "attempts": row.attempts,
        "requested": row.requested,
        "problem": None
        if row.problem_code is None
        else {"code": row.problem_code, "message": row.problem_message, "fix": row.problem_fix},
        "settlement": None
        if settlement is None or not settlement.stands
        else {
            "as": settlement.settled_as,
            "reason": settlement.reason,
            "actor": settlement.actor,
            "settled_at": settlement.settled_at,
            "problem": settlement.problem,
        },
        "documents": [
            {
                "kind": document.kind,
                "local_id": document.local_id,
                "tenant_id": document.tenant_id,
                "xero_id": document.xero_id,
                "status": document.status,
                "address": _address(document),
                "updated_at": document.updated_at,
            }
            for document in documents
        ],
    }
