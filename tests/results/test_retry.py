"""Retry requests on their way: through the outbox, straight to the topic, and chosen by an operator."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg import Connection

from consumer.configuration import Topics
from consumer.contract import Encoder, MessageDecoder, RegistryUnavailableError, RetryRequest, Schemas
from consumer.results import (
    OutboxEncoder,
    OutboxTopic,
    Outcome,
    Publisher,
    RetrySelection,
    left_behind_count,
    load_catalogue,
    open_problem,
    operator_requests,
    produce_retries,
    producer_settings,
    record,
    request_retry,
    retry_candidates,
    still_off_count,
    unpublished_count,
)
from consumer.sandbox.broker import Broker
from consumer.sandbox.processes import free_port
from tests.fixtures.kafka import CreateTopic
from tests.results.conftest import TOPICS, InsertOrder, make_entry
from tests.results.relay_world import read

NOW = datetime(2026, 2, 1, 12, tzinfo=UTC)


def test_a_request_goes_to_the_outbox_in_the_callers_transaction(
    connection: Connection[Any], encoder: OutboxEncoder, decoder: MessageDecoder
) -> None:
    request = RetryRequest(order_id="order-1", requested_at=NOW, attempt=3, not_before=NOW + timedelta(minutes=1))
    with connection.transaction(force_rollback=True):
        request_retry(connection, encoder, [request])
    assert unpublished_count(connection) == 0
    request_retry(connection, encoder, [request])
    row = connection.execute("select topic, key, value from outbox").fetchone()
    assert row is not None
    topic, key, value = row
    assert (topic, key) == ("retry", b"order-1")
    assert request == decoder.decode(RetryRequest, value)


def test_a_planned_retry_says_when_and_at_which_attempt(encoder: OutboxEncoder, decoder: MessageDecoder) -> None:
    request = decoder.decode(
        RetryRequest, encoder.planned_retry("order-1", "org-1", 3, 8, wait_seconds=90.0, reason="xero_unreachable")
    )
    assert (request.order_id, request.organisation_id, request.attempt, request.revision) == ("order-1", "org-1", 3, 8)
    assert request.trigger == "retry"
    assert request.not_before is not None
    assert request.not_before - request.requested_at == timedelta(seconds=90)


def test_requests_of_the_command_line_are_published_at_once(
    kafka: Broker, create_topic: CreateTopic, schemas: Schemas, decoder: MessageDecoder
) -> None:
    topic = create_topic("retry")
    topics = Topics(orders="", retry=topic, sync_log="", dead_letter="")
    requests = [RetryRequest(order_id=f"order-{number}", requested_at=NOW, trigger="manual") for number in range(20)]
    with Publisher(producer_settings(kafka.bootstrap_servers, {})) as publisher:
        left = produce_retries(publisher, OutboxEncoder(Encoder(schemas), topics), requests, timeout_seconds=30)
    assert left == []
    published = {message.key(): decoder.decode(RetryRequest, message.value()) for message in read(kafka, topic)}
    assert published == {request.order_id.encode(): request for request in requests}


def test_requests_that_no_broker_took_are_named(encoder: OutboxEncoder) -> None:
    requests = [RetryRequest(order_id="order-1", requested_at=NOW)]
    with Publisher(producer_settings(f"127.0.0.1:{free_port()}", {})) as publisher:
        assert produce_retries(publisher, encoder, requests, timeout_seconds=0.5) == ["order-1"]


def test_warming_up_asks_for_every_kind_of_message(schemas: Schemas) -> None:
    class Registry:
        def __init__(self) -> None:
            self.subjects: list[str] = []

        def register(self, subject: str, _schema: object) -> int:
            self.subjects.append(subject)
            if len(self.subjects) == 1:
                raise RegistryUnavailableError("Not yet.")
            return len(self.subjects)

    registry: Any = Registry()
    encoder = OutboxEncoder(Encoder(schemas, registry), TOPICS)
    with pytest.raises(RegistryUnavailableError):
        encoder.warm_up()
    encoder.warm_up()
    encoder.warm_up()
    wanted = [f"{encoder.topic_names[topic]}-value" for topic in OutboxTopic]
    assert sorted(registry.subjects[1:]) == sorted(wanted)


@pytest.fixture
def orders(connection: Connection[Any], insert_order: InsertOrder, encoder: OutboxEncoder) -> int:
    """Orders in every state; returns the id of the problem of order-1 and order-2."""
    catalogue = load_catalogue()
    problem = catalogue.local("payment_account_missing", payment_account="090")
    problem_id = open_problem(connection, "org-1", "tenant-1", problem)
    other_id = open_problem(connection, "org-2", None, catalogue.local("xero_disconnected"))
    insert_order("order-1", hold="problem", problem_id=problem_id, invoice_number="WH1", attempts=4)
    insert_order("order-2", hold="problem", problem_id=problem_id, clinic_id="clinic-2")
    insert_order("order-3", hold="connection", problem_id=other_id, organisation_id="org-2")
    insert_order("order-4", hold="retry", due_at=NOW)
    insert_order("order-5")
    insert_order("order-6", hold="manual")
    insert_order("order-7", hold="disabled")
    record(connection, [make_entry("order-1", outcome=Outcome.FAILED)], encoder.log_entry)
    record(connection, [make_entry("order-5", outcome=Outcome.FAILED)], encoder.log_entry)
    return problem_id


@pytest.mark.parametrize(
    ("selection", "found"),
    [
        (RetrySelection(), [1, 2, 3, 4]),
        (RetrySelection(organisation_id="org-1"), [1, 2, 4]),
        (RetrySelection(organisation_id="org-1", clinic_id="clinic-2"), [2]),
        (RetrySelection(problem="payment_account_missing"), [1, 2]),
        (RetrySelection(problem="xero_disconnected"), [3]),
        (RetrySelection(problem_id=-1), []),
        (RetrySelection(since=datetime(2020, 1, 1, tzinfo=UTC)), [1]),
        (RetrySelection(since=datetime(2120, 1, 1, tzinfo=UTC)), []),
        (RetrySelection(order_ids=("order-5", "order-6", "stranger")), [5, 6]),
        (RetrySelection(order_ids=("order-1", "order-5"), problem="payment_account_missing"), [1]),
        (RetrySelection(order_ids=()), []),
    ],
)
@pytest.mark.usefixtures("orders")
def test_orders_are_chosen_by_what_failed(
    connection: Connection[Any], selection: RetrySelection, found: list[int]
) -> None:
    assert [f"order-{number}" for number in found] == [
        candidate.order_id for candidate in retry_candidates(connection, selection)
    ]


@pytest.fixture
def held(connection: Connection[Any], insert_order: InsertOrder) -> None:
    """Orders that wait for a person: in a clinic that is on, in one that is off, and where there are no settings."""
    for clinic_id in ("clinic-1", "clinic-2"):
        connection.execute("insert into clinic (organisation_id, clinic_id) values ('org-1', %s)", [clinic_id])
    connection.execute(
        "insert into organisation (organisation_id, synchronisation_enabled, mode) values ('org-1', true, 'auto')"
    )
    connection.execute(
        "insert into clinic_override (organisation_id, clinic_id, synchronisation_enabled)"
        " values ('org-1', 'clinic-2', false)"
    )
    insert_order("order-1", hold="disabled", occurred_at=NOW)
    insert_order("order-2", hold="disabled", occurred_at=NOW - timedelta(days=2))
    insert_order("order-3", hold="manual", occurred_at=NOW)
    insert_order("order-4", hold="disabled", clinic_id="clinic-2", occurred_at=NOW)
    insert_order("order-5", hold="disabled", organisation_id="org-2", occurred_at=NOW - timedelta(days=2))
    insert_order("order-6", hold="problem")
    insert_order("order-7")


@pytest.mark.parametrize(
    ("selection", "found", "still_off"),
    [
        (RetrySelection(held=("disabled", "manual")), [1, 2, 3], 2),
        (RetrySelection(held=("disabled",)), [1, 2], 2),
        (RetrySelection(held=("manual",)), [3], 0),
        (RetrySelection(held=("disabled",), since=NOW - timedelta(days=1)), [1], 1),
        (RetrySelection(held=("disabled",), clinic_id="clinic-2"), [], 1),
        (RetrySelection(held=("disabled",), organisation_id="org-1"), [1, 2], 1),
        (RetrySelection(), [6], 0),
    ],
)
@pytest.mark.usefixtures("held")
def test_what_waits_for_a_person_is_chosen_where_synchronisation_is_on(
    connection: Connection[Any], selection: RetrySelection, found: list[int], still_off: int
) -> None:
    assert [candidate.order_id for candidate in retry_candidates(connection, selection)] == [
        f"order-{number}" for number in found
    ]
    assert still_off_count(connection, selection) == still_off


@pytest.mark.usefixtures("held")
def test_orders_saved_while_synchronisation_was_off_are_counted_where_it_is_on(connection: Connection[Any]) -> None:
    assert left_behind_count(connection, "org-1") == 2
    assert left_behind_count(connection, "org-2") == 0


def test_a_candidate_says_why_it_stands_as_it_does(connection: Connection[Any], orders: int) -> None:
    first, second = retry_candidates(connection, RetrySelection(problem_id=orders))
    assert (first.order_id, first.invoice_number, first.attempts, first.hold) == ("order-1", "WH1", 4, "problem")
    assert first.problem == "payment_account_missing"
    assert "090" in (first.message or "")
    assert second.clinic_id == "clinic-2"


@pytest.mark.usefixtures("orders")
def test_candidates_come_in_pages(connection: Connection[Any]) -> None:
    first = retry_candidates(connection, RetrySelection(), limit=3)
    second = retry_candidates(connection, RetrySelection(), after_order_id=first[-1].order_id, limit=3)
    assert [candidate.order_id for candidate in first + second] == ["order-1", "order-2", "order-3", "order-4"]


@pytest.mark.usefixtures("orders")
def test_an_operators_requests_name_the_operator(connection: Connection[Any]) -> None:
    candidates = retry_candidates(connection, RetrySelection(order_ids=("order-1",)))
    (request,) = operator_requests(candidates, actor="user-1", reason="account restored", requested_at=NOW)
    assert request == RetryRequest(
        order_id="order-1",
        organisation_id="org-1",
        requested_at=NOW,
        revision=1,
        trigger="manual",
        actor="user-1",
        reason="account restored",
    )
