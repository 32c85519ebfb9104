"""Events projected per second by one process from a full topic, beside the bare rate of decoding them; memory.

Options: --events N (300000), --partitions N (8), --broker apache|embedded (apache where it is available).
"""

import argparse
import json
import resource
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from io import BytesIO
from typing import Any

import fastavro
import structlog
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from consumer.contract import Decoder, Encoder, MessageDecoder, Schemas
from consumer.database import connect, migrate
from consumer.projection import NoMetrics, Projection, ProjectionSettings
from consumer.resources import schemas_folder
from consumer.sandbox.broker import Broker, EmbeddedBroker
from consumer.sandbox.postgres import EmbeddedPostgres
from tests.bench.sample_events import sample_events
from tests.fixtures import apache_kafka
from tests.fixtures.apache_kafka import KafkaBroker

_ORDERS, _RETRY = "orders", "retry"
_SAMPLE = 50_000
_HEADER_BYTES = 10


class PhaseMetrics(NoMetrics):
    """Sums what the projection tells of its time."""

    def __init__(self) -> None:
        self.phases: dict[str, float] = {}
        self.messages = 0
        self.orders = 0
        self.batches = 0
        self.first_at = 0.0
        self.last_at = 0.0

    def phase(self, name: str, seconds: float) -> None:
        self.phases[name] = self.phases.get(name, 0.0) + seconds

    def batch(self, messages: int, orders: int, seconds: float) -> None:
        self.last_at = time.perf_counter()
        self.first_at = self.first_at or self.last_at - seconds
        self.messages += messages
        self.orders += orders
        self.batches += 1


def main(arguments: list[str]) -> None:
    options = _options(arguments)
    with ExitStack() as stack:
        use_apache = options.broker != "embedded" and apache_kafka.is_available()
        broker: KafkaBroker | EmbeddedBroker = KafkaBroker() if use_apache else EmbeddedBroker()
        stack.enter_context(broker)
        server = stack.enter_context(EmbeddedPostgres())
        database_url = server.create_database("bench")
        migrate(database_url)
        average = _publish(broker, options.events, options.partitions)
        bare = _child("bare", broker.bootstrap_servers, database_url, options)
        projected = _child("project", broker.bootstrap_servers, database_url, options)
        with connect(database_url, name="bench") as connection:
            rows = connection.execute("select count(*), sum(revision) from orders").fetchone()
    print(f"broker                       {broker.description}")
    print(f"events                       {options.events:,} of {average:.0f} bytes on average")
    print(f"orders, revisions            {rows}")
    print(f"bare decoding                {bare['rate']:,.0f} events/s (fastavro, logical types, one process)")
    print(f"projected                    {projected['rate']:,.0f} events/s (one process)")
    print(f"ratio                        {projected['rate'] / bare['rate']:.2f}")
    print(f"memory, most                 {projected['rss_mb']:.0f} MB")
    print(f"processor time               {projected['cpu_seconds'] / options.events * 1e6:.1f} us an event")
    print(f"batches, rows written        {projected['batches']:,}, {projected['orders']:,}")
    for name, seconds in sorted(projected["phases"].items()):
        print(f"  {name:26} {seconds / options.events * 1e6:6.1f} us an event")


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="projection")
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument("--broker", choices=["apache", "embedded"], default="apache")
    return parser.parse_args(arguments)


def _publish(broker: Broker, count: int, partitions: int) -> float:
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    topics = [NewTopic(_ORDERS, partitions, 1), NewTopic(_RETRY, 1, 1)]
    for future in admin.create_topics(topics).values():
        future.result()
    encoder = Encoder(Schemas.load(schemas_folder()))
    producer = Producer(
        {
            "bootstrap.servers": broker.bootstrap_servers,
            "linger.ms": 20,
            "partitioner": "murmur2_random",
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    size = 0
    for event in sample_events(count):
        value = encoder.encode_event(_ORDERS, event)
        size += len(value)
        producer.produce(_ORDERS, value, event.order_id.encode())
        producer.poll(0)
    producer.flush()
    return size / count


def _child(role: str, bootstrap_servers: str, database_url: str, options: argparse.Namespace) -> dict[str, Any]:
    command = [
        sys.executable,
        "-m",
        "tests.bench.projection",
        role,
        bootstrap_servers,
        database_url,
        str(options.events),
    ]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    figures: dict[str, Any] = json.loads(answer.splitlines()[-1])
    return figures


def _bare(bootstrap_servers: str, _database_url: str, count: int) -> dict[str, Any]:
    """Decode the first events of the topic with fastavro alone, as anybody would."""
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": "bare", "enable.auto.commit": False})
    partitions = consumer.list_topics(_ORDERS).topics[_ORDERS].partitions
    consumer.assign([TopicPartition(_ORDERS, partition, 0) for partition in partitions])
    values: list[bytes] = []
    while len(values) < min(_SAMPLE, count):
        values += [message.value() or b"" for message in consumer.consume(2_000, 1.0)]
    consumer.close()
    schema = fastavro.parse_schema(Schemas.load(schemas_folder()).current("OrderEvent"))
    rates = []
    for _ in range(3):
        started = time.perf_counter()
        for value in values:
            fastavro.schemaless_reader(BytesIO(value[_HEADER_BYTES:]), schema, None)
        rates.append(len(values) / (time.perf_counter() - started))
    return {"rate": max(rates)}


def _project(bootstrap_servers: str, database_url: str, count: int) -> dict[str, Any]:
    schemas = Schemas.load(schemas_folder())
    metrics = PhaseMetrics()
    settings = ProjectionSettings(
        database_url=database_url,
        bootstrap_servers=bootstrap_servers,
        group_id="bench",
        orders_topic=_ORDERS,
        retry_topic=_RETRY,
        dead_letter_topic="dead-letters",
        owner="bench",
    )
    projection = Projection(settings, Decoder(schemas), MessageDecoder(schemas), Encoder(schemas), metrics)
    stop = threading.Event()
    thread = threading.Thread(target=projection.run, args=[stop])
    thread.start()
    while metrics.messages < count and thread.is_alive():
        time.sleep(0.05)
    stop.set()
    thread.join()
    if metrics.messages < count:
        raise RuntimeError(f"The projection ended after {metrics.messages} of {count} events; see above.")
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "rate": metrics.messages / (metrics.last_at - metrics.first_at),
        "rss_mb": usage.ru_maxrss / 1024,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "batches": metrics.batches,
        "orders": metrics.orders,
        "phases": metrics.phases,
    }


def _run_child(arguments: list[str]) -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    role, bootstrap_servers, database_url, count = arguments
    figures = {"bare": _bare, "project": _project}[role](bootstrap_servers, database_url, int(count))
    print(json.dumps(figures))


if __name__ == "__main__":
    _run_child(sys.argv[1:])
