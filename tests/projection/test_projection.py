"""What the events say, in the table."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from consumer.contract import Encoder, MessageDecoder, RetryRequest
from consumer.contract.messages import DeadLetter
from consumer.database import connect
from consumer.orders import ChangeKind
from tests.contract.samples import PATIENT, sample_event, with_part
from tests.projection.world import World, event, wait_until

_TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_all_kinds_of_change_become_one_order(world: World) -> None:
    kinds = list(ChangeKind)
    world.publish(*[event("order-1", number, kind) for number, kind in enumerate(kinds, start=1)])
    with world.running() as running:
        world.wait_for_events(len(kinds))
        world.wait_until_caught_up()
    order = world.order()
    assert order["sequence"] == order["revision"] == len(kinds)
    assert order["synced_revision"] == 0
    assert (order["organisation_id"], order["clinic_id"], order["patient_id"]) == ("org-1", "clinic-1", "patient-1")
    assert (order["invoice_id"], order["invoice_number"]) == ("invoice-1", "WH00035")
    assert (order["issued_on"], order["currency"]) == (date(2026, 1, 30), "GBP")
    assert order["total"] == Decimal("1450.0000")
    assert order["occurred_at"] == datetime(2026, 1, 31, 9, 40, 0, 123456, tzinfo=UTC)
    assert order["event_id"] == f"order-1-{len(kinds)}"
    assert (order["trigger"], order["priority"], order["requested_revision"]) == ("manual", 0, len(kinds))
    assert order["pending_since"] == order["occurred_at"]
    assert list(order["missing"]) == []
    state = order["state"]
    assert state["invoice"]["deleted"]
    assert state["payments"]["payment-1"]["deleted"]
    assert state["credit_notes"]["note-1"]["deleted"]
    assert state["closed"] == {"sequence": 7, "outcome": "CANCELLED"}
    assert world.rows("select organisation_id, clinic_id from clinic") == [("org-1", "clinic-1")]
    assert running.metrics.counts["events applied"] == len(kinds)


def test_repeats_are_ignored_and_counted(world: World) -> None:
    first, second = event("order-1", 1), event("order-1", 2, ChangeKind.PAYMENT_SAVED)
    world.publish(first, second, first, second, second)
    with world.running() as running:
        world.wait_for_events(5)
        world.publish(first)
        world.wait_for_events(6)
        wait_until(lambda: running.metrics.counts["messages"] == 6)
    assert world.order()["revision"] == 2
    assert running.metrics.counts["events repeated"] == 4


def test_jumps_are_applied_and_seen_and_late_events_fill_them(world: World) -> None:
    with world.running() as running:
        world.publish(event("order-1", 1), event("order-1", 5, ChangeKind.PAYMENT_SAVED))
        world.wait_for_events(2)
        assert str(world.rows("select missing::text from orders")) == "[('{[2,5)}',)]"
        world.publish(event("order-1", 3, ChangeKind.CREDIT_NOTE_SAVED))
        world.wait_for_events(3)
        assert str(world.rows("select missing::text from orders")) == "[('{[2,3),[4,5)}',)]"
        wait_until(lambda: running.metrics.counts["events late"] == 1)
    order = world.order()
    assert (order["sequence"], order["revision"], order["event_id"]) == (5, 3, "order-1-5")
    assert order["state"]["credit_notes"]["note-1"]["sequence"] == 3
    assert running.metrics.counts["events jumped"] == 1


def test_a_well_formed_trace_parent_is_kept(world: World) -> None:
    for number, header in enumerate([_TRACE, b"nonsense", b"ff" + _TRACE[2:]], start=1):
        world.send(world.encode(event(f"order-{number}", 1)), b"order-%d" % number, headers=[("traceparent", header)])
    world.flush()
    with world.running():
        world.wait_for_events(3)
    found = world.rows("select trace_parent from orders order by order_id")
    assert found == [(_TRACE.decode(),), (None,), (None,)]


def test_who_waits_for_due_orders_and_messages_is_woken(world: World) -> None:
    with world.running(), connect(world.database_url, name="listener") as listener:
        listener.execute("listen hearlink_due")
        listener.execute("listen hearlink_outbox")
        world.publish(event("order-1", 1))
        assert next(listener.notifies(timeout=20, stop_after=1)).channel == "hearlink_due"
        world.send(b"nonsense")
        world.flush()
        assert next(listener.notifies(timeout=20, stop_after=1)).channel == "hearlink_outbox"


def test_a_change_makes_the_order_due_and_resets_what_a_failure_left(world: World) -> None:
    with world.running():
        world.publish(event("order-1", 1))
        world.wait_for_events(1)
        world.execute(
            "update orders set synced_revision = 1, due_at = null, hold = 'settings', attempts = 4, problem_id = 9, "
            "trigger = 'retry', priority = 2, pending_since = null, calm_at = now() + interval '10 seconds'"
        )
        world.publish(event("order-1", 2, ChangeKind.PAYMENT_SAVED, occurred_at_us=1_769_900_000_000_000, actor=None))
        world.wait_for_events(2)
    order = world.order()
    assert (order["hold"], order["attempts"], order["problem_id"]) == (None, 0, 9)
    assert (order["trigger"], order["priority"], order["actor"]) == ("auto", 1, None)
    # An order that was pushed again and again waits for its changes to gather.
    assert (order["calm_at"] - order["due_at"]).total_seconds() == 6
    assert order["pending_since"].timestamp() == 1_769_900_000


def test_an_unanswered_request_stays_a_persons(world: World) -> None:
    with world.running():
        world.publish(
            event("order-1", 1, ChangeKind.SYNC_REQUESTED, actor="the-asker"), event("order-1", 2, actor="other")
        )
        world.wait_for_events(2)
        order = world.order()
        assert (order["trigger"], order["priority"], order["actor"]) == ("manual", 0, "the-asker")
        assert order["requested_revision"] == 1
        world.publish(event("order-1", 3, ChangeKind.PAYMENT_SAVED, actor="other"))
        world.wait_for_events(3)
    order = world.order()
    assert (order["trigger"], order["priority"], order["actor"]) == ("manual", 0, "the-asker")
    assert (order["requested_revision"], order["revision"]) == (1, 3)


def test_a_request_for_an_order_in_step_stays_a_persons(world: World) -> None:
    with world.running():
        world.publish(event("order-1", 1))
        world.wait_for_events(1)
        world.execute(
            "update orders set synced_revision = 1, requested_revision = 1, trigger = 'manual', priority = 0, "
            "actor = 'op', due_at = now(), calm_at = now() + interval '10 seconds'"
        )
        world.publish(event("order-1", 2, ChangeKind.PAYMENT_SAVED, actor="other"))
        world.wait_for_events(2)
    order = world.order()
    assert (order["trigger"], order["priority"], order["actor"]) == ("manual", 0, "op")
    assert order["requested_revision"] == 1
    assert order["due_at"] <= order["projected_at"]


_OTHER = {**PATIENT, "patient_id": "patient-2"}


@pytest.mark.parametrize(
    ("kind", "order_id", "patient", "tenant_id", "hold"),
    [
        # Its own call, and its patient's contact, which another order's call was to make.
        ("payment", "order-1", _OTHER, "tenant-1", "in_doubt"),
        ("contact", "order-2", PATIENT, "tenant-1", "in_doubt"),
        # A contact that was its patient's, or that is another tenant's.
        ("contact", "order-2", _OTHER, "tenant-1", None),
        ("contact", "order-2", PATIENT, "tenant-2", None),
    ],
)
def test_an_order_stays_in_doubt_as_long_as_something_of_it_is(
    world: World, kind: str, order_id: str, patient: dict[str, Any], tenant_id: str, hold: str | None
) -> None:
    with world.running():
        world.publish(event("order-1", 1))
        world.wait_for_events(1)
        world.execute("update orders set hold = 'in_doubt', due_at = null")
        world.execute(
            "insert into organisation (organisation_id, synchronisation_enabled, mode, invoice_status, tenant_id) "
            "values ('org-1', true, 'auto', 'draft', 'tenant-1')"
        )
        world.execute(
            "with intent as (insert into xero_intent (tenant_id, organisation_id, lease_epoch, stage, method, path, "
            "idempotency_key, body_hash) values (%s, 'org-1', 1, 'x', 'PUT', '/', 'key', 'hash') returning id) "
            "insert into xero_intent_element (intent_id, position, operation, kind, order_id, local_id) "
            "select id, 0, 'x', %s, %s, 'patient-1' from intent",
            [tenant_id, kind, order_id],
        )
        world.publish(event("order-1", 2, ChangeKind.PAYMENT_SAVED, patient=patient))
        world.wait_for_events(2)
    order = world.order()
    assert (order["hold"], order["due_at"] is None, order["revision"]) == (hold, hold is not None, 2)


def test_another_organisation_may_not_take_an_order(world: World) -> None:
    world.publish(event("order-1", 1), event("order-1", 2, organisation_id="org-2"), event("order-1", 3))
    with world.running() as running:
        world.wait_for_events(3)
        wait_until(lambda: running.metrics.counts["events impossible"] == 1)
    assert world.rows("select reason, organisation_id, order_id from dead_letter") == [
        ("impossible", "org-2", "order-1")
    ]
    assert str(world.rows("select missing::text from orders")) == "[('{[2,3)}',)]"


def test_dead_letters_keep_origin_reason_and_bytes_and_the_partition_goes_on(world: World) -> None:
    good = world.encode(sample_event())
    bad = [
        (b"order-1", b"{}", "undecodable"),
        (b"order-1", good[:-3], "undecodable"),
        (b"\xff\xfe", good, "impossible"),
        (b"order-2", good, "impossible"),
        (None, None, "undecodable"),
        (b"order-\x001", b"\xc3\x01" + bytes(20), "undecodable"),
        (b"order-1", world.encode(sample_event(sequence=0)), "impossible"),
        (b"order-1", b"\xc3\x01" + bytes(950_000), "undecodable"),
    ]
    world.send(good, partition=0)
    for key, value, _ in bad:
        world.send(value, key, partition=0, headers=[("origin", b"\xff\x00"), ("origin", b"2")])
    world.publish(event("order-1", 2), partition=0)
    with world.running() as running:
        world.wait_for_events(len(bad) + 2)
        wait_until(lambda: running.metrics.counts["messages"] == len(bad) + 2)
    assert world.order()["revision"] == 2
    rows = world.rows(
        'select topic, partition, "offset", key, value, reason, headers, message_timestamp is not null, detail '
        'from dead_letter order by "offset"'
    )
    assert [row[:6] for row in rows] == [
        (world.orders_topic, 0, offset, key, value, reason) for offset, (key, value, reason) in enumerate(bad, start=1)
    ]
    assert rows[0][6] == [{"name": "origin", "value": "/wA="}, {"name": "origin", "value": "Mg=="}]
    assert all(row[7] for row in rows)
    assert all(len(row[8]) > 40 for row in rows)
    # What could be read tells whose it is.
    owners = world.rows("select distinct organisation_id, order_id from dead_letter where reason = 'impossible'")
    assert owners == [("org-1", "order-1")]
    letters = [
        MessageDecoder(world.schemas).decode(DeadLetter, bytes(value))
        for (value,) in world.rows("select value from outbox where topic = 'dead_letter' order by id")
    ]
    assert [(letter.offset, letter.key) for letter in letters] == [
        (offset, key) for offset, (key, _, _) in enumerate(bad, start=1)
    ]
    assert [letter.value for letter in letters] == [value for _, value, _ in bad]


def test_texts_with_nul_are_impossible_and_nothing_else_of_the_batch_is(world: World) -> None:
    good = [event(f"order-{number}", 1) for number in range(1, 5)]
    bad = [
        event("order-5", 1, actor="a\x00b"),
        event("order-6", 1, clinic_id="a\x00b"),
        event("order\x007", 1, event_id="order-7-1"),
        with_part(event("order-8", 1), "patient.last_name", "a\x00b"),
    ]
    world.publish(*good, *bad, event("order-9", 1))
    with world.running() as running:
        world.wait_for_events(9)
        wait_until(lambda: running.metrics.counts["messages"] == 9)
    assert world.rows("select count(*) from orders") == [(5,)]
    assert world.rows("select clinic_id from clinic") == [("clinic-1",)]
    details = [detail for (detail,) in world.rows("select detail from dead_letter where reason = 'impossible'")]
    assert sorted(detail.split("the text ")[1].split(" ")[0] for detail in details) == [
        "actor",
        "clinic_id",
        "order_id",
        "patient.last_name",
    ]


@pytest.mark.parametrize("poison", [1, 4, 7])
def test_what_postgres_refuses_is_narrowed_down_to_the_event(world: World, poison: int) -> None:
    world.execute("alter table orders add constraint no_poison check (state::text not like '%poison%')")
    events = [event(f"order-{number}", 1, ChangeKind.PAYMENT_SAVED) for number in range(1, 8)]
    events[poison - 1] = with_part(events[poison - 1], "change.payment.reference", "poison")
    world.publish(*events, event(f"order-{poison}", 2))
    with world.running() as running:
        world.wait_for_events(8)
        wait_until(lambda: running.metrics.counts["messages"] == 8)
    assert world.rows("select order_id, reason from dead_letter") == [(f"order-{poison}", "refused")]
    (detail,) = world.rows("select detail from dead_letter")[0]
    assert "SQLSTATE 23514, no_poison" in detail
    assert world.rows("select count(*) from orders") == [(7,)]
    assert running.metrics.counts["events refused"] == 1
    assert running.metrics.counts["events applied"] + running.metrics.counts["events jumped"] == 7


def test_retry_requests_ring_the_doorbell(world: World) -> None:
    with world.running() as running:
        world.publish(event("order-1", 1), event("order-2", 1))
        world.wait_for_events(2)
        world.execute("update orders set synced_revision = 1, due_at = null")
        world.execute("update orders set hold = 'problem', attempts = 3 where order_id = 'order-2'")
        by_hand = b'{"order_id": "order-1", "trigger": "manual", "actor": "support"}'
        encoded = Encoder(world.schemas).encode(
            "retry", RetryRequest(order_id="order-2", requested_at=datetime.now(UTC), attempt=2)
        )
        for value, key in ((by_hand, None), (encoded, b"order-2"), (None, b"nobody"), (b"nonsense", b"order-1")):
            world.send(value, key, topic=world.retry_topic)
        world.flush()
        wait_until(lambda: running.metrics.counts["retries undecodable"] == 1)
        order = world.order("order-1")
        assert (order["trigger"], order["actor"], order["priority"]) == ("manual", "support", 0)
        assert order["due_at"] is not None
        assert order["requested_revision"] == 1
        # Older than the order's attempts: nothing changes.
        assert world.order("order-2")["due_at"] is None
        world.send(None, b"order-2", topic=world.retry_topic)
        world.flush()
        wait_until(lambda: world.order("order-2")["due_at"] is not None)
        assert world.order("order-2")["attempts"] == 3
    counts = running.metrics.counts
    assert (counts["retries due"], counts["retries unknown"], counts["retries unchanged"]) == (2, 1, 1)
    assert world.rows("select topic, reason from dead_letter") == [(world.retry_topic, "undecodable")]
