"""A run of the whole service: real broker, real Postgres, a simulated Xero, and worker processes to be mistreated."""

import json
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import psycopg
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from cryptography.fernet import Fernet
from psycopg import Connection

from consumer.configuration import Configuration, read_configuration
from consumer.contract import Encoder, MessageDecoder, Schemas, SyncLogResult
from consumer.database import connect, migrate
from consumer.operations.kafka import admin_client, ensure_topics
from consumer.operations.status import Status, read_status
from consumer.orders import OrderEvent
from consumer.resources import schemas_folder
from consumer.sandbox.xero import XeroSimulator
from consumer.settings import apply_settings, read_settings
from consumer.sync.queue import wake_after_connect
from consumer.xero import Authorisation, Budget, IdentityClient, PendingConnection, Tenant, TokenCipher, Transport
from consumer.xero.identity import TokenSet
from tests.chaos.checker import Report, check
from tests.chaos.histories import ORGANISATION, Clinic, History, Truth, settings_text
from tests.cli.service import base_environment

PATIENCE_SECONDS = 120.0
# A call of the simulator is over sooner than this where no fault delays it.
SAFE_WAIT_SECONDS = 2.0
PARTITIONS = 6
_STOP_SECONDS = 30.0


@dataclass
class Worker:
    """One process of the service; `roles` are all where empty."""

    process: subprocess.Popen[bytes]
    roles: tuple[str, ...]
    log: Path
    started_at: float = field(default_factory=time.monotonic)

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> int:
        """Ask it to end; return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        self.process.send_signal(signal.SIGCONT)
        try:
            return self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            # Tells in the log what each thread is about.
            self.process.send_signal(signal.SIGABRT)
            self.process.wait()
            raise AssertionError(f"SIGTERM did not end it: {self.text()[-10_000:]}") from None

    def text(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def lines(self, event: str | None = None) -> list[dict[str, Any]]:
        """Its log lines, or those of one event."""
        found = [json.loads(line) for line in self.text().splitlines() if line.startswith("{") and line.endswith("}")]
        return [line for line in found if event in {None, line["event"]}]

    def wait_for(self, event: str) -> dict[str, Any]:
        wait_until(lambda: bool(self.lines(event)) or not self.is_running, self.text)
        (first, *_) = self.lines(event)
        return first


class Arena:
    """The parts of one run with topics, tables and tenants of its own; a context manager that ends its workers.

    `safe_wait_seconds` None runs the service's own command, else one that waits less after a lost answer.
    """

    def __init__(
        self,
        *,
        database_url: str,
        bootstrap_servers: str,
        simulator: XeroSimulator,
        folder: Path,
        clinics: list[Clinic],
        calls_per_minute: int = 0,
        safe_wait_seconds: float | None = SAFE_WAIT_SECONDS,
        kafka_config: dict[str, Any] | None = None,
    ) -> None:
        mark = uuid.uuid4().hex[:8]
        self.simulator = simulator
        self.folder = folder
        self.clinics = clinics
        self.workers: list[Worker] = []
        self.truths: dict[str, Truth] = {}
        self._safe_wait_seconds = safe_wait_seconds
        self._producer: Producer | None = None
        self._schemas = Schemas.load(schemas_folder())
        self._encoder = Encoder(self._schemas)
        self.environment = base_environment(
            DATABASE_URL=database_url,
            KAFKA_BOOTSTRAP_SERVERS=bootstrap_servers,
            KAFKA_GROUP_ID=f"hearlink-xero-{mark}",
            KAFKA_CONFIG=json.dumps(kafka_config or {}),
            ORDERS_TOPIC=f"orders.{mark}",
            RETRY_TOPIC=f"retry.{mark}",
            SYNC_LOG_TOPIC=f"sync-log.{mark}",
            DEAD_LETTER_TOPIC=f"dead-letter.{mark}",
            XERO_API_URL=simulator.url,
            XERO_IDENTITY_URL=simulator.url,
            XERO_LOGIN_URL=simulator.url,
            XERO_CLIENT_ID=simulator.client_id,
            XERO_CLIENT_SECRET=simulator.client_secret or "",
            XERO_CALLS_PER_MINUTE=str(calls_per_minute or 100_000),
            XERO_CALLS_PER_DAY="1000000",
            TOKEN_ENCRYPTION_KEYS=Fernet.generate_key().decode(),
            HTTP_ADDRESS="127.0.0.1:0",
            LOG_FORMAT="json",
        )
        migrate(database_url)
        ensure_topics(admin_client(self.configuration), self.configuration.topics, partitions=PARTITIONS)
        self.tenant_ids = [self._add_tenant(calls_per_minute) for _ in range(1 + max(c.tenant for c in clinics))]
        with self.connect() as connection:
            self._connect_organisation(connection)
            apply_settings(connection, read_settings(settings_text(clinics, self.tenant_ids), "chaos"), actor="chaos")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        for worker in self.workers:
            if worker.is_running:
                worker.kill()

    @property
    def configuration(self) -> Configuration:
        return read_configuration(self.environment)

    def connect(self) -> Connection[Any]:
        return connect(self.environment["DATABASE_URL"], name="chaos")

    # What HearLink does.

    def publish(self, history: History) -> None:
        """Publish all events and wait for the brokers; from now on `check` expects them."""
        self.truths.update(history.truths)
        self.send(history.events)

    def send(self, events: Iterable[OrderEvent]) -> None:
        self.produce_events(events)
        self.flush()

    def produce_events(self, events: Iterable[OrderEvent]) -> None:
        """Hand events to the producer, which delivers them when it can."""
        topic = self.environment["ORDERS_TOPIC"]
        for event in events:
            self.produce(topic, event.order_id.encode(), self._encoder.encode_event(topic, event))

    def produce(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        if self._producer is None:
            self._producer = Producer(
                {
                    "bootstrap.servers": self.environment["KAFKA_BOOTSTRAP_SERVERS"],
                    "enable.idempotence": True,
                    "message.timeout.ms": 0,
                    "log_level": 0,
                }
            )
        self._producer.produce(topic, value, key)
        self._producer.poll(0)

    def flush(self) -> None:
        if self._producer is not None:
            assert self._producer.flush(PATIENCE_SECONDS) == 0

    # What the operators do.

    def start(self, *roles: str, **environment: str) -> Worker:
        """Start a worker in `roles` (all by default); `environment` are further variables."""
        log = self.folder / f"worker-{len(self.workers)}.log"
        hasty = ["tests.chaos.worker", f"{self._safe_wait_seconds}"]
        command = ["consumer"] if self._safe_wait_seconds is None else hasty
        only = [word for role in roles for word in ("--only", role)]
        with log.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-X", "faulthandler", "-m", *command, "run", *only],
                env={**self.environment, **environment},
                stdout=file,
                stderr=file,
                cwd=Path(__file__).parents[2],
            )
        worker = Worker(process, roles, log)
        self.workers.append(worker)
        return worker

    def reconnect(self) -> None:
        """Do as `connect` does, with the same tenants."""
        with self.connect() as connection:
            self._connect_organisation(connection)
            wake_after_connect(connection, ORGANISATION)

    def ring_for_waiting(self) -> None:
        """Ask for all orders that wait or failed, as an operator does: with plain JSON, by any Kafka tool."""
        with self.connect() as connection:
            rows = connection.execute(
                "select order_id from orders where hold in ('retry', 'problem', 'limit')"
            ).fetchall()
        for (order_id,) in rows:
            value = json.dumps({"order_id": order_id}).encode()
            self.produce(self.environment["RETRY_TOPIC"], order_id.encode(), value)
        self.flush()

    def status(self) -> Status:
        """What `status --json` prints."""
        with self.connect() as connection:
            return read_status(connection, self.configuration, Budget(calls_per_minute=60))

    def wait_until_quiet(self, patience_seconds: float = PATIENCE_SECONDS) -> Status:
        found: list[Status | str] = []

        def is_quiet() -> bool:
            try:
                status = self.status()
            except psycopg.OperationalError as error:
                found.append(str(error))
                return False
            found.append(status)
            return (status.lag, status.due, status.waiting, status.unpublished) == (0, 0, 0, 0)

        wait_until(
            is_quiet, lambda: f"{found[-1]}\n{self.tails()}", patience_seconds=patience_seconds, pause_seconds=0.2
        )
        assert isinstance(found[-1], Status)
        return found[-1]

    def tails(self) -> str:
        """The ends of the workers' logs."""
        return "\n".join(f"--- {worker.log}\n{worker.text()[-3000:]}" for worker in self.workers if worker.is_running)

    # What came of it.

    def check(self, *, log_lost_rows: bool = False) -> Report:
        """Compare all that was published with what Xero holds and the log tells.

        `log_lost_rows`: the topic of the log tells more than its table.
        """
        results = self.published_results()
        published = None if log_lost_rows else [(result.order_id, result.log_id) for result in results]
        told_elsewhere = {result.xero_id for result in results if result.xero_id} if log_lost_rows else set()
        ledgers = [self.simulator.control.ledger(tenant_id) for tenant_id in self.tenant_ids]
        with self.connect() as connection:
            return check(self.truths, ledgers, connection, published_log_ids=published, told_elsewhere=told_elsewhere)

    def published_results(self) -> list[SyncLogResult]:
        """All messages of the sync-log topic; those of one order in their order."""
        decoder = MessageDecoder(self._schemas)
        return [decoder.decode(SyncLogResult, value) for value in self.read_topic(self.environment["SYNC_LOG_TOPIC"])]

    def read_topic(self, topic: str) -> list[bytes]:
        """All values of a topic; those of one key in their order."""
        bootstrap_servers = self.environment["KAFKA_BOOTSTRAP_SERVERS"]
        reader = Consumer(
            {
                "bootstrap.servers": bootstrap_servers,
                "group.id": "chaos",
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 10,
            }
        )
        values: list[bytes] = []
        try:
            partitions = reader.list_topics(topic, timeout=10).topics[topic].partitions
            reader.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions])
            unread = set(partitions)
            while unread:
                message = reader.poll(10)
                assert message is not None, f"{topic} can't be read"
                if message.error() is None:
                    values.append(message.value() or b"")
                else:
                    unread.discard(message.partition())
        finally:
            reader.close()
        return values

    def _add_tenant(self, calls_per_minute: int) -> str:
        control = self.simulator.control
        control.set_app_limit(0)
        tenant_id = control.demo_tenant(f"Books {uuid.uuid4().hex[:6]}", str(uuid.uuid4()))
        control.set_limits(tenant_id, per_minute=calls_per_minute, per_day=0)
        return tenant_id

    def _connect_organisation(self, connection: Connection[Any]) -> None:
        granted = self.simulator.control.authorise(tenant_ids=self.tenant_ids)
        tokens = TokenSet(
            access_token=granted["access_token"],
            refresh_token=granted["refresh_token"],
            expires_seconds=granted["expires_in"],
            scopes=granted["scope"],
        )
        tenants = tuple(Tenant(tenant_id, f"c-{tenant_id}", "Books", "ORGANISATION") for tenant_id in self.tenant_ids)
        transport = Transport()
        authorisation = Authorisation(
            api_url=self.simulator.url,
            identity=IdentityClient(
                identity_url=self.simulator.url,
                client_id=self.simulator.client_id,
                client_secret=self.simulator.client_secret,
                transport=transport,
            ),
            cipher=TokenCipher([self.environment["TOKEN_ENCRYPTION_KEYS"]]),
            transport=transport,
        )
        authorisation.store(connection, ORGANISATION, PendingConnection(tokens, tenants), actor="chaos")
        rates = json.dumps(self.simulator.control.ledger(self.tenant_ids[0])["TaxRates"])
        connection.execute("update xero_tenant set base_currency = 'GBP', tax_rates = %s", [rates])


def wait_until(
    condition: Any, tell: Any = lambda: "", *, patience_seconds: float = PATIENCE_SECONDS, pause_seconds: float = 0.05
) -> None:
    give_up = time.monotonic() + patience_seconds
    while not condition():
        assert time.monotonic() < give_up, f"waited in vain: {tell()}"
        time.sleep(pause_seconds)


def signalled(worker: Worker) -> int | None:
    """The number of the signal that ended `worker`, if one did."""
    code = worker.process.poll()
    return None if code is None or code >= 0 else -code
