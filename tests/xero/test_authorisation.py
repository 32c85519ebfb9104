from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from psycopg import Connection
from psycopg.rows import TupleRow

from consumer.sandbox.xero import XeroSimulator
from consumer.xero import (
    AnswerLostError,
    Authorisation,
    AuthorisationRequest,
    DifferentOrganisationError,
    IdentityClient,
    InvalidGrantError,
    PendingConnection,
    TokenCipher,
    Transport,
    authorisation_request,
)
from consumer.xero.identity import TokenSet
from tests.xero.raw_server import answering, http_answer

_REDIRECT = "http://localhost:8080/xero/callback"


def authorisation_at(url: str, simulator: XeroSimulator, cipher: TokenCipher) -> Authorisation:
    transport = Transport()
    identity = IdentityClient(
        identity_url=simulator.url,
        client_id=simulator.client_id,
        client_secret=simulator.client_secret,
        transport=transport,
    )
    return Authorisation(api_url=url, identity=identity, cipher=cipher, transport=transport)


@pytest.fixture
def authorisation(simulator: XeroSimulator, cipher: TokenCipher) -> Authorisation:
    return authorisation_at(simulator.url, simulator, cipher)


def new_request(simulator: XeroSimulator) -> AuthorisationRequest:
    return authorisation_request(login_url=simulator.url, client_id=simulator.client_id, redirect_uri=_REDIRECT)


def consent(request: AuthorisationRequest) -> str:
    """What the browser does: goes to Xero, says yes, comes back with the code."""
    answer = requests.get(request.url, allow_redirects=False, timeout=10)
    query = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert query["state"] == [request.state]
    return query["code"][0]


def connect(authorisation: Authorisation, simulator: XeroSimulator) -> PendingConnection:
    request = new_request(simulator)
    return authorisation.exchange_code(request, consent(request))


def tenants(connection: Connection[TupleRow]) -> dict[str, bool]:
    return dict(connection.execute("select name, connected from xero_tenant order by name").fetchall())


def test_the_code_flow_ends_in_a_stored_connection(
    authorisation: Authorisation, simulator: XeroSimulator, connection: Connection[TupleRow], cipher: TokenCipher
) -> None:
    harbour = simulator.control.demo_tenant("Harbour Hearing")
    simulator.control.demo_tenant("Hill Hearing")
    listed = authorisation.store(connection, "org-1", connect(authorisation, simulator), actor="cli:someone")
    assert {tenant.name for tenant in listed} == {"Harbour Hearing", "Hill Hearing"}
    assert tenants(connection) == {"Harbour Hearing": True, "Hill Hearing": True}
    row = connection.execute(
        "select state, access_token, scopes, connected_by, generation, access_expires_at > now() from xero_connection"
    ).fetchone()
    assert row is not None
    assert (row[0], row[3:]) == ("connected", ("cli:someone", 1, True))
    assert "accounting.invoices" in row[2]
    answer = requests.get(
        f"{simulator.url}/api.xro/2.0/Organisation",
        headers={
            "Authorization": f"Bearer {cipher.decrypt(row[1])}",
            "xero-tenant-id": harbour,
            "Accept": "application/json",
        },
        timeout=10,
    )
    assert answer.status_code == 200
    audited = connection.execute("select actor, action, detail->'tenants' from audit").fetchall()
    assert [(actor, action) for actor, action, _ in audited] == [("cli:someone", "connect")]
    assert harbour in audited[0][2]


def test_an_app_without_a_secret_connects_by_pkce_alone(connection: Connection[TupleRow], cipher: TokenCipher) -> None:
    with XeroSimulator(client_id="pkce-app", client_secret=None) as simulator:
        simulator.control.demo_tenant("Harbour Hearing")
        authorisation = authorisation_at(simulator.url, simulator, cipher)
        assert authorisation.store(connection, "org-1", connect(authorisation, simulator), actor="test")


def test_each_request_is_its_own(simulator: XeroSimulator) -> None:
    first, second = new_request(simulator), new_request(simulator)
    assert first.state != second.state
    assert first.verifier != second.verifier
    query = parse_qs(urlsplit(first.url).query)
    assert query["code_challenge_method"] == ["S256"]
    assert query["scope"][0].split() == [
        "offline_access",
        "accounting.invoices",
        "accounting.payments",
        "accounting.contacts",
        "accounting.settings.read",
    ]
    assert first.verifier not in first.url
    assert first.verifier not in repr(first)


def test_another_requests_verifier_opens_nothing(authorisation: Authorisation, simulator: XeroSimulator) -> None:
    simulator.control.demo_tenant("Harbour Hearing")
    code = consent(new_request(simulator))
    with pytest.raises(InvalidGrantError):
        authorisation.exchange_code(new_request(simulator), code)


def test_a_code_opens_once(authorisation: Authorisation, simulator: XeroSimulator) -> None:
    simulator.control.demo_tenant("Harbour Hearing")
    request = new_request(simulator)
    code = consent(request)
    authorisation.exchange_code(request, code)
    with pytest.raises(InvalidGrantError):
        authorisation.exchange_code(request, code)


def test_connecting_again_revives_the_connection(
    authorisation: Authorisation, simulator: XeroSimulator, connection: Connection[TupleRow]
) -> None:
    simulator.control.demo_tenant("Harbour Hearing")
    authorisation.store(connection, "org-1", connect(authorisation, simulator), actor="test")
    connection.execute(
        "update xero_connection set state = 'disconnected', disconnected_at = now(), disconnected_reason = 'gone'"
    )
    connection.execute("update xero_tenant set connected = false")
    authorisation.store(connection, "org-1", connect(authorisation, simulator), actor="test")
    rows = connection.execute("select state, disconnected_reason, generation from xero_connection").fetchall()
    assert rows == [("connected", None, 2)]
    assert tenants(connection) == {"Harbour Hearing": True}


def test_a_tenant_that_is_no_longer_listed_is_kept_as_gone(
    authorisation: Authorisation, simulator: XeroSimulator, connection: Connection[TupleRow]
) -> None:
    simulator.control.demo_tenant("Harbour Hearing")
    hill = simulator.control.demo_tenant("Hill Hearing")
    pending = connect(authorisation, simulator)
    authorisation.store(connection, "org-1", pending, actor="test")
    simulator.control.disconnect(hill)
    listed = authorisation.refresh_tenants(connection, "org-1", pending.tokens.access_token)
    assert [tenant.name for tenant in listed] == ["Harbour Hearing"]
    assert tenants(connection) == {"Harbour Hearing": True, "Hill Hearing": False}


@pytest.mark.parametrize(
    "use",
    [
        "insert into organisation (organisation_id, tenant_id) values ('org-1', 'old-tenant')",
        """insert into organisation (organisation_id) values ('org-1');
           insert into clinic_override (organisation_id, clinic_id, tenant_id)
           values ('org-1', 'clinic-1', 'old-tenant')""",
        """insert into xero_link (tenant_id, kind, order_id, local_id, organisation_id, status, content_hash)
           values ('old-tenant', 'invoice', 'order-1', 'invoice-1', 'org-1', 'authorised', '')""",
    ],
    ids=["organisation", "clinic", "documents"],
)
def test_another_xero_organisation_must_be_confirmed(
    authorisation: Authorisation, simulator: XeroSimulator, connection: Connection[TupleRow], use: str
) -> None:
    connection.execute(use.encode())
    simulator.control.demo_tenant("Hill Hearing")
    pending = connect(authorisation, simulator)
    with pytest.raises(DifferentOrganisationError, match="Hill Hearing") as caught:
        authorisation.store(connection, "org-1", pending, actor="test")
    assert caught.value.missing_tenants == ("old-tenant",)
    assert connection.execute("select count(*) from xero_connection").fetchone() == (0,)
    # The same consent serves, once somebody confirms it.
    authorisation.store(connection, "org-1", pending, actor="test", other_organisation_confirmed=True)
    assert tenants(connection) == {"Hill Hearing": True}


def test_the_same_tenant_in_other_letters_is_no_other_one(
    authorisation: Authorisation, simulator: XeroSimulator, connection: Connection[TupleRow]
) -> None:
    tenant_id = simulator.control.demo_tenant("Harbour Hearing")
    connection.execute(
        "insert into organisation (organisation_id, tenant_id) values ('org-1', %s)", [tenant_id.upper()]
    )
    assert authorisation.store(connection, "org-1", connect(authorisation, simulator), actor="test")


@pytest.mark.parametrize("answer", [http_answer(500), http_answer(200, b"{}"), http_answer(200, b"<html>")])
def test_a_list_of_tenants_that_cannot_be_read_stores_nothing(
    simulator: XeroSimulator, cipher: TokenCipher, answer: bytes
) -> None:
    simulator.control.demo_tenant("Harbour Hearing")
    with answering(answer) as server:
        authorisation = authorisation_at(server.url, simulator, cipher)
        with pytest.raises(AnswerLostError, match="Try again"):
            connect(authorisation, simulator)


def test_a_pending_connection_shows_no_token() -> None:
    pending = PendingConnection(
        TokenSet(access_token="secret-a", refresh_token="secret-r", expires_seconds=1, scopes=""), ()
    )
    assert "secret" not in repr(pending)
