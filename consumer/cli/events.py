"""`events`: publish and watch messages as JSON lines, for trying things out."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import IO

import click
import msgspec
from confluent_kafka import Message

from consumer.cli.context import Seconds, assembly
from consumer.cli.failure import FAILED, Failure
from consumer.cli.output import echo_json
from consumer.contract import (
    DeadLetter,
    JsonEventError,
    SyncLogResult,
    UndecodableError,
    event_from_json,
    event_to_json,
)
from consumer.operations.assembly import Assembly
from consumer.operations.kafka import OutgoingMessage, publish, watch
from consumer.orders import ImpossibleEventError

_BATCH = 5_000
_TIMEOUT_SECONDS = 60.0
_SHOWN = ("orders", "sync-log", "retry", "dead-letter")


@click.group()
def events() -> None:
    """Publish and watch events as JSON lines, for trying things out."""


@events.command()
@click.argument("file", type=click.File("rb"))
def send(file: IO[bytes]) -> None:
    """Publish the events in FILE (JSON lines; - is standard input) to the orders topic.

    The fields are those of the contract (schemas/order-event.avsc). A line that breaks it stops everything: the lines
    before it are published, it and those after are not.
    """
    sent = 0
    with assembly() as parts:
        batch: list[OutgoingMessage] = []
        try:
            for message in _read(parts, file):
                batch.append(message)
                if len(batch) >= _BATCH:
                    sent += _publish(parts, batch)
                    batch = []
        finally:
            sent += _publish(parts, batch)
            click.echo(f"{sent} events sent to {parts.configuration.topics.orders}.")


@events.command()
@click.option("--topic", type=click.Choice(_SHOWN), default="orders", show_default=True)
@click.option("--from-beginning", is_flag=True, help="Begin with the oldest message there is.")
@click.option("--limit", type=click.IntRange(1), help="End after so many messages.")
@click.option("--timeout", "timeout_seconds", type=Seconds(), help="End after so many seconds without a message.")
def tail(*, topic: str, from_beginning: bool, limit: int | None, timeout_seconds: float | None) -> None:
    """Print the messages of a topic as JSON lines while they come. Events hold patients' data."""
    with assembly() as parts:
        topics = parts.configuration.topics
        name = {
            "orders": topics.orders,
            "sync-log": topics.sync_log,
            "retry": topics.retry,
            "dead-letter": topics.dead_letter,
        }[topic]
        messages = watch(parts.configuration, name, from_beginning=from_beginning, timeout_seconds=timeout_seconds)
        for message in islice(messages, limit):
            echo_json(_line(parts, name, message))
            sys.stdout.flush()


def _read(parts: Assembly, file: IO[bytes]) -> Iterator[OutgoingMessage]:
    topic = parts.configuration.topics.orders
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            event = event_from_json(line, parts.schemas)
        except JsonEventError as error:
            raise Failure(f"Line {number}: {error}", FAILED) from error
        yield OutgoingMessage(topic, event.order_id.encode(), parts.encoder.encode_event(topic, event))


def _publish(parts: Assembly, batch: list[OutgoingMessage]) -> int:
    if batch:
        publish(parts.configuration, batch, _TIMEOUT_SECONDS)
    return len(batch)


def _line(parts: Assembly, topic: str, message: Message) -> str:
    """Return `message` as JSON; where it can't be read, where it lies and why."""
    topics = parts.configuration.topics
    value = message.value()
    try:
        if topic == topics.orders:
            return event_to_json(parts.decoder().decode(value))
        if topic == topics.sync_log:
            return _json(parts.message_decoder.decode(SyncLogResult, value))
        if topic == topics.retry:
            _, milliseconds = message.timestamp()
            received_at = datetime.fromtimestamp(milliseconds / 1000, UTC)
            return _json(parts.message_decoder.decode_retry(value, message.key(), received_at))
        return _json(parts.message_decoder.decode(DeadLetter, value))
    except (UndecodableError, ImpossibleEventError) as error:
        place = {"topic": topic, "partition": message.partition(), "offset": message.offset()}
        return _json({**place, "unreadable": str(error)})


def _json(document: object) -> str:
    return msgspec.json.encode(document).decode()
