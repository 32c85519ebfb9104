import pytest

from consumer.contract import Schemas
from consumer.resources import schemas_folder
from consumer.sandbox.broker import Broker
from tests.fixtures.kafka import CreateTopic
from tests.projection.world import World


@pytest.fixture(scope="session")
def schemas() -> Schemas:
    return Schemas.load(schemas_folder())


@pytest.fixture
def world(kafka: Broker, database_url: str, create_topic: CreateTopic, schemas: Schemas) -> World:
    """Topics and a database of the test's own, with what is needed to publish, project and look."""
    return World(
        bootstrap_servers=kafka.bootstrap_servers,
        database_url=database_url,
        orders_topic=create_topic("orders"),
        retry_topic=create_topic("retry", partitions=1),
        schemas=schemas,
    )
