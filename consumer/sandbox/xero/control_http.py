"""The control surface over HTTP: ``POST /simulator/<operation>`` with its arguments as a JSON object."""

import inspect
import json
from decimal import Decimal

from consumer.sandbox.xero.control import Control
from consumer.sandbox.xero.errors import BadRequest, NotFound, Refused
from consumer.sandbox.xero.http_answer import HttpAnswer, json_answer
from consumer.sandbox.xero.limits import Limits
from consumer.sandbox.xero.values import Json

PREFIX = "/simulator/"
OPERATIONS = frozenset(name for name, _ in inspect.getmembers(Control, callable) if not name.startswith("_"))
# Operations that change nothing may be read with GET, their arguments in the query.
_READS = frozenset({"calls", "faults", "ledger", "now", "statistics", "tenants"})


def answer_control(control: Control, method: str, path: str, query: dict[str, str], body: bytes) -> HttpAnswer:
    """Run an operation: 200 ``{"result": ...}``, else ``{"error": ...}`` with 400, 404, 405 or 409 (Xero refuses)."""
    operation = path.removeprefix(PREFIX)
    if operation not in OPERATIONS:
        return json_answer(404, {"error": f"There is no operation '{operation}': {sorted(OPERATIONS)}"})
    if method != "POST" and not (method == "GET" and operation in _READS):
        return json_answer(405, {"error": f"'{operation}' takes POST."})
    try:
        arguments = _arguments(method, query, body)
        result = getattr(control, operation)(**arguments)
    except Refused as refusal:
        nested = [text for texts in refusal.nested.values() for text in texts]
        return json_answer(409, {"error": "Xero refuses", "messages": [*refusal.messages, *nested]})
    except (BadRequest, NotFound, KeyError, TypeError, ValueError) as error:
        return json_answer(400, {"error": f"{type(error).__name__}: {error}"})
    return json_answer(200, {"result": result})


def _arguments(method: str, query: dict[str, str], body: bytes) -> Json:
    if method == "GET":
        return {name: int(value) if name == "after" else value for name, value in query.items()}
    arguments = json.loads(body, parse_float=Decimal) if body.strip() else {}
    if not isinstance(arguments, dict):
        raise TypeError("The arguments must be a JSON object.")
    if isinstance(arguments.get("limits"), dict):
        arguments["limits"] = Limits(**arguments["limits"])
    if isinstance(arguments.get("seconds"), Decimal):
        arguments["seconds"] = float(arguments["seconds"])
    if isinstance(arguments.get("fault"), dict):
        arguments["fault"] = {
            name: float(value) if isinstance(value, Decimal) else value for name, value in arguments["fault"].items()
        }
    return arguments
