"""Postgres behind what its group committed to Kafka: it lost something, and whoever sends must know."""

from collections.abc import Iterator
from typing import Any, cast

import psycopg
import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from consumer.projection.claims import Claimer, Watermarks
from consumer.projection.kafka import create_admin
from consumer.sandbox.postgres import EmbeddedPostgres
from tests.projection.world import World, event, wait_until


@pytest.fixture
def second_database_url(postgres_server: EmbeddedPostgres, migrated_template: str) -> Iterator[str]:
    """URL of a second database."""
    yield postgres_server.create_database("lost_commits", template=migrated_template)
    postgres_server.drop_database("lost_commits")


def _reasons(world: World) -> list[str]:
    return [reason for (reason,) in world.rows("select reason from setback where reason <> 'first' order by id")]


def _project_two(world: World) -> None:
    with world.running():
        world.publish(event("order-1", 1), event("order-2", 1), partition=0)
        world.wait_for_events(2)


def test_offsets_that_postgres_lost_are_a_setback_at_the_next_start(world: World) -> None:
    _project_two(world)
    with world.running() as running:
        wait_until(lambda: running.metrics.counts["assigned"] > 0)
    assert _reasons(world) == []
    world.execute("delete from orders where order_id = 'order-2'")
    world.execute("update partition_offset set next_offset = 1 where partition = 0 and next_offset = 2")
    with world.running() as running:
        world.wait_for_events(2)
    assert running.failure is None
    assert world.order("order-2")["revision"] == 1
    assert _reasons(world) == ["group"]
    # What is written since is told to Kafka, which is then no more ahead.
    with world.running() as running:
        wait_until(lambda: running.metrics.counts["assigned"] > 0)
    assert _reasons(world) == ["group"]


def test_an_empty_database_of_a_group_that_has_been_on_is_a_lost_one(world: World, second_database_url: str) -> None:
    _project_two(world)
    world.database_url = second_database_url
    with world.running():
        world.wait_for_events(2)
    assert _reasons(world) == ["group"]


def test_a_new_group_has_nothing_to_be_ahead_with(world: World) -> None:
    _project_two(world)
    world.group_id += "-new"
    with world.running() as running:
        wait_until(lambda: running.metrics.counts["assigned"] > 0)
    assert _reasons(world) == []


class _SilentGroup:
    """A consumer whose coordinator does not answer."""

    def get_watermark_offsets(self, _partition: TopicPartition, **_more: Any) -> tuple[int, int]:
        return 0, 7

    def committed(self, _partitions: list[TopicPartition], **_more: Any) -> list[TopicPartition]:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT))


def test_who_can_not_be_told_what_was_committed_claims_all_the_same(world: World) -> None:
    claimer = Claimer(create_admin(world.bootstrap_servers, world.kafka_config), "test", world.retry_topic)
    partition = TopicPartition(world.orders_topic, 0)
    found = claimer.look(cast("Consumer", _SilentGroup()), [partition])
    (watermarks,) = found.values()
    assert watermarks == Watermarks(0, 7, watermarks.topic_id, None)
    with psycopg.connect(world.database_url, autocommit=True) as connection:
        (claim,) = claimer.claim(connection, found).values()
    assert claim.position == 0
    assert _reasons(world) == []
