"""Debian's Prometheus, scraping what a test tells it to, twice a second."""

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests
import yaml

from consumer.sandbox.processes import free_port
from tests.fixtures.parts import need_prometheus

PATIENCE_SECONDS = 60.0


class Prometheus:
    """A server with `rules` (YAML) that scrapes `targets` (host:port) by job."""

    def __init__(self, folder: Path, rules: str, targets: Mapping[str, Sequence[str]]) -> None:
        need_prometheus()
        (folder / "rules.yml").write_text(rules, encoding="utf-8")
        configuration = {
            "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "500ms"},
            "rule_files": ["rules.yml"],
            "scrape_configs": [
                {"job_name": job, "static_configs": [{"targets": list(addresses)}]}
                for job, addresses in targets.items()
            ],
        }
        (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._log = folder / "prometheus.log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{port}",
                ],
                stdout=log,
                stderr=log,
            )

    def __enter__(self) -> Self:
        self.wait(self._is_ready, "Prometheus is ready")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(30)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the result of an instant query."""
        answer = requests.get(f"{self.url}/api/v1/query", params={"query": expression}, timeout=10).json()
        assert answer["status"] == "success", f"{expression}: {answer}"
        return list(answer["data"]["result"])

    def firing(self) -> set[tuple[str, str]]:
        """Return the alerts that fire: names with the time since when."""
        alerts = requests.get(f"{self.url}/api/v1/alerts", timeout=10).json()["data"]["alerts"]
        return {(alert["labels"]["alertname"], alert["activeAt"]) for alert in alerts if alert["state"] == "firing"}

    def wait(self, is_reached: Callable[[], bool], what: str) -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        while not is_reached():
            assert time.monotonic() < until, f"not within {PATIENCE_SECONDS:.0f} s: {what}"
            time.sleep(0.1)

    def _is_ready(self) -> bool:
        assert self._process.poll() is None, self._log.read_text()
        try:
            return requests.get(f"{self.url}/-/ready", timeout=2).ok
        except requests.ConnectionError:
            return False
