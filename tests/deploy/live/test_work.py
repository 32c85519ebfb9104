"""Each alert fires for its fault and for nothing else: those about work that goes wrong while every part is there."""

import sys
from pathlib import Path

import pytest

from tests.cli.service import Service
from tests.deploy.live import log_faults, part_faults
from tests.deploy.live.watch import others_fired, watched
from tests.deploy.live.work_faults import COMPANIONS, FAULTS, SHAKING
from tests.deploy.test_monitoring import alerts
from tests.fixtures.proxy import TcpProxy

pytestmark = pytest.mark.timeout(600)


def test_each_alert_fires_when_its_work_goes_wrong_and_no_other_does(
    service: Service, kafka_proxy: TcpProxy, tmp_path: Path
) -> None:
    service.command = [sys.executable, "-X", "faulthandler", "-m", "tests.deploy.live.disturbed", str(service.folder)]
    with watched(service, tmp_path, kafka_proxy) as (world, prometheus):
        found = others_fired(world, prometheus, FAULTS, shaking=SHAKING, companions=COMPANIONS)
    assert found == {}


def test_no_alert_goes_unwatched(deploy: Path) -> None:
    assert {*part_faults.FAULTS, *log_faults.FAULTS, *FAULTS} == {rule["alert"] for rule in alerts(deploy)}
