"""CONTRIBUTING.md and the sandbox's page point at what is there, and name targets that make has."""

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1]
PAGES = ("CONTRIBUTING.md", "consumer/sandbox/README.md", "deploy/release.md")


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_points_at_is_there(page: str) -> None:
    text = (FOLDER / page).read_text(encoding="utf-8")
    named = re.findall(r"`((?:consumer|schemas|sql|deploy|tests|requirements|\.ci)/[\w./-]*)`", text)
    # Where the old schemas go once there are some.
    missing = [path for path in named if not (FOLDER / path).exists() and path != "schemas/history/"]
    assert named
    assert missing == []


def test_the_targets_that_are_named_are_in_the_makefile() -> None:
    text = (FOLDER / "CONTRIBUTING.md").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", (FOLDER / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", text, re.MULTILINE))
    assert {"test", "check", "lock", "dist", "release"} <= named <= targets
