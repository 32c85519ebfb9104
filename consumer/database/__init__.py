"""Postgres: connections with explicit options, numbered migrations, rights, SQL in named blocks beside its module."""

from consumer.database.connection import connect, is_limit, is_outage
from consumer.database.crash import crash_point
from consumer.database.limits import LockTimeoutError, StatementTimeoutError
from consumer.database.migrations import Migrated, MigrationError, migrate, pending_migrations
from consumer.database.queries import Queries, load_queries
from consumer.database.rights import MissingRight, MissingRightsError, describe_rights, foreign_owners, missing_rights
from consumer.database.server import UnsupportedServerError, check_server, check_version, why_read_only
from consumer.database.setback import note_server, note_setback

__all__ = [
    "LockTimeoutError",
    "Migrated",
    "MigrationError",
    "MissingRight",
    "MissingRightsError",
    "Queries",
    "StatementTimeoutError",
    "UnsupportedServerError",
    "check_server",
    "check_version",
    "connect",
    "crash_point",
    "describe_rights",
    "foreign_owners",
    "is_limit",
    "is_outage",
    "load_queries",
    "migrate",
    "missing_rights",
    "note_server",
    "note_setback",
    "pending_migrations",
    "why_read_only",
]
