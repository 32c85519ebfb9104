"""The targets of the Makefile that no other test runs, as CONTRIBUTING.md and the README name them, in small."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.__main__ import benches
from tests.fixtures import apache_kafka
from tests.fixtures.parts import need_git, skip_without_apache_kafka

FOLDER = Path(__file__).parents[1]
_SECONDS = 280
# So small that each ends in seconds: these show that they run, not how fast.
_SMALL = {
    "console": "--rows 2000 --samples 2",
    "export": "--invoices 300",
    "projection": "--events 3000 --partitions 2",
    "push": "--samples 3 --orders 20",
    "scrape": "--tenants 5 --orders 5 --samples 2",
    "verify": "--orders 500",
}


def make(folder: Path, target: str, arguments: str = "") -> str:
    """Run the target with this Python and its packages; return what it printed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "MAKE"))}
    made = subprocess.run(
        ["make", "--silent", "--no-print-directory", target, f"ARGS={arguments}", f"VENV={Path(sys.prefix)}"],
        cwd=folder,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    return made.stdout


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of what git has, with the times of its files: make sees that the packages are installed."""
    need_git()
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=FOLDER, check=True, capture_output=True, text=True)
    for name in filter(None, listed.stdout.split("\0")):
        target = tmp_path / "project" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(FOLDER / name, target)
    return tmp_path / "project"


def test_lock_changes_nothing_while_nothing_changed(copy: Path) -> None:
    make(copy, "lock")
    for lock in (FOLDER / "requirements").glob("*.txt"):
        assert (copy / "requirements" / lock.name).read_text(encoding="utf-8") == lock.read_text(encoding="utf-8")


def test_format_and_check_find_nothing_to_do(copy: Path) -> None:
    changed = copy / "consumer/configuration/values.py"
    right = changed.read_text(encoding="utf-8")
    changed.write_text(right.replace("\n\n\n", "\n", 1), encoding="utf-8")
    make(copy, "format")
    assert changed.read_text(encoding="utf-8") == right


@pytest.mark.parametrize("name", benches())
def test_each_bench_runs(name: str) -> None:
    if name in {"projection", "push"} and not apache_kafka.is_available():
        skip_without_apache_kafka()
    printed = make(FOLDER, "bench", f"{name} -- {_SMALL[name]}")
    assert printed.splitlines()[0] == f"== {name}"
    assert len(printed.splitlines()) > 1


def test_chaos_runs_and_finds_the_books_right() -> None:
    if not apache_kafka.is_available():
        skip_without_apache_kafka()
    printed = make(FOLDER, "chaos", "--minutes 0.1 --orders 30 --short")
    told = dict(line.rsplit(maxsplit=1) for line in printed.splitlines() if line[:1].isalpha() and line[-1].isdigit())
    assert int(told["orders checked"]) >= 30
    assert {told[kind] for kind in ("lost", "doubled", "wrong", "unexplained")} == {"0"}
