"""What commands say where Kafka is away, or lacks a topic."""

import json
import logging
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from consumer.operations.logs import configure_logs
from tests.cli.service import Service

pytestmark = pytest.mark.timeout(180)

AWAY = {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}


def test_brokers_that_are_away_are_told_in_one_line(office: Service) -> None:
    office.send_invoice("away-1")
    office.wait_until_quiet()
    # Of consumers alone, and what the service's own group uses: no mistake where a producer reads it.
    away = {**AWAY, "KAFKA_CONFIG": json.dumps({"session.timeout.ms": 6_000, "heartbeat.interval.ms": 500})}
    commands = {
        ("sync", "away-1"): "it can't be reached (",
        ("retry", "--order", "away-1"): "Kafka did not take the requests of 1 orders",
        ("rebuild",): "Kafka doesn't answer",
        ("events", "tail"): "Kafka doesn't answer",
        ("topics", "ensure"): "Kafka doesn't answer",
    }
    with ThreadPoolExecutor(2) as pool:
        answers = pool.map(lambda arguments: office.run_apart(*arguments, environment=away), commands)
    for (arguments, words), answer in zip(commands.items(), answers, strict=True):
        assert answer.code == 3, (arguments, answer)
        assert words in answer.err, arguments
        assert len(answer.err.splitlines()) == 1, (arguments, answer.err)


def test_properties_of_the_other_kind_of_client_are_no_news(caplog: pytest.LogCaptureFixture) -> None:
    configure_logs({})
    logger = logging.getLogger("consumer.results.librdkafka")
    logger.addHandler(caplog.handler)
    try:
        logger.warning(
            "CONFWARN [app]: Configuration property %s is a consumer property and will be ignored by this producer", "x"
        )
        logger.warning("CONFWARN [app]: Configuration property %s is deprecated", "x")
    finally:
        logger.removeHandler(caplog.handler)
    assert [record.getMessage().rpartition(" ")[2] for record in caplog.records] == ["deprecated"]


@pytest.mark.usefixtures("real_kafka")
def test_topics_that_kafka_lacks_are_named(office: Service) -> None:
    nowhere = {"ORDERS_TOPIC": "nope"}
    for arguments in (("rebuild",), ("rebuild", "--swap"), ("events", "tail", "--timeout", "0")):
        answer = office.run(*arguments, environment=nowhere)
        assert answer.code == 1, arguments
        assert "Kafka has no topic nope." in answer.err
        assert answer.out == ""
    found = office.run("status", "--json", environment=nowhere)
    assert (found.code, found.json["lag"]) == (0, None)
    assert "Kafka has no topic nope." in found.json["lag_reason"]


@pytest.mark.parametrize("further", [(), ("--swap",)])
def test_a_topic_that_tells_of_nothing_replaces_nothing(office: Service, further: tuple[str, ...]) -> None:
    office.send_invoice(f"nothing-{len(further)}")
    office.wait_until_quiet()
    answer = office.run("rebuild", *further, environment={"ORDERS_TOPIC": office.environment["SYNC_LOG_TOPIC"]})
    assert answer.code == 1
    assert "tells of no order at all" in answer.err
    assert "--swap" not in answer.err
    with psycopg.connect(office.environment["DATABASE_URL"]) as connection:
        assert connection.execute("select count(*) from audit where action = 'rebuild'").fetchone() == (0,)
    assert office.run("rebuild").code == 0
