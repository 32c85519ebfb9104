"""What `make dist` writes is whole, true, and the same each time."""

import json
import re
import subprocess
import tarfile
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.release.agreement import project_version
from tests.release.artefacts import CHECKSUMS, PROJECT, build, stem, write_artefacts, write_materials
from tests.release.changelog import newest_release
from tests.release.locks import read_lock

# Of more, somebody has put something into it.
LARGEST_WHEEL_BYTES = 1_000_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("dist")
    (made / "of-an-older-version.whl").touch()
    write_artefacts(made)
    return made


@pytest.fixture(scope="module")
def unpacked(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist, as whoever gets it unpacks it."""
    place = tmp_path_factory.mktemp("sdist")
    with tarfile.open(folder / f"{stem()}.tar.gz") as archive:
        archive.extractall(place, filter="data")
    return place / stem()


def test_the_page_names_each_file_and_the_checksums_are_theirs(folder: Path) -> None:
    page = (PROJECT / "deploy/release.md").read_text(encoding="utf-8")
    table = "".join(line for line in page.splitlines() if line.startswith("|"))
    named = re.findall(rf"`({re.escape(stem())}[^`]*|{CHECKSUMS})`", table)
    named += [f"{stem()}{ending}" for ending in re.findall(r"`(-[^`]+)`", table)]
    assert sorted(named) == sorted(path.name for path in folder.iterdir())
    done = subprocess.run(["sha256sum", "--check", CHECKSUMS], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(named) - 1


def test_the_sdist_builds_the_same_wheel_and_the_same_sdist(folder: Path, unpacked: Path, tmp_path: Path) -> None:
    build(unpacked, tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    for built in tmp_path.iterdir():
        assert built.read_bytes() == (folder / built.name).read_bytes(), built.name


def test_the_wheel_holds_the_service_and_nothing_else(folder: Path) -> None:
    path = folder / f"{stem()}-py3-none-any.whl"
    assert path.stat().st_size < LARGEST_WHEEL_BYTES
    with zipfile.ZipFile(path) as wheel:
        names = set(wheel.namelist())
        metadata = Parser().parsestr(wheel.read(f"{stem()}.dist-info/METADATA").decode())
        commands = wheel.read(f"{stem()}.dist-info/entry_points.txt").decode()
    assert {name.partition("/")[0] for name in names} == {"consumer", f"{stem()}.dist-info"}
    assert {Path(name).suffix for name in names} <= {
        *(".py", ".sql", ".toml", ".avsc", ".html", ".css", ".js", ".svg", ".md", ".txt"),
        # RECORD, WHEEL, METADATA, LICENSE.
        "",
    }
    for kind, pattern, inside in (
        ("sql", "*.sql", "sql"),
        ("schemas", "*.avsc", "schemas"),
        ("deploy/topics", "*.toml", "topics"),
    ):
        for file in (PROJECT / kind).rglob(pattern):
            assert f"consumer/_data/{inside}/{file.relative_to(PROJECT / kind)}" in names
    assert f"{stem()}.dist-info/licenses/LICENSE" in names
    assert "hearlink-xero = consumer.cli:main" in commands
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = [Requirement(line) for line in metadata.get_all("Requires-Dist", [])]
    assert {line.name for line in required if line.marker is None} == {
        Requirement(line).name for line in project["dependencies"]
    }
    assert metadata.get_all("Provides-Extra") == ["sandbox"]


def test_the_sdist_holds_what_is_listed_and_nothing_that_lies_about(unpacked: Path) -> None:
    chosen = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    listed = chosen["tool"]["hatch"]["build"]["targets"]["sdist"]["only-include"]
    # What the builder takes by itself.
    always = {".gitignore", "LICENSE", "PKG-INFO", "README.md", "pyproject.toml"}
    assert {path.name for path in unpacked.iterdir()} == {*listed, *always}
    assert (unpacked / "deploy/image/Dockerfile").exists()
    assert not list(unpacked.rglob("__pycache__"))


def test_the_bill_of_materials_is_valid_and_lists_the_lock_with_its_hashes(folder: Path) -> None:
    text = (folder / f"{stem()}.cdx.json").read_text(encoding="utf-8")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill = json.loads(text)
    about = bill["metadata"]["component"]
    assert (about["name"], about["version"]) == ("hearlink-xero", project_version(PROJECT))
    listed = {
        part["name"]: (
            part["version"],
            frozenset(entry["content"] for place in part["externalReferences"] for entry in place["hashes"]),
            part["purl"],
        )
        for part in bill["components"]
    }
    assert len(listed) == len(bill["components"])
    assert listed == {
        name: (locked.version, locked.hashes, f"pkg:pypi/{name}@{locked.version}")
        for name, locked in read_lock("runtime").items()
    }


def test_the_bill_of_materials_is_the_same_when_it_is_made_again(folder: Path, tmp_path: Path) -> None:
    write_materials(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (folder / f"{stem()}.cdx.json").read_bytes()


def test_the_licences_are_those_of_all_that_is_installed(folder: Path) -> None:
    table = (folder / f"{stem()}-licences.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]
    assert {canonicalize_name(name): version for name, version, _, _ in rows} == {
        name: locked.version for name, locked in read_lock("runtime").items() if locked.is_for_us
    }
    assert [row for row in rows if row[2] in {"", "UNKNOWN"}] == []
    texts = (folder / f"{stem()}-licences.txt").read_text(encoding="utf-8")
    for row in rows:
        # What the table has, and then the text.
        _, found, text = texts.partition("\n".join(row) + "\n")
        assert found, row
        assert not text.startswith("UNKNOWN"), row


def test_the_notes_are_those_of_the_changelog(folder: Path) -> None:
    notes = (folder / f"{stem()}-notes.md").read_text(encoding="utf-8")
    assert notes == newest_release(PROJECT).text + "\n"
    assert "### For operators" in notes


def test_the_locks_are_delivered_as_they_are(folder: Path) -> None:
    for lock, name in (("runtime", "requirements"), ("sandbox", "requirements-sandbox")):
        delivered = (folder / f"{stem()}-{name}.txt").read_bytes()
        assert delivered == (PROJECT / f"requirements/{lock}.txt").read_bytes()
