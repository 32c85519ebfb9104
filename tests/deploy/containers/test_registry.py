"""The registry's client at a real registry: the one that compose runs."""

import time
from collections.abc import Iterator
from contextlib import closing

import pytest
import requests

from consumer.contract import Decoder, Encoder, Registry, RegistryUnavailableError, Schemas, UndecodableError
from consumer.contract.patience import WAIT_SECONDS, Patience
from consumer.resources import schemas_folder
from consumer.sandbox.processes import free_port
from tests.contract.samples import sample_event
from tests.deploy.containers.engine import docker, images_asked_for, needs_engine

pytestmark = pytest.mark.timeout(240)
_START_SECONDS = 90.0
_API = "/apis/ccompat/v7"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a registry that keeps its schemas in memory."""
    image = images_asked_for()["schema-registry"]
    needs_engine(image)
    port = free_port()
    container = docker("run", "--detach", "--rm", "--publish", f"127.0.0.1:{port}:8080", image).stdout.strip()
    try:
        address = f"http://127.0.0.1:{port}"
        until = time.monotonic() + _START_SECONDS
        while not _answers(address):
            assert time.monotonic() < until, docker("logs", container, check=False).stdout
            time.sleep(0.5)
        yield address
    finally:
        docker("rm", "--force", container)


def _answers(address: str) -> bool:
    try:
        return requests.get(f"{address}{_API}/subjects", timeout=5).ok
    except requests.ConnectionError:
        return False


@pytest.fixture
def registry(server: str) -> Iterator[Registry]:
    with closing(Registry(f"{server}{_API}")) as client:
        yield client


@pytest.fixture(scope="module")
def schemas() -> Schemas:
    return Schemas.load(schemas_folder())


def test_what_is_registered_once_is_found_by_look_up(server: str, registry: Registry, schemas: Schemas) -> None:
    value = Encoder(schemas, registry).encode_event("orders", sample_event())
    with closing(Registry(f"{server}{_API}")) as other:
        assert Encoder(schemas, other).encode_event("orders", sample_event()) == value
        assert Decoder(schemas, other).decode(value) == sample_event()
    assert requests.get(f"{server}{_API}/subjects/orders-value/versions", timeout=5).json() == [1]


def test_an_unknown_id_concerns_its_message_alone(server: str, schemas: Schemas) -> None:
    now = [0.0]
    with closing(Registry(f"{server}{_API}", patience=Patience(lambda: now[0]))) as registry:
        decoder = Decoder(schemas, registry)
        with pytest.raises(RegistryUnavailableError, match="schema id 4711 yet; it is asked again"):
            decoder.decode(b"\x00\x00\x00\x12\x67abc")
        now[0] = WAIT_SECONDS
        with pytest.raises(UndecodableError, match="schema id 4711, which the registry"):
            decoder.decode(b"\x00\x00\x00\x12\x67abc")


def test_an_address_that_is_no_registry_keeps_the_message(server: str, schemas: Schemas) -> None:
    with (
        closing(Registry(f"{server}/somewhere")) as registry,
        pytest.raises(RegistryUnavailableError, match=r"no registry at this address \(HTTP 404"),
    ):
        Decoder(schemas, registry).decode(b"\x00\x00\x00\x12\x67abc")
