"""Every route against every role; one organisation against another, in the application and in the database."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import psycopg
import pytest
import requests
from psycopg import Connection
from psycopg.rows import TupleRow

from consumer.configuration import SignIn, read_configuration
from consumer.console.identity import Permission
from consumer.console.routes import GUARDED_ROUTES, OPEN_ROUTES
from consumer.console.scope import enter, organisation_scope
from consumer.console.visit import Face, GuardedRoute
from consumer.database import connect
from consumer.operations.assembly import Assembly
from tests.console.conftest import Visitor, running_console
from tests.sync.books import ORGANISATION, Books

ROLES: dict[str, dict[str, str]] = {
    "nobody": {},
    "member without a group": {"groups": ""},
    "viewer": {"groups": "hearlink-xero-view"},
    "syncer": {"groups": "hearlink-xero-sync"},
    "manager": {"groups": "hearlink-xero-manage"},
    "all": {"groups": "hearlink-xero-sync,hearlink-xero-manage,others"},
    "manager of another organisation": {"groups": "hearlink-xero-manage,hearlink-xero-sync", "organisations": "org-2"},
}
GRANTED = {
    "viewer": {Permission.VIEW},
    "syncer": {Permission.VIEW, Permission.SYNC},
    "manager": {Permission.VIEW, Permission.MANAGE},
    "all": set(Permission),
}


def headers(role: str) -> dict[str, str]:
    given = ROLES[role]
    if "groups" not in given:
        return {}
    return {
        "X-Forwarded-User": role,
        "X-Forwarded-Groups": given["groups"],
        "X-HearLink-Organisations": given.get("organisations", ORGANISATION),
    }


@pytest.fixture
def proxy_url(variables: dict[str, str]) -> Iterator[str]:
    with running_console(read_configuration({**variables, "CONSOLE_SIGN_IN": "proxy"})) as url:
        yield url


def ask(visitor: "RoleVisitor", route: GuardedRoute) -> requests.Response:
    """Send the route's request as that visitor would, with a form's token as far as they can have one."""
    prefix = "/api" if route.face is Face.API else ""
    path = (
        route.path.replace("{log_id:int}", "1")
        .replace("{order_id:path}", "order-1")
        .replace("{clinic_id:path}", "clinic-1")
    )
    more: dict[str, Any] = {}
    if route.method != "GET":
        more = {"json": {}} if route.face is Face.API else {"data": {"csrf": visitor.csrf}}
    return visitor.session.request(
        route.method,
        f"{visitor.url}{prefix}/organisations/{ORGANISATION}{path}",
        timeout=30,
        allow_redirects=False,
        **more,
    )


class RoleVisitor(Visitor):
    def __init__(self, url: str, role: str) -> None:
        super().__init__(url, headers(role))
        page = self.get(f"/organisations/{ORGANISATION}/export").text
        self.csrf = page.partition('name="csrf" value="')[2].partition('"')[0]


def test_every_route_asks_every_role(books: Books, proxy_url: str) -> None:
    books.save_invoice("order-1")
    books.push()
    checked = 0
    for role in ROLES:
        visitor = RoleVisitor(proxy_url, role)
        for route in GUARDED_ROUTES:
            answer = ask(visitor, route)
            place = (role, route.method, route.full_path, answer.status_code, answer.text[:200])
            if role == "nobody":
                assert answer.status_code == 401, place
            elif role == "manager of another organisation":
                assert (answer.status_code, "no such organisation" in answer.text) == (404, True), place
            elif route.permission in GRANTED.get(role, set()):
                assert answer.status_code not in {401, 403, 405, 500}, place
            else:
                assert (answer.status_code, "You may not do this." in answer.text) == (403, True), place
            checked += 1
    assert checked == len(GUARDED_ROUTES) * len(ROLES)


@pytest.mark.usefixtures("books")
def test_open_routes_open_nothing(proxy_url: str) -> None:
    for route in OPEN_ROUTES:
        for role in ROLES:
            answer = requests.request(route.method, proxy_url + route.path, headers=headers(role), timeout=30)
            assert answer.status_code == (401 if role == "nobody" else 400), (role, route.path)
    assert requests.get(f"{proxy_url}/api/openapi.json", timeout=30).status_code == 401
    assert requests.get(f"{proxy_url}/healthz", timeout=30).text == "alive\n"


def test_pages_show_no_buttons_for_what_is_not_permitted(books: Books, proxy_url: str) -> None:
    books.settings(services_revenue_account=None)
    books.save_invoice("order-1")
    books.push()
    viewer, syncer = RoleVisitor(proxy_url, "viewer"), RoleVisitor(proxy_url, "syncer")
    assert "Retry" not in viewer.page("/log").text
    assert "Retry" in syncer.page("/log").text
    assert "Sync to Xero</a>" not in viewer.page("/orders/order-1").text
    assert ">Xero settings</a>" not in syncer.page("/log").text


@pytest.mark.usefixtures("books")
def test_headers_of_an_untrusted_network_say_nothing(variables: dict[str, str]) -> None:
    configuration = read_configuration(
        {**variables, "CONSOLE_SIGN_IN": "proxy", "CONSOLE_TRUSTED_PROXIES": "10.0.0.0/8, 2001:db8::/32"}
    )
    with running_console(configuration) as url:
        answer = requests.get(f"{url}/organisations/{ORGANISATION}/log", headers=headers("all"), timeout=30)
        assert answer.status_code == 401


def test_who_did_it_is_written_down(books: Books, proxy_url: str) -> None:
    books.save_invoice("order-1")
    visitor = Visitor(proxy_url, headers("all"))
    assert visitor.sync().status_code == 200
    visitor.post("/export", {"kind": "invoices", "since": "2026-10-01", "until": "2026-10-31"})
    assert visitor.api("/retry", {"order_ids": ["order-1"]}).status_code == 202
    visitor.post("/connect", {}, allow_redirects=False)
    rows = books.connection.execute("select actor, action from audit where actor <> 'test' order by id").fetchall()
    assert rows == [("all", action) for action in ("sync_order", "export", "retry_orders", "connect_start")]


# The database


@pytest.fixture
def two_organisations(books: Books) -> Connection[TupleRow]:
    books.save_invoice("order-1")
    books.save_payment("order-1")
    books.settings(services_revenue_account=None)
    books.push()
    connection = books.connection
    connection.execute("insert into organisation (organisation_id) values ('org-2')")
    connection.execute("insert into clinic (organisation_id, clinic_id) values ('org-2', 'clinic-9')")
    connection.execute("insert into audit (organisation_id, actor, action) values ('org-2', 'x', 'y')")
    return connection


def tables(connection: Connection[Any]) -> list[str]:
    rows = connection.execute(
        "select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid"
        " where a.attname = 'organisation_id' and c.relkind in ('r', 'p', 'v') and not c.relispartition"
        " and c.relnamespace = 'public'::regnamespace order by 1"
    )
    return [name for (name,) in rows]


def test_the_consoles_role_sees_one_organisation_in_every_table(two_organisations: Connection[TupleRow]) -> None:
    connection = two_organisations
    names = tables(connection)
    assert {"orders", "sync_log", "clinic_settings", "xero_link"} <= set(names)
    seen: dict[str, set[str]] = {}
    for organisation_id, table in product((ORGANISATION, "org-2", "org-3"), names):
        with connection.transaction(force_rollback=True):
            enter(connection, organisation_id)
            rows = connection.execute(f"select distinct organisation_id from {table}").fetchall()
            assert {name for (name,) in rows} <= {organisation_id}, table
            seen.setdefault(organisation_id, set()).update(table for _ in rows)
    assert {"orders", "clinic", "organisation", "clinic_settings", "audit"} <= seen[ORGANISATION]
    assert seen["org-2"] == {"audit", "clinic", "clinic_settings", "organisation"}
    assert seen["org-3"] == set()


def test_without_an_organisation_it_sees_nothing(two_organisations: Connection[TupleRow]) -> None:
    with two_organisations.transaction(force_rollback=True):
        two_organisations.execute("set local role hearlink_console")
        for table in tables(two_organisations):
            assert two_organisations.execute(f"select count(organisation_id) from {table}").fetchone() == (0,), table


FORBIDDEN = (
    "select refresh_token from xero_connection",
    "select access_token from xero_connection",
    "update xero_connection set state = 'disconnected'",
    "update orders set state = '{}'",
    "delete from orders",
    "delete from audit",
    "update audit set actor = 'someone else'",
    "delete from sync_log",
    "insert into sync_log (organisation_id) values ('org-1')",
    "select value from outbox",
    "select value from dead_letter",
    "select * from xero_budget",
    "insert into outbox (topic, key, value) values ('sync_log', '', '')",
    "insert into organisation (organisation_id) values ('org-9')",
    "insert into audit (organisation_id, actor, action) values ('org-2', 'x', 'y')",
    "update organisation set organisation_id = 'org-2'",
)


def test_what_the_role_may_not_do(two_organisations: Connection[TupleRow]) -> None:
    for statement in FORBIDDEN:
        with two_organisations.transaction(force_rollback=True):
            enter(two_organisations, ORGANISATION)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                two_organisations.execute(statement.encode())


def test_the_role_ends_with_the_transaction(database_url: str, assembly: Assembly) -> None:
    borrowed = assembly.connections.borrow
    with organisation_scope(borrowed, "org-1") as connection:
        assert connection.execute("select current_user").fetchone() == ("hearlink_console",)
    with borrowed() as connection, connect(database_url, name="test") as other:
        row = connection.execute("select current_user, current_setting('hearlink.organisation', true)").fetchone()
        assert row is not None
        assert row[0] == other.info.user
        assert row[1] in {None, ""}


def test_a_local_user_is_refused_on_an_open_address(variables: dict[str, str]) -> None:
    configuration = read_configuration(variables)
    console = replace(configuration.console, address=("0.0.0.0", 0), sign_in=SignIn.LOCAL)
    with (
        pytest.raises(Exception, match="open to others"),
        running_console(replace(configuration, console=console)),
    ):
        pass
