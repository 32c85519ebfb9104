"""The files of a release: the same bytes whenever they are made of the same commit."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, time
from pathlib import Path

from tests.release.agreement import project_version
from tests.release.changelog import newest_release

PROJECT = Path(__file__).parents[2]
CHECKSUMS = "SHA256SUMS"
_BIN = Path(sys.executable).parent


def stem() -> str:
    """Return what each file's name begins with."""
    return f"hearlink_xero-{project_version(PROJECT)}"


def write_artefacts(folder: Path) -> list[Path]:
    """Write them into `folder`, which is emptied first; return their paths.

    The package as wheel and sdist, the locks to install it by, the bill of materials (CycloneDX) and the licences of
    what it runs with, the notes, and the checksums of all of these.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    build(PROJECT, folder)
    for lock, name in (("runtime", "requirements"), ("sandbox", "requirements-sandbox")):
        shutil.copyfile(PROJECT / f"requirements/{lock}.txt", folder / f"{stem()}-{name}.txt")
    write_materials(folder / f"{stem()}.cdx.json")
    _write_licences(folder)
    (folder / f"{stem()}-notes.md").write_text(newest_release(PROJECT).text + "\n", encoding="utf-8")
    write_checksums(folder)
    return sorted(folder.iterdir())


def write_checksums(folder: Path) -> None:
    """Write the checksums of the files in `folder` beside them."""
    paths = sorted(folder.iterdir())
    sums = "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in paths)
    (folder / CHECKSUMS).write_text(sums, encoding="utf-8")


def build(source: Path, folder: Path, *targets: str) -> None:
    """Build sdist and wheel, or the `targets` alone, of the tree at `source` into `folder`."""
    chosen = [part for target in targets for part in ("--target", target)]
    _run(sys.executable, "-m", "hatchling", "build", "--directory", folder, *chosen, cwd=source)


def write_materials(path: Path) -> None:
    """Write the bill of materials, made of the lock alone, to `path`."""
    _run(
        _BIN / "cyclonedx-py",
        "requirements",
        *("--pyproject", "pyproject.toml", "--output-reproducible", "--validate", "--output-file", path),
        "requirements/runtime.txt",
        # It warns that a lock file says nothing of what needs what.
        PYTHONWARNINGS="ignore",
    )


def _write_licences(folder: Path) -> None:
    """Install what the service runs with into an environment of its own, and write its licences: a table, and texts."""
    with tempfile.TemporaryDirectory(prefix="hearlink-licences-") as name:
        environment = Path(name) / "environment"
        install(environment, sys.executable, PROJECT / "requirements/runtime.txt")
        asked: list[str | Path] = [
            _BIN / "pip-licenses",
            "--python",
            environment / "bin/python",
            "--with-urls",
            "--output-file",
        ]
        _run(*asked, folder / f"{stem()}-licences.md", "--format", "markdown")
        texts = ("--format", "plain-vertical", "--with-license-file", "--with-notice-file", "--no-license-path")
        _run(*asked, folder / f"{stem()}-licences.txt", *texts)


def install(environment: Path, python: str | Path, lock: Path, *wheels: Path) -> None:
    """Make a virtual environment with the locked packages, hashes compared, and the `wheels` beside them."""
    _run(python, "-m", "venv", "--without-pip", environment)
    # Our pip installs there: to compile what is never run takes longer than all else.
    pip = (sys.executable, "-m", "pip", "--python", environment / "bin/python", "--quiet", "--no-input", "install")
    _run(*pip, "--no-compile", "--require-hashes", "--only-binary", ":all:", "--requirement", lock)
    if wheels:
        _run(*pip, "--no-compile", "--no-deps", "--no-index", *wheels)


def _run(*command: str | Path, cwd: Path = PROJECT, **environment: str) -> None:
    """Run `command`, quietly unless it fails; times that get into files are the release's."""
    day = newest_release(PROJECT).released_on
    assert day is not None
    seconds = int(datetime.combine(day, time(), UTC).timestamp())
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, "SOURCE_DATE_EPOCH": str(seconds), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{Path(command[0]).name} ended with {done.returncode}:\n{done.stdout}")
