"""What can befall the service, each as a context manager: it begins with `with` and is mended at its end."""

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from confluent_kafka import Producer
from psycopg import Connection

from consumer.database import connect
from consumer.orders import ChangeKind
from consumer.results.relay import _LOCK as RELAY_LOCK
from consumer.sandbox.xero import Fault
from consumer.sync.lease import _LOCK_SPACE
from tests.cli.service import Running, Service
from tests.fixtures.proxy import TcpProxy
from tests.sync.books import invoice

_OWNER_LOCK = 4_711


class World:
    """The service under test: `front` runs all roles, `back` pushes and relays. `connection` doesn't use the proxy."""

    def __init__(self, service: Service, connection: Connection[Any], proxy: TcpProxy) -> None:
        self.service = service
        self.connection = connection
        self.proxy = proxy
        self.front: Running = service.start()
        self._orders = 0

    def send_orders(self, count: int = 1, *, hours_ago: int = 0) -> None:
        """Publish so many new orders at once."""
        lines = [self._order_line(hours_ago) for _ in range(count)]
        self.service.expect("events", "send", "-", stdin="\n".join(lines) + "\n")

    def _order_line(self, hours_ago: int) -> str:
        self._orders += 1
        order_id = f"fault-{self._orders}"
        change = {"invoice": invoice(f"F-{order_id}")}
        line = json.loads(self.service.event_line(order_id, ChangeKind.INVOICE_SAVED, change))
        if hours_ago:
            line["occurred_at"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - hours_ago * 3_600))
        return json.dumps(line)

    def send_poison(self, count: int) -> None:
        producer = Producer({"bootstrap.servers": self.service.environment["KAFKA_BOOTSTRAP_SERVERS"]})
        for _ in range(count):
            producer.produce(self.service.environment["ORDERS_TOPIC"], key=b"poison", value=b"not Avro", partition=0)
        assert producer.flush(30) == 0

    @contextmanager
    def row(self, insert: str, delete: str) -> Iterator[None]:
        """Fault: a row that should not be there."""
        self.connection.execute(insert)
        yield
        self.connection.execute(delete)

    @contextmanager
    def late_orders(self) -> Iterator[None]:
        # Well more than the handful that is no trend: a scrape may be missed on a busy machine.
        self.send_orders(40, hours_ago=1)
        yield

    @contextmanager
    def tenant_held(self) -> Iterator[None]:
        """Somebody has the lease, lives, and does nothing."""
        self.connection.execute("select pg_advisory_lock(%s, %s)", [_LOCK_SPACE, _OWNER_LOCK])
        self.service.wait_until_quiet()
        self.connection.execute(
            "update xero_lease set owner = 'test', owner_lock = %s, epoch = epoch + 1, "
            "expires_at = now() + interval '1 hour' where tenant_id = %s",
            [_OWNER_LOCK, self.service.tenant_id],
        )
        self.send_orders()
        yield
        self.connection.execute("update xero_lease set owner = null where owner = 'test'")
        self.connection.execute("select pg_advisory_unlock(%s, %s)", [_LOCK_SPACE, _OWNER_LOCK])

    @contextmanager
    def tenant_frozen(self) -> Iterator[None]:
        self.connection.execute(
            "update xero_budget set frozen_until = now() + interval '1 hour', frozen_reason = 'day' "
            "where tenant_id = %s",
            [self.service.tenant_id],
        )
        self.send_orders()
        yield
        self.connection.execute("update xero_budget set frozen_until = '-infinity', frozen_reason = ''")
        self.connection.execute("update xero_lease set rest_until = '-infinity', rest_window = null")
        # It was told to come back in an hour.
        self.connection.execute("update orders set due_at = now() where hold = 'limit'")
        self.service.wait_until_quiet()

    @contextmanager
    def disconnected(self) -> Iterator[None]:
        self.service.simulator.control.disconnect(self.service.tenant_id)
        self.send_orders()
        yield
        assert self.service.connect().code == 0

    @contextmanager
    def xero_unavailable(self) -> Iterator[None]:
        """Orders keep coming, so that there are calls."""
        stop = threading.Event()

        def feed() -> None:
            while not stop.wait(0.5):
                self.send_orders()

        # Not Xero's documented 503: that one asks for patience.
        self.service.simulator.control.add_fault(Fault(kind="internal_error_before", path="/api.xro/", count=None))
        thread = threading.Thread(target=feed)
        thread.start()
        yield
        stop.set()
        thread.join()
        self.service.simulator.control.clear_faults()
        self.service.wait_until_quiet()

    @contextmanager
    def lease_taken(self) -> Iterator[None]:
        """Somebody takes the lease over while a call is in flight."""
        control = self.service.simulator.control
        control.add_fault(Fault(kind="delay_before", path="/Invoices", count=1))
        self.send_orders()
        until = time.monotonic() + 30
        while not any(fault["struck"] for fault in control.faults()):
            assert time.monotonic() < until
            time.sleep(0.05)
        self.connection.execute(
            "update xero_lease set epoch = epoch + 1 where tenant_id = %s", [self.service.tenant_id]
        )
        control.clear_faults()
        yield
        # The call's outcome is unknown now; it is looked up before anything else happens.
        self.service.wait_until_quiet()

    @contextmanager
    def relay_elsewhere(self) -> Iterator[None]:
        """Another session is the active relay, and publishes nothing."""
        with connect(self.service.environment["DIRECT_URL"], name="test") as other:
            waiting = threading.Thread(target=lambda: other.execute("select pg_advisory_lock(%s)", [RELAY_LOCK]))
            waiting.start()
            while waiting.is_alive():
                self.connection.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity "
                    "where application_name = 'hearlink-xero relay'"
                )
                time.sleep(0.2)
            self.connection.execute(
                "insert into outbox (topic, key, value, created_at) "
                "values ('sync_log', 'k', 'v', now() - interval '1 hour')"
            )
            yield

    @contextmanager
    def projection_blocked(self) -> Iterator[None]:
        with connect(self.service.environment["DIRECT_URL"], name="test", autocommit=False) as other:
            other.execute("set idle_in_transaction_session_timeout = 0")
            other.execute("lock table partition_offset in exclusive mode")
            self.send_orders()
            yield
            other.rollback()

    @contextmanager
    def postgres_away(self) -> Iterator[None]:
        self.proxy.cut()
        yield
        self.proxy.restore()

    @contextmanager
    def nobody_answers(self, running: list[Running]) -> Iterator[None]:
        for process in running:
            process.process.send_signal(signal.SIGSTOP)
        yield
        for process in running:
            process.process.send_signal(signal.SIGCONT)

    @contextmanager
    def projection_missing(self) -> Iterator[None]:
        assert self.front.stop() == 0, self.front.text
        yield
        self.front = self.service.start()
        self.front.wait_for("partitions_assigned")

    @contextmanager
    def one_bad_event(self) -> Iterator[None]:
        self.send_poison(1)
        yield
        self.connection.execute("delete from dead_letter")

    @contextmanager
    def broken_schema(self) -> Iterator[None]:
        """Every event is bad: the process ends, and its supervisor starts it again and again."""
        stop = threading.Event()

        def supervise() -> None:
            while not stop.wait(0.2):
                if self.front.process.poll() is not None:
                    self.front = self.service.start()

        self.send_poison(150)
        thread = threading.Thread(target=supervise)
        thread.start()
        yield
        stop.set()
        thread.join()


# After these the processes find out bit by bit what happened meanwhile: a lease or a partition that went to another.
SHAKING = frozenset(
    {
        "HearLinkXeroPostgresAway",
        "HearLinkXeroLagGrowing",
        "HearLinkXeroRoleMissing",
        "HearLinkXeroDown",
        "HearLinkXeroFenceLost",
        "HearLinkXeroFailing",
    }
)

Faults = dict[str, Callable[[World], AbstractContextManager[None]]]

# Rows that stand for what is too slow to bring about: an hour of waiting, fifty days of silence.
_ROWS: dict[str, tuple[str, str]] = {
    "HearLinkXeroTokenOld": (
        "update xero_connection set refreshed_at = now() - interval '50 days'",
        "update xero_connection set refreshed_at = now()",
    ),
    "HearLinkXeroOpenIntentsOld": (
        (
            "insert into xero_intent (tenant_id, organisation_id, lease_epoch, stage, method, path, idempotency_key, "
            "body_hash, opened_at) values ('gone', 'org-9', 1, 'invoice_create', 'PUT', '/Invoices', 'key', 'hash', "
            "now() - interval '1 hour')"
        ),
        "delete from xero_intent where tenant_id = 'gone'",
    ),
    "HearLinkXeroLeaseExpired": (
        "insert into xero_lease (tenant_id, owner, owner_lock, expires_at) values ('gone', 'gone', 1, now())",
        "delete from xero_lease where tenant_id = 'gone'",
    ),
    "HearLinkXeroDefect": (
        "insert into problem (organisation_id, code, class, message, fix) values ('org-9', 'd', 'defect', 'm', 'f')",
        "delete from problem where organisation_id = 'org-9'",
    ),
    "HearLinkXeroOutboxSetAside": (
        "insert into outbox (topic, key, value, set_aside_at) values ('sync_log', 'k', 'v', now())",
        "delete from outbox where set_aside_at is not null",
    ),
    "HearLinkXeroOffsetsLost": (
        "insert into role_failure (owner, role, code, detail) values ('gone', 'projection', 'offset_lost', 'd')",
        "delete from role_failure",
    ),
    "HearLinkXeroRoleFailing": (
        "insert into role_failure (owner, role, code, detail) values ('gone', 'push', 'defect', 'd')",
        "delete from role_failure",
    ),
}


def faults(back: Running) -> Faults:
    """Each alert with the fault that must set it off."""
    rows: Faults = {
        alert: lambda world, statements=statements: world.row(*statements)  # type: ignore[misc]
        for alert, statements in _ROWS.items()
    }
    return {
        **rows,
        "HearLinkXeroOrdersDueTooLong": World.tenant_held,
        "HearLinkXeroBudgetSpent": World.tenant_frozen,
        "HearLinkXeroConnectionLost": World.disconnected,
        "HearLinkXeroOutboxStuck": World.relay_elsewhere,
        "HearLinkXeroLagGrowing": World.projection_blocked,
        "HearLinkXeroPostgresAway": World.postgres_away,
        "HearLinkXeroLateFast": World.late_orders,
        "HearLinkXeroRoleMissing": World.projection_missing,
        "HearLinkXeroDown": lambda world: world.nobody_answers([world.front, back]),
        "HearLinkXeroDeadLetters": World.one_bad_event,
        "HearLinkXeroFenceLost": World.lease_taken,
        "HearLinkXeroFailing": World.xero_unavailable,
        "HearLinkXeroDeadLetterBrake": World.broken_schema,
    }
