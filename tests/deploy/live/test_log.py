"""Each alert of the lag fires for its fault and for nothing else, while all partitions end with transactions' marks."""

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.service import Service
from tests.contract.test_registry import FakeRegistry, registry
from tests.deploy.live.log_faults import FAULTS, LAST_FAULT, SHAKING, end_with_markers
from tests.deploy.live.watch import others_fired, watched
from tests.deploy.prometheus import Prometheus

__all__ = ["registry"]

pytestmark = pytest.mark.timeout(600)


@pytest.mark.usefixtures("real_kafka")
def test_each_alert_fires_when_the_log_can_not_be_projected_and_no_other_does(
    service: Service, registry: FakeRegistry, tmp_path: Path, deploy: Path
) -> None:
    service.command = [sys.executable, "-X", "faulthandler", "-m", "tests.deploy.live.disturbed", str(service.folder)]
    service.environment["SCHEMA_REGISTRY_URL"] = registry.url
    with watched(service, tmp_path) as (world, prometheus):
        world.registry = registry
        end_with_markers(world)
        scaling = _Scaling(prometheus, deploy, service.environment["ORDERS_TOPIC"])
        found = others_fired(world, prometheus, FAULTS, shaking=SHAKING, look=scaling.look)
        prometheus.wait(lambda: not prometheus.firing(), "all is well again")
        assert others_fired(world, prometheus, LAST_FAULT, shaking=()) == {}
    assert found == {}
    # The first fault is an open transaction: what nobody can read brings no more pods.
    assert scaling.wanted[0] == 0.0
    assert len(scaling.wanted) == 2 * len(FAULTS)


class _Scaling:
    """What KEDA asks as the faults pass."""

    def __init__(self, prometheus: Prometheus, deploy: Path, topic: str) -> None:
        documents: list[Any] = list(yaml.safe_load_all((deploy / "kubernetes/base/scaling.yaml").read_text()))
        (projection,) = (document for document in documents if document["metadata"]["name"] == "projection")
        query: str = projection["spec"]["triggers"][0]["metadata"]["query"]
        assert "hearlink.orders.v1" in query
        self._query = query.replace("hearlink.orders.v1", topic)
        self._prometheus = prometheus
        self.wanted: list[float] = []

    def look(self) -> None:
        (answer,) = self._prometheus.query(self._query)
        self.wanted.append(float(answer["value"][1]))
