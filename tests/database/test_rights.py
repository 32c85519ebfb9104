"""Roles, grants and policies: what is missing is named, and put back by whoever may."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import Connection, sql

from consumer.database import MissingRightsError, connect, foreign_owners, migrate, missing_rights
from consumer.sandbox.postgres import EmbeddedPostgres
from tests.fixtures.postgres_programs import run_program
from tests.operations.rows import insert_order

CONSOLE = "hearlink_console"
PASSWORD = "of-the-tests"


@pytest.fixture(scope="module")
def lonely_server() -> Iterator[EmbeddedPostgres]:
    """A server on which no role of ours is: roles are the whole server's, and other tests need theirs."""
    with EmbeddedPostgres() as server:
        yield server


@pytest.fixture
def bare_server(lonely_server: EmbeddedPostgres) -> Iterator[EmbeddedPostgres]:
    yield lonely_server
    with connect(lonely_server.url, name="test") as connection:
        databases = connection.execute("select datname from pg_database where datname like 'rights%'").fetchall()
        for (name,) in databases:
            lonely_server.drop_database(name)
        for role in (CONSOLE, "clinic_owner"):
            connection.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(role)))


def owned_database(server: EmbeddedPostgres, options: str = "") -> str:
    """Make a role with `options` and a database of its own; return the database's URL for it."""
    with connect(server.url, name="test") as connection:
        connection.execute(f"create role clinic_owner login password '{PASSWORD}' {options}".encode())
        connection.execute("create database rights_owned owner clinic_owner")
    return url_of(server, "rights_owned", "clinic_owner")


def url_of(server: EmbeddedPostgres, database: str, role: str | None = None) -> str:
    parts = urlsplit(server.url)
    netloc = parts.netloc if role is None else f"{role}:{PASSWORD}@{parts.hostname}:{parts.port}"
    return parts._replace(netloc=netloc, path=f"/{database}").geturl()


def act_as_console(url: str) -> int:
    """Count the orders that the console of org-1 sees."""
    with connect(url, name="test") as connection, connection.transaction():
        connection.execute("set local role hearlink_console")
        connection.execute("select set_config('hearlink.organisation', 'org-1', true)")
        row = connection.execute("select count(*) from orders").fetchone()
        assert row is not None
        return int(row[0])


def test_a_migrated_database_lacks_nothing(database_url: str) -> None:
    with connect(database_url, name="test") as connection:
        assert missing_rights(connection) == []


def granted(connection: Connection[Any]) -> list[tuple[str, str]]:
    """Return (what, statement that takes it away) for each thing that the migrations gave the console's role."""
    tables = connection.execute(
        "select format('%s on %s', lower(a.privilege_type), c.relname),"
        " format('revoke %s on %I from hearlink_console', a.privilege_type, c.relname)"
        " from pg_class c cross join aclexplode(c.relacl) a where a.grantee = 'hearlink_console'::regrole"
    ).fetchall()
    columns = connection.execute(
        "select format('%s on %s (%s)', lower(a.privilege_type), c.relname, t.attname),"
        " format('revoke %s (%I) on %I from hearlink_console', a.privilege_type, t.attname, c.relname)"
        " from pg_attribute t join pg_class c on c.oid = t.attrelid cross join aclexplode(t.attacl) a"
        " where a.grantee = 'hearlink_console'::regrole"
    ).fetchall()
    policies = connection.execute(
        "select format('the policy console on %s', tablename), format('drop policy %I on %I', policyname, tablename)"
        " from pg_policies where 'hearlink_console' = any(roles)"
        " union all"
        " select format('the policy console on %s', tablename),"
        " format('alter policy console on %I %s', tablename,"
        "  case cmd when 'INSERT' then 'with check (true)' else 'using (true)' end) from pg_policies"
        " union all"
        " select format('row-level security of %s', relname),"
        " format('alter table %I disable row level security', relname)"
        " from pg_class where relrowsecurity"
        " union all"
        " select format('the option security_invoker of the view %s', relname),"
        " format('alter view %I reset (security_invoker)', relname)"
        " from pg_class where 'security_invoker=true' = any(reloptions)"
    ).fetchall()
    return [*tables, *columns, *policies]


def test_whatever_is_taken_from_the_console_is_named_and_put_back(database_url: str) -> None:
    with connect(database_url, name="test") as connection:
        connection.execute("set client_min_messages = warning")
        given = granted(connection)
        assert len(given) > 60
        for what, take in given:
            connection.execute(take.encode())
            (missing,) = missing_rights(connection)
            assert missing.what.removesuffix(" for hearlink_console") == what
            connection.execute(missing.statement.encode())
            assert missing_rights(connection) == [], missing


def test_an_owner_who_can_not_make_roles_is_told_what_to_run(bare_server: EmbeddedPostgres) -> None:
    url = owned_database(bare_server)
    with pytest.raises(MissingRightsError) as told:
        migrate(url)
    # Nothing was begun.
    with connect(url, name="test") as connection:
        assert connection.execute("select count(*) from pg_tables where schemaname = 'public'").fetchone() == (0,)
    script = re.findall(r"^  (.*;)$", str(told.value), re.MULTILINE)
    assert script == ["create role hearlink_console nologin;", "grant hearlink_console to clinic_owner;"]
    with connect(url_of(bare_server, "rights_owned"), name="test") as administrator:
        for statement in script:
            administrator.execute(statement.encode())
    assert migrate(url).mended == []
    assert act_as_console(url) == 0
    assert migrate(url) == ([], [])


def test_an_owner_who_can_make_roles_may_also_change_to_the_console(bare_server: EmbeddedPostgres) -> None:
    """Since Postgres 16 whoever makes a role is a member that can't change to it."""
    url = owned_database(bare_server, "createrole")
    migrate(url)
    assert act_as_console(url) == 0


def test_a_dump_on_an_empty_server_gets_its_roles_grants_and_policies_back(
    database_url: str, bare_server: EmbeddedPostgres, tmp_path: Path
) -> None:
    with connect(database_url, name="test") as connection:
        insert_order(connection, "order-1")
    dump = tmp_path / "dump"
    made = run_program("pg_dump", "--format=custom", f"--file={dump}", f"--dbname={database_url}")
    assert made.returncode == 0, made.stderr
    bare_server.create_database("rights_restored")
    url = url_of(bare_server, "rights_restored")
    restored = run_program("pg_restore", "--no-owner", f"--dbname={url}", str(dump))
    assert "errors ignored on restore" in restored.stderr
    with connect(url, name="test") as connection:
        missing = [right.what for right in missing_rights(connection)]
    assert missing[0] == "the role hearlink_console"
    assert "the policy console on orders" in missing
    assert "select on clinic for hearlink_console" in missing
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        act_as_console(url)
    assert migrate(url) == ([], missing)
    assert act_as_console(url) == 1


def test_tables_of_another_owner_are_named_and_nothing_is_begun(
    database_url: str, bare_server: EmbeddedPostgres, tmp_path: Path
) -> None:
    """An administrator restored the dump, and the service's own role may not even read which migrations it has."""
    dump = tmp_path / "dump"
    run_program("pg_dump", "--format=custom", f"--file={dump}", f"--dbname={database_url}")
    url = owned_database(bare_server)
    administrators = url_of(bare_server, "rights_owned")
    with connect(administrators, name="test") as connection:
        connection.execute("create role hearlink_console nologin; grant hearlink_console to clinic_owner")
    assert run_program("pg_restore", "--no-owner", f"--dbname={administrators}", str(dump)).returncode == 0
    with connect(url, name="test") as connection:
        foreign = [right.what for right in foreign_owners(connection)]
    assert "the table orders, which belongs to hearlink, for clinic_owner" in foreign
    with pytest.raises(MissingRightsError) as told:
        migrate(url)
    with connect(administrators, name="test") as connection:
        for statement in re.findall(r"^  (.*;)$", str(told.value), re.MULTILINE):
            connection.execute(statement.encode())
    assert migrate(url) == ([], [])
    assert act_as_console(url) == 0


def test_what_an_extension_brought_along_is_nobodys_business(own_database_with_extension: Connection[Any]) -> None:
    assert foreign_owners(own_database_with_extension) == []


@pytest.fixture
def own_database_with_extension(bare_server: EmbeddedPostgres) -> Iterator[Connection[Any]]:
    url = owned_database(bare_server, "createrole")
    migrate(url)
    with connect(url_of(bare_server, "rights_owned"), name="test") as administrator:
        administrator.execute("create extension pg_stat_statements")
    with connect(url, name="test") as connection:
        yield connection
