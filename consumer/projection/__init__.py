"""Kafka to Postgres: claim, poll, fold, swap and write in bulk; dead letters for what can't be used."""

from consumer.projection.client_errors import explain
from consumer.projection.errors import BrakeError, ClientFailedError, OffsetLostError, OwnershipError, ProjectionError
from consumer.projection.kafka import Admin, create_admin
from consumer.projection.lag import count_unprojected
from consumer.projection.metrics import NoMetrics, ProjectionMetrics
from consumer.projection.projection import Projection
from consumer.projection.settings import BrakeLimits, ProjectionSettings

__all__ = [
    "Admin",
    "BrakeError",
    "BrakeLimits",
    "ClientFailedError",
    "NoMetrics",
    "OffsetLostError",
    "OwnershipError",
    "Projection",
    "ProjectionError",
    "ProjectionMetrics",
    "ProjectionSettings",
    "count_unprojected",
    "create_admin",
    "explain",
]
