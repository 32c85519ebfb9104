"""The registry's client against a real HTTP server that answers as a registry does."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from consumer.contract import Decoder, Encoder, Registry, RegistryUnavailableError, Schemas, UndecodableError
from tests.contract.samples import sample_event


class FakeRegistry:
    """Schemas by id, subjects with their versions, and a fault to answer with instead."""

    def __init__(self) -> None:
        self.schemas: dict[int, dict[str, Any]] = {}
        self.versions: dict[str, dict[str, Any]] = {}
        self.fault: tuple[int, bytes] | None = None
        self.requests: list[str] = []
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                registry.requests.append(path)
                found = registry.find(path)
                self.answer(
                    *registry.fault or (found or (404, b'{"error_code": 40403, "message": "Schema not found"}'))
                )

            def do_POST(self) -> None:
                registry.requests.append(self.path.partition("?")[0])
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                number = len(registry.schemas) + 1
                registry.schemas[number] = {"schema": body["schema"]}
                self.answer(*registry.fault or (200, json.dumps({"id": number}).encode()))

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

    def find(self, path: str) -> tuple[int, bytes] | None:
        parts = path.strip("/").split("/")
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
    assert registry.requests == ["/subjects/orders-value/versions", "/schemas/ids/1"]


def test_an_outage_is_no_fault_of_the_message(registry: FakeRegistry, schemas: Schemas) -> None:
    value = Encoder(schemas, Registry(registry.url)).encode_event("orders", sample_event())
    decoder = Decoder(schemas, Registry(registry.url))
    for fault in ((500, b"{}"), (503, b"busy"), (401, b"{}"), (404, b"<html>"), (404, b'{"error_code": 404}')):
        registry.fault = fault
        with pytest.raises(RegistryUnavailableError, match="Nothing is lost"):
            decoder.decode(value)
    registry.fault = None
    assert decoder.decode(value) == sample_event()


def test_a_registry_that_is_away_is_an_outage(schemas: Schemas, registry: FakeRegistry) -> None:
    decoder = Decoder(schemas, Registry("http://127.0.0.1:9"))
    with pytest.raises(RegistryUnavailableError):
        decoder.decode(b"\x00\x00\x00\x00\x01abc")
    registry.fault = (500, b"{}")
    with pytest.raises(RegistryUnavailableError):
        Encoder(schemas, Registry(registry.url)).encode_event("orders", sample_event())


def test_an_unknown_id_is_asked_for_once(registry: FakeRegistry, schemas: Schemas) -> None:
    decoder = Decoder(schemas, Registry(registry.url))
    for _ in range(3):
        with pytest.raises(UndecodableError, match="schema id 77, which the registry"):
            decoder.decode(b"\x00\x00\x00\x00\x4dabc")
    assert registry.requests == ["/schemas/ids/77"]


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
