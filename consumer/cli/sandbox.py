"""`sandbox`: what stands in for Xero and for HearLink, for whoever tries the service (consumer/sandbox/README.md)."""

import math
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

import click

from consumer.cli.context import as_json, assembly
from consumer.cli.failure import MISUSED, Failure
from consumer.cli.output import print_json
from consumer.operations.kafka import DELIVERY_SECONDS, NotDeliveredError, require_topics
from consumer.orders import OrderEvent
from consumer.results import Publication, Publisher, producer_settings
from consumer.sandbox.clinics import TENANT_IDS, TENANT_NAMES, sample_traffic, settings_text

# Events that are due within so short a time travel together.
_TICK_SECONDS = 0.05
_BATCH = 5_000
# Of an event: a wait that ends a rounding error early is long enough.
_SLIVER = 1e-6


class Rate(click.FloatRange):
    """Events a second. `nan` lies in every range."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number."""
        rate = float(super().convert(value, param, ctx))
        if math.isnan(rate):
            self.fail(f"{value!r} is no rate.", param, ctx)
        return rate


@click.group()
def sandbox() -> None:
    """Try the service without Xero: a Xero, clinics and their traffic.

    Nobody and nothing in it is real.
    """


@sandbox.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--port", type=click.IntRange(0, 65_535), default=8090, show_default=True, help="0 takes a free one.")
@as_json
def xero(*, host: str, port: int, as_json: bool) -> None:
    """Serve a Xero with the books of the sample clinics, until Ctrl-C.

    It answers as Xero's Accounting API does, says yes to every consent, and forgets everything when it ends. Prints
    what the service has to be told to find it.
    """
    try:
        # What it stands on is an extra of the package, which the service itself does not need.
        from consumer.sandbox.xero import XeroSimulator  # noqa: PLC0415 -- see above
        from consumer.sandbox.xero.serving import serve  # noqa: PLC0415 -- as above
    except ModuleNotFoundError as error:
        raise Failure(
            f"The Xero simulator needs further packages: install hearlink-xero[sandbox]. ({error})", MISUSED
        ) from error
    tenants = [{"tenant_id": tenant_id, "name": name} for tenant_id, name in zip(TENANT_IDS, TENANT_NAMES, strict=True)]
    try:
        serve(XeroSimulator(host=host, port=port), tenants, _tell_json if as_json else _tell)
    except OSError as error:
        raise Failure(
            f"The Xero simulator can't listen at {host}:{port}: {error.strerror or error}. Choose another --port.",
            MISUSED,
        ) from error


@sandbox.command()
def settings() -> None:
    """Print the sample clinics' settings for `settings apply`.

    They name the tenants that `sandbox xero` has.
    """
    click.echo(settings_text(TENANT_IDS, mended=True), nl=False)


@sandbox.command()
@click.option(
    "--rate",
    type=Rate(0.01, 10_000),
    default=1.0,
    show_default=True,
    help="Events a second: an order has about four.",
)
@click.option("--count", type=click.IntRange(1), help="End after so many events; else with Ctrl-C.")
def traffic(*, rate: float, count: int | None) -> None:
    """Publish order events of the sample clinics, as HearLink would.

    New orders at each start, by the month: invoices, payments, credit notes, edits, deletions, and what goes wrong in
    clinics, so some orders will need somebody. About three events in a hundred come twice.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    parts = assembly()
    topic = parts.configuration.topics.orders
    publications = producer_settings(parts.configuration.require_kafka(), parts.configuration.kafka_config)
    require_topics(parts.configuration, [topic])
    events = sample_traffic(int(time.time()))
    sent = 0
    with Publisher(publications) as publisher:
        try:
            for batch in paced(events, rate, count, time.monotonic, stop.wait):
                _publish(publisher, [_publication(topic, event, parts.encoder.encode_event) for event in batch])
                sent += len(batch)
        finally:
            click.echo(f"{sent} events sent to {topic}.")


def paced(
    events: Iterator[OrderEvent],
    rate: float,
    count: int | None,
    clock: Callable[[], float],
    wait: Callable[[float], bool],
) -> Iterator[list[OrderEvent]]:
    """Yield `count` of the endless `events` (None = all) in batches, `rate` of them a second by `clock`.

    `wait` is given the seconds to the next event, at least a tick, and ends it by answering True. Who was held up
    catches up.
    """
    started_at, taken = clock(), 0
    while True:
        due = min(
            int((clock() - started_at) * rate + _SLIVER) + 1 - taken,
            _BATCH,
            sys.maxsize if count is None else count - taken,
        )
        if due > 0:
            taken += due
            yield list(islice(events, due))
        if taken == count or wait(max(started_at + taken / rate - clock(), _TICK_SECONDS if due < _BATCH else 0.0)):
            return


def _publication(topic: str, event: OrderEvent, encode: Callable[[str, OrderEvent], bytes]) -> Publication:
    return Publication(topic, event.order_id.encode(), encode(topic, event))


def _publish(publisher: Publisher, batch: list[Publication]) -> None:
    deliveries = publisher.publish(batch, lambda seconds: seconds < DELIVERY_SECONDS)
    lost = [delivery for delivery in deliveries if not delivery.acknowledged]
    if lost:
        raise NotDeliveredError(
            f"{len(lost)} of {len(batch)} events were not acknowledged by Kafka within {DELIVERY_SECONDS:.0f} s: "
            f"{publisher.last_error or lost[0].error}."
        )


def _tell_json(said: Mapping[str, Any]) -> None:
    print_json(said)
    sys.stdout.flush()


def _tell(said: Mapping[str, Any]) -> None:
    url = said["url"]
    lines = [
        f"The Xero simulator listens at {url}. Ctrl-C ends it, and all that is in its books.",
        "",
        f"export XERO_API_URL={url} XERO_IDENTITY_URL={url} XERO_LOGIN_URL={url}",
        f"export XERO_CLIENT_ID={said['client_id']} XERO_CLIENT_SECRET={said['client_secret']}",
        "",
        *(f"{tenant['name']}: {url}/simulator/ledger?tenant_id={tenant['tenant_id']}" for tenant in said["tenants"]),
    ]
    click.echo("\n".join(lines))
    sys.stdout.flush()
