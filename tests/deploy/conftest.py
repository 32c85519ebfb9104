from pathlib import Path

import pytest

from tests.cli.conftest import service

__all__ = ["service"]

DEPLOY = Path(__file__).parents[2] / "deploy"


@pytest.fixture(scope="session")
def deploy() -> Path:
    return DEPLOY
