"""`topics`: the Kafka topics, for development."""

import click

from consumer.cli.context import configuration
from consumer.operations.kafka import admin_client, ensure_topics


@click.group()
def topics() -> None:
    """Look after the Kafka topics. In production deploy/ declares them."""


@topics.command()
@click.option("--partitions", show_default="as declared in deploy/topics/topics.toml", type=click.IntRange(1, 1000))
@click.option(
    "--replicas", default=-1, show_default="the brokers' default", type=click.IntRange(-1, 10), help="Copies of each."
)
def ensure(*, partitions: int | None, replicas: int) -> None:
    """Create the topics that are missing; those that exist stay as they are."""
    found = configuration()
    created = ensure_topics(admin_client(found), found.topics, partitions=partitions, replicas=replicas)
    for name, is_new in created.items():
        click.echo(f"{'created' if is_new else 'exists '} {name}")
