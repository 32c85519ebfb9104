"""A console with real parts: Postgres, the Xero simulator, HTTP."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
import requests
from cryptography.fernet import Fernet

from consumer.configuration import Configuration, read_configuration
from consumer.console import ConsoleServer
from consumer.contract import RetryRequest
from consumer.database import connect
from consumer.operations.assembly import Assembly
from consumer.results.retry import ring
from consumer.sandbox.processes import free_port
from consumer.sandbox.xero import XeroSimulator
from tests.sync.books import ORGANISATION, Books
from tests.sync.conftest import connect_organisation


def mark_of(page: str) -> str:
    """What ties a confirmation to the plan that the page shows."""
    return page.partition('name="plan" value="')[2].partition('"')[0]


class Visitor:
    """Somebody's browser without scripts: keeps cookies, sends forms with their token."""

    def __init__(self, url: str, headers: dict[str, str] | None = None) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.headers.update(headers or {})

    def get(self, path: str, **more: Any) -> requests.Response:
        return self.session.get(self.url + path, timeout=30, **more)

    def page(self, path: str = "/log", **query: Any) -> requests.Response:
        answer = self.get(f"/organisations/{ORGANISATION}{path}", params=query)
        assert answer.status_code == 200, (answer.status_code, answer.text)
        return answer

    def token(self) -> str:
        """The token of this session's forms, read where a page has one."""
        text = self.page("/orders").text + self.page("/export").text
        return text.partition('name="csrf" value="')[2].partition('"')[0]

    def post(self, path: str, form: dict[str, Any], **more: Any) -> requests.Response:
        form = {"csrf": self.token(), **form}
        return self.session.post(f"{self.url}/organisations/{ORGANISATION}{path}", data=form, timeout=30, **more)

    def sync(self, order_id: str = "order-1") -> requests.Response:
        """Look at the plan of an order, then confirm it."""
        path = f"/sync/{quote(order_id, safe='')}"
        return self.post(path, {"plan": mark_of(self.page(path).text)})

    def api(self, path: str, body: Any = None, *, method: str | None = None, **more: Any) -> requests.Response:
        return self.session.request(
            method or ("GET" if body is None else "POST"),
            f"{self.url}/api/organisations/{ORGANISATION}{path}",
            json=body,
            timeout=30,
            **more,
        )

    def seen_settings(self) -> dict[str, str]:
        """What a PUT of settings says: that one has seen those of now."""
        return {"If-Match": self.api("/settings").headers["ETag"]}


_SETTINGS: dict[str, Any] = {
    "synchronisation_enabled": True,
    "mode": "auto",
    "invoice_status": "authorised",
    "payment_account": "090",
    **{
        f"{category}_{key}": value
        for category in ("hearing_aids", "accessories", "services", "custom_items")
        for key, value in (("revenue_account", "200"), ("tax_type", "OUTPUT2"))
    },
}


@pytest.fixture
def xero() -> Iterator[XeroSimulator]:
    with XeroSimulator() as simulator:
        simulator.control.set_app_limit(0)
        yield simulator


@pytest.fixture
def variables(database_url: str, xero: XeroSimulator) -> dict[str, str]:
    """The environment of a service whose console has the local user."""
    port = free_port()
    return {
        "DATABASE_URL": database_url,
        "XERO_API_URL": xero.url,
        "XERO_IDENTITY_URL": xero.url,
        "XERO_LOGIN_URL": xero.url,
        "XERO_CLIENT_ID": xero.client_id,
        "XERO_CLIENT_SECRET": xero.client_secret or "",
        "XERO_REDIRECT_URI": f"http://localhost:{port}/xero/callback",
        "XERO_CALLS_PER_MINUTE": "1000",
        "TOKEN_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "CONSOLE_ADDRESS": f"127.0.0.1:{port}",
        "CONSOLE_SECRET_KEY": "a key of the tests",
    }


@pytest.fixture
def assembly(variables: dict[str, str]) -> Iterator[Assembly]:
    with Assembly(read_configuration(variables)) as assembly:
        yield assembly


@pytest.fixture
def books(assembly: Assembly, database_url: str, xero: XeroSimulator) -> Iterator[Books]:
    """An organisation that is connected and set up, whose orders are pushed when a test says so."""
    tenant_id = xero.control.demo_tenant("Harbour Hearing", str(uuid4()))
    with connect(database_url, name="test") as connection:
        join = partial(connect_organisation, connection, assembly.authorisation, xero, tenant_id)
        join()
        made = Books(connection, database_url, xero, assembly.services, tenant_id, join)
        connection.execute("insert into organisation (organisation_id) values (%s)", [ORGANISATION])
        made.settings(tenant_id=tenant_id, **_SETTINGS)
        yield made


@contextmanager
def running_console(configuration: Configuration) -> Iterator[str]:
    """Serve a console in this process; yield its address."""
    with Assembly(configuration) as assembly, serving(assembly) as url:
        yield url


@contextmanager
def serving(assembly: Assembly) -> Iterator[str]:
    """Serve a console of `assembly`'s parts; yield its address."""
    server = ConsoleServer(assembly)
    thread = threading.Thread(target=server.serve, name="console")
    thread.start()
    try:
        yield server.addresses.public
    finally:
        server.stop()
        thread.join()


@pytest.fixture
def console_url(assembly: Assembly) -> Iterator[str]:
    with running_console(assembly.configuration) as url:
        yield url


@pytest.fixture
def visitor(console_url: str) -> Visitor:
    return Visitor(console_url)


def deliver_requests(books: Books, assembly: Assembly) -> list[RetryRequest]:
    """Do as relay, Kafka and projection would with the retry requests in the outbox; return them."""
    rows = books.connection.execute("delete from outbox where topic = 'retry' returning value").fetchall()
    requests = [assembly.message_decoder.decode(RetryRequest, bytes(value)) for (value,) in rows]
    ring(books.connection, requests)
    return requests


SCREENSHOTS = Path(__file__).parents[2] / "consumer" / "console" / "screenshots"
