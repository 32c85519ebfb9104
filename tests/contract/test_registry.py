"""The registry's client against a real HTTP server that answers as a registry does."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from consumer.contract import Decoder, Encoder, Registry, RegistryUnavailableError, Schemas, UndecodableError
from consumer.contract.patience import WAIT_SECONDS, WAITS_MAX, WAITS_SECONDS, Patience
from tests.contract.samples import sample_event


class FakeRegistry:
    """Schemas by id, subjects with their versions, and a fault to answer with instead."""

    def __init__(self) -> None:
        self.schemas: dict[int, dict[str, Any]] = {}
        self.versions: dict[str, dict[str, Any]] = {}
        self.fault: tuple[int, bytes] | None = None
        # By method and path: what is answered there instead.
        self.refusals: dict[tuple[str, str], tuple[int, bytes]] = {}
        self.requests: list[str] = []
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                registry.requests.append(path)
                found = registry.find(path)
                self.answer(
                    *registry.fault
                    or registry.refusals.get(("GET", path))
                    or found
                    or (404, b'{"error_code": 40403, "message": "Schema not found"}')
                )

            def do_POST(self) -> None:
                path = self.path.partition("?")[0]
                registry.requests.append(path)
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                refusal = registry.fault or registry.refusals.get(("POST", path))
                self.answer(*refusal or registry.post(path, body))

            def answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Keep the test's output clean."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def post(self, path: str, body: dict[str, Any]) -> tuple[int, bytes]:
        """Answer a look-up of a schema (`/subjects/S`), or register it (`/subjects/S/versions`)."""
        subject = path.split("/")[2]
        number = next((number for number, kept in self.schemas.items() if kept["schema"] == body["schema"]), None)
        if not path.endswith("/versions"):
            if number is None:
                return 404, b'{"error_code": 40403, "message": "Schema not found"}'
            found = {"subject": subject, "version": 1, "id": number, "schema": body["schema"]}
            return 200, json.dumps(found).encode()
        number = number or len(self.schemas) + 1
        self.schemas[number] = {"schema": body["schema"]}
        return 200, json.dumps({"id": number}).encode()

    def find(self, path: str) -> tuple[int, bytes] | None:
        parts = path.strip("/").split("/")
        if path == "/schemas/types":
            return 200, b'["AVRO", "JSON"]'
        if parts[:2] == ["schemas", "ids"] and int(parts[2]) in self.schemas:
            return 200, json.dumps(self.schemas[int(parts[2])]).encode()
        if path in self.versions:
            return 200, json.dumps(self.versions[path]).encode()
        return None


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    fake = FakeRegistry()
    thread = Thread(target=fake.server.serve_forever)
    thread.start()
    yield fake
    fake.server.shutdown()
    thread.join()
    fake.server.server_close()


def test_events_go_out_and_come_in_by_the_registry(registry: FakeRegistry, schemas: Schemas) -> None:
    value = Encoder(schemas, Registry(registry.url)).encode_event("orders", sample_event())
    assert value[:5] == b"\x00\x00\x00\x00\x01"
    decoder = Decoder(schemas, Registry(registry.url))
    assert decoder.decode(value) == sample_event()
    assert decoder.decode(value) == sample_event()
    assert registry.requests == ["/subjects/orders-value", "/subjects/orders-value/versions", "/schemas/ids/1"]


def test_an_outage_is_no_fault_of_the_message(registry: FakeRegistry, schemas: Schemas) -> None:
    value = Encoder(schemas, Registry(registry.url)).encode_event("orders", sample_event())
    decoder = Decoder(schemas, Registry(registry.url))
    for fault, words in (
        ((500, b"{}"), "can't answer now .HTTP 500"),
        ((503, b"busy"), "can't answer now .HTTP 503"),
        ((429, b"{}"), "can't answer now .HTTP 429"),
        ((401, b'{"error_code": 401, "message": "Unauthorized"}'), "wants other credentials .HTTP 401: Unauthorized"),
        ((403, b'{"error_code": 40301, "message": "no"}'), "refuses .HTTP 403: no.. Give the service's user the right"),
        ((404, b"<html>" + b"x" * 5_000), r"no registry at this address .HTTP 404: [^)]{,230}\)"),
        ((404, b'{"error_code": 404, "message": "HTTP 404 Not Found"}'), "no registry at this address"),
        ((200, b"<html>Sign in</html>"), "none of a schema registry's"),
        ((200, b"[]"), "none of a schema registry's"),
    ):
        registry.fault = fault
        with pytest.raises(RegistryUnavailableError, match=words) as raised:
            decoder.decode(value)
        assert str(raised.value).endswith("Nothing is lost.")
    registry.fault = None
    assert decoder.decode(value) == sample_event()


def test_a_registry_that_is_away_is_an_outage(schemas: Schemas, registry: FakeRegistry) -> None:
    decoder = Decoder(schemas, Registry("http://127.0.0.1:9"))
    with pytest.raises(RegistryUnavailableError):
        decoder.decode(b"\x00\x00\x00\x00\x01abc")
    registry.fault = (500, b"{}")
    with pytest.raises(RegistryUnavailableError):
        Encoder(schemas, Registry(registry.url)).encode_event("orders", sample_event())


@pytest.mark.parametrize("code", [40403, 404, 40401, None])
def test_an_unknown_id_is_waited_for_and_then_concerns_its_message(
    registry: FakeRegistry, schemas: Schemas, code: int | None
) -> None:
    body = {"message": "not found"} if code is None else {"error_code": code, "message": "not found"}
    registry.refusals["GET", "/schemas/ids/77"] = (404, json.dumps(body).encode())
    now = [100.0]
    decoder = Decoder(schemas, Registry(registry.url, patience=Patience(lambda: now[0])))
    for seconds in (0.0, 2.0, WAIT_SECONDS - 0.1):
        now[0] = 100.0 + seconds
        with pytest.raises(RegistryUnavailableError, match="schema id 77 yet; it is asked again"):
            decoder.decode(b"\x00\x00\x00\x00\x4dabc")
    now[0] = 100.0 + WAIT_SECONDS
    asked = len(registry.requests)
    for _ in range(3):
        with pytest.raises(UndecodableError, match="schema id 77, which the registry"):
            decoder.decode(b"\x00\x00\x00\x00\x4dabc")
    assert registry.requests[asked:].count("/schemas/ids/77") == 1


def test_a_follower_that_is_late_costs_no_message(registry: FakeRegistry, schemas: Schemas) -> None:
    value = Encoder(schemas, Registry(registry.url)).encode_event("orders", sample_event())
    late = registry.schemas.pop(1)
    decoder = Decoder(schemas, Registry(registry.url))
    with pytest.raises(RegistryUnavailableError, match="a follower may be late"):
        decoder.decode(value)
    registry.schemas[1] = late
    assert decoder.decode(value) == sample_event()


def test_noise_is_not_waited_for_again_and_again() -> None:
    now = [0.0]
    patience = Patience(lambda: now[0])
    waits = sum(not patience.is_over(f"schema id {number}") for number in range(100))
    assert waits == WAITS_MAX
    now[0] = WAITS_SECONDS + 1
    assert not patience.is_over("schema id 1000")


_REGISTER = ("POST", "/subjects/orders-value/versions")


def test_a_schema_that_is_there_needs_no_right_to_write(registry: FakeRegistry, schemas: Schemas) -> None:
    Encoder(schemas, Registry(registry.url)).encode_event("orders", sample_event())
    registry.refusals[_REGISTER] = (403, b'{"error_code": 40301, "message": "read-only"}')
    assert Encoder(schemas, Registry(registry.url)).encode_event("orders", sample_event())[:5] == b"\0\0\0\0\1"


@pytest.mark.parametrize("status", [401, 403, 409, 422])
def test_what_is_registered_with_other_notes_is_the_same(registry: FakeRegistry, schemas: Schemas, status: int) -> None:
    schema = {**schemas.current("OrderEvent"), "doc": "As another version of the service described it."}
    newest = {"subject": "orders-value", "version": 3, "id": 8, "schema": json.dumps(schema)}
    registry.versions["/subjects/orders-value/versions/latest"] = newest
    registry.refusals[_REGISTER] = (status, b'{"error_code": 42205, "message": "Subject is in read-only mode"}')
    assert Encoder(schemas, Registry(registry.url)).encode_event("orders", sample_event())[:5] == b"\0\0\0\0\x08"


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (403, "refuses .HTTP 403"),
        (409, "refuses .HTTP 409"),
        (422, "refuses .HTTP 422: Subject is in read-only mode"),
        (503, "can't answer now"),
    ],
)
def test_a_refusal_to_register_says_what_to_do(
    registry: FakeRegistry, schemas: Schemas, status: int, words: str
) -> None:
    different = {"subject": "orders-value", "version": 1, "id": 8, "schema": '{"type": "string"}'}
    registry.versions["/subjects/orders-value/versions/latest"] = different
    registry.refusals[_REGISTER] = (status, b'{"error_code": 42205, "message": "Subject is in read-only mode"}')
    with pytest.raises(RegistryUnavailableError, match=words) as raised:
        Encoder(schemas, Registry(registry.url)).encode_event("orders", sample_event())
    assert "Register the schema of schemas/ under that subject" in str(raised.value)


def test_schemas_of_other_kinds_are_refused(registry: FakeRegistry, schemas: Schemas) -> None:
    registry.schemas[1] = {"schema": "message A {}", "schemaType": "PROTOBUF"}
    registry.schemas[2] = {"schema": '"string"'}
    registry.schemas[3] = {"schema": "{"}
    decoder = Decoder(schemas, Registry(registry.url))
    for number, reason in ((1, "PROTOBUF, not Avro"), (2, "no record"), (3, "no JSON")):
        with pytest.raises(UndecodableError, match=reason):
            decoder.decode(bytes([0, 0, 0, 0, number]) + b"abc")


def test_references_are_followed(registry: FakeRegistry, schemas: Schemas) -> None:
    contract = json.loads(json.dumps(schemas.current("OrderEvent")))
    patient = next(field for field in contract["fields"] if field["name"] == "patient")
    shared = {**patient["type"], "namespace": "com.hearlink.orders.v1"}
    patient["type"] = "com.hearlink.orders.v1.Patient"
    reference = {"name": "com.hearlink.orders.v1.Patient", "subject": "patient", "version": 2}
    registry.schemas[9] = {"schema": json.dumps(contract), "references": [reference]}
    registry.versions["/subjects/patient/versions/2"] = {
        "subject": "patient",
        "id": 8,
        "version": 2,
        "schema": json.dumps(shared),
    }
    value = b"\x00\x00\x00\x00\x09" + Encoder(schemas).encode_event("orders", sample_event())[10:]
    assert Decoder(schemas, Registry(registry.url)).decode(value) == sample_event()
