from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._resource import ResourceType

from consumer.configuration import read_configuration
from consumer.contract import MESSAGE_BYTES_MAX, PUBLISHED_BYTES_MAX
from consumer.operations.kafka import admin_client, ensure_topics
from consumer.operations.topic_declarations import declared_topics
from consumer.results import producer_settings
from tests.fixtures.kafka import ApacheKafka


def test_the_topics_are_created_as_declared(real_kafka: ApacheKafka) -> None:
    configuration = read_configuration(
        {
            "KAFKA_BOOTSTRAP_SERVERS": real_kafka.bootstrap_servers,
            **{
                name: f"declared.{name.lower()}"
                for name in ("ORDERS_TOPIC", "RETRY_TOPIC", "SYNC_LOG_TOPIC", "DEAD_LETTER_TOPIC")
            },
        }
    )
    admin = admin_client(configuration)
    declared = declared_topics(configuration.topics)
    ensure_topics(admin, configuration.topics, replicas=1)
    found = admin.list_topics(timeout=10).topics
    resources = [ConfigResource(ResourceType.TOPIC, topic.name) for topic in declared]
    settings = {resource.name: future.result(10) for resource, future in admin.describe_configs(resources).items()}
    for topic in declared:
        assert len(found[topic.name].partitions) == topic.partitions
        # One broker can't keep two copies in sync.
        expected = {name: value for name, value in topic.config.items() if name != "min.insync.replicas"}
        assert {name: settings[topic.name][name].value for name in expected} == expected
    for future in admin.delete_topics([topic.name for topic in declared]).values():
        future.result(10)


def test_orders_are_kept_for_ever_and_nothing_is_compacted() -> None:
    declared = declared_topics(read_configuration({}).topics)
    assert [topic.name.rpartition(".v1")[0] for topic in declared] == [
        "hearlink.orders",
        "hearlink.xero.retry",
        "hearlink.xero.sync-log",
        "hearlink.xero.dead-letter",
    ]
    assert declared[0].config["retention.ms"] == "-1"
    assert {topic.config["cleanup.policy"] for topic in declared} == {"delete"}
    # The doorbell of an order lies where the order lies.
    assert declared[0].partitions == declared[1].partitions


def test_what_the_contract_takes_fits_through_client_and_topics() -> None:
    orders, retry, sync_log, dead_letter = declared_topics(read_configuration({}).topics)
    client = producer_settings("", {})["message.max.bytes"]
    # The largest event, with its key and headers; and the letter of it, with the reason.
    assert MESSAGE_BYTES_MAX < int(orders.config["max.message.bytes"]) <= client
    assert 2 * MESSAGE_BYTES_MAX <= int(dead_letter.config["max.message.bytes"]) == client == PUBLISHED_BYTES_MAX
    # Their messages are small: the brokers' own limit does.
    assert "max.message.bytes" not in {*retry.config, *sync_log.config}
