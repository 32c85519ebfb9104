"""The roles of this process as they come to life: what the probes and the metrics look at."""

from collections.abc import Sequence
from dataclasses import dataclass

from consumer.operations.readiness import Role
from consumer.projection import LagWatch, Projection
from consumer.sync.pusher import Pusher


@dataclass
class Running:
    """`started_at` (monotonic), `projection` and `pusher` are None until they are started.

    `lag_watch` begins before them, where the projection is one of the roles: it also looks while parts are awaited.
    """

    roles: Sequence[Role]
    started_at: float | None = None
    projection: Projection | None = None
    pusher: Pusher | None = None
    lag_watch: LagWatch | None = None
