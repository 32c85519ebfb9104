"""Kafka to Postgres: claim, poll, fold, swap and write in bulk; dead letters for what can't be used."""

from consumer.projection.errors import BrakeError, OffsetLostError, OwnershipError, ProjectionError
from consumer.projection.kafka import create_admin
from consumer.projection.lag import count_unprojected
from consumer.projection.metrics import NoMetrics, ProjectionMetrics
from consumer.projection.projection import Projection
from consumer.projection.settings import BrakeLimits, ProjectionSettings

__all__ = [
    "BrakeError",
    "BrakeLimits",
    "NoMetrics",
    "OffsetLostError",
    "OwnershipError",
    "Projection",
    "ProjectionError",
    "ProjectionMetrics",
    "ProjectionSettings",
    "count_unprojected",
    "create_admin",
]
