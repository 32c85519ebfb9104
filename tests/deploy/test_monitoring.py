"""Alerts and boards: they name what exists, lead somewhere, and do what promtool is told that they do."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from consumer.operations.metric_table import PREFIX, TABLE, Kind
from tests.deploy.boards import BOARDS, FOLDER
from tests.deploy.grafana import render
from tests.fixtures.parts import need_prometheus

_NAME = re.compile(rf"\b{PREFIX}[a-z_]+(?!:)\b")


def existing_names() -> set[str]:
    names = {metric.full_name for metric in TABLE}
    histograms = [metric.full_name for metric in TABLE if metric.kind is Kind.HISTOGRAM]
    return names | {f"{name}_{part}" for name in histograms for part in ("bucket", "sum", "count")}


def rules(deploy: Path) -> list[dict[str, Any]]:
    groups = yaml.safe_load((deploy / "prometheus/alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def alerts(deploy: Path) -> list[dict[str, Any]]:
    return [rule for rule in rules(deploy) if "alert" in rule]


def test_alerts_name_metrics_and_records_that_exist(deploy: Path) -> None:
    records = {rule["record"] for rule in rules(deploy) if "record" in rule}
    for rule in rules(deploy):
        assert set(_NAME.findall(rule["expr"])) <= existing_names(), rule
        assert set(re.findall(r"hearlink_xero:[\w:]+", rule["expr"])) <= records, rule


def test_labels_of_alerts_are_those_of_their_metrics(deploy: Path) -> None:
    labels = {metric.full_name: {*metric.labels, "le", "instance", "job"} for metric in TABLE}
    for rule in rules(deploy):
        for name, selector in re.findall(rf"({PREFIX}[a-z_]+)\{{([^}}]*)\}}", rule["expr"]):
            wanted = set(re.findall(r"(\w+)\s*[=!]", selector))
            plain = re.sub("_(bucket|sum|count)$", "", name) if name not in labels else name
            assert wanted <= labels[plain], rule


def test_every_alert_says_what_is_wrong_how_bad_and_what_to_do(deploy: Path) -> None:
    found = alerts(deploy)
    assert len({rule["alert"] for rule in found}) == len(found) > 20
    index = (deploy / "runbook/README.md").read_text()
    for rule in found:
        assert rule["labels"]["severity"] in {"page", "ticket"}, rule
        assert rule["annotations"]["summary"], rule
        page = deploy.parent / rule["annotations"]["runbook_url"]
        assert page.is_file(), page
        assert rule["alert"] in page.read_text(), f"{page} doesn't name {rule['alert']}"
        assert rule["alert"] in index


@pytest.mark.parametrize(
    "arguments", [["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]], ids=["check", "test"]
)
def test_promtool_is_content(deploy: Path, arguments: list[str]) -> None:
    need_prometheus()
    finished = subprocess.run(
        ["promtool", *arguments], cwd=deploy / "prometheus", capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr


def test_promtool_tests_every_alert_firing_and_silent(deploy: Path) -> None:
    tests = yaml.safe_load((deploy / "prometheus/alerts_test.yml").read_text())["tests"]
    cases = [case for test in tests for case in test["alert_rule_test"]]
    names = {rule["alert"] for rule in alerts(deploy)}
    assert {case["alertname"] for case in cases if case.get("exp_alerts")} == names
    assert {case["alertname"] for case in cases if not case.get("exp_alerts")} == names


def test_prometheus_reads_its_configuration(deploy: Path) -> None:
    need_prometheus()
    finished = subprocess.run(
        ["promtool", "check", "config", "prometheus.yml"], cwd=deploy / "prometheus", capture_output=True, check=False
    )
    assert finished.returncode == 0, finished.stderr


def test_boards_are_those_of_the_code() -> None:
    assert sorted(path.name for path in FOLDER.glob("*.json")) == sorted(f"{board.uid}.json" for board in BOARDS)
    for board in BOARDS:
        written = (FOLDER / f"{board.uid}.json").read_text(encoding="utf-8")
        assert written == render(board), "write them anew: python -m tests.deploy.boards"


def test_boards_answer_questions_with_metrics_that_exist() -> None:
    assert len(BOARDS) <= 4
    for board in BOARDS:
        document = json.loads(render(board))
        ids = [panel["id"] for panel in document["panels"]]
        assert len(set(ids)) == len(ids)
        for panel in document["panels"]:
            if panel["type"] == "row":
                assert panel["title"].endswith("?")
                continue
            assert panel["description"].endswith("."), panel["title"]
            assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
            for target in panel["targets"]:
                names = set(_NAME.findall(target["expr"]))
                assert names, target
                assert names <= existing_names(), target


def test_every_metric_is_on_a_board_or_in_an_alert(deploy: Path) -> None:
    text = (deploy / "prometheus/alerts.yml").read_text() + "".join(render(board) for board in BOARDS)
    # What only explains others, for whoever looks closer.
    further = {"retries_total", "call_elements", "fetch_queue_messages", "outbox_set_aside_total"}
    assert {metric.name for metric in TABLE if metric.full_name not in text} <= further
