"""A registry that asks who comes, over TLS: a real HTTPS server that lets nobody in otherwise."""

import base64
import json
import ssl
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from consumer.configuration import REGISTRY_VARIABLES, ConfigurationError, read_configuration
from consumer.contract import Encoder, Registry, RegistryUnavailableError, Schemas
from consumer.operations.assembly import Assembly
from tests.contract.samples import sample_event
from tests.fixtures.certificates import Authority

PASSWORD = "pass:word 'of' the registry"
TOKEN = "token-of-the-registry"
_AS_USER = "Basic " + base64.b64encode(f"hearlink:{PASSWORD}".encode()).decode()


class Guarded:
    """Hands out ids to whoever sends one of `allowed` as Authorization."""

    def __init__(self, authority: Authority, *, asks_for_certificate: bool) -> None:
        self.peers: list[str] = []
        guarded = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers["Authorization"] not in {_AS_USER, f"Bearer {TOKEN}"}:
                    self.answer(401, {"error_code": 401, "message": "Unauthorized"})
                    return
                peer = self.connection.getpeercert() if isinstance(self.connection, ssl.SSLSocket) else None
                subject: Any = (peer or {}).get("subject", ())
                guarded.peers += [value for part in subject for _, value in part]
                self.answer(200, {"id": 1, "subject": "orders-value", "version": 1, "schema": "{}"})

            def answer(self, status: int, document: dict[str, Any]) -> None:
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Keep the test's output clean."""

        server = authority.issue("registry")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.ca_file))
        context.load_cert_chain(server.certificate, server.key)
        if asks_for_certificate:
            context.verify_mode = ssl.CERT_REQUIRED
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def guarded(authority: Authority, request: pytest.FixtureRequest) -> Iterator[Guarded]:
    registry = Guarded(authority, asks_for_certificate=getattr(request, "param", False))
    thread = Thread(target=registry.server.serve_forever)
    thread.start()
    yield registry
    registry.server.shutdown()
    thread.join()
    registry.server.server_close()


def encode(schemas: Schemas, **environment: str) -> bytes:
    """Encode an event by the registry that these variables name."""
    with Assembly(read_configuration(environment)) as parts:
        return Encoder(schemas, parts.schema_registry).encode_event("orders", sample_event())


@pytest.mark.parametrize(
    "access",
    [
        {"SCHEMA_REGISTRY_USER": "hearlink", "SCHEMA_REGISTRY_PASSWORD": PASSWORD},
        {"SCHEMA_REGISTRY_TOKEN": TOKEN},
    ],
    ids=["password", "token"],
)
def test_a_user_or_a_token_opens_it(
    schemas: Schemas, guarded: Guarded, authority: Authority, access: dict[str, str]
) -> None:
    ca_file = str(authority.ca_file)
    value = encode(schemas, SCHEMA_REGISTRY_URL=guarded.url, SCHEMA_REGISTRY_CA_FILE=ca_file, **access)
    assert value[:5] == b"\x00\x00\x00\x00\x01"
    with pytest.raises(RegistryUnavailableError, match=r"127\.0\.0\.1"):
        encode(schemas, SCHEMA_REGISTRY_URL=guarded.url, SCHEMA_REGISTRY_CA_FILE=ca_file)
    with pytest.raises(RegistryUnavailableError, match=r"(?i)certificate"):
        encode(schemas, SCHEMA_REGISTRY_URL=guarded.url, **access)


@pytest.mark.parametrize("guarded", [True], indirect=True)
@pytest.mark.parametrize("in_one_file", [True, False])
def test_a_certificate_of_ours_opens_it(
    schemas: Schemas, guarded: Guarded, authority: Authority, *, in_one_file: bool
) -> None:
    ours = authority.issue("hearlink-xero")
    environment = {
        "SCHEMA_REGISTRY_URL": guarded.url,
        "SCHEMA_REGISTRY_TOKEN": TOKEN,
        "SCHEMA_REGISTRY_CA_FILE": str(authority.ca_file),
    }
    with pytest.raises(RegistryUnavailableError):
        encode(schemas, **environment)
    files = (
        {"SCHEMA_REGISTRY_CERTIFICATE_FILE": str(ours.both)}
        if in_one_file
        else {"SCHEMA_REGISTRY_CERTIFICATE_FILE": str(ours.certificate), "SCHEMA_REGISTRY_KEY_FILE": str(ours.key)}
    )
    assert encode(schemas, **environment, **files)[:5] == b"\x00\x00\x00\x00\x01"
    assert guarded.peers == ["hearlink-xero"]


def test_what_cannot_be_meant_is_refused_and_never_shown(authority: Authority, tmp_path: Path) -> None:
    ours = authority.issue("refused")
    missing = str(tmp_path / "missing.pem")
    for environment, expected in (
        ({"SCHEMA_REGISTRY_URL": f"http://user:{TOKEN},x@registry"}, "Put them into SCHEMA_REGISTRY_USER"),
        ({"SCHEMA_REGISTRY_URL": f"http://a,http://{TOKEN}@registry"}, "Put them into SCHEMA_REGISTRY_USER"),
        ({"SCHEMA_REGISTRY_USER": "user"}, "go together"),
        ({"SCHEMA_REGISTRY_PASSWORD": TOKEN}, "go together"),
        (
            {"SCHEMA_REGISTRY_USER": "a", "SCHEMA_REGISTRY_PASSWORD": TOKEN, "SCHEMA_REGISTRY_TOKEN": TOKEN},
            "not both",
        ),
        ({"SCHEMA_REGISTRY_USER": "a:b", "SCHEMA_REGISTRY_PASSWORD": TOKEN}, "colon"),
        ({"SCHEMA_REGISTRY_KEY_FILE": str(ours.key)}, "without its certificate"),
        ({"SCHEMA_REGISTRY_CA_FILE": missing}, "missing.pem can't be read: No such file"),
        ({"SCHEMA_REGISTRY_CA_FILE": str(ours.key)}, "is not the certificates of authorities in PEM"),
        ({"SCHEMA_REGISTRY_CERTIFICATE_FILE": str(ours.certificate)}, "is not a certificate with its key"),
        ({"SCHEMA_REGISTRY_CERTIFICATE_FILE": missing}, "missing.pem can't be read"),
    ):
        with pytest.raises(ConfigurationError, match="SCHEMA_REGISTRY_") as refusal:
            read_configuration(environment)
        assert expected in str(refusal.value), environment
        assert TOKEN not in str(refusal.value)


def test_secrets_are_in_no_picture_of_the_configuration(
    guarded: Guarded, authority: Authority, schemas: Schemas
) -> None:
    secrets = {"SCHEMA_REGISTRY_PASSWORD": PASSWORD, "SCHEMA_REGISTRY_TOKEN": TOKEN}
    for name, secret in secrets.items():
        user = {"SCHEMA_REGISTRY_USER": "hearlink"} if name.endswith("PASSWORD") else {}
        configuration = read_configuration({name: secret, **user})
        assert secret not in repr(configuration)
        assert secret not in repr(configuration.schema_registry_access)
    with pytest.raises(RegistryUnavailableError) as refusal:
        encode(
            schemas,
            SCHEMA_REGISTRY_URL=guarded.url,
            SCHEMA_REGISTRY_CA_FILE=str(authority.ca_file),
            SCHEMA_REGISTRY_TOKEN="wrong-secret",
        )
    assert "wrong-secret" not in str(refusal.value)
    assert "401" in str(refusal.value)


def test_a_registry_that_asks_nothing_needs_nothing() -> None:
    access = read_configuration({}).schema_registry_access
    assert access.properties() == {}
    assert Registry("http://127.0.0.1:9", access) is not None
    assert {name for name, _, _ in REGISTRY_VARIABLES} == {
        f"SCHEMA_REGISTRY_{name.upper()}" for name in access.__dataclass_fields__
    }
