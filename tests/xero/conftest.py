from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from cryptography.fernet import Fernet
from psycopg import Connection
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool

from consumer.database import connect
from consumer.sandbox.xero import XeroSimulator
from consumer.xero import (
    Authorisation,
    Budget,
    CallRecord,
    ConnectionSource,
    IdentityClient,
    PendingConnection,
    Tenant,
    TenantClient,
    TokenCipher,
    Tokens,
    Transport,
    XeroClient,
)
from consumer.xero.identity import TokenSet

ORGANISATION = "org-1"


@dataclass
class Access:
    """One organisation connected to the simulator, and all that calls it."""

    simulator: XeroSimulator
    connections: ConnectionSource
    cipher: TokenCipher
    identity: IdentityClient
    tokens: Tokens
    budget: Budget
    client: XeroClient
    tenant_id: str
    records: list[CallRecord]

    @property
    def tenant(self) -> TenantClient:
        return TenantClient(self.client, ORGANISATION, self.tenant_id)

    def state(self) -> tuple[str, str | None]:
        with self.connections() as connection:
            row = connection.execute("select state, disconnected_reason from xero_connection").fetchone()
        assert row is not None
        return row[0], row[1]

    def count_calls(self, path: str) -> int:
        return sum(call["path"].lower() == path.lower() for call in self.simulator.control.calls())


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection[TupleRow]]:
    with connect(database_url, name="test") as connection:
        yield connection


@pytest.fixture
def connections(database_url: str) -> Iterator[ConnectionSource]:
    with ConnectionPool(database_url, kwargs={"autocommit": True}, min_size=1, max_size=8, open=True) as pool:
        yield pool.connection


@pytest.fixture
def simulator() -> Iterator[XeroSimulator]:
    with XeroSimulator() as simulator:
        yield simulator


@pytest.fixture
def cipher() -> TokenCipher:
    return TokenCipher([Fernet.generate_key().decode()])


@pytest.fixture
def access(simulator: XeroSimulator, connections: ConnectionSource, cipher: TokenCipher) -> Access:
    tenant_id = simulator.control.demo_tenant("Harbour Hearing")
    transport = Transport()
    identity = IdentityClient(
        identity_url=simulator.url,
        client_id=simulator.client_id,
        client_secret=simulator.client_secret,
        transport=transport,
    )
    authorisation = Authorisation(api_url=simulator.url, identity=identity, cipher=cipher, transport=transport)
    granted = simulator.control.authorise()
    pending = PendingConnection(
        TokenSet(
            access_token=granted["access_token"],
            refresh_token=granted["refresh_token"],
            expires_seconds=granted["expires_in"],
            scopes=granted["scope"],
        ),
        (Tenant(tenant_id, "connection-1", "Harbour Hearing", "ORGANISATION"),),
    )
    with connections() as connection:
        authorisation.store(connection, ORGANISATION, pending, actor="test")
    tokens = Tokens(connections=connections, cipher=cipher, identity=identity)
    budget = Budget()
    records: list[CallRecord] = []
    client = XeroClient(
        api_url=simulator.url,
        tokens=tokens,
        budget=budget,
        connections=connections,
        transport=transport,
        on_call=records.append,
    )
    return Access(simulator, connections, cipher, identity, tokens, budget, client, tenant_id, records)


@pytest.fixture
def keys() -> Callable[[], str]:
    """Idempotency keys, a new one each time."""
    numbers = iter(range(1_000_000))
    return lambda: f"key-{next(numbers)}"
