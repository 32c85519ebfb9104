"""What librdkafka complains of, in words that say what to do. Pure."""

from collections.abc import Mapping
from types import MappingProxyType

from confluent_kafka import KafkaError

_RIGHTS = "Grant it to the service's user (Read on topics and group that are read, Write on those that are written)"
# By code: what it means, and what to do.
_WORDS: Mapping[int, str] = MappingProxyType(
    {
        KafkaError._AUTHENTICATION: (  # noqa: SLF001 -- the codes' names
            "Kafka refuses our credentials. Correct user and password, or the token, in KAFKA_CONFIG"
        ),
        KafkaError.SASL_AUTHENTICATION_FAILED: (
            "Kafka refuses our credentials. Correct user and password, or the token, in KAFKA_CONFIG"
        ),
        KafkaError._SSL: (  # noqa: SLF001
            "No trusted connection to Kafka can be made. Correct ssl.ca.location (the authority that signed the "
            "brokers' certificates), the brokers' names, or our own certificate, in KAFKA_CONFIG"
        ),
        KafkaError.TOPIC_AUTHORIZATION_FAILED: f"The right to the topic is missing. {_RIGHTS}",
        KafkaError.GROUP_AUTHORIZATION_FAILED: f"The right to the consumer group is missing. {_RIGHTS}",
        KafkaError.CLUSTER_AUTHORIZATION_FAILED: f"A right to the cluster is missing. {_RIGHTS}",
    }
)
# librdkafka tells the cause of a fatal error in its text alone.
_FATAL_WORDS = (
    (
        ("group.instance.id", "instance ID"),
        "Another process uses the same group.instance.id. Give each process one of its own in KAFKA_CONFIG, or none",
    ),
    (
        ("version not supported", "not supported"),
        (
            "The brokers don't know what KAFKA_CONFIG asks for (such as group.protocol=consumer, which wants Kafka 4). "
            "Take it out, or upgrade the brokers"
        ),
    ),
    (("authorization failed",), f"A right is missing. {_RIGHTS}"),
)


def is_fatal(error: KafkaError) -> bool:
    """Whether the client that told `error` does nothing any more: told by a flag, or by a code of its own."""
    return error.fatal() or error.code() == KafkaError._FATAL  # noqa: SLF001 -- its name


def explain(error: KafkaError) -> str:
    """Return what `error` means and what to do; librdkafka's own words where nobody knows better."""
    said = error.str()
    words = _WORDS.get(error.code())
    if is_fatal(error):
        words = next((words for marks, words in _FATAL_WORDS if any(mark in said for mark in marks)), None)
        words = words or "Kafka's client can't go on; it begins anew with the next start"
    return f"{words} ({said})." if words else f"{said}."


def is_told_better(error: KafkaError) -> bool:
    """Whether `explain` knows more of `error` than librdkafka says."""
    return error.code() in _WORDS or is_fatal(error)
