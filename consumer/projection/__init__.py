"""Kafka to Postgres: claim, poll, fold, swap and write in bulk; dead letters for what can't be used."""

from consumer.projection.batch import Reader
from consumer.projection.brake_marks import (
    Position,
    StandingStop,
    read_position,
    release,
    standing_stops,
)
from consumer.projection.causes import Cause, Causes
from consumer.projection.client_errors import explain
from consumer.projection.errors import BrakeError, ClientFailedError, OffsetLostError, OwnershipError, ProjectionError
from consumer.projection.kafka import Admin, create_admin
from consumer.projection.lag import Lag, LagWatch, LogReader, PartitionLag, Reason, look_once, stored_offsets
from consumer.projection.metrics import NoMetrics, ProjectionMetrics
from consumer.projection.projection import Projection
from consumer.projection.settings import BrakeLimits, ProjectionSettings
from consumer.projection.spans import Span

__all__ = [
    "Admin",
    "BrakeError",
    "BrakeLimits",
    "Cause",
    "Causes",
    "ClientFailedError",
    "Lag",
    "LagWatch",
    "LogReader",
    "NoMetrics",
    "OffsetLostError",
    "OwnershipError",
    "PartitionLag",
    "Position",
    "Projection",
    "ProjectionError",
    "ProjectionMetrics",
    "ProjectionSettings",
    "Reader",
    "Reason",
    "Span",
    "StandingStop",
    "create_admin",
    "explain",
    "look_once",
    "read_position",
    "release",
    "standing_stops",
    "stored_offsets",
]
