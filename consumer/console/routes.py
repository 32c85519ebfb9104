"""All routes of the console: what each asks for stands here, and nowhere else."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from consumer.console import api
from consumer.console.identity import Permission
from consumer.console.pages import connection, export, log, order, problems, settings, settlement
from consumer.console.visit import Face, GuardedRoute


class OpenRoute(NamedTuple):
    """A route that sees to its visitors itself."""

    method: str
    path: str
    endpoint: Callable[[Request], Awaitable[Response]]


OPEN_ROUTES = (OpenRoute("GET", connection.CALLBACK_PATH, connection.finish),)

_VIEW, _SYNC, _MANAGE = Permission.VIEW, Permission.SYNC, Permission.MANAGE

GUARDED_ROUTES = (
    GuardedRoute("GET", "/log", _VIEW, log.show_log),
    GuardedRoute("GET", "/log/{log_id:int}", _VIEW, log.show_entry),
    GuardedRoute("GET", "/retry", _SYNC, log.confirm_retry),
    GuardedRoute("POST", "/retry", _SYNC, log.retry),
    GuardedRoute("GET", "/problems", _VIEW, problems.show_problems),
    GuardedRoute("GET", "/orders", _VIEW, order.find),
    # An order's id may hold slashes and any word after them, so it is the last part of every address.
    GuardedRoute("GET", "/orders/{order_id:path}", _VIEW, order.show_order),
    GuardedRoute("GET", "/sync/{order_id:path}", _SYNC, order.confirm_sync),
    GuardedRoute("POST", "/sync/{order_id:path}", _SYNC, order.sync),
    GuardedRoute("GET", "/settle/{order_id:path}", _SYNC, settlement.confirm_settle),
    GuardedRoute("POST", "/settle/{order_id:path}", _SYNC, settlement.settle),
    GuardedRoute("GET", "/unsettle/{order_id:path}", _SYNC, settlement.confirm_unsettle),
    GuardedRoute("POST", "/unsettle/{order_id:path}", _SYNC, settlement.unsettle),
    GuardedRoute("GET", "/export", _VIEW, export.show_export),
    GuardedRoute("POST", "/export", _VIEW, export.download),
    GuardedRoute("GET", "/settings", _MANAGE, settings.show_settings),
    GuardedRoute("GET", "/settings/clinics/{clinic_id:path}", _MANAGE, settings.show_clinic),
    GuardedRoute("POST", "/settings/edit", _MANAGE, settings.edit),
    GuardedRoute("POST", "/settings/preview", _MANAGE, settings.preview),
    GuardedRoute("POST", "/settings", _MANAGE, settings.save),
    GuardedRoute("POST", "/settings/refresh", _MANAGE, settings.refresh),
    GuardedRoute("GET", "/settings/other-organisation", _MANAGE, connection.confirm_other),
    GuardedRoute("POST", "/connect", _MANAGE, connection.start),
    GuardedRoute("GET", "/log", _VIEW, api.list_log, Face.API, "The sync log, newest first, filtered."),
    GuardedRoute("GET", "/log/{log_id:int}", _VIEW, api.get_entry, Face.API, "One row of the sync log, with its call."),
    GuardedRoute(
        "GET", "/problems", _VIEW, api.list_problems, Face.API, "The open problems, with their orders' count."
    ),
    GuardedRoute("GET", "/settled", _VIEW, api.list_settled, Face.API, "The orders that people settled, newest first."),
    GuardedRoute(
        "GET", "/state", _VIEW, api.get_state, Face.API, "Failed and settled orders, and the state of the connection."
    ),
    GuardedRoute("GET", "/orders/{order_id:path}", _VIEW, api.get_order, Face.API, "How an order stands in Xero."),
    GuardedRoute("GET", "/plan/{order_id:path}", _VIEW, api.get_plan, Face.API, "What a sync would send."),
    GuardedRoute(
        "GET", "/timeline/{order_id:path}", _VIEW, api.get_timeline, Face.API, "All that happened to an order."
    ),
    GuardedRoute("POST", "/sync/{order_id:path}", _SYNC, api.sync_order, Face.API, "Sync the order to Xero."),
    GuardedRoute("POST", "/retry", _SYNC, api.retry, Face.API, "Retry orders, or those of a problem."),
    GuardedRoute(
        "POST", "/settle/{order_id:path}", _SYNC, api.settle, Face.API, "Close the order's failure, with a reason."
    ),
    GuardedRoute("POST", "/unsettle/{order_id:path}", _SYNC, api.unsettle, Face.API, "Take a settlement back."),
    GuardedRoute("GET", "/settings", _MANAGE, api.get_settings, Face.API, "The settings, and what is wrong with them."),
    GuardedRoute("POST", "/settings/preview", _MANAGE, api.preview_settings, Face.API, "What settings would do."),
    GuardedRoute("PUT", "/settings", _MANAGE, api.put_settings, Face.API, "Make settings hold, all of them."),
)
