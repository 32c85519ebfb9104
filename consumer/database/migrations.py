"""Numbered migrations from `sql/`, each applied once, in order, by one process at a time."""

import hashlib
from pathlib import Path
from typing import LiteralString, NamedTuple

from psycopg import Connection
from psycopg.rows import TupleRow

from consumer.database.connection import connect
from consumer.database.rights import mend_rights, require_standing
from consumer.database.server import UnsupportedServerError, check_server, why_read_only
from consumer.resources import sql_folder

# Any fixed number: the advisory lock under which migrations run, so that ten starting pods migrate once.
_LOCK = 7_102_024_011

_CREATE = """
create table if not exists schema_migration (
    name text primary key,
    checksum text not null,
    applied_at timestamptz not null default now()
)
"""


class MigrationError(Exception):
    """The database's history and the files of `sql/` disagree; nothing was applied. Give up and look."""


class Migrated(NamedTuple):
    """What `migrate` did: the names of the migrations that it applied, and the rights that it put there."""

    applied: list[str]
    mended: list[str]


class _Migration(NamedTuple):
    name: str
    statements: LiteralString
    checksum: str


def migrate(url: str) -> Migrated:
    """Apply the migrations that the database at `url` lacks, in order, and put back roles, grants and policies.

    Raises:
        MissingRightsError: an administrator must make a role, or give something. Where the role is missing, nothing was
            applied; else all was.
        MigrationError: a file that was applied has changed since.
        UnsupportedServerError: the service can't work on such a server, or nothing can be written there now.
        psycopg.Error: the database refused; the failed migration is rolled back, earlier ones stay.
    """
    check_server(url)
    applied = []
    with connect(url, name="migrate") as connection:
        reason = why_read_only(connection)
        if reason is not None:
            raise UnsupportedServerError(reason)
        connection.execute("set lock_timeout = '60s'")
        # An index on a large table takes its time.
        connection.execute("set statement_timeout = 0")
        connection.execute("select pg_advisory_lock(%s)", [_LOCK])
        try:
            require_standing(connection)
            connection.execute(_CREATE)
            for migration in _missing(connection):
                with connection.transaction():
                    connection.execute(migration.statements)
                    connection.execute(
                        "insert into schema_migration (name, checksum) values (%s, %s)",
                        [migration.name, migration.checksum],
                    )
                applied.append(migration.name)
            mended = mend_rights(connection)
        finally:
            connection.execute("select pg_advisory_unlock(%s)", [_LOCK])
    return Migrated(applied, mended)


def pending_migrations(connection: Connection[TupleRow]) -> list[str]:
    """Return the names of the migrations that `connection`'s database lacks."""
    row = connection.execute("select to_regclass('schema_migration') is not null").fetchone()
    if row is None or not row[0]:
        return [migration.name for migration in _all()]
    return [migration.name for migration in _missing(connection)]


def _missing(connection: Connection[TupleRow]) -> list[_Migration]:
    rows = connection.execute("select name, checksum from schema_migration")
    applied: dict[str, str] = dict(rows.fetchall())
    missing = []
    for migration in _all():
        if migration.name not in applied:
            missing.append(migration)
        elif applied[migration.name] != migration.checksum:
            raise MigrationError(
                f"{migration.name} was changed after it was applied to this database. "
                "Restore the file and put the change into a new migration."
            )
    return missing


def _all() -> list[_Migration]:
    return [_read(path) for path in sorted(sql_folder().glob("[0-9]*.sql"))]


def _read(path: Path) -> _Migration:
    text = path.read_text(encoding="utf-8")
    return _Migration(path.name, text, hashlib.sha256(text.encode()).hexdigest())
