"""One simulator and one database for all tests of the sync; each test has them empty, with a tenant of its own."""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, settings
from psycopg import Connection, sql
from psycopg_pool import ConnectionPool

from consumer.configuration import Topics
from consumer.contract import Encoder, Schemas
from consumer.database import connect
from consumer.resources import schemas_folder
from consumer.results import OutboxEncoder, load_catalogue
from consumer.sandbox.postgres import EmbeddedPostgres
from consumer.sandbox.xero import XeroSimulator
from consumer.sync.services import Patience, Services
from consumer.xero import (
    Authorisation,
    Budget,
    IdentityClient,
    PendingConnection,
    Tenant,
    TokenCipher,
    Tokens,
    Transport,
    XeroClient,
)
from consumer.xero.identity import TokenSet
from tests.sync.books import ORGANISATION, Books

# The same histories at every run; `HYPOTHESIS_PROFILE=long` looks for new ones.
settings.register_profile("ci", derandomize=True, database=None, deadline=None)
settings.register_profile(
    "long", max_examples=2000, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck)
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

TOPICS = Topics(orders="orders", retry="retry", sync_log="sync-log", dead_letter="dead-letter")
# Tests that are about waiting set these themselves.
NO_WAITS = Patience(safe_wait_seconds=0.0, again_seconds=0.0, pause_seconds=0.0)
_SETTINGS: dict[str, Any] = {
    "synchronisation_enabled": True,
    "mode": "auto",
    "invoice_status": "authorised",
    "payment_account": "090",
    "hearing_aids_revenue_account": "200",
    "hearing_aids_tax_type": "ZERORATEDOUTPUT",
    "accessories_revenue_account": "200",
    "accessories_tax_type": "OUTPUT2",
    "services_revenue_account": "260",
    "services_tax_type": "OUTPUT2",
    "custom_items_revenue_account": "260",
    "custom_items_tax_type": "OUTPUT2",
}

OpenBooks = Callable[[], Books]

# What the random histories and the error table tried: told at the end of the run.
COUNTED: Counter[str] = Counter()
REMARKS: list[str] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if COUNTED:
        counts = ", ".join(f"{count} {name}" for name, count in sorted(COUNTED.items()))
        terminalreporter.write_line(f"random histories of the sync: {counts}")
    for remark in REMARKS:
        terminalreporter.write_line(remark)


@pytest.fixture(scope="session")
def open_books(postgres_server: EmbeddedPostgres, migrated_template: str) -> Iterator[OpenBooks]:
    """Give out empty books: a new tenant, a new connection to it, and tables without rows."""
    # Tests of other rooms borrow this fixture, and then it is there twice in one run.
    name = f"sync_books_{uuid4().hex[:8]}"
    url = postgres_server.create_database(name, template=migrated_template)
    with (
        XeroSimulator() as simulator,
        ConnectionPool(url, kwargs={"autocommit": True}, min_size=1, max_size=8, open=True) as pool,
        connect(url, name="test") as connection,
    ):
        simulator.control.set_app_limit(0)
        transport = Transport()
        cipher = TokenCipher([Fernet.generate_key().decode()])
        identity = IdentityClient(
            identity_url=simulator.url,
            client_id=simulator.client_id,
            client_secret=simulator.client_secret,
            transport=transport,
        )
        budget = Budget(calls_per_minute=100_000, calls_per_day=1_000_000)
        services = Services(
            client=XeroClient(
                api_url=simulator.url,
                tokens=Tokens(connections=pool.connection, cipher=cipher, identity=identity),
                budget=budget,
                connections=pool.connection,
                transport=transport,
            ),
            budget=budget,
            catalogue=load_catalogue(),
            encoder=OutboxEncoder(Encoder(Schemas.load(schemas_folder())), TOPICS),
            hearlink_url="https://app.hearlink.co.uk",
            patience=NO_WAITS,
        )
        authorisation = Authorisation(api_url=simulator.url, identity=identity, cipher=cipher, transport=transport)

        def start() -> Books:
            _empty(connection)
            simulator.control.clear_faults()
            simulator.control.clear_calls()
            tenant_id = add_tenant(simulator, "Harbour Hearing")
            join = partial(connect_organisation, connection, authorisation, simulator, tenant_id)
            join()
            books = Books(connection, url, simulator, services, tenant_id, join)
            connection.execute("insert into organisation (organisation_id) values (%s)", [ORGANISATION])
            books.settings(tenant_id=tenant_id, **_SETTINGS)
            return books

        yield start
    postgres_server.drop_database(name)


@pytest.fixture
def books(open_books: OpenBooks) -> Books:
    return open_books()


def add_tenant(simulator: XeroSimulator, name: str) -> str:
    tenant_id = simulator.control.demo_tenant(name, str(uuid4()))
    simulator.control.set_limits(tenant_id, per_minute=0, per_day=0)
    return tenant_id


def connect_organisation(
    connection: Connection[Any],
    authorisation: Authorisation,
    simulator: XeroSimulator,
    tenant_id: str,
    *,
    also: Sequence[str] = (),
    scopes: list[str] | None = None,
) -> None:
    tenant_ids = [tenant_id, *also]
    granted = simulator.control.authorise(tenant_ids=tenant_ids, scopes=scopes)
    pending = PendingConnection(
        TokenSet(
            access_token=granted["access_token"],
            refresh_token=granted["refresh_token"],
            expires_seconds=granted["expires_in"],
            scopes=granted["scope"],
        ),
        tuple(
            Tenant(tenant_id, f"connection-{tenant_id}", "Harbour Hearing", "ORGANISATION") for tenant_id in tenant_ids
        ),
    )
    authorisation.store(connection, ORGANISATION, pending, actor="test")
    describe(connection, simulator, tenant_id)


def describe(connection: Connection[Any], simulator: XeroSimulator, tenant_id: str) -> None:
    """Put down of all tenants what Xero would say of this one, without a call."""
    rates = json.dumps(simulator.control.ledger(tenant_id)["TaxRates"])
    connection.execute("update xero_tenant set base_currency = 'GBP', tax_rates = %s", [rates])


def _empty(connection: Connection[Any]) -> None:
    tables = connection.execute(
        "select tablename from pg_tables where schemaname = 'public' and tablename not like '%migration%'"
    ).fetchall()
    names = sql.SQL(", ").join(sql.Identifier(name) for (name,) in tables)
    connection.execute(sql.SQL("truncate {} restart identity").format(names))
