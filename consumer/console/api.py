"""The JSON face: the same things as the pages, for HearLink's own ones and for scripts. It names no patient."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.responses import Response

from consumer.console.frame import load_frame
from consumer.console.given import check_id, check_texts
from consumer.console.log_filter import read_filter, read_id
from consumer.console.log_store import load_call
from consumer.console.pages.log import find_entry
from consumer.console.pages.order import load_plan, order_document, order_row
from consumer.console.refusal import Refusal, unusable
from consumer.console.retrying import request_orders, request_problem, settled_among
from consumer.console.settings_change import (
    Document,
    Effects,
    fingerprint,
    load_document,
    make_settings,
    read_document,
    refuse_impossible,
    refuse_stale,
    tenant_ids,
    try_settings,
)
from consumer.console.settlements import settle_order, unsettle_order
from consumer.console.tenants import with_fresh_tenants
from consumer.console.visit import Later, Visit, read_json
from consumer.operations.timeline import load_timeline
from consumer.results import Problem, log_entries, open_problems
from consumer.settings import check_settings
from consumer.sync.settlement import SettledAs
from consumer.sync.settling import settled_orders

_ROWS_DEFAULT, _ROWS_MOST = 50, 500
# In If-Match: whatever the settings are.
_ANY = "*"


class SettleOrder(msgspec.Struct, forbid_unknown_fields=True):
    """How an order is settled, and why; `problem`: only if that is what it fails for."""

    settled_as: SettledAs = msgspec.field(name="as")
    reason: str
    problem: str | None = None


class UnsettleOrder(msgspec.Struct, forbid_unknown_fields=True):
    """Why a settlement is taken back, if there is something to say."""

    reason: str | None = None


class RetryOrder(msgspec.Struct, forbid_unknown_fields=True):
    """What is to be retried: named orders, whatever their state, or those that a problem holds."""

    order_ids: list[str] | None = None
    problem_id: int | None = None


def list_log(visit: Visit) -> Response:
    """Answer rows of the log; `next_before` is the `before` of the next page, null after the last."""
    limit = read_id(visit.query, "limit") or _ROWS_DEFAULT
    if limit > _ROWS_MOST:
        raise unusable(f"limit is at most {_ROWS_MOST}.")
    wanted = read_filter(visit.organisation_id, visit.query)
    entries = log_entries(visit.connection, wanted, before_id=read_id(visit.query, "before"), limit=limit + 1)
    more = len(entries) > limit
    return answer({"entries": entries[:limit], "next_before": entries[limit - 1].log_id if more else None})


def get_entry(visit: Visit) -> Response:
    """Answer one row and its call."""
    entry = find_entry(visit)
    call = None
    if entry.intent_id is not None:
        call = load_call(visit.connection, entry.intent_id, entry.order_id, entry.local_id)
    document = None
    if call is not None:
        # The request is JSON already; as it was sent, to the last place of its amounts.
        request = None if call.request is None else msgspec.Raw(call.request.encode())
        document = {**msgspec.structs.asdict(call), "request": request}
    return answer({"entry": entry, "call": document})


def list_problems(visit: Visit) -> Response:
    """Answer the open problems."""
    return answer({"problems": open_problems(visit.connection, visit.organisation_id)})


def list_settled(visit: Visit) -> Response:
    """Answer the orders that stand settled: who, when, how and why."""
    return answer({"settled": settled_orders(visit.connection, visit.organisation_id)})


def settle(visit: Visit) -> Later:
    """Settle one order."""
    wanted = read_json(visit, SettleOrder)
    order_id = order_row(visit).order_id
    check_texts([("reason", wanted.reason), ("problem", wanted.problem or "")])

    def act() -> Response:
        told = settle_order(visit, order_id, settled_as=wanted.settled_as, reason=wanted.reason, problem=wanted.problem)
        return answer(
            {"order_id": order_id, "settled_as": wanted.settled_as, "message": told.message, "next": told.fix}
        )

    return act


def unsettle(visit: Visit) -> Later:
    """Take a settlement back."""
    reason = read_json(visit, UnsettleOrder).reason
    order_id = order_row(visit).order_id
    check_texts([("reason", reason or "")])

    def act() -> Response:
        told = unsettle_order(visit, order_id, reason=reason)
        return _settled_answer(order_id, None, told)

    return act


def get_state(visit: Visit) -> Response:
    """Answer what every page shows."""
    return answer(load_frame(visit.connection, visit.organisation_id, visit.console.assembly.catalogue))


def get_order(visit: Visit) -> Response:
    """Answer one order."""
    return answer(order_document(visit, order_row(visit)))


def get_plan(visit: Visit) -> Response:
    """Answer what would be sent."""
    return answer(load_plan(visit, order_row(visit), with_patient=False))


def get_timeline(visit: Visit) -> Response:
    """Answer what happened."""
    return answer(load_timeline(visit.connection, order_row(visit).order_id))


def sync_order(visit: Visit) -> Response:
    """Request one order."""
    requested = request_orders(visit, [order_row(visit).order_id], action="sync_order")
    return answer({"requested": len(requested)}, status=202)


def retry(visit: Visit) -> Response:
    """Request several orders; `unknown` are ids that name none; `settled`, where there are any, are left alone."""
    wanted = read_json(visit, RetryOrder)
    if wanted.problem_id is not None and wanted.order_ids is None:
        requested = request_problem(visit, check_id(wanted.problem_id, "problem_id"))
        settled = settled_among(visit, problem_id=wanted.problem_id)
        return _requested_answer(requested, [], settled)
    if wanted.order_ids and wanted.problem_id is None:
        check_texts(("order_ids", order_id) for order_id in wanted.order_ids)
        requested = request_orders(visit, wanted.order_ids, action="retry_orders")
        settled = settled_among(visit, order_ids=tuple(wanted.order_ids))
        unknown = sorted(set(wanted.order_ids) - {*requested, *settled})
        return _requested_answer(requested, unknown, settled)
    raise unusable("Name either order_ids or a problem_id.")


def get_settings(visit: Visit) -> Response:
    """Answer the settings in the shape of the settings file; their ETag is what a PUT has to name."""
    document = load_document(visit.connection, visit.organisation_id)
    findings = check_settings(visit.connection, visit.organisation_id)
    return answer({"settings": document, "findings": findings}, headers=_etag(document))


def preview_settings(visit: Visit) -> Response | Later:
    """Answer what settings would do; change nothing."""
    wanted = read_document(_settings(visit))

    def go_on(visit: Visit, not_asked: str | None) -> Response:
        return _effects(try_settings(visit.connection, wanted, actor=visit.identity.user), not_asked)

    return with_fresh_tenants(visit, tenant_ids(wanted), go_on)


def put_settings(visit: Visit) -> Response | Later:
    """Make settings hold, unless they bring about what could never work, or others than the caller knew would go."""
    wanted = read_document(_settings(visit))
    seen = _seen(visit)

    def go_on(visit: Visit, not_asked: str | None) -> Response:
        if _ANY not in seen:
            refuse_stale(visit.connection, visit.organisation_id, *seen, status=HTTPStatus.PRECONDITION_FAILED)
        effects = make_settings(visit.connection, wanted, actor=visit.identity.user)
        refuse_impossible(effects)
        return _effects(effects, not_asked, headers=_etag(load_document(visit.connection, visit.organisation_id)))

    return with_fresh_tenants(visit, tenant_ids(wanted), go_on)


def answer(document: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a document as JSON."""
    return Response(msgspec.json.encode(document), status, headers, media_type="application/json")


def _requested_answer(requested: list[str], unknown: list[str], settled: list[str]) -> Response:
    left_alone = {"settled": settled} if settled else {}
    return answer({"requested": len(requested), "unknown": unknown, **left_alone}, status=202)


def _settled_answer(order_id: str, settled_as: SettledAs | None, told: Problem) -> Response:
    return answer({"order_id": order_id, "settled_as": settled_as, "message": told.message, "next": told.fix})


def _effects(effects: Effects, not_asked: str | None, *, headers: Mapping[str, str] | None = None) -> Response:
    """Return what a change does; `xero_not_asked` is why it was checked against what Xero offered earlier."""
    return answer({**msgspec.structs.asdict(effects), "xero_not_asked": not_asked}, headers=headers)


def _etag(document: Document) -> dict[str, str]:
    return {"ETag": f'"{fingerprint(document)}"'}


def _seen(visit: Visit) -> list[str]:
    """Return the marks in If-Match: of settings as the caller saw them, or `*`.

    Raises:
        Refusal: there is none. What a body leaves out is unset, so nobody may send one without having looked.
    """
    given = visit.request.headers.get("If-Match", "")
    # Proxies that compress mark an ETag as weak; ours is one of the settings, however they travel.
    seen = [mark.strip().removeprefix("W/").strip('"') for mark in given.split(",") if mark.strip()]
    if not seen:
        raise Refusal(
            HTTPStatus.PRECONDITION_REQUIRED,
            "The settings would be replaced unseen.",
            "Send the ETag of GET /settings as If-Match.",
        )
    return seen


def _settings(visit: Visit) -> dict[str, Any]:
    document: dict[str, Any] = read_json(visit, dict[str, Any])
    organisation = document.get("organisation")
    if not isinstance(organisation, dict) or organisation.get("id", visit.organisation_id) != visit.organisation_id:
        raise unusable(f"The settings must be those of {visit.organisation_id}.")
    return {**document, "organisation": {**organisation, "id": visit.organisation_id}}
