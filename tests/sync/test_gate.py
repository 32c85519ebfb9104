"""Whether an order may go at all: decided from its state, its clinic's settings and what was asked."""

import pytest

from consumer.settings import ClinicSettings, Mode
from consumer.sync.gate import CONFLICT, Conflicts, Gate, Hold, decide
from tests.sync.books import CLINIC
from tests.sync.desk import TENANT, Desk, with_settings

OFF = with_settings(synchronisation_enabled=False)
MANUAL = with_settings(mode=Mode.MANUAL)
OFF_WITHOUT_TENANT = with_settings(tenant_id=None, synchronisation_enabled=False)
NO_TENANT = with_settings(tenant_id=None)


def gate(settings: ClinicSettings | None, *, requested: bool = False, elsewhere: tuple[str, ...] = ()) -> Gate:
    desk = Desk()
    desk.save_invoice()
    return decide(desk.order(), settings, requested=requested, elsewhere=elsewhere)


@pytest.mark.parametrize(
    ("settings", "requested", "hold", "code", "failed"),
    [
        (with_settings(), False, None, None, False),
        (with_settings(), True, None, None, False),
        (MANUAL, False, Hold.MANUAL, None, False),
        (MANUAL, True, None, None, False),
        (OFF, False, Hold.DISABLED, "synchronisation_disabled", False),
        (OFF, True, Hold.DISABLED, "synchronisation_disabled", True),
        # Who never set up Xero is not told about each order.
        (None, False, Hold.DISABLED, None, False),
        (None, True, Hold.DISABLED, "synchronisation_disabled", True),
        (NO_TENANT, False, Hold.PROBLEM, "no_tenant", True),
        (NO_TENANT, True, Hold.PROBLEM, "no_tenant", True),
        (with_settings(tenant_id=None, mode=Mode.MANUAL), False, Hold.MANUAL, None, False),
        (OFF_WITHOUT_TENANT, True, Hold.DISABLED, "synchronisation_disabled", True),
    ],
)
def test_settings_decide(
    settings: ClinicSettings | None,
    requested: bool,  # noqa: FBT001 -- a parameter
    hold: Hold | None,
    code: str | None,
    failed: bool,  # noqa: FBT001 -- a parameter
) -> None:
    decided = gate(settings, requested=requested)
    assert (decided.hold, decided.code, decided.failed) == (hold, code, failed)
    assert (decided.tenant_id == TENANT) == (hold is None)


def test_the_clinic_is_named() -> None:
    assert gate(NO_TENANT).values["clinic_id"] == CLINIC


@pytest.mark.parametrize("settings", [with_settings(), MANUAL, NO_TENANT])
@pytest.mark.parametrize("requested", [True, False])
def test_nobody_asks_an_order_out_of_a_conflict(settings: ClinicSettings, requested: bool) -> None:  # noqa: FBT001 -- a parameter
    desk = Desk()
    desk.save_invoice()
    conflicts = Conflicts((3, 4), (17, 18))
    decided = decide(desk.order(), settings, requested=requested, conflicts=conflicts)
    values = {"order_id": desk.order().order_id, "sequences": "3, 4", "letters": "17 18"}
    assert decided == Gate(hold=Hold.PROBLEM, code=CONFLICT, failed=True, values=values)
    # What was taken out of Xero for a change goes in again all the same.
    unfinished = decide(desk.order(), with_settings(), requested=False, gaps=("the payment",), conflicts=conflicts)
    assert (unfinished.tenant_id, unfinished.hold, unfinished.code) == (TENANT, Hold.PROBLEM, CONFLICT)
    assert decide(desk.order(), OFF, requested=False, conflicts=conflicts).hold is Hold.DISABLED


def test_an_order_that_lives_in_another_tenant_is_stopped() -> None:
    decided = gate(with_settings(), elsewhere=("old-tenant",))
    assert (decided.hold, decided.code, decided.failed) == (Hold.PROBLEM, "linked_elsewhere", True)
    assert decided.values["tenant"] == "old-tenant"
    assert gate(with_settings(), elsewhere=(TENANT,)).tenant_id == TENANT


@pytest.mark.parametrize("outcome", ["CANCELLED", "WRITTEN_OFF"])
@pytest.mark.parametrize("requested", [True, False])
def test_a_closed_order_is_done(outcome: str, requested: bool) -> None:  # noqa: FBT001 -- a parameter
    desk = Desk()
    desk.save_invoice()
    desk.close(outcome)
    decided = decide(desk.order(), with_settings(), requested=requested)
    assert (decided.code, decided.done, decided.hold) == ("order_closed", True, None)
    assert decided.values["outcome"] == outcome.lower().replace("_", " ")


def test_even_a_closed_order_is_held_where_nothing_is_sent() -> None:
    desk = Desk()
    desk.save_invoice()
    desk.close("CANCELLED")
    assert decide(desk.order(), OFF, requested=False).hold is Hold.DISABLED
