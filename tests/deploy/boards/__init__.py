"""The four boards of deploy/grafana/dashboards: python -m tests.deploy.boards writes them.

A board is rows, a row is a question, a panel is a part of its answer.
"""

from pathlib import Path

from tests.deploy.boards.kafka import KAFKA
from tests.deploy.boards.postgres import POSTGRES
from tests.deploy.boards.service import SERVICE
from tests.deploy.boards.tenant import TENANT

FOLDER = Path(__file__).parents[3] / "deploy" / "grafana" / "dashboards"
BOARDS = (SERVICE, TENANT, KAFKA, POSTGRES)
