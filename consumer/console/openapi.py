"""The OpenAPI description of the JSON face, made from the routes themselves."""

import re
from collections.abc import Sequence
from typing import Any

from consumer.console.log_filter import PARAMETERS
from consumer.console.visit import Face, GuardedRoute
from consumer.results import Operation, Outcome
from consumer.sync.settlement import REASON_CHARACTERS_MAX, SettledAs

_PATH_PARAMETER = re.compile(r"{(\w+)(?::(\w+))?}")
_TEXT = {"type": "string"}
_LOG_PARAMETERS: dict[str, dict[str, Any]] = {
    **dict.fromkeys(PARAMETERS, _TEXT),
    "operation": {"type": "string", "enum": list(Operation)},
    "outcome": {"type": "string", "enum": list(Outcome)},
    "problem_id": {"type": "integer"},
    "since": {"type": "string", "format": "date-time"},
    "until": {"type": "string", "format": "date-time"},
    "before": {"type": "integer", "description": "Rows older than this one: `next_before` of the page before."},
    "limit": {"type": "integer", "minimum": 1, "maximum": 500, "default": 50},
}
_BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/retry"): {
        "type": "object",
        "properties": {
            "order_ids": {"type": "array", "items": _TEXT},
            "problem_id": {"type": "integer"},
        },
        "description": "Either of the two. The answer has `unknown`: those of the ids that name no order; and "
        "`settled` where somebody settled some of them, which are left alone.",
    },
    ("POST", "/settle/{order_id:path}"): {
        "type": "object",
        "required": ["as", "reason"],
        "properties": {
            "as": {"type": "string", "enum": list(SettledAs)},
            "reason": {"type": "string", "minLength": 1, "maxLength": REASON_CHARACTERS_MAX},
            "problem": {
                **_TEXT,
                "description": "The code of what the order fails for; 409 if another.",
            },
        },
        "description": "A further change in HearLink brings the order back, but for `do-not-send`.",
    },
    ("POST", "/unsettle/{order_id:path}"): {
        "type": "object",
        "properties": {"reason": {"type": "string", "maxLength": REASON_CHARACTERS_MAX}},
    },
}
_SETTINGS_BODY = {
    "type": "object",
    "description": "The settings file's tables: `organisation` with its defaults, `clinic` a list of overrides.",
    "required": ["organisation"],
    "properties": {
        "organisation": {"type": "object"},
        "clinic": {"type": "array", "items": {"type": "object", "required": ["id"], "properties": {"id": _TEXT}}},
    },
}
_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "schema": _TEXT,
    "description": "The ETag of GET: others' changes since then are answered with 412, no If-Match with 428.",
}
_PROBLEM = {
    "description": "Not carried out; `title` and `detail` say why.",
    "content": {
        "application/problem+json": {
            "schema": {
                "type": "object",
                "required": ["title", "detail", "status"],
                "properties": {"title": _TEXT, "detail": _TEXT, "status": {"type": "integer"}},
            }
        }
    },
}


def describe_api(routes: Sequence[GuardedRoute], public_url: str) -> dict[str, Any]:
    """Return the description of those of `routes` that are for programs."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        if route.face is Face.API:
            path = _PATH_PARAMETER.sub(r"{\1}", route.full_path)
            paths.setdefault(path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "HearLink to Xero",
            "version": "1",
            "description": "Calls that change something take JSON alone. Who calls is known as on the pages.",
        },
        "servers": [{"url": public_url}],
        "paths": paths,
    }


def _operation(route: GuardedRoute) -> dict[str, Any]:
    parameters = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "integer" if kind == "int" else "string"},
        }
        for name, kind in _PATH_PARAMETER.findall(route.full_path)
    ]
    if (route.method, route.path) == ("GET", "/log"):
        parameters += [{"name": name, "in": "query", "schema": schema} for name, schema in _LOG_PARAMETERS.items()]
    if route.method == "PUT":
        parameters.append(_IF_MATCH)
    status = "202" if route.method == "POST" and route.path.startswith(("/sync/", "/retry")) else "200"
    operation: dict[str, Any] = {
        "operationId": route.handler.__name__,
        "summary": route.summary,
        "description": f"Needs the permission `{route.permission}`.",
        "parameters": parameters,
        "responses": {
            status: {
                "description": "Done." if status == "200" else "Requested; the sync log will tell what came of it.",
                "content": {"application/json": {"schema": {"type": "object"}}},
            },
            "default": _PROBLEM,
        },
    }
    if route.method != "GET":
        body = (
            _SETTINGS_BODY
            if route.path.startswith("/settings")
            else _BODIES.get((route.method, route.path), {"type": "object"})
        )
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return operation
