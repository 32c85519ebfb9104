"""A part of the service that fails, goes away, or stays in a state for too long; each fault is mended at its end."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus

from consumer.database import connect
from consumer.results.relay import _LOCK as RELAY_LOCK
from consumer.sandbox.xero import Fault as XeroFault
from consumer.sync.lease import _LOCK_SPACE
from tests.deploy.live.world import Fault, Faults, World

_OWNER_LOCK = 4_711


@contextmanager
def row(world: World, statements: tuple[str, str]) -> Iterator[None]:
    """A row that should not be there."""
    begin, mend = statements
    world.connection.execute(begin)
    yield
    world.connection.execute(mend)


@contextmanager
def late_orders(world: World) -> Iterator[None]:
    # Well more than the handful that is no trend: a scrape may be missed on a busy machine.
    world.send_orders(40, late_every=1)
    yield


@contextmanager
def tenant_held(world: World) -> Iterator[None]:
    """Somebody has the lease, lives, and does nothing."""
    world.connection.execute("select pg_advisory_lock(%s, %s)", [_LOCK_SPACE, _OWNER_LOCK])
    world.service.wait_until_quiet()
    world.connection.execute(
        "update xero_lease set owner = 'test', owner_lock = %s, epoch = epoch + 1, "
        "expires_at = now() + interval '1 hour' where tenant_id = %s",
        [_OWNER_LOCK, world.service.tenant_id],
    )
    world.send_orders()
    yield
    world.connection.execute("update xero_lease set owner = null where owner = 'test'")
    world.connection.execute("select pg_advisory_unlock(%s, %s)", [_LOCK_SPACE, _OWNER_LOCK])


@contextmanager
def tenant_frozen(world: World) -> Iterator[None]:
    world.connection.execute(
        "update xero_budget set frozen_until = now() + interval '1 hour', frozen_reason = 'day' where tenant_id = %s",
        [world.service.tenant_id],
    )
    world.send_orders()
    yield
    world.connection.execute("update xero_budget set frozen_until = '-infinity', frozen_reason = ''")
    world.connection.execute("update xero_lease set rest_until = '-infinity', rest_window = null")
    # It was told to come back in an hour.
    world.connection.execute("update orders set due_at = now() where hold = 'limit'")
    world.service.wait_until_quiet()


@contextmanager
def disconnected(world: World) -> Iterator[None]:
    world.service.simulator.control.disconnect(world.service.tenant_id)
    world.send_orders()
    yield
    assert world.service.connect().code == 0


@contextmanager
def app_refused(world: World) -> Iterator[None]:
    """The app's secret was replaced at Xero, and the service has the old one."""
    simulator = world.service.simulator
    simulator.control.register_app(simulator.client_id, "another secret")
    world.connection.execute("update xero_connection set access_expires_at = now()")
    world.send_orders()
    yield
    simulator.control.register_app(simulator.client_id, simulator.client_secret)
    # It is tried again within five minutes, or by a process that starts.
    world.connection.execute("update xero_refusal set retry_at = now()")
    world.service.wait_until_quiet()


@contextmanager
def xero_unavailable(world: World) -> Iterator[None]:
    """Orders keep coming, so that there are calls."""
    # Not Xero's documented 503: that one asks for patience.
    world.control.add_fault(XeroFault(kind="internal_error_before", path="/api.xro/", count=None))
    with world.repeatedly(world.send_orders, 0.5):
        yield
    world.control.clear_faults()
    world.service.wait_until_quiet()


@contextmanager
def call_lost(world: World) -> Iterator[None]:
    """A call gets lost: half a minute passes until it is certain that Xero does not have it."""
    world.control.add_fault(XeroFault(kind="drop_before", path="/Invoices", count=1))
    world.send_orders()
    yield
    world.service.wait_until_quiet()


@contextmanager
def relay_elsewhere(world: World) -> Iterator[None]:
    """Another session is the active relay, and publishes nothing."""
    with connect(world.service.environment["DIRECT_URL"], name="test") as other:
        waiting = threading.Thread(target=lambda: other.execute("select pg_advisory_lock(%s)", [RELAY_LOCK]))
        waiting.start()
        while waiting.is_alive():
            world.connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'hearlink-xero relay'"
            )
            time.sleep(0.2)
        world.connection.execute(
            "insert into outbox (topic, key, value, created_at) "
            "values ('sync_log', 'k', 'v', now() - interval '1 hour')"
        )
        yield


@contextmanager
def projection_blocked(world: World) -> Iterator[None]:
    with connect(world.service.environment["DIRECT_URL"], name="test", autocommit=False) as other:
        other.execute("set idle_in_transaction_session_timeout = 0")
        other.execute("lock table partition_offset in exclusive mode")
        world.send_orders()
        yield
        other.rollback()


@contextmanager
def postgres_away(world: World) -> Iterator[None]:
    world.postgres.cut()
    yield
    world.postgres.restore()


@contextmanager
def nobody_answers(world: World) -> Iterator[None]:
    running = [world.front, world.back]
    for process in running:
        process.process.send_signal(signal.SIGSTOP)
    yield
    for process in running:
        process.process.send_signal(signal.SIGCONT)


@contextmanager
def projection_missing(world: World) -> Iterator[None]:
    assert world.front.stop() == 0, world.front.text
    yield
    world.front = world.service.start()
    world.front.wait_for("partitions_assigned")


@contextmanager
def one_bad_event(world: World) -> Iterator[None]:
    world.send_poison(1)
    yield
    world.connection.execute("delete from dead_letter")


@contextmanager
def broken_schema(world: World) -> Iterator[None]:
    """Every event is bad: the process ends, and its supervisor starts it again until they are let through."""
    world.send_poison(150)
    with world.supervised():
        yield
        for stop in world.service.status()["stops"]:
            places = {"partition": stop["partition"], "from": stop["first_offset"]}
            options = [part for name, place in places.items() for part in (f"--{name}", str(place))]
            world.service.expect("dead-letters", "skip", *options, "--reason", "a test", "--yes")
        world.service.wait_for_status(lambda status: status["lag"] == 0)
    world.connection.execute("delete from dead_letter")


@contextmanager
def console_frozen(world: World) -> Iterator[None]:
    world.console.send_signal(signal.SIGSTOP)
    yield
    world.console.send_signal(signal.SIGCONT)


@contextmanager
def console_fails(world: World) -> Iterator[None]:
    """Our own record of an order makes no sense; nobody but the console looks at it."""
    ((state,),) = world.connection.execute("select state::text from orders where order_id = 'fault-1'").fetchall()
    world.connection.execute("update orders set state = '{}' where order_id = 'fault-1'")
    assert world.visit_order("fault-1") == HTTPStatus.INTERNAL_SERVER_ERROR
    with world.repeatedly(lambda: _visit(world), 0.3):
        yield
    world.connection.execute("update orders set state = %s where order_id = 'fault-1'", [state])


def _visit(world: World) -> None:
    world.visit_order("fault-1")


# After these the processes find out bit by bit what happened meanwhile: a lease or a partition that went to another.
SHAKING = frozenset(
    {
        "HearLinkXeroPostgresAway",
        "HearLinkXeroLagGrowing",
        "HearLinkXeroRoleMissing",
        "HearLinkXeroDown",
        "HearLinkXeroFailing",
    }
)

# Rows that stand for what is too slow to bring about: fifty days of silence, a worker that has been gone for long.
_ROWS: dict[str, tuple[str, str]] = {
    "HearLinkXeroTokenOld": (
        "update xero_connection set refreshed_at = now() - interval '50 days'",
        "update xero_connection set refreshed_at = now()",
    ),
    # What a restored dump has lost.
    "HearLinkXeroConsoleNotReady": (
        "revoke select on sync_log from hearlink_console",
        "grant select on sync_log to hearlink_console",
    ),
    "HearLinkXeroLeaseExpired": (
        "insert into xero_lease (tenant_id, owner, owner_lock, expires_at) values ('gone', 'gone', 1, now())",
        "delete from xero_lease where tenant_id = 'gone'",
    ),
}


def _row(alert: str) -> Fault:
    return partial(row, statements=_ROWS[alert])


FAULTS: Faults = {
    **{alert: _row(alert) for alert in _ROWS},
    "HearLinkXeroConsoleDown": console_frozen,
    "HearLinkXeroConsoleFailing": console_fails,
    "HearLinkXeroOpenIntentsOld": call_lost,
    "HearLinkXeroOrdersDueTooLong": tenant_held,
    "HearLinkXeroBudgetSpent": tenant_frozen,
    "HearLinkXeroConnectionLost": disconnected,
    "HearLinkXeroAppRefused": app_refused,
    "HearLinkXeroOutboxStuck": relay_elsewhere,
    "HearLinkXeroLagGrowing": projection_blocked,
    "HearLinkXeroPostgresAway": postgres_away,
    "HearLinkXeroLateFast": late_orders,
    "HearLinkXeroRoleMissing": projection_missing,
    "HearLinkXeroDown": nobody_answers,
    "HearLinkXeroDeadLetters": one_bad_event,
    "HearLinkXeroFailing": xero_unavailable,
    "HearLinkXeroDeadLetterBrake": broken_schema,
}
