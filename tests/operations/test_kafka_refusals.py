"""Why Kafka lets nobody in is told as it is: not as an outage, and not as topics that are missing."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]

from consumer.configuration import Configuration, read_configuration
from consumer.operations.kafka import admin_client
from consumer.operations.readiness import Role, Verdict, look_at_topics
from tests.fixtures.certificates import Authority
from tests.fixtures.rights import reading_forbidden
from tests.fixtures.secure_kafka import SecureKafka

_SECONDS = 15.0


@pytest.fixture(scope="module")
def broker(secure_kafka: SecureKafka) -> SecureKafka:
    secure_kafka.add_user("reader", "right")
    names = ["orders", "retry"]
    for future in secure_kafka.admin.create_topics([NewTopic(name, 1, 1) for name in names]).values():
        future.result(_SECONDS)
    return secure_kafka


def _configuration(broker: SecureKafka, changes: Mapping[str, str]) -> Configuration:
    config = {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "reader",
        "sasl.password": "right",
        "ssl.ca.location": str(broker.authority.ca_file),
        **changes,
    }
    return read_configuration(
        {
            "KAFKA_BOOTSTRAP_SERVERS": broker.sasl_servers,
            "KAFKA_CONFIG": json.dumps(config),
            "ORDERS_TOPIC": "orders",
            "RETRY_TOPIC": "retry",
        }
    )


def _look(broker: SecureKafka, **changes: str) -> Verdict:
    configuration = _configuration(broker, {name.replace("_", "."): value for name, value in changes.items()})
    return look_at_topics(admin_client(configuration), configuration.topics, [Role.PROJECTION])


def test_a_wrong_password_is_called_so(broker: SecureKafka) -> None:
    verdict = _look(broker, sasl_password="wrong-secret")
    assert not verdict.ready
    assert "Kafka refuses our credentials. Correct user and password" in verdict.reason
    assert "wrong-secret" not in verdict.reason


def test_an_authority_that_did_not_sign_the_broker_is_called_so(broker: SecureKafka, tmp_path: Path) -> None:
    verdict = _look(broker, ssl_ca_location=str(Authority(tmp_path).ca_file))
    assert not verdict.ready
    assert "No trusted connection to Kafka can be made. Correct ssl.ca.location" in verdict.reason


def test_a_missing_right_is_no_missing_topic(broker: SecureKafka) -> None:
    assert _look(broker).ready
    with reading_forbidden(broker.bootstrap_servers, "orders", is_hidden=True):
        verdict = _look(broker)
    assert not verdict.ready
    assert verdict.reason.startswith("Kafka gives no right to the topic orders. Grant it")
    assert _look(broker).ready
