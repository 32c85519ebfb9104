"""People settle orders and take that back: the order's standing, the log row and the audit row in one transaction."""

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from psycopg import Connection, Rollback, errors
from psycopg.rows import class_row, dict_row

from consumer.database import crash_point, load_queries
from consumer.orders import read_order
from consumer.results import (
    Catalogue,
    LogEntry,
    Operation,
    OutboxEncoder,
    Outcome,
    Problem,
    Trigger,
    close_problems_if_free,
    record,
)
from consumer.sync import queue
from consumer.sync.gaps import find_gaps
from consumer.sync.link_store import load_links
from consumer.sync.settlement import SettledAs, Settlement, read_reason

_QUERIES = load_queries(__file__, "settling.sql")
# A pass may have the order's problem in hand while it writes; that takes milliseconds.
_TRIES, _PAUSE_SECONDS = 50, 0.05


class UnknownOrderError(Exception):
    """No event of such an order ever came, or it is another organisation's."""

    def __init__(self, order_id: str) -> None:
        super().__init__(f"There is no order {order_id}: no event of it has come, or none that could be used.")


class NotSettledError(Exception):
    """The order does not stand as it would have to; nothing was changed. The text says how it stands."""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants settled. `organisation_id` None = whichever; `problem`: only if the order fails for that."""

    order_id: str
    settled_as: SettledAs
    reason: str
    actor: str
    organisation_id: str | None = None
    problem: str | None = None


class SettledOrder(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the list of what stands settled."""

    order_id: str
    organisation_id: str
    clinic_id: str
    invoice_number: str | None
    settled_as: SettledAs
    reason: str
    actor: str
    settled_at: datetime
    problem: str | None


class _Row(msgspec.Struct, frozen=True):
    order_id: str
    organisation_id: str
    clinic_id: str
    patient_id: str
    invoice_number: str | None
    revision: int
    event_id: str
    tenant_id: str | None
    state: str
    in_step: bool
    problem_id: int | None
    problem_code: str | None
    problem_message: str | None


def settle(connection: Connection[Any], encoder: OutboxEncoder, catalogue: Catalogue, wish: Wish) -> Problem:
    """Settle an order; return what the log says of it. Whatever is under way for it at Xero is still written down.

    Raises:
        ReasonError: the reason can't be taken.
        UnknownOrderError: there is no such order.
        NotSettledError: it doesn't fail for `wish.problem`, or Xero has followed all of it.
    """
    wish = msgspec.structs.replace(wish, reason=read_reason(wish.reason), actor=wish.actor[:500])
    for patience in range(_TRIES, 0, -1):
        # Nobody is waited for while the order is locked: a pass locks orders and problems in either order.
        told = _try_to_settle(connection, encoder, catalogue, wish, close_later=patience == 1)
        if told is not None:
            return told
        time.sleep(_PAUSE_SECONDS)
    raise AssertionError  # the last try waits for nobody


def _try_to_settle(
    connection: Connection[Any], encoder: OutboxEncoder, catalogue: Catalogue, wish: Wish, *, close_later: bool
) -> Problem | None:
    """Settle, or change nothing and return None where the order's problem is in somebody's hand.

    `close_later` leaves the problem open then; who has it in hand looks whether any order is left.
    """
    told: Problem | None = None
    with connection.transaction() as transaction:
        row = _load(connection, wish.order_id, wish.organisation_id)
        _require(row, wish)
        connection.execute(
            _QUERIES["save"],
            {
                "order_id": row.order_id,
                "settled_as": wish.settled_as,
                "reason": wish.reason,
                "actor": wish.actor,
                "problem": row.problem_code,
            },
        )
        queue.settle(connection, row.order_id)
        settlement = load_settlement(connection, row.order_id)
        assert settlement is not None  # noqa: S101 -- it was just written
        told = catalogue.local("settled", **settlement.values())
        missing = _gaps(connection, row)
        if missing:
            message = f"{told.message} Taken out of Xero for a change, and missing there: {', '.join(missing)}."
            told = msgspec.structs.replace(told, message=message)
        record(connection, [_entry(row, told, wish.actor)], encoder.log_entry)
        detail = {"settled_as": wish.settled_as, "problem": row.problem_code}
        _audit(connection, row, "settle", wish.actor, reason=wish.reason, **detail)
        crash_point("settle.before_commit")
        if row.problem_id is not None:
            try:
                with connection.transaction():
                    close_problems_if_free(connection, [row.problem_id])
            except errors.LockNotAvailable:
                if not close_later:
                    told = None
                    raise Rollback(transaction) from None
    return told


def unsettle(
    connection: Connection[Any],
    encoder: OutboxEncoder,
    catalogue: Catalogue,
    order_id: str,
    *,
    actor: str,
    organisation_id: str | None = None,
    reason: str | None = None,
) -> Problem:
    """Take a settlement back, so that the order goes as any other; return what the log says of it.

    Raises:
        ReasonError: the reason can't be taken.
        UnknownOrderError: there is no such order.
        NotSettledError: it is not settled.
    """
    why = None if reason is None else read_reason(reason)
    actor = actor[:500]
    with connection.transaction():
        row = _load(connection, order_id, organisation_id)
        settlement = load_settlement(connection, order_id)
        if settlement is None or not settlement.stands:
            raise NotSettledError(f"Order {order_id} is not settled.")
        connection.execute(_QUERIES["delete"], {"order_id": order_id})
        queue.unsettle(connection, order_id)
        values = {**settlement.values(), "taken_back_by": actor, "why": "" if why is None else f" ({why})"}
        told = catalogue.local("unsettled", **values)
        record(connection, [_entry(row, told, actor)], encoder.log_entry)
        _audit(connection, row, "unsettle", actor, reason=why, settled_as=settlement.settled_as)
    return told


def load_settlement(connection: Connection[Any], order_id: str) -> Settlement | None:
    """Return what somebody settled of the order, whether it still stands or not."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(_QUERIES["load"], {"order_id": order_id}).fetchone()
    return None if row is None else msgspec.convert(row, Settlement)


def settled_orders(
    connection: Connection[Any], organisation_id: str | None = None, *, limit: int | None = None
) -> list[SettledOrder]:
    """Return the orders that stand settled (of one organisation), the newest settlement first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(_QUERIES["list"], {"organisation_id": organisation_id, "limit": limit})
        return msgspec.convert(cursor.fetchall(), list[SettledOrder])


def end_settlements(connection: Connection[Any], order_ids: Sequence[str]) -> None:
    """Forget, in the caller's transaction, those of the settlements that a change has ended."""
    connection.execute(_QUERIES["end"], {"order_ids": list(order_ids)})


def note_told(connection: Connection[Any], order_ids: Sequence[str]) -> None:
    """Note, in the caller's transaction, that the log says of these orders that a change is not sent."""
    connection.execute(_QUERIES["note_told"], {"order_ids": list(order_ids)})


def _load(connection: Connection[Any], order_id: str, organisation_id: str | None) -> _Row:
    connection.execute(_QUERIES["lock"], {"order_id": order_id})
    with connection.cursor(row_factory=class_row(_Row)) as cursor:
        row = cursor.execute(
            _QUERIES["standing"], {"order_id": order_id, "organisation_id": organisation_id}
        ).fetchone()
    if row is None:
        raise UnknownOrderError(order_id)
    return row


def _require(row: _Row, wish: Wish) -> None:
    if wish.problem is not None and row.problem_code != wish.problem:
        stands = (
            "it does not fail"
            if row.problem_code is None
            else f"it fails for {row.problem_code}: {row.problem_message}"
        )
        raise NotSettledError(f"Order {row.order_id} does not fail for {wish.problem}; {stands}")
    if row.in_step and wish.settled_as is not SettledAs.DO_NOT_SEND:
        raise NotSettledError(
            f"There is nothing to settle: all of order {row.order_id} was carried over to Xero. To keep later changes "
            f"of it away from Xero, settle it as {SettledAs.DO_NOT_SEND}."
        )


def _gaps(connection: Connection[Any], row: _Row) -> tuple[str, ...]:
    try:
        order = read_order(
            order_id=row.order_id,
            organisation_id=row.organisation_id,
            clinic_id=row.clinic_id,
            revision=row.revision,
            state=row.state,
        )
    except msgspec.ValidationError:
        # Its record can't be read, which may be what is settled.
        return ()
    links = load_links(connection, row.tenant_id or "", [(row.order_id, row.patient_id)])
    return find_gaps(order, links[row.order_id])


def _entry(row: _Row, told: Problem, actor: str) -> LogEntry:
    return LogEntry(
        organisation_id=row.organisation_id,
        clinic_id=row.clinic_id,
        order_id=row.order_id,
        tenant_id=row.tenant_id,
        operation=Operation.ORDER_SYNC,
        outcome=Outcome.SKIPPED,
        message=told.message,
        problem=told.code,
        problem_class=told.problem_class.value,
        fix=told.fix,
        trigger=Trigger.MANUAL,
        actor=actor,
        attempt=0,
        revision=row.revision,
        event_id=row.event_id,
        invoice_number=row.invoice_number,
    )


def _audit(connection: Connection[Any], row: _Row, action: str, actor: str, **detail: str | None) -> None:
    connection.execute(
        _QUERIES["audit"],
        {
            "organisation_id": row.organisation_id,
            "actor": actor,
            "action": action,
            "detail": msgspec.json.encode(
                {"order_id": row.order_id, **{name: value for name, value in detail.items() if value is not None}}
            ).decode(),
        },
    )
