"""HearLink's side of the demo: publishes events, and waits until the service has done with them."""

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

from confluent_kafka import Producer
from psycopg import Connection

from consumer.contract import Encoder, Schemas
from consumer.database import load_queries
from consumer.orders import OrderEvent
from consumer.resources import schemas_folder
from consumer.sandbox.clinics import OrderScript
from consumer.sandbox.demo.picture import Progress, read_progress
from consumer.sandbox.demo.screen import Screen
from consumer.sandbox.processes import ManagedProcess
from consumer.sandbox.xero import ControlClient

_QUERIES = load_queries(__file__, "picture.sql")
_FLUSH_SECONDS = 20.0
_POLL_SECONDS = 0.1
_CLOSE_POLL_SECONDS = 0.005
# Nothing moves for so long: something is wrong.
_STILL_SECONDS = 45.0

# librdkafka tells standard error of every closed connection; what matters comes back from `flush`.
_quiet_logger = logging.getLogger(f"{__name__}.librdkafka")
_quiet_logger.addHandler(logging.NullHandler())
_quiet_logger.propagate = False


class StandstillError(Exception):
    """The service does not get on; the text says where it stands and where its log is."""


class Feed:
    """Publishes to the orders topic and reads the service's progress from its tables."""

    def __init__(
        self,
        environment: Mapping[str, str],
        topic: str,
        connection: Connection[Any],
        xero: ControlClient,
        service: ManagedProcess,
        screen: Screen,
    ) -> None:
        self._producer = Producer(
            {"bootstrap.servers": environment["KAFKA_BOOTSTRAP_SERVERS"], "enable.idempotence": True, "linger.ms": 5},
            logger=_quiet_logger,
        )
        self._encoder = Encoder(Schemas.load(schemas_folder()))
        self._topic = topic
        self._connection = connection
        self._xero = xero
        self._service = service
        self._screen = screen
        # The newest sequence of each order: their sum is what the service has to project.
        self._sequences: dict[str, int] = {}
        self.published = 0

    def publish(self, events: Sequence[OrderEvent]) -> None:
        """Publish `events` in their order; return once the broker has them.

        Raises:
            StandstillError: the broker did not take them.
        """
        for event in events:
            self._producer.produce(
                self._topic, key=event.order_id.encode(), value=self._encoder.encode_event(self._topic, event)
            )
            self._producer.poll(0)
            self._sequences[event.order_id] = max(event.sequence, self._sequences.get(event.order_id, 0))
        if self._producer.flush(_FLUSH_SECONDS):
            raise StandstillError("The embedded broker does not take events.")
        self.published += len(events)

    def wait_until_quiet(self) -> Progress:
        """Return once everything that was published is projected, and pushed or held for a person.

        Raises:
            StandstillError: nothing has moved for long, or the service has ended.
        """
        expected = sum(self._sequences.values())
        last, still_since = None, time.monotonic()
        while True:
            progress = read_progress(self._connection)
            if progress.projected == expected and progress.busy == 0:
                return progress
            self._screen.progress(
                f"{progress.projected} of {expected} events projected, {progress.in_step} orders in step with Xero, "
                f"{self._calls()} calls"
            )
            if progress != last:
                last, still_since = progress, time.monotonic()
            if progress.dead_letters:
                raise StandstillError(f"{progress.dead_letters} events were refused. {_log_end(self._service)}")
            self._check(still_since, f"{progress}, of {expected} events")
            time.sleep(_POLL_SECONDS)

    def follow(self, order: OrderScript) -> float:
        """Publish the newest event of `order` and wait until the service has dealt with it; return the seconds.

        Raises:
            StandstillError: as `wait_until_quiet`.
        """
        began = time.monotonic()
        self.publish(order.events[-1:])
        while True:
            row = self._connection.execute(_QUERIES["order_state"], {"order_id": order.order_id}).fetchone()
            if row is not None:
                revision, synced_revision, hold, sequence = row
                if sequence == len(order.events) and (synced_revision == revision or hold is not None):
                    return time.monotonic() - began
            self._check(began, f"order {order.order_id}: {row}")
            time.sleep(_CLOSE_POLL_SECONDS)

    def _calls(self) -> int:
        return int(self._xero.call("statistics")["calls"])

    def _check(self, still_since: float, where: str) -> None:
        if not self._service.is_running():
            raise StandstillError(f"The service has ended. {_log_end(self._service)}")
        if time.monotonic() - still_since > _STILL_SECONDS:
            raise StandstillError(f"The service does not get on ({where}). {_log_end(self._service)}")


def _log_end(service: ManagedProcess) -> str:
    lines = service.log.read_text(errors="replace").splitlines()[-15:]
    return "\n".join(["The end of its log:", *lines])
