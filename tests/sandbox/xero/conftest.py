"""A fresh simulator for each test, with one connected tenant."""

from collections.abc import Iterator

import pytest

from consumer.sandbox.xero import Limits, XeroSimulator
from tests.sandbox.xero.client import Api, close_sessions


@pytest.fixture(autouse=True)
def _closed_sessions() -> Iterator[None]:
    yield
    close_sessions()


@pytest.fixture
def xero() -> Iterator[XeroSimulator]:
    with XeroSimulator(limits=Limits(per_minute=0)) as simulator:
        simulator.control.set_clock("2026-03-15T12:00:00+00:00")
        yield simulator


@pytest.fixture
def tenant_id(xero: XeroSimulator) -> str:
    return xero.control.demo_tenant("Harbour Hearing")


@pytest.fixture
def api(xero: XeroSimulator, tenant_id: str) -> Api:
    return Api(xero, tenant_id, xero.control.authorise()["access_token"])
