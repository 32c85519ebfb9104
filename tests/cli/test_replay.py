"""Dead letters sent once more, to a real Kafka: large ones, refused ones, a replay that is killed."""

import itertools
import os
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType

from consumer.configuration import read_configuration
from consumer.contract import MESSAGE_BYTES_MAX, DeadLetter, MessageDecoder, Schemas
from consumer.operations.kafka import log_reader, watch
from consumer.projection import look_once
from consumer.resources import schemas_folder
from tests.cli.service import COMMAND, PATIENCE_SECONDS, Service

pytestmark = [pytest.mark.timeout(180), pytest.mark.usefixtures("real_kafka")]
MEGABYTE = 1_000_000


def wait_until(is_reached: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not is_reached():
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.fixture
def ready(service: Service) -> Service:
    """A service with tables and topics, and nothing that runs."""
    service.expect("migrate")
    service.expect("topics", "ensure", "--partitions", "2")
    return service


def limit(service: Service, max_message_bytes: int) -> None:
    """Let the orders topic take messages so large."""
    topic = service.environment["ORDERS_TOPIC"]
    entry = ConfigEntry("max.message.bytes", str(max_message_bytes), incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": service.environment["KAFKA_BOOTSTRAP_SERVERS"]})
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(10)

    def is_known() -> bool:
        (found,) = admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]).values()
        return bool(found.result(10)["max.message.bytes"].value == str(max_message_bytes))

    # The broker hears of it a moment later.
    wait_until(is_known)


def write(service: Service, *values: bytes, **properties: Any) -> None:
    """Write messages as somebody does who keeps to no contract, each of an order of its own."""
    producer = Producer(
        {
            "bootstrap.servers": service.environment["KAFKA_BOOTSTRAP_SERVERS"],
            "message.max.bytes": 8 * MEGABYTE,
            **properties,
        }
    )
    faults: list[Any] = []
    for number, value in enumerate(values):
        producer.produce(
            service.environment["ORDERS_TOPIC"],
            value,
            f"order-{number}",
            partition=0,
            on_delivery=lambda error, _: faults.append(error),
        )
    assert producer.flush(20) == 0
    assert faults == [None] * len(values)


def bury(service: Service, count: int) -> list[dict[str, Any]]:
    """Let the service find that none of the `count` messages can be used; return the letters, the oldest first."""
    letters: list[dict[str, Any]] = []
    with service.start("--only", "projection", "--only", "relay") as running:
        running.wait_for("started")

        def are_there() -> bool:
            letters[:] = service.expect("dead-letters", "list", "--state", "all", "--json").json
            return len(letters) == count

        wait_until(are_there)
        wait_until(lambda: service.status()["unpublished"] == 0)
        assert running.stop() == 0
    return letters[::-1]


def values_of(service: Service, variable: str = "ORDERS_TOPIC") -> list[bytes]:
    """All values of a topic, the orders' one unless another is named."""
    configuration = read_configuration(service.environment)
    topic = service.environment[variable]
    with closing(log_reader(configuration)) as reader:
        end = look_once(reader, [topic], {}).of(topic).messages
    messages = watch(configuration, topic, from_beginning=True, timeout_seconds=PATIENCE_SECONDS)
    return [message.value() or b"" for message in itertools.islice(messages, end)]


def test_a_letter_of_two_megabytes_goes_back_to_a_topic_that_takes_it(ready: Service) -> None:
    limit(ready, 3 * MEGABYTE)
    values = [b"\x00" + os.urandom(2 * MEGABYTE), b"small", b"\xc3\x01" + os.urandom(MESSAGE_BYTES_MAX - 2)]
    write(ready, *values)
    letters = bury(ready, 3)
    assert [letter["size_bytes"] for letter in letters] == [len(value) for value in values]
    # What is larger than an event may be doesn't travel twice; the table has it.
    messages = MessageDecoder(Schemas.load(schemas_folder()))
    published = [messages.decode(DeadLetter, value).value for value in values_of(ready, "DEAD_LETTER_TOPIC")]
    assert sorted(map(len, filter(None, published))) == [len(values[1]), MESSAGE_BYTES_MAX]
    assert published.count(None) == 1
    answer = ready.expect("dead-letters", "replay", "--all", "--json").json
    assert answer == {"replayed": [letter["id"] for letter in letters], "not_open": [], "refused": []}
    assert values_of(ready) == [*values, *values]
    # Nothing is open any more, so nothing is sent.
    assert ready.expect("dead-letters", "replay", "--all", "--json").json["replayed"] == []
    assert len(values_of(ready)) == 6
    assert ready.expect("dead-letters", "replay", str(letters[1]["id"]), "--again", "--json").json["replayed"]
    assert len(values_of(ready)) == 7


def test_a_letter_that_its_topic_no_longer_takes_keeps_no_other_back(ready: Service) -> None:
    limit(ready, 3 * MEGABYTE)
    write(ready, b"first", os.urandom(2 * MEGABYTE), b"last")
    first, large, last = (letter["id"] for letter in bury(ready, 3))
    limit(ready, MEGABYTE)
    answer = ready.run("dead-letters", "replay", "--all", "--json")
    assert answer.code == 1
    assert answer.json["replayed"] == [first, last]
    assert [refused["id"] for refused in answer.json["refused"]] == [large]
    assert f"Dead letter {large} stays open: it is larger than its topic takes; raise" in answer.err
    # The next try sends the others no second time.
    assert ready.run("dead-letters", "replay", "--all", "--json").json["replayed"] == []
    assert len(values_of(ready)) == 5
    assert [letter["id"] for letter in ready.expect("dead-letters", "list", "--json").json] == [large]


def test_a_letter_that_came_compressed_goes_back_through_the_same_limit(ready: Service) -> None:
    large = b"\x00" + b"a long text " * (2 * MEGABYTE // 12)
    write(ready, large, **{"compression.type": "gzip"})
    (letter,) = bury(ready, 1)
    assert letter["size_bytes"] == len(large) > 1_900_000
    ready.expect("dead-letters", "replay", str(letter["id"]))
    assert values_of(ready) == [large, large]


def test_a_replay_that_is_killed_repeats_one_letter_at_most(ready: Service) -> None:
    write(ready, b"first", b"second", b"third")
    letters = [letter["id"] for letter in bury(ready, 3)]
    with psycopg.connect(ready.environment["DATABASE_URL"]) as connection:
        # The replay is held between sending and marking.
        connection.execute("lock table audit in exclusive mode")
        with subprocess.Popen([*COMMAND, "dead-letters", "replay", "--all"], env=ready.environment) as replay:
            wait_until(lambda: len(values_of(ready)) == 4)
            replay.kill()
    assert len(ready.expect("dead-letters", "list", "--json").json) == 3
    assert ready.expect("dead-letters", "replay", "--all", "--json").json["replayed"] == letters
    assert values_of(ready)[3:] == [b"first", b"first", b"second", b"third"]


def test_without_brokers_what_was_sent_is_told_and_the_rest_stays_open(ready: Service) -> None:
    write(ready, b"first", b"second")
    bury(ready, 2)
    away = ready.run("dead-letters", "replay", "--all", environment={"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"})
    assert away.code == 3
    assert away.err.startswith("0 of 2 dead letters replayed, then Kafka: it can't be reached")
    assert len(ready.expect("dead-letters", "list", "--json").json) == 2


def test_an_event_that_comes_twice_by_a_replay_counts_once(service: Service) -> None:
    """The letter was good all along: refused by a rule that is gone, say."""
    tenant_id = service.set_up()
    with service.start() as running:
        running.wait_for("started")
        service.send_invoice("order-1")
        service.wait_until_quiet()
        (event,) = values_of(service)
        with psycopg.connect(service.environment["DATABASE_URL"], autocommit=True) as connection:
            connection.execute(
                'insert into dead_letter (topic, partition, "offset", key, value, reason, detail)'
                " values (%s, 0, 1000, 'order-1', %s, 'refused', 'a rule that is gone')",
                [service.environment["ORDERS_TOPIC"], event],
            )
        (letter,) = service.expect("dead-letters", "list", "--json").json
        for _ in range(2):
            service.expect("dead-letters", "replay", str(letter["id"]), "--again")
        service.wait_until_quiet()
        assert running.stop() == 0
    assert len(service.simulator.control.ledger(tenant_id)["Invoices"]) == 1
    assert service.expect("dead-letters", "list", "--json").json == []
