"""`sandbox`: the simulator and the traffic as people start them."""

import json
import re
import signal
import socket

import pytest
import requests

from consumer.sandbox.clinics import TENANT_IDS, TENANT_NAMES
from tests.cli.service import PATIENCE_SECONDS, Service

pytestmark = pytest.mark.timeout(180)


def test_traffic_publishes_as_many_events_as_asked_and_each_start_others(service: Service) -> None:
    service.expect("topics", "ensure", "--partitions", "3")
    for _ in range(2):
        answer = service.run_apart("sandbox", "traffic", "--rate", "500", "--count", "40")
        assert (answer.code, answer.err) == (0, "")
        assert answer.out == f"40 events sent to {service.environment['ORDERS_TOPIC']}.\n"
    tail = service.expect("events", "tail", "--from-beginning", "--limit", "80", "--timeout", "20")
    assert len(tail.lines) == 80
    # The marks of the two starts.
    assert len({line["order_id"].split("-")[1] for line in tail.lines}) == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_traffic_without_a_count_ends_cleanly_when_it_is_told_to(service: Service, number: signal.Signals) -> None:
    service.expect("topics", "ensure", "--partitions", "1")
    with service.start_command("sandbox", "traffic", "--rate", "50") as process:
        # It has begun when its first events are there.
        service.expect("events", "tail", "--from-beginning", "--limit", "3", "--timeout", "30")
        process.send_signal(number)
        out, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0
    assert re.fullmatch(r"[1-9]\d* events sent to \S+\.\n", out)


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "words"),
    [
        (["traffic"], {"KAFKA_BOOTSTRAP_SERVERS": ""}, 2, "KAFKA_BOOTSTRAP_SERVERS is not set"),
        (["traffic"], {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}, 3, "Kafka doesn't answer"),
        (["traffic"], {}, 1, "hearlink-xero topics ensure"),
        (["traffic", "--rate", "0"], {}, 2, "not in the range"),
        (["traffic", "--rate", "nan"], {}, 2, "no rate"),
        (["traffic", "--count", "0"], {}, 2, "not in the range"),
        (["xero", "--port", "70000"], {}, 2, "not in the range"),
        (["xero", "--host", "nowhere.invalid"], {}, 2, "can't listen at nowhere.invalid:8090"),
    ],
)
def test_a_mistake_is_one_sentence(
    blank_service: Service, arguments: list[str], environment: dict[str, str], code: int, words: str
) -> None:
    answer = blank_service.run_apart("sandbox", *arguments, environment=environment)
    assert answer.code == code, answer
    assert words in answer.err
    assert "Traceback" not in answer.err


def test_the_simulator_says_where_it_is_has_the_clinics_books_and_ends_cleanly(blank_service: Service) -> None:
    with blank_service.start_command("sandbox", "xero", "--port", "0", "--json") as process:
        assert process.stdout is not None
        text = ""
        while not text.endswith("}\n") or text.count("{") != text.count("}"):
            line = process.stdout.readline()
            assert line, text
            text += line
        said = json.loads(text)
        assert {tenant["tenant_id"]: tenant["name"] for tenant in said["tenants"]} == dict(
            zip(TENANT_IDS, TENANT_NAMES, strict=True)
        )
        books = requests.get(f"{said['url']}/simulator/ledger?tenant_id={TENANT_IDS[0]}", timeout=30)
        assert books.status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_SECONDS) == 0


def test_a_port_that_is_taken_is_told(blank_service: Service) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        answer = blank_service.run_apart("sandbox", "xero", "--port", str(taken.getsockname()[1]))
    assert answer.code == 2
    assert "Choose another --port" in answer.err
    assert "Traceback" not in answer.err
