"""The lock files as data."""

import re
from typing import NamedTuple

from packaging.requirements import Requirement

from tests.release.artefacts import PROJECT


class Locked(NamedTuple):
    """One package of a lock file; `is_for_us` is whether its marker fits this Python and machine."""

    version: str
    hashes: frozenset[str]
    is_for_us: bool


def read_lock(name: str) -> dict[str, Locked]:
    """Return the packages of `requirements/NAME.txt` by name."""
    text = (PROJECT / f"requirements/{name}.txt").read_text(encoding="utf-8")
    packages = {}
    for block in re.split(r"^(?=\S)", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE), flags=re.MULTILINE):
        if not block:
            continue
        requirement = Requirement(block.partition("\\\n")[0].strip())
        (pin,) = requirement.specifier
        hashes = frozenset(re.findall(r"--hash=sha256:(\w+)", block))
        packages[requirement.name] = Locked(
            pin.version, hashes, requirement.marker is None or requirement.marker.evaluate()
        )
    return packages
