import pytest

from consumer.contract import Decoder, Encoder, Schemas
from consumer.resources import schemas_folder


@pytest.fixture(scope="session")
def schemas() -> Schemas:
    return Schemas.load(schemas_folder())


@pytest.fixture
def decoder(schemas: Schemas) -> Decoder:
    return Decoder(schemas)


@pytest.fixture
def encoder(schemas: Schemas) -> Encoder:
    return Encoder(schemas)
