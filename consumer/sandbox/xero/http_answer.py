"""An HTTP answer before it is sent: kept by idempotency keys, replaced by faults, sent in JSON or XML."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from uuid import uuid4
from xml.sax.saxutils import escape

from consumer.sandbox.xero.values import Json, ms_datetime, number


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """Status, headers and body.

    Attributes:
        content_type: `None` for an answer without one, as Xero's 429.
        elements: How many elements the request wrote, for the call log.
    """

    status: int
    body: bytes = b""
    content_type: str | None = "application/json; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    elements: int = 0

    def with_headers(self, headers: Mapping[str, str]) -> "HttpAnswer":
        """The same answer with more headers."""
        return replace(self, headers={**self.headers, **headers})


def json_answer(status: int, body: object, *, elements: int = 0) -> HttpAnswer:
    """An answer in JSON."""
    return HttpAnswer(status, json.dumps(body, ensure_ascii=False, default=_decimal).encode(), elements=elements)


def _decimal(value: object) -> float:
    """An echoed request holds the numbers as they were read."""
    if isinstance(value, Decimal):
        return number(value)
    raise TypeError(f"{type(value).__name__} has no place in an answer")


def text_answer(status: int, text: str) -> HttpAnswer:
    """An answer in plain text."""
    return HttpAnswer(status, text.encode(), "text/plain; charset=utf-8")


def empty_answer(status: int, headers: Mapping[str, str] | None = None) -> HttpAnswer:
    """An answer without body and content type."""
    return HttpAnswer(status, content_type=None, headers=headers or {})


def not_found() -> HttpAnswer:
    """Xero's 404: an empty page."""
    return HttpAnswer(404, content_type="text/html; charset=utf-8")


def problem(status: int, title: str, detail: str, headers: Mapping[str, str] | None = None) -> HttpAnswer:
    """The shape of 401 and 403."""
    body: Json = {
        "Type": None,
        "Title": title,
        "Status": status,
        "Detail": detail,
        "Instance": str(uuid4()),
        "Extensions": {},
    }
    return json_answer(status, body).with_headers(headers or {})


def envelope(body: Json, app_name: str, moment: datetime) -> Json:
    """The wrapper of a 200."""
    return {
        "Id": str(uuid4()),
        "Status": "OK",
        "ProviderName": app_name,
        "DateTimeUTC": ms_datetime(moment, offset=False),
        **body,
    }


def xml_answer(status: int, body: Json, *, elements: int = 0) -> HttpAnswer:
    """The same content in XML: what a client gets that forgot to ask for JSON."""
    text = f'<?xml version="1.0" encoding="utf-8"?><Response>{_xml(body)}</Response>'
    return HttpAnswer(status, text.encode(), "text/xml; charset=utf-8", elements=elements)


def _xml(value: object) -> str:
    if isinstance(value, dict):
        return "".join(f"<{name}>{_xml(item)}</{name}>" for name, item in value.items())
    if isinstance(value, list):
        return "".join(f"<Item>{_xml(item)}</Item>" for item in value)
    if value is None:
        return ""
    return escape(str(value).lower() if isinstance(value, bool) else str(value))
