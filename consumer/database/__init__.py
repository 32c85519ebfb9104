"""Postgres: connections with explicit options, numbered migrations, SQL kept in named blocks beside its module."""

from consumer.database.connection import connect, is_outage
from consumer.database.crash import crash_point
from consumer.database.migrations import MigrationError, migrate, pending_migrations
from consumer.database.queries import Queries, load_queries
from consumer.database.setback import note_moved_offsets, note_timeline

__all__ = [
    "MigrationError",
    "Queries",
    "connect",
    "crash_point",
    "is_outage",
    "load_queries",
    "migrate",
    "note_moved_offsets",
    "note_timeline",
    "pending_migrations",
]
