"""One order's failure closed by a person: the page that asks how and why, and the one that takes it back."""

from http import HTTPStatus
from urllib.parse import quote

from starlette.responses import Response

from consumer.console.order_store import OrderRow
from consumer.console.pages.order import order_row
from consumer.console.refusal import Refusal
from consumer.console.settlements import settle_order, unsettle_order
from consumer.console.visit import Later, Visit
from consumer.sync.settlement import REASON_CHARACTERS_MAX, WORDS, SettledAs
from consumer.sync.settling import load_settlement


def confirm_settle(visit: Visit) -> Response:
    """Ask how the order is settled, and why."""
    return _form(visit, order_row(visit))


def settle(visit: Visit) -> Response | Later:
    """Settle the order, if it still fails for what the page showed; else show how it stands now."""
    row = order_row(visit)
    given = visit.form.get("as", "")
    if given not in set(SettledAs):
        return _form(visit, row, complaint="Choose how it is settled.", status=HTTPStatus.BAD_REQUEST)
    settled_as = SettledAs(given)

    def act() -> Response:
        try:
            told = settle_order(
                visit,
                row.order_id,
                settled_as=settled_as,
                reason=visit.form.get("reason", ""),
                problem=visit.form.get("problem") or None,
            )
        except Refusal as refusal:
            if refusal.status not in {HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT}:
                raise
            complaint = f"{refusal.title} {refusal.text}"
            with visit.scope() as connection:
                again = visit.within(connection)
                return _form(again, order_row(again), complaint=complaint, status=refusal.status)
        visit.note(told.message)
        return visit.go(_path(row))

    return act


def confirm_unsettle(visit: Visit) -> Response:
    """Say what is taken back."""
    row = order_row(visit)
    settlement = load_settlement(visit.connection, row.order_id)
    if settlement is None or not settlement.stands:
        visit.note("The order is not settled any more.", "note")
        return visit.go(_path(row))
    problem = visit.console.assembly.catalogue.local("settled", **settlement.values())
    return visit.page("unsettle.html", row=row, problem=problem)


def unsettle(visit: Visit) -> Later:
    """Take it back."""
    row = order_row(visit)

    def act() -> Response:
        told = unsettle_order(visit, row.order_id)
        visit.note(f"{told.message} {told.fix}")
        return visit.go(_path(row))

    return act


def _form(visit: Visit, row: OrderRow, *, complaint: str | None = None, status: HTTPStatus = HTTPStatus.OK) -> Response:
    return visit.page(
        "settle.html",
        status=status,
        row=row,
        ways=WORDS,
        chosen=visit.form.get("as", ""),
        reason=visit.form.get("reason", ""),
        complaint=complaint,
        most=REASON_CHARACTERS_MAX,
    )


def _path(row: OrderRow) -> str:
    return f"/orders/{quote(row.order_id, safe='')}"
