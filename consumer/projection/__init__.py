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
from consumer.projection.lag import count_unprojected
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
    "NoMetrics",
    "OffsetLostError",
    "OwnershipError",
    "Position",
    "Projection",
    "ProjectionError",
    "ProjectionMetrics",
    "ProjectionSettings",
    "Reader",
    "Span",
    "StandingStop",
    "count_unprojected",
    "create_admin",
    "explain",
    "read_position",
    "release",
    "standing_stops",
]
