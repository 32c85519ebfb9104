"""Events in and out by command, and what becomes of those that can't be used."""

import json
import subprocess
from functools import partial

import pytest
from confluent_kafka import KafkaError, Message, Producer
from confluent_kafka.admin import AdminClient

from consumer.database import connect
from consumer.orders import ChangeKind
from tests.cli.service import COMMAND, PATIENCE_SECONDS, Service
from tests.projection.world import wait_until
from tests.sync.books import invoice, payment

pytestmark = pytest.mark.timeout(180)


def test_events_go_out_and_come_back_as_json_lines(office: Service) -> None:
    line = office.event_line("event-1", ChangeKind.INVOICE_SAVED, {"invoice": invoice("WH-event-1")})
    assert "1 events sent" in office.expect("events", "send", "-", stdin=line + "\n\n").out
    assert (
        json.loads(line) in office.expect("events", "tail", "--from-beginning", "--timeout", "1", "--with-data").lines
    )
    shown = office.expect("events", "tail", "--from-beginning", "--timeout", "1")
    (found,) = [row for row in shown.lines if row["order_id"] == "event-1"]
    place = [f"--{name}={found[name]}" for name in ("partition", "offset")]
    assert office.expect("events", "tail", *place, "--count", "1").lines == [found]
    assert found["kind"] == "InvoiceSaved"
    assert found["size_bytes"] > 100
    # No names, and nothing else that the event says of the patient.
    for private in json.loads(line)["patient"].values():
        assert private is None or json.dumps(private) not in shown.out
    office.wait_until_quiet()
    results = office.expect("events", "tail", "--topic", "sync-log", "--from-beginning", "--timeout", "1").lines
    assert "invoice_create" in {row["operation"] for row in results if row["order_id"] == "event-1"}


def test_lines_are_published_as_they_come(office: Service) -> None:
    lines = [
        office.event_line(
            "stream-1", ChangeKind.INVOICE_SAVED, {"invoice": invoice("WH-stream", reference=f"R{number}")}
        )
        for number in range(3)
    ]
    with subprocess.Popen(
        [*COMMAND, "events", "send", "-"], env=office.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        for number, line in enumerate(lines, start=1):
            # The end of a line decides, not the end of the input, nor how the bytes happen to come.
            process.stdin.write(line[:50].encode())
            process.stdin.flush()
            process.stdin.write(line[50:].encode() + (b"\n" if number < len(lines) else b""))
            process.stdin.flush()
            if number < len(lines):
                wait_until(partial(has_sequence, office, "stream-1", number))
        out, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert out == f"3 events sent to {office.environment['ORDERS_TOPIC']}.\n".encode()
    wait_until(partial(has_sequence, office, "stream-1", 3))


def has_sequence(service: Service, order_id: str, number: int) -> bool:
    with connect(service.environment["DATABASE_URL"], name="test") as connection:
        found = connection.execute("select sequence from orders where order_id = %s", [order_id]).fetchone()
    return found == (number,)


def test_what_can_not_be_used_is_shown_where_it_lies(office: Service) -> None:
    topic = office.environment["ORDERS_TOPIC"]
    producer = Producer({"bootstrap.servers": office.environment["KAFKA_BOOTSTRAP_SERVERS"]})
    places: list[int] = []

    def note(_error: KafkaError | None, sent: Message) -> None:
        places.append(sent.offset() or 0)

    for value in (b"Ada Example", None):
        producer.produce(topic, key=b"shown-1", value=value, partition=1, on_delivery=note)
    assert producer.flush(10) == 0
    first, last = places
    look = ("events", "tail", "--partition", "1", "--offset", str(first), "--count", str(last - first + 1))
    shown = office.expect(*look)
    bad, empty = (line for line in shown.lines if line["order_id"] == "shown-1")
    assert (bad["reason"], bad["size_bytes"], bad["offset"]) == ("undecodable", 11, first)
    assert "starts with 0x4164" in bad["detail"]
    assert (empty["size_bytes"], "no value" in empty["detail"]) == (None, True)
    assert "Ada" not in shown.out
    with_data = office.expect(*look, "--with-data").lines[0]
    assert (with_data["value"], with_data["key"]) == ("QWRhIEV4YW1wbGU=", "c2hvd24tMQ==")
    office.wait_until_quiet()
    ids = [str(row["id"]) for row in office.expect("dead-letters", "list", "--order", "shown-1", "--json").json]
    office.expect("dead-letters", "drop", *ids, "--reason", "a test")


@pytest.mark.usefixtures("real_kafka")
def test_a_look_touches_nothing_and_says_what_is_not_there(office: Service) -> None:
    group = office.environment["KAFKA_GROUP_ID"]
    office.expect("events", "tail", "--partition", "0", "--offset", "0")
    admin = AdminClient({"bootstrap.servers": office.environment["KAFKA_BOOTSTRAP_SERVERS"]})
    groups = {listed.group_id for listed in admin.list_consumer_groups().result(10).valid}
    assert groups & {group, f"{group}-look", f"{group}-watch"} == {group}
    for arguments, code, text in (
        (("--partition", "9", "--offset", "0"), 1, "has no partition 9; it has 0 to 2."),
        (("--partition", "0", "--offset", "999999"), 1, "ends before that offset"),
        (("--partition", "0"), 2, "--partition and --offset go together"),
        (("--partition", "0", "--offset", "0", "--from-beginning"), 2, "leave out --from-beginning"),
    ):
        answer = office.run("events", "tail", *arguments)
        assert (answer.code, answer.out) == (code, ""), answer
        assert text in answer.err


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
    assert answer.json == {"replayed": [row["id"]], "not_open": [], "refused": []}
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
    assert office.run("dead-letters", "drop", "--reason", "a test").code == 2
    assert office.run("dead-letters", "drop", "--partition", "1", "--from", "5", "--reason", "a test").code == 2
    assert office.run("dead-letters", "replay", "7", "--partition", "1", "--from", "5", "--to", "6").code == 2
    assert (
        "lies before"
        in office.run("dead-letters", "skip", "--partition", "1", "--from", "5", "--to", "4", "--reason", "a test").err
    )
    assert office.run("events", "send", "no-such-file").code == 2


@pytest.mark.parametrize("decision", ["take", "keep"])
def test_a_number_that_came_twice_holds_its_order_until_somebody_decides(office: Service, decision: str) -> None:
    order_id = f"twice-{decision}"
    office.send_invoice(order_id)
    _pay(office, order_id, "till-1", "10.0000", event_id=f"{order_id}-first")
    office.wait_until_quiet()
    assert _paid(office, order_id) == [10.0]

    # HearLink's database comes from a backup of before the payment, and counts on from there.
    office.sequences[order_id] -= 1
    _pay(office, order_id, "till-2", "15.0000", event_id=f"{order_id}-second")
    _pay(office, order_id, "till-3", "3.0000", event_id=f"{order_id}-third")
    office.wait_until_quiet()
    assert _paid(office, order_id) == [10.0]
    (letter,) = office.expect("dead-letters", "list", "--order", order_id, "--reason", "conflict", "--json").json
    (problem,) = [one for one in office.expect("problems", "--json").json if one["subject"] == order_id]
    assert (problem["code"], problem["problem_class"]) == ("sequence_used_twice", "hearlink")
    assert problem["message"].startswith("HearLink has used this number twice: ")
    assert f"hearlink-xero dead-letters take {letter['id']}”" in problem["fix"]
    plan = office.expect("plan", order_id, "--json").json
    assert (plan["gate"]["code"], plan["plan"]) == ("sequence_used_twice", None)
    refused = office.run("dead-letters", "replay", str(letter["id"]))
    assert (refused.code, "conflicts are taken or kept" in refused.err) == (1, True)

    why = [] if decision == "take" else ["--reason", "the till has it"]
    answer = office.expect("dead-letters", decision, str(letter["id"]), *why, "--actor", "operator", "--json").json
    done = {"take": "taken", "keep": "kept"}[decision]
    assert answer == {done: [letter["id"]], "not_open": []}
    office.wait_until_quiet()
    assert _paid(office, order_id) == ([3.0, 15.0] if decision == "take" else [3.0, 10.0])
    assert not [one for one in office.expect("problems", "--json").json if one["subject"] == order_id]
    moments = office.expect("timeline", order_id, "--json").json["moments"]
    told = [moment["text"] for moment in moments if moment["kind"] in {"dead_letter", "act"}]
    assert "its sequence 2 came before with another event" in told[0]
    assert told[1].startswith(f"operator: dead letters {done}")
    assert office.expect("rebuild", "--json").json["differences"] == []


def _pay(office: Service, order_id: str, payment_id: str, amount: str, *, event_id: str) -> None:
    change = {"payment": payment(payment_id, amount=amount)}
    line = json.loads(office.event_line(order_id, ChangeKind.PAYMENT_SAVED, change))
    office.expect("events", "send", "-", stdin=json.dumps({**line, "event_id": event_id}) + "\n")


def _paid(office: Service, order_id: str) -> list[float]:
    """The payments that Xero has of the order."""
    ledger = office.simulator.control.ledger(office.tenant_id)
    (document,) = [one for one in ledger["Invoices"] if one["InvoiceNumber"] == f"WH-{order_id}"]
    return sorted(
        float(one["Amount"])
        for one in ledger["Payments"]
        if one["Invoice"]["InvoiceID"] == document["InvoiceID"] and one["Status"] == "AUTHORISED"
    )
