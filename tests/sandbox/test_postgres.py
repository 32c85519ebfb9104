import psycopg
import pytest

from consumer.database import pending_migrations
from consumer.sandbox.postgres import EmbeddedPostgres
from tests.fixtures.proxy import TcpProxy


def test_each_test_gets_a_migrated_database(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        assert pending_migrations(connection) == []


def test_an_empty_database_has_no_tables(empty_database_url: str) -> None:
    with psycopg.connect(empty_database_url) as connection:
        tables = connection.execute("select 1 from pg_class where relnamespace = 'public'::regnamespace").fetchall()
    assert tables == []
