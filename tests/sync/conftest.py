from collections.abc import Iterator

import pytest
from cryptography.fernet import Fernet
from psycopg_pool import ConnectionPool

from consumer.configuration import Topics
from consumer.contract import Encoder, Schemas
from consumer.database import connect
from consumer.resources import schemas_folder
from consumer.results import OutboxEncoder, load_catalogue
from consumer.sandbox.xero import XeroSimulator
from consumer.sync.services import Services
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

TOPICS = Topics(orders="orders", retry="retry", sync_log="sync-log", dead_letter="dead-letter")


@pytest.fixture
def books(database_url: str) -> Iterator[Books]:
    with (
        XeroSimulator() as simulator,
        ConnectionPool(database_url, kwargs={"autocommit": True}, min_size=1, max_size=8, open=True) as pool,
        connect(database_url, name="test") as connection,
    ):
        simulator.control.set_app_limit(0)
        tenant_id = simulator.control.demo_tenant("Harbour Hearing")
        simulator.control.set_limits(tenant_id, per_minute=0, per_day=0)
        cipher = TokenCipher([Fernet.generate_key().decode()])
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
        authorisation.store(connection, ORGANISATION, pending, actor="test")
        connection.execute(
            "insert into organisation (organisation_id, synchronisation_enabled, mode, invoice_status, tenant_id,"
            " payment_account, hearing_aids_revenue_account, hearing_aids_tax_type, accessories_revenue_account,"
            " accessories_tax_type, services_revenue_account, services_tax_type, custom_items_revenue_account,"
            " custom_items_tax_type) values (%s, true, 'auto', 'authorised', %s, '090', '200', 'ZERORATEDOUTPUT',"
            " '200', 'OUTPUT2', '260', 'OUTPUT2', '260', 'OUTPUT2')",
            [ORGANISATION, tenant_id],
        )
        budget = Budget(calls_per_minute=100_000, calls_per_day=1_000_000)
        client = XeroClient(
            api_url=simulator.url,
            tokens=Tokens(connections=pool.connection, cipher=cipher, identity=identity),
            budget=budget,
            connections=pool.connection,
            transport=transport,
        )
        services = Services(
            client=client,
            budget=budget,
            catalogue=load_catalogue(),
            encoder=OutboxEncoder(Encoder(Schemas.load(schemas_folder())), TOPICS),
            hearlink_url="https://app.hearlink.co.uk",
        )
        yield Books(connection, database_url, simulator, services, tenant_id)
