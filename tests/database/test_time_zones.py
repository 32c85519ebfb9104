"""Months are months of UTC, whatever zone the client's environment, the role or the database has."""

from typing import LiteralString

import psycopg
import pytest
from psycopg import sql

from consumer.database import connect, migrate

_ZONE = "America/Chicago"
_MONTHS: LiteralString = """
select bool_and(date_trunc('month', ends_at, 'UTC') = ends_at), count(*) from sync_log_partition
"""


@pytest.mark.parametrize("variable", ["PGTZ", "PGOPTIONS"])
def test_of_the_environment(empty_database_url: str, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, _ZONE if variable == "PGTZ" else f"-c timezone={_ZONE}")
    migrate(empty_database_url)
    _see_months(empty_database_url)


@pytest.mark.parametrize("owner", ["database", "role"])
def test_of_the_database_or_the_role(empty_database_url: str, owner: str) -> None:
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        database, user = sql.Identifier(connection.info.dbname), sql.Identifier(connection.info.user)
        target = {
            "database": sql.SQL("alter database {}").format(database),
            "role": sql.SQL("alter role {} in database {}").format(user, database),
        }
        connection.execute(target[owner] + sql.SQL(" set timezone = {}").format(_ZONE))
    migrate(empty_database_url)
    _see_months(empty_database_url)


def _see_months(url: str) -> None:
    with connect(url, name="test") as connection:
        assert connection.execute("show timezone").fetchone() == ("UTC",)
        # As housekeeping does it, month after month.
        connection.execute(
            "select sync_log_add_month(now() + make_interval(months => n)) from generate_series(4, 14) n"
        )
        assert connection.execute(_MONTHS).fetchone() == (True, 15)
