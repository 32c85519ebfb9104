"""Work that goes wrong while every part is there: late, refused, fought over, stuck. Each is mended at its end."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import OFFSET_END, Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from consumer.orders import ChangeKind
from consumer.sandbox.xero import Fault as XeroFault
from tests.deploy.live.world import Faults, World
from tests.sync.books import invoice

_ACCOUNT = "200"


@contextmanager
def some_late_orders(world: World) -> Iterator[None]:
    """More than one in a hundred, fewer than one in sixteen: no reason to get up."""
    world.send_orders(300)
    world.service.wait_until_quiet()
    world.send_orders(100, late_every=8)
    yield


@contextmanager
def account_archived(world: World) -> Iterator[None]:
    """The bookkeeper archives the account that every order needs."""
    world.control.archive_account(world.service.tenant_id, _ACCOUNT)
    world.send_orders(40)
    yield
    world.control.restore_account(world.service.tenant_id, _ACCOUNT)
    world.service.expect("retry", "--failed")
    world.service.wait_until_quiet()


@contextmanager
def unknown_words(world: World) -> Iterator[None]:
    """Xero refuses an invoice in words that nobody has told us."""
    world.control.add_fault(
        XeroFault(kind="refuse", path="/Invoices", containing="F-unknown", detail="The moon is full.", count=None)
    )
    world.service.send("fault-unknown", ChangeKind.INVOICE_SAVED, {"invoice": invoice("F-unknown")})
    yield
    world.control.clear_faults()
    world.service.expect("retry", "--failed")
    world.service.wait_until_quiet()


@contextmanager
def lease_taken(world: World) -> Iterator[None]:
    """Somebody takes the lease over while a call is in flight."""
    _take_lease(world)
    yield
    # The call's outcome is unknown now; it is looked up before anything else happens.
    world.service.wait_until_quiet()


@contextmanager
def lease_fought_over(world: World) -> Iterator[None]:
    """Again and again."""
    with world.repeatedly(lambda: _take_lease(world), 0.1):
        yield
    world.service.wait_until_quiet()


def _take_lease(world: World) -> None:
    world.control.add_fault(XeroFault(kind="delay_before", path="/Invoices", count=1))
    world.send_orders()
    world.wait(lambda: any(fault["struck"] for fault in world.control.faults()), "a call that waits")
    world.connection.execute(
        "update xero_lease set epoch = epoch + 1, owner = null where tenant_id = %s", [world.service.tenant_id]
    )
    world.control.clear_faults()


@contextmanager
def record_unreadable(world: World) -> Iterator[None]:
    """Our own record of an order makes no sense."""
    world.send_orders()
    world.service.wait_until_quiet()
    (whole,) = world.connection.execute(
        "with newest as (select order_id, state from orders order by projected_at desc limit 1) "
        "update orders o set state = '{}' from newest where newest.order_id = o.order_id "
        "returning o.order_id, newest.state::text"
    ).fetchall()
    order_id, state = whole
    world.service.expect("retry", "--order", order_id)
    yield
    world.connection.execute("update orders set state = %s where order_id = %s", [state, order_id])
    world.service.expect("retry", "--order", order_id)
    world.service.wait_until_quiet()


@contextmanager
def message_too_large(world: World) -> Iterator[None]:
    world.connection.execute(
        "insert into outbox (topic, key, value) values ('sync_log', 'k', convert_to(repeat('x', 2000000), 'UTF8'))"
    )
    yield
    world.connection.execute("delete from outbox where set_aside_at is not null")


@contextmanager
def next_event_gone(world: World) -> Iterator[None]:
    """Kafka throws events away that nobody has read."""
    environment = world.service.environment
    world.front.process.send_signal(signal.SIGSTOP)
    world.send_orders(30)
    admin = AdminClient({"bootstrap.servers": environment["KAFKA_BOOTSTRAP_SERVERS"]})
    topic = environment["ORDERS_TOPIC"]
    partitions = admin.list_topics(topic, timeout=10).topics[topic].partitions
    ends = [TopicPartition(topic, partition, OFFSET_END) for partition in partitions]
    starts = {place: future.result().low_watermark for place, future in admin.delete_records(ends).items()}
    world.front.process.send_signal(signal.SIGCONT)
    with world.supervised():
        yield
        # As the runbook says, where HearLink publishes them again.
        for place, start in starts.items():
            world.connection.execute(
                "update partition_offset set next_offset = %s where topic = %s and partition = %s",
                [start, place.topic, place.partition],
            )
        _forget_role_failures(world)


@contextmanager
def projection_broken(world: World) -> Iterator[None]:
    """See `tests.deploy.live.disturbed`."""
    broken = world.service.folder / "broken"
    broken.touch()
    with world.supervised():
        failures = "select from role_failure where code = 'defect'"
        world.wait(lambda: bool(world.connection.execute(failures).fetchall()), "a role that fails")
        broken.unlink()
        yield
        _forget_role_failures(world)


def _forget_role_failures(world: World) -> None:
    """Let pass in a moment what takes ten minutes."""
    world.connection.execute("update role_failure set failed_at = failed_at - interval '10 minutes'")


@contextmanager
def kafka_away(world: World) -> Iterator[None]:
    assert world.kafka is not None
    world.kafka.cut()
    yield
    world.kafka.restore()


@contextmanager
def member_that_does_not_rejoin(world: World) -> Iterator[None]:
    """A foreign member of the group, busy elsewhere, holds the others up when a third one comes."""
    with group_member(world) as busy:
        world.wait(lambda: busy.poll(0.1) is None and bool(busy.assignment()), "a member with partitions")
        with group_member(world) as third:
            third.poll(0.1)
            yield


@contextmanager
def group_member(world: World) -> Iterator[Consumer]:
    """A member of the service's own group, which is none of its processes."""
    environment = world.service.environment
    member = Consumer(
        {
            **json.loads(environment["KAFKA_CONFIG"]),
            "bootstrap.servers": environment["KAFKA_BOOTSTRAP_SERVERS"],
            "group.id": environment["KAFKA_GROUP_ID"],
            "partition.assignment.strategy": "cooperative-sticky",
            "enable.auto.commit": False,
        }
    )
    member.subscribe([environment["ORDERS_TOPIC"], environment["RETRY_TOPIC"]])
    try:
        yield member
    finally:
        member.close()


@contextmanager
def loop_stuck(world: World, loop: str) -> Iterator[None]:
    """See `tests.deploy.live.disturbed`."""
    sign = world.service.folder / loop
    sign.touch()
    yield
    sign.unlink()


FAULTS: Faults = {
    # First: what others make late would count as well.
    "HearLinkXeroLateSlow": some_late_orders,
    "HearLinkXeroOrdersFailing": account_archived,
    "HearLinkXeroUnknownMessage": unknown_words,
    "HearLinkXeroFenceLost": lease_taken,
    "HearLinkXeroFenceLostOften": lease_fought_over,
    "HearLinkXeroDefect": record_unreadable,
    "HearLinkXeroOutboxSetAside": message_too_large,
    "HearLinkXeroOffsetsLost": next_event_gone,
    "HearLinkXeroRoleFailing": projection_broken,
    "HearLinkXeroKafkaAway": kafka_away,
    "HearLinkXeroGroupUnsettled": member_that_does_not_rejoin,
    "HearLinkXeroNoPoll": lambda world: loop_stuck(world, "projection"),
    "HearLinkXeroNoRound": lambda world: loop_stuck(world, "push"),
}
# After these the processes find out bit by bit what happened meanwhile.
SHAKING = frozenset(
    {
        "HearLinkXeroFenceLost",
        "HearLinkXeroFenceLostOften",
        "HearLinkXeroOffsetsLost",
        "HearLinkXeroRoleFailing",
        "HearLinkXeroKafkaAway",
        "HearLinkXeroGroupUnsettled",
    }
)
# Many begin with one.
COMPANIONS = {"HearLinkXeroFenceLostOften": {"HearLinkXeroFenceLost"}}
