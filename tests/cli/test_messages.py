"""Events in and out by command, and what becomes of those that can't be used."""

import json

import pytest
from confluent_kafka import Producer

from consumer.orders import ChangeKind
from tests.cli.service import Service
from tests.sync.books import invoice

pytestmark = pytest.mark.timeout(180)


def test_events_go_out_and_come_back_as_json_lines(office: Service) -> None:
    line = office.event_line("event-1", ChangeKind.INVOICE_SAVED, {"invoice": invoice("WH-event-1")})
    assert "1 events sent" in office.expect("events", "send", "-", stdin=line + "\n\n").out
    found = office.expect("events", "tail", "--from-beginning", "--timeout", "1").lines
    assert json.loads(line) in found
    office.wait_until_quiet()
    results = office.expect("events", "tail", "--topic", "sync-log", "--from-beginning", "--timeout", "1").lines
    assert "invoice_create" in {row["operation"] for row in results if row["order_id"] == "event-1"}


def test_a_line_that_breaks_the_contract_is_named(office: Service) -> None:
    good = office.event_line("event-2", ChangeKind.INVOICE_SAVED, {"invoice": invoice("WH-event-2")})
    answer = office.run("events", "send", "-", stdin=f'{good}\n{{"event_id": 5}}\n')
    assert answer.code == 1
    assert "Line 2" in answer.err
    assert "1 events sent" in answer.out


def test_dead_letters_are_shown_without_data_and_replayed_where_they_came_from(office: Service) -> None:
    topic = office.environment["ORDERS_TOPIC"]
    producer = Producer({"bootstrap.servers": office.environment["KAFKA_BOOTSTRAP_SERVERS"]})
    producer.produce(topic, key=b"dead-1", value=b"Ada Example", headers=[("trace", b"\x01")], partition=2)
    producer.flush(10)
    office.wait_until_quiet()

    (row,) = office.expect("dead-letters", "list", "--order", "dead-1", "--json").json
    assert (row["reason"], row["topic"], row["partition"]) == ("undecodable", topic, 2)
    assert "Ada" not in office.expect("dead-letters", "show", str(row["id"])).out
    shown = office.expect("dead-letters", "show", str(row["id"]), "--with-data", "--json").json
    assert shown["value"] == "QWRhIEV4YW1wbGU="
    assert shown["headers"] == [{"name": "trace", "value": "AQ=="}]

    answer = office.expect("dead-letters", "replay", str(row["id"]), "--actor", "operator", "--json")
    assert answer.json == {"replayed": [row["id"]], "not_open": []}
    office.wait_until_quiet()
    again, first = office.expect("dead-letters", "list", "--order", "dead-1", "--state", "all", "--json").json
    assert (first["state"], first["state_actor"]) == ("replayed", "operator")
    assert (again["state"], again["partition"]) == ("open", 2)
    copy = office.expect("dead-letters", "show", str(again["id"]), "--with-data", "--json").json
    assert [copy[name] for name in ("key", "value", "headers")] == [shown[name] for name in ("key", "value", "headers")]

    assert office.expect("dead-letters", "drop", str(again["id"]), "--reason", "a test").code == 0
    twice = office.run("dead-letters", "drop", str(again["id"]), "--reason", "a test")
    assert twice.code == 1
    assert str(again["id"]) in twice.err
    assert not office.expect("dead-letters", "list", "--json").json


def test_what_is_missing_is_said(office: Service) -> None:
    assert office.run("dead-letters", "show", "999999").code == 1
    assert office.run("dead-letters", "replay").code == 2
    assert office.run("events", "send", "no-such-file").code == 2
