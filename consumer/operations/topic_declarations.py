"""The topics as deploy/topics/topics.toml declares them."""

import tomllib
from typing import NamedTuple

from consumer.configuration import Topics
from consumer.resources import topics_file


class TopicDeclaration(NamedTuple):
    """One topic: `name` as the configuration calls it, `config` in Kafka's own words."""

    name: str
    partitions: int
    config: dict[str, str]


def declared_topics(topics: Topics) -> list[TopicDeclaration]:
    """Return the four topics, named as `topics` says."""
    declared = tomllib.loads(topics_file().read_text(encoding="utf-8"))
    names = {
        "orders": topics.orders,
        "retry": topics.retry,
        "sync_log": topics.sync_log,
        "dead_letter": topics.dead_letter,
    }
    return [
        TopicDeclaration(name, declared[role]["partitions"], declared[role]["config"]) for role, name in names.items()
    ]
