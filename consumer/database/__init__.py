"""Postgres: connections with explicit options, numbered migrations, SQL kept in named blocks beside its module."""

from consumer.database.connection import connect, is_outage
from consumer.database.crash import crash_point
from consumer.database.migrations import MigrationError, migrate, pending_migrations
from consumer.database.queries import Queries, load_queries
from consumer.database.server import UnsupportedServerError, check_server, check_version, why_read_only
from consumer.database.setback import note_server, note_setback

__all__ = [
    "MigrationError",
    "Queries",
    "UnsupportedServerError",
    "check_server",
    "check_version",
    "connect",
    "crash_point",
    "is_outage",
    "load_queries",
    "migrate",
    "note_server",
    "note_setback",
    "pending_migrations",
    "why_read_only",
]
