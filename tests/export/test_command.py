"""The commands `export invoices` and `export credit-notes`, run as a person would."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.service import base_environment
from tests.export.conftest import ORGANISATION, Shop

Runner = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(database_url: str, tmp_path: Path) -> Runner:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "consumer", "export", *arguments],
            env=base_environment(DATABASE_URL=database_url),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


SPAN = ("--since", "2026-10-01", "--until", "2026-10-31", "--organisation", ORGANISATION)


def test_the_command_writes_files_and_tells_of_them(shop: Shop, run: Runner, tmp_path: Path) -> None:
    shop.invoice("order-1")
    shop.invoice("order-2", lines=[])
    answer = run("invoices", *SPAN, "--output", "books", "--json")
    assert answer.returncode == 0, answer.stderr
    said = json.loads(answer.stdout)
    assert said["documents"] == 1
    assert said["left_out"] == {"without any line": 1}
    (file,) = said["files"]
    assert (tmp_path / "books" / file["name"]).read_text().count("WH-order-1") == 1


def test_a_used_folder_and_an_unknown_clinic_are_refused_in_one_line(shop: Shop, run: Runner, tmp_path: Path) -> None:
    shop.invoice("order-1")
    assert run("invoices", *SPAN, "--output", "books").returncode == 0
    (notes,) = (tmp_path / "books").glob("read-me-first-*.txt")
    assert notes.read_text(encoding="utf-8").startswith("Left out: 0 of 1 documents.")
    notes.unlink()
    again = run("invoices", *SPAN, "--output", "books")
    assert again.returncode == 1
    assert "exists already" in again.stderr
    assert len(again.stderr.splitlines()) == 1, again.stderr
    unknown = run("invoices", *SPAN, "--output", "others", "--clinic", "clinic-9")
    assert (unknown.returncode, unknown.stderr) == (1, "There is no clinic clinic-9 in org-1.\n")
    assert not (tmp_path / "others").exists()


def test_an_export_is_on_record(shop: Shop, run: Runner) -> None:
    shop.invoice("order-1")
    assert run("invoices", *SPAN, "--actor", "ann", "--reason", "moving house").returncode == 0
    (act,) = shop.connection.execute("select organisation_id, actor, action, detail from audit").fetchall()
    assert act[:3] == (ORGANISATION, "ann", "export")
    assert act[3] == {
        "kind": "invoices",
        "since": "2026-10-01",
        "until": "2026-10-31",
        "missing_only": True,
        "reason": "moving house",
    }


def test_no_notes_and_a_wrong_span_are_said(shop: Shop, run: Runner) -> None:
    shop.invoice("order-1")
    answer = run("credit-notes", *SPAN)
    assert (answer.returncode, answer.stdout) == (
        0,
        "No credit notes to export from 2026-10-01 to 2026-10-31.\n",
    )
    answer = run("invoices", *SPAN[:2], "--until", "2026-09-01", *SPAN[4:])
    assert answer.returncode == 2
    assert "--until: is before --since" in answer.stderr
