"""`events`: publish and watch messages as JSON lines, for trying things out and for looking at what is there."""

import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import IO

import click
from confluent_kafka import Message

from consumer.cli.context import Seconds, assembly
from consumer.cli.failure import FAILED, UNREACHABLE, Failure
from consumer.cli.output import print_json_lines
from consumer.contract import JsonEventError, event_from_json
from consumer.operations.assembly import Assembly
from consumer.operations.kafka import watch
from consumer.operations.message_view import MessageView
from consumer.operations.partition_log import PartitionLog
from consumer.results import Publication, Publisher, producer_settings

# Of a pipe comes what is there, and of a file so much: then all of it is published before more is read.
_READ_BYTES = 1024 * 1024
_TIMEOUT_SECONDS = 60.0
_SHOWN = ("orders", "sync-log", "retry", "dead-letter")


@click.group()
def events() -> None:
    """Publish and watch events as JSON lines, for trying things out."""


@events.command()
@click.argument("file", type=click.File("rb"))
def send(file: IO[bytes]) -> None:
    """Publish the events in FILE (JSON lines; - is standard input) to the orders topic.

    Lines of standard input are published as they come, without waiting for its end. The fields are those of the
    contract (schemas/order-event.avsc). A line that breaks it stops everything: the lines before it are published, it
    and those after are not.
    """
    sent = 0
    with assembly() as parts:
        configuration = parts.configuration
        settings = producer_settings(configuration.require_kafka(), configuration.kafka_config)
        try:
            with Publisher(settings) as publisher:
                for messages in _read(parts, file):
                    sent += _publish(publisher, messages)
        finally:
            click.echo(f"{sent} events sent to {configuration.topics.orders}.")


@events.command()
@click.option("--topic", type=click.Choice(_SHOWN), default="orders", show_default=True)
@click.option("--partition", type=click.IntRange(0, 2**31 - 1), help="Only this partition; goes with --offset.")
@click.option("--offset", type=click.IntRange(0, 2**63 - 1), help="Begin there, and end where the log ends now.")
@click.option("--from-beginning", is_flag=True, help="Begin with the oldest message there is.")
@click.option("--count", "--limit", "count", type=click.IntRange(1), help="End after so many messages.")
@click.option("--timeout", "timeout_seconds", type=Seconds(), help="End after so many seconds without a message.")
@click.option("--with-data", is_flag=True, help="Show what is in them, which are patients' data.")
def tail(
    *,
    topic: str,
    partition: int | None,
    offset: int | None,
    from_beginning: bool,
    count: int | None,
    timeout_seconds: float | None,
    with_data: bool,
) -> None:
    """Print the messages of a topic as JSON lines: as they come, or those that lie at an offset and after it.

    Reads beside the service, and changes nothing. What can't be used is shown with its size and the reason. With
    --with-data events have the form that `events send` takes, and what can't be read comes in base64.
    """
    if (partition is None) != (offset is None):
        raise click.UsageError("--partition and --offset go together.")
    if offset is not None and from_beginning:
        raise click.UsageError("--offset says where to begin already, so leave out --from-beginning.")
    with assembly() as parts:
        topics = parts.configuration.topics
        name = {
            "orders": topics.orders,
            "sync-log": topics.sync_log,
            "retry": topics.retry,
            "dead-letter": topics.dead_letter,
        }[topic]
        if partition is None or offset is None:
            messages = watch(parts.configuration, name, from_beginning=from_beginning, timeout_seconds=timeout_seconds)
            _show(parts, islice(messages, count), with_data=with_data)
            return
        with PartitionLog(parts.configuration, name, partition) as log:
            _show(parts, islice(log.read(offset), count), with_data=with_data)


def _read(parts: Assembly, file: IO[bytes]) -> Iterator[list[Publication]]:
    """Yield the events of the lines that are there, without waiting for further ones; blank lines mean nothing."""
    topic = parts.configuration.topics.orders
    number = 0
    for lines in _lines(file):
        messages: list[Publication] = []
        for line in lines:
            number += 1
            if not line.strip():
                continue
            try:
                event = event_from_json(line, parts.schemas)
            except JsonEventError as error:
                yield messages
                raise Failure(f"Line {number}: {error}", FAILED) from error
            messages.append(Publication(topic, event.order_id.encode(), parts.encoder.encode_event(topic, event)))
        yield messages


def _lines(file: IO[bytes]) -> Iterator[list[bytes]]:
    """Yield the lines that can be read without waiting, as soon as there are any; the last one may lack its end."""
    # `read1` returns what is there; an object without it is read to its end at once.
    read = getattr(file, "read1", file.read)
    rest = b""
    while chunk := read(_READ_BYTES):
        *lines, rest = (rest + chunk).split(b"\n")
        yield lines
    yield [rest]


def _publish(publisher: Publisher, messages: Sequence[Publication]) -> int:
    deliveries = publisher.publish(messages, lambda seconds: seconds < _TIMEOUT_SECONDS)
    missing = [delivery for delivery in deliveries if not delivery.acknowledged]
    if missing:
        reason = missing[0].error if missing[0].refused else publisher.last_error or missing[0].error
        raise Failure(
            f"{len(missing)} of {len(messages)} messages were not acknowledged by Kafka: {reason}.", UNREACHABLE
        )
    return len(messages)


def _show(parts: Assembly, messages: Iterator[Message], *, with_data: bool) -> None:
    view = MessageView(parts.configuration.topics, parts.reader(), parts.message_decoder, with_data=with_data)
    for message in messages:
        print_json_lines([view.show(message)])
        sys.stdout.flush()
