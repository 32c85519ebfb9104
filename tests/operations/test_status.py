"""No order that will be looked at again may be in none of the numbers; none may be in two."""

from typing import Any

import pytest
from psycopg import Connection

from consumer.configuration import Configuration
from consumer.operations.status import Gauges, read_gauges, read_status
from consumer.xero import Budget
from tests.operations.rows import TENANT, insert, insert_intent, insert_order, insert_organisation


def groups(gauges: Gauges) -> dict[tuple[str, str, str], int]:
    return {(group.tenant, group.state, group.reason): group.orders for group in gauges.orders}


@pytest.mark.parametrize(
    ("due", "hold", "state", "reason"),
    [
        ("-1 minute", None, "due", ""),
        ("-1 minute", "retry", "due", ""),
        ("-1 minute", "problem", "due", ""),
        ("1 hour", None, "waiting", "pause"),
        ("1 hour", "limit", "waiting", "limit"),
        ("1 hour", "retry", "waiting", "retry"),
        ("1 hour", "problem", "waiting", "retry"),
        (None, "in_doubt", "waiting", "in_doubt"),
        (None, "connection", "waiting", "connection"),
        (None, "settings", "waiting", "settings"),
        (None, "problem", "failed", ""),
    ],
)
def test_every_state_of_an_order_has_its_place(
    connection: Connection[Any], due: str | None, hold: str | None, state: str, reason: str
) -> None:
    insert_organisation(connection)
    insert_order(connection, "order-1", due, hold=hold)
    assert groups(read_gauges(connection)) == {(TENANT, state, reason): 1}


@pytest.mark.parametrize("hold", [None, "manual", "disabled"])
def test_orders_that_are_through_or_wait_for_a_person_are_in_none(
    connection: Connection[Any], hold: str | None
) -> None:
    insert_organisation(connection)
    insert_order(connection, "order-1", hold=hold, synced_revision=1)
    assert read_gauges(connection).orders == []


def test_due_orders_of_a_tenant_that_rests_wait_but_a_person_uses_the_reserve(connection: Connection[Any]) -> None:
    insert_organisation(connection)
    insert_order(connection, "order-1", "-1 minute")
    insert_order(connection, "order-2", "-1 minute", priority=0)
    insert(connection, "xero_lease", tenant_id=TENANT, rest_until="infinity", rest_window="day")
    assert groups(read_gauges(connection)) == {(TENANT, "due", ""): 1, (TENANT, "waiting", "limit"): 1}
    connection.execute("update xero_lease set rest_window = 'minute'")
    assert groups(read_gauges(connection)) == {(TENANT, "waiting", "limit"): 2}


def test_due_orders_of_a_frozen_or_lost_tenant_wait(connection: Connection[Any]) -> None:
    insert_organisation(connection)
    insert_order(connection, "order-1", "-1 minute", priority=0)
    insert(connection, "xero_budget", tenant_id=TENANT, frozen_until="2999-01-01", frozen_reason="day")
    assert groups(read_gauges(connection)) == {(TENANT, "waiting", "limit"): 1}
    connection.execute("update xero_tenant set connected = false")
    assert groups(read_gauges(connection)) == {(TENANT, "waiting", "connection"): 1}
    connection.execute("update xero_tenant set connected = true")
    connection.execute("update xero_connection set state = 'disconnected'")
    assert groups(read_gauges(connection)) == {(TENANT, "waiting", "connection"): 1}


def test_a_tenant_that_was_called_and_never_frozen_is_not_frozen(connection: Connection[Any]) -> None:
    insert_organisation(connection)
    insert(connection, "xero_budget", tenant_id=TENANT)
    (tenant,) = read_gauges(connection).tenants
    assert (tenant.frozen_seconds, tenant.frozen_reason) == (0.0, None)


def test_orders_that_no_call_can_be_made_for_are_due_under_their_organisation(connection: Connection[Any]) -> None:
    insert_order(connection, "order-1", "-1 minute")
    assert groups(read_gauges(connection)) == {("-:org-1", "due", ""): 1}
    insert_organisation(connection, synchronisation_enabled=False)
    assert groups(read_gauges(connection)) == {("-:org-1", "due", ""): 1}


def test_an_open_call_keeps_its_order_visible_and_counts_it_once(connection: Connection[Any]) -> None:
    insert_organisation(connection)
    insert_order(connection, "in-hand", "-1 minute")
    insert_order(connection, "in-doubt", hold="in_doubt")
    insert_order(connection, "failed", hold="problem")
    insert_order(connection, "idle")
    for order_id in ("in-hand", "in-doubt", "failed", "idle", "unheard-of"):
        insert_intent(connection, order_id)
    insert_intent(connection, "known", settled=True)
    gauges = read_gauges(connection)
    assert gauges.count("due") == 1
    # The one in doubt; the others only by their open calls, the failed one too, which may be sent again.
    assert gauges.count("waiting") == 1 + 3
    assert gauges.count("failed") == 1
    assert [(entry.tenant, entry.intents) for entry in gauges.intents] == [(TENANT, 6)]


@pytest.mark.usefixtures("impatient")
def test_status_names_what_it_counts_also_without_kafka(connection: Connection[Any], offline: Configuration) -> None:
    insert_organisation(connection)
    insert_order(connection, "due", "-1 hour")
    insert_order(connection, "later", "1 hour", hold="retry")
    insert_order(connection, "failed", hold="problem")
    insert_order(connection, "settled", hold="settled", tenant_id=TENANT)
    insert_order(connection, "manual", hold="manual")
    insert_order(connection, "left-behind", hold="disabled")
    insert_order(connection, "still-off", hold="disabled", organisation_id="org-2")
    insert(connection, "outbox", topic="sync_log")
    insert(connection, "outbox", topic="sync_log", set_aside_at="2026-10-01T00:00:00Z")
    insert(connection, "dead_letter", topic="orders", partition=0, offset=1, reason="undecodable", detail="")
    insert(
        connection,
        "problem",
        organisation_id="org-1",
        code="no_tenant",
        **{"class": "settings"},
        message="",
        fix="",
    )
    found = read_status(connection, offline, Budget(calls_per_minute=60, calls_per_day=1_000))
    assert (found.lag, found.unread_requests) == (None, None)
    assert "Kafka doesn't answer" in str(found.lag_reason)
    assert (found.due, found.waiting, found.failed, found.unpublished) == (1, 1, 1, 1)
    assert found.waiting_for == {"retry": 1}
    assert (found.held, found.left_behind, found.settled) == ({"manual": 1, "disabled": 1}, 1, 1)
    assert (found.set_aside, found.dead_letters, found.open_problems) == (1, 1, 1)
    assert found.oldest_due_seconds == pytest.approx(3_600, abs=60)
    (tenant,) = found.tenants
    assert (tenant.tenant_id, tenant.due, tenant.waiting, tenant.failed, tenant.settled) == (TENANT, 1, 1, 1, 1)
    assert (tenant.minute_limit, tenant.day_limit) == (60, 1_000)


@pytest.mark.usefixtures("impatient")
def test_a_tenant_of_two_organisations_is_listed_once_with_both(
    connection: Connection[Any], offline: Configuration
) -> None:
    insert_organisation(connection)
    insert(connection, "xero_connection", organisation_id="org-0", state="disconnected")
    insert(
        connection,
        "xero_tenant",
        organisation_id="org-0",
        tenant_id=TENANT,
        connection_id="connection-0",
        name="A former name",
        tenant_type="ORGANISATION",
        connected=False,
    )
    insert_order(connection, "here", "-1 hour")
    for number, organisation_id in enumerate(("org-0", "org-9")):
        insert_order(connection, f"there-{number}", hold="problem", tenant_id=TENANT, organisation_id=organisation_id)
    insert_intent(connection, "here")
    (tenant,) = read_status(connection, offline, Budget(calls_per_minute=60, calls_per_day=1_000)).tenants
    assert (tenant.tenant_id, tenant.name, tenant.connected) == (TENANT, "Harbour Hearing", True)
    assert (tenant.organisation_id, tenant.organisations) == ("org-1", ["org-1", "org-0", "org-9"])
    assert (tenant.due, tenant.failed, tenant.open_intents, tenant.minute_limit) == (1, 2, 1, 60)


@pytest.mark.usefixtures("impatient")
def test_what_failed_stays_with_its_tenant_when_its_clinic_is_switched_off(
    connection: Connection[Any], offline: Configuration
) -> None:
    insert_organisation(connection)
    for number in range(4):
        insert_order(connection, f"tried-{number}", hold="problem", tenant_id=TENANT)
    insert_order(connection, "elsewhere", hold="problem", tenant_id="tenant-of-old")
    insert_order(connection, "never-tried", hold="problem")
    connection.execute("update organisation set synchronisation_enabled = false")
    found = read_status(connection, offline, Budget(calls_per_minute=60, calls_per_day=1_000))
    assert found.failed == 6
    assert [(tenant.tenant_id, tenant.name, tenant.failed) for tenant in found.tenants] == [
        (TENANT, "Harbour Hearing", 4),
        ("-:org-1", "no tenant", 1),
        ("tenant-of-old", "no longer listed by Xero", 1),
    ]
