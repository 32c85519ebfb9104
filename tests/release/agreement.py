"""Is this commit a release? Version, changelog, tag and work tree have to say the same."""

import subprocess
import tomllib
from pathlib import Path

from tests.release.changelog import UNRELEASED, newest_release, read_changelog


def project_version(folder: Path) -> str:
    """Return the version that pyproject.toml in `folder` names."""
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    return str(project["project"]["version"])


def disagreements(folder: Path) -> list[str]:
    """Return what keeps the commit that is checked out in `folder` from being a release, each with what to do."""
    version = project_version(folder)
    return [*_of_the_changelog(folder, version), *_of_git(folder, f"v{version}")]


def _of_the_changelog(folder: Path, version: str) -> list[str]:
    found = []
    newest = newest_release(folder)
    if newest.name != version:
        found.append(
            f"pyproject.toml says {version}, and CHANGELOG.md's newest release is {newest.name}: make them the same."
        )
    unreleased = read_changelog(folder)[0]
    if unreleased.name != UNRELEASED:
        found.append(f"CHANGELOG.md has no section [{UNRELEASED}] at the top: the next change needs it.")
    elif unreleased.entries:
        found.append(
            f"CHANGELOG.md has {len(unreleased.entries)} entries under [{UNRELEASED}]: move them to [{version}]."
        )
    return found


def _of_git(folder: Path, tag: str) -> list[str]:
    found = []
    changed = _git(folder, "status", "--porcelain").splitlines()
    if changed:
        found.append(
            f"{len(changed)} files are changed or not in git, {changed[0][3:]} the first: commit or remove them."
        )
    kind = _git(folder, "cat-file", "-t", f"refs/tags/{tag}").strip()
    if kind != "tag":
        found.append(f'There is no annotated tag {tag}: git tag -a {tag} -m "HearLink to Xero {tag[1:]}"')
    elif _git(folder, "rev-parse", f"{tag}^{{commit}}") != _git(folder, "rev-parse", "HEAD"):
        found.append(f"The tag {tag} is of another commit: check that one out, or take the next version.")
    return found


def _git(folder: Path, *arguments: str) -> str:
    """Return what git prints; nothing where it fails, as it does for a tag that isn't there."""
    done = subprocess.run(["git", "-C", folder, *arguments], capture_output=True, text=True, check=False)
    return done.stdout
