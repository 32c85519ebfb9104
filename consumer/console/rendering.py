"""Pages from templates: what is around each of them, and how times, amounts and codes are written."""

from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from consumer.console import words
from consumer.console.frame import load_frame
from consumer.console.identity import Permission
from consumer.console.notes import take_notes
from consumer.console.refusal import Refusal
from consumer.console.security import csrf_token

if TYPE_CHECKING:
    from consumer.console.visit import Visit

_TEMPLATES = Path(__file__).with_name("templates")


class Rendering:
    """The templates."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(_TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(
            moment=show_moment,
            day=show_day,
            money=show_money,
            word=words.word,
            sentence=words.sentence,
            gaps=words.gaps,
            # Also slashes: browsers resolve dots between them, and an id is one part of an address.
            urlencode=partial(quote, safe=""),
        )
        self._environment.globals.update(Permission=Permission, state=words.order_state, moment_text=words.moment_text)

    def render(self, visit: "Visit", template: str, values: dict[str, Any]) -> str:
        """Return the page; a part of one (its name begins with `_`) goes without the frame."""
        around: dict[str, Any] = {}
        if not template.startswith("_"):
            # A script takes a piece out of the page, and would leave the notes behind unread.
            notes = [] if visit.is_partial else take_notes(visit.request)
            around = {
                "frame": load_frame(visit.connection, visit.organisation_id, visit.console.assembly.catalogue),
                "notes": notes,
            }
        return self._environment.get_template(template).render(
            visit=visit,
            csrf=csrf_token(visit.request),
            address=visit.address,
            may=visit.identity.may,
            path=visit.request.url.path,
            **around,
            **values,
        )

    def simple(self, template: str, **values: Any) -> HTMLResponse:
        """Return a page that belongs to no organisation."""
        return HTMLResponse(self._environment.get_template(template).render(**values))

    def refusal(self, request: Request, refusal: Refusal, sign_in_path: str | None) -> Response:
        """Return the page that says why not."""
        page = self._environment.get_template("refusal.html").render(
            refusal=refusal,
            sign_in_path=sign_in_path if refusal.status == HTTPStatus.UNAUTHORIZED else None,
            path=request.url.path,
        )
        return HTMLResponse(page, refusal.status)


def show_moment(value: datetime | None) -> Markup:
    """Return a time in UTC that the page's script turns into the reader's own zone; the exact one is at hand."""
    if value is None:
        return Markup("")
    moment = value.astimezone(UTC)
    exact = moment.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + " UTC"
    shown = moment.strftime("%d %b %Y, %H:%M UTC")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(moment.isoformat(), exact, shown)


def show_day(value: date | None) -> str:
    """Return a day as people write it."""
    return "" if value is None else value.strftime("%d %b %Y")


def show_money(value: Decimal | str | float | None) -> str:
    """Return an amount with two places, or four where they count."""
    if value is None or value == "":
        return ""
    amount = Decimal(str(value))
    places = 2 if amount == amount.quantize(Decimal("0.01")) else 4
    return f"{amount:,.{places}f}"
