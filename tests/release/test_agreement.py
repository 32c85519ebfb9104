"""A commit is a release when version, changelog, tag and work tree say the same; else each difference is told."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from tests.fixtures.parts import need_git
from tests.release.agreement import disagreements, project_version
from tests.release.artefacts import PROJECT
from tests.release.changelog import KINDS, UNRELEASED, newest_release, read_changelog

CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n## [1.2.0] - 2026-03-01\n\n### Added\n\n- A thing.\n"


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=Somebody", "-c", "user.email=somebody@example.com", "-C", folder, *arguments],
        check=True,
        capture_output=True,
    )


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A checkout of a commit that is a release."""
    need_git()
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2.0"\n', encoding="utf-8")
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG, encoding="utf-8")
    git(tmp_path, "init", "--quiet")
    commit(tmp_path)
    git(tmp_path, "tag", "--annotate", "v1.2.0", "--message", "1.2.0")
    return tmp_path


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "A commit")


def test_a_release_that_agrees_is_one(release: Path) -> None:
    assert disagreements(release) == []
    command = [sys.executable, "-m", "tests.release", "check", "--project", str(release)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("pyproject.toml", '[project]\nversion = "1.3.0"\n', "says 1.3.0, and CHANGELOG.md's newest release is 1.2.0"),
        ("CHANGELOG.md", CHANGELOG.replace("[1.2.0]", "[1.1.0]"), "newest release is 1.1.0"),
        ("CHANGELOG.md", CHANGELOG.replace("[Unreleased]\n", "[Unreleased]\n\n- More.\n"), "1 entries under"),
        ("CHANGELOG.md", CHANGELOG.replace("## [Unreleased]\n\n", ""), "no section [Unreleased]"),
        ("further.txt", "not in git", "1 files are changed or not in git, further.txt the first"),
    ],
)
def test_what_differs_is_told_and_ends_with_1(release: Path, file: str, text: str, words: str) -> None:
    (release / file).write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "tests.release", "check", "--project", str(release)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert words in done.stderr


def test_a_tag_that_is_missing_light_or_of_another_commit_is_told(release: Path) -> None:
    (release / "further.txt").write_text("a later commit", encoding="utf-8")
    commit(release)
    assert disagreements(release) == [
        "The tag v1.2.0 is of another commit: check that one out, or take the next version."
    ]
    git(release, "tag", "--delete", "v1.2.0")
    missing = ['There is no annotated tag v1.2.0: git tag -a v1.2.0 -m "HearLink to Xero 1.2.0"']
    assert disagreements(release) == missing
    git(release, "tag", "v1.2.0")
    assert disagreements(release) == missing


def test_the_version_here_is_the_newest_of_the_changelog() -> None:
    assert newest_release(PROJECT).name == project_version(PROJECT)


def test_the_changelog_has_the_form_of_keep_a_changelog() -> None:
    first, *released = read_changelog(PROJECT)
    assert first.name == UNRELEASED
    assert first.released_on is None
    assert released
    assert all(section.released_on is not None for section in released)
    versions = [tuple(map(int, section.name.split("."))) for section in released]
    assert versions == sorted(set(versions), reverse=True)
    assert all(newer.released_on >= older.released_on for newer, older in pairwise(released))  # type: ignore[operator]
    for section in (first, *released):
        assert set(section.kinds) <= set(KINDS), section.name
        assert len(section.kinds) == len(set(section.kinds)), section.name


def test_make_release_checks_before_it_writes() -> None:
    shown = subprocess.run(
        ["make", "--dry-run", "--always-make", "release"], cwd=PROJECT, capture_output=True, text=True, check=True
    ).stdout
    assert 0 < shown.index("tests.release check") < shown.index("tests.release dist") < shown.index("docker build")
    for line in ("make dist", "make release"):
        assert line in (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
