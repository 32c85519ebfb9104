import datetime as dt
import ipaddress
import socket
import ssl
import struct
import threading
from pathlib import Path
from time import monotonic

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from urllib3.util import connection as connection_module

from consumer.sandbox.processes import free_port
from consumer.xero import transport as transport_module
from consumer.xero.errors import AnswerLostError, NotSentError
from consumer.xero.transport import BearerAuth, HttpAnswer, Transport
from tests.xero.raw_server import RawServer, Script, answering, http_answer

_SOON_SECONDS = 0.4


def put(url: str, seconds: float = 10.0) -> HttpAnswer:
    return Transport().send("PUT", url, deadline=monotonic() + seconds, body=b'{"a":1}')


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def serving(script: Script) -> RawServer:
    """A server that reads a request and then runs `script`."""

    def read_first(connection: socket.socket) -> None:
        server.read_request(connection)
        script(connection)

    server = RawServer(read_first)
    return server


def until_closed(connection: socket.socket) -> None:
    while connection.recv(1024):
        pass


def drip(data: bytes) -> Script:
    """Send `data` a byte at a time, for far longer than any deadline here, and far within any read time-out."""

    def script(connection: socket.socket) -> None:
        gone = threading.Event()
        for byte in data:
            connection.sendall(bytes([byte]))
            gone.wait(0.05)

    return script


def test_an_answer_of_any_status_is_an_answer() -> None:
    with answering(http_answer(500, b"oh", {"X-Thing": "1"})) as server:
        answer = put(server.url)
    assert (answer.status, answer.body, answer.headers["x-thing"]) == (500, b"oh", "1")


def test_a_refused_connection_was_not_sent() -> None:
    with pytest.raises(NotSentError, match="could not be sent"):
        put(f"http://127.0.0.1:{free_port()}/")


def test_an_unknown_host_was_not_sent() -> None:
    with pytest.raises(NotSentError, match="could not be sent"):
        put("http://xero.invalid/")


def test_without_time_left_nothing_is_sent() -> None:
    with answering(http_answer(200)) as server, pytest.raises(NotSentError, match="No time"):
        put(server.url, seconds=0.0)
    assert server.connections == 0


def test_a_deadline_that_passes_while_connecting_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    original = connection_module.create_connection
    slow = threading.Event()

    def connect_slowly(*arguments: object, **options: object) -> socket.socket:
        slow.wait(_SOON_SECONDS)
        return original(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(connection_module, "create_connection", connect_slowly)
    with answering(http_answer(200)) as server, pytest.raises(NotSentError, match="deadline passed before"):
        put(server.url, seconds=_SOON_SECONDS / 2)
    assert server.requests == []


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(reset, id="reset"),
        pytest.param(socket.socket.close, id="closed"),
        pytest.param(lambda c: (c.sendall(b"HTTP/1.1 200 OK\r\nContent-"), c.close()), id="cut in the headers"),
        pytest.param(lambda c: (c.sendall(http_answer(200, b"{", length=9)), c.close()), id="cut in the body"),
        pytest.param(
            lambda c: (c.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"), c.close()),
            id="cut in a chunk",
        ),
        pytest.param(lambda c: (c.sendall(b"no HTTP at all\r\n\r\n"), c.close()), id="not HTTP"),
        pytest.param(
            lambda c: (c.sendall(http_answer(200, b"no gzip", {"Content-Encoding": "gzip"})), c.close()),
            id="broken encoding",
        ),
    ],
)
def test_a_request_whose_answer_breaks_is_lost_and_never_sent_again(script: Script) -> None:
    with serving(script) as server:
        with pytest.raises(AnswerLostError, match="was lost"):
            put(server.url)
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(until_closed, id="silent"),
        pytest.param(drip(http_answer(200, b"x" * 10_000)), id="dripping from the first header on"),
        pytest.param(
            lambda c: (c.sendall(http_answer(200, b"", length=10_000)), drip(b"x" * 10_000)(c)), id="dripping body"
        ),
    ],
)
def test_an_answer_that_outlives_the_deadline_is_cut_off(script: Script) -> None:
    with serving(script) as server:
        with pytest.raises(AnswerLostError, match="by its deadline"):
            put(server.url, seconds=_SOON_SECONDS)
        assert len(server.requests) == 1


def test_a_server_that_takes_no_more_bytes_is_cut_off() -> None:
    stop = threading.Event()
    with RawServer(lambda _: (stop.wait(30), None)[1]) as server:
        with pytest.raises(AnswerLostError, match="by its deadline"):
            Transport().send("PUT", server.url, deadline=monotonic() + _SOON_SECONDS, body=b"x" * 50_000_000)
        stop.set()


def test_an_answer_without_end_is_refused() -> None:
    with answering(http_answer(200, b"x" * 1001)) as server, pytest.raises(AnswerLostError, match="more than 1000"):
        Transport(answer_bytes=1000).send("GET", server.url, deadline=monotonic() + 10)


def test_redirects_are_not_followed() -> None:
    with answering(http_answer(307, b"", {"Location": "/elsewhere"})) as server:
        assert put(server.url).status == 307
        assert len(server.requests) == 1


def test_a_connection_is_used_again_but_not_after_lying_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    transport = Transport()
    with answering(http_answer(200)) as server:
        for _ in range(2):
            transport.send("PUT", server.url, deadline=monotonic() + 10, body=b"x")
        assert server.connections == 1
        monkeypatch.setattr(transport_module, "IDLE_SECONDS", -1.0)
        transport.send("PUT", server.url, deadline=monotonic() + 10, body=b"x")
        assert server.connections == 2


def test_a_netrc_does_not_overrule_the_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password else")
    monkeypatch.setenv("NETRC", str(netrc))
    with answering(http_answer(200)) as server:
        Transport().send("GET", server.url, deadline=monotonic() + 10, auth=BearerAuth("the-token"))
    assert b"Authorization: Bearer the-token" in server.requests[0]


def test_threads_do_not_share_connections() -> None:
    transport = Transport()
    both_in = threading.Barrier(2, timeout=10)

    def meet(connection: socket.socket) -> None:
        both_in.wait()
        connection.sendall(http_answer(200))

    answers = []

    def call() -> None:
        answers.append(transport.send("GET", server.url, deadline=monotonic() + 10).status)

    with serving(meet) as server:
        threads = [threading.Thread(target=call) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers == [200, 200]


@pytest.fixture
def tls(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's context and the certificate that makes it trusted."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(tz=dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.DNSName("localhost"), x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))]
            ),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file, key_file)
    return context, certificate_file


def test_a_certificate_that_is_not_trusted_gets_no_request(tls: tuple[ssl.SSLContext, Path]) -> None:
    with RawServer(until_closed, tls=tls[0]) as server, pytest.raises(NotSentError, match="certificate"):
        put(server.url)


def test_the_deadline_holds_over_tls(tls: tuple[ssl.SSLContext, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tls[1]))

    def script(connection: socket.socket) -> None:
        server.read_request(connection)
        drip(http_answer(200, b"x" * 10_000))(connection)

    with RawServer(script, tls=tls[0]) as server, pytest.raises(AnswerLostError, match="by its deadline"):
        put(server.url, seconds=_SOON_SECONDS)
    assert len(server.requests) == 1


def test_an_answer_arrives_over_tls(tls: tuple[ssl.SSLContext, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tls[1]))

    def script(connection: socket.socket) -> None:
        while server.read_request(connection):
            connection.sendall(http_answer(200, b"fine"))

    with RawServer(script, tls=tls[0]) as server:
        assert put(server.url).body == b"fine"
