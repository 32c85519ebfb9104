"""May this order be pushed at all, now? Pure: decided from its state, its clinic's settings and what was asked."""

from enum import StrEnum

import msgspec

from consumer.orders import Order
from consumer.settings import ClinicSettings, Mode
from consumer.sync.excess import Excess, find_excess
from consumer.sync.settlement import Settlement


class Hold(StrEnum):
    """Why an order waits, as `orders.hold` says it."""

    # Until someone asks for it: the clinic syncs by hand, or not at all.
    MANUAL = "manual"
    DISABLED = "disabled"
    # Until the connection is back.
    CONNECTION = "connection"
    # Until its problem is mended, or someone asks.
    PROBLEM = "problem"
    # Until a time.
    LIMIT = "limit"
    RETRY = "retry"
    IN_DOUBT = "in_doubt"
    # Until it changes, or the settlement is taken back: somebody said so.
    SETTLED = "settled"


CONFLICT = "sequence_used_twice"
BEYOND_LIMIT = "amount_beyond_limit"
SETTLED = "settled"
SETTLED_CHANGE = "settled_change_not_sent"


class Conflicts(msgspec.Struct, frozen=True):
    """Events whose sequence another event of the order had: the sequences, and the dead letters that hold them."""

    sequences: tuple[int, ...] = ()
    letter_ids: tuple[int, ...] = ()

    def values(self, order_id: str) -> dict[str, str]:
        """Return what the catalogue's words need."""
        return {
            "order_id": order_id,
            "sequences": ", ".join(map(str, self.sequences)),
            "letters": " ".join(map(str, self.letter_ids)),
        }


NO_CONFLICTS = Conflicts()


class Gate(msgspec.Struct, frozen=True):
    """The decision. `tenant_id` is set where the order goes on; else `hold` and what the log is to say.

    `code` names the entry of the problem catalogue, None where nothing is logged; `failed` tells a failure from a skip.
    `done` means that Xero is as it should be: nothing is to be sent, now or later. With `tenant_id` and a `hold` or
    `done`, only what closes the order's gaps goes before that.
    """

    tenant_id: str | None = None
    hold: Hold | None = None
    code: str | None = None
    values: dict[str, str] = {}
    failed: bool = False
    done: bool = False


def leave_settled(settlement: Settlement, *, requested: bool) -> Gate:
    """Decide on an order that somebody settled: nothing of it is sent, not even what closes its gaps.

    Whoever `requested` it is told how it stands; else the log tells of a change that is not sent.
    """
    code = SETTLED_CHANGE if settlement.changed and not requested else SETTLED
    return Gate(hold=Hold.SETTLED, code=code, values=settlement.values())


def decide(
    order: Order,
    settings: ClinicSettings | None,
    *,
    requested: bool,
    elsewhere: tuple[str, ...] = (),
    gaps: tuple[str, ...] = (),
    conflicts: Conflicts = NO_CONFLICTS,
) -> Gate:
    """Decide whether `order` is pushed.

    `requested`: a person asked for it. `elsewhere`: the ids of other tenants that hold its invoice. `conflicts`: events
    of it that wait for a decision; Xero keeps what it has until then, since either may be right. `gaps`: what was
    taken out of Xero for a change that is still to be made. It is made also where the order may not be pushed any
    more, for else its money would be missing in Xero and nobody told; only where nothing may be sent, or an amount is
    beyond the clinic's limit, it has to wait.
    """
    if settings is None or not settings.synchronisation_enabled:
        return _switched_off(order, settings, requested=requested, gaps=gaps)
    excess = find_excess(order, settings.amount_limit)
    closing = settings.tenant_id if gaps and not elsewhere and excess is None else None
    if conflicts.letter_ids:
        values = conflicts.values(order.order_id)
        return Gate(tenant_id=closing, hold=Hold.PROBLEM, code=CONFLICT, failed=True, values=values)
    if order.state.closed is not None:
        outcome = order.state.closed.outcome.lower().replace("_", " ")
        values = {"order_id": order.order_id, "outcome": outcome}
        return Gate(tenant_id=closing, code="order_closed", values=values, done=True)
    if settings.mode is Mode.MANUAL and not requested:
        return Gate(tenant_id=closing, hold=Hold.MANUAL)
    return _to_tenant(order, settings, elsewhere, excess)


def _to_tenant(order: Order, settings: ClinicSettings, elsewhere: tuple[str, ...], excess: Excess | None) -> Gate:
    if settings.tenant_id is None:
        return Gate(hold=Hold.PROBLEM, code="no_tenant", failed=True, values={"clinic_id": order.clinic_id})
    others = tuple(tenant_id for tenant_id in elsewhere if tenant_id != settings.tenant_id)
    if others:
        values = {"tenant": others[0], "order_id": order.order_id}
        return Gate(hold=Hold.PROBLEM, code="linked_elsewhere", failed=True, values=values)
    if excess is not None:
        values = {
            "order_id": order.order_id,
            "kind": excess.kind,
            "amount": f"{excess.amount:,.2f}",
            "limit": f"{settings.amount_limit:,.2f}",
        }
        return Gate(hold=Hold.PROBLEM, code=BEYOND_LIMIT, failed=True, values=values)
    return Gate(tenant_id=settings.tenant_id)


def _switched_off(order: Order, settings: ClinicSettings | None, *, requested: bool, gaps: tuple[str, ...]) -> Gate:
    if gaps:
        values = {"missing": ", ".join(gaps), "order_id": order.order_id}
        return Gate(hold=Hold.PROBLEM, code="left_unfinished", values=values, failed=True)
    # An organisation that never set up Xero gets no row for each of its orders.
    code = None if settings is None and not requested else "synchronisation_disabled"
    return Gate(hold=Hold.DISABLED, code=code, values={"clinic_id": order.clinic_id}, failed=requested)
