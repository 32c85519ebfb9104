"""The Pythons of this machine: those on the PATH, and pyenv's."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

# Of each of these a release is tried. On CI they are there: Debian 12's, and the image's, which pyenv has.
REQUIRED = ("3.11", "3.13")
# Tried where they are.
FURTHER = ("3.12", "3.14")


def find_interpreter(version: str) -> Path | None:
    """Return a Python of this version (major.minor) that works and can make virtual environments, or None."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    on_path = shutil.which(f"python{version}")
    candidates = [
        Path(getattr(sys, "_base_executable", sys.executable)),
        *([Path(on_path)] if on_path else []),
        *sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}")),
    ]
    return next((path for path in candidates if _version(path) == version), None)


def _version(path: Path) -> str | None:
    """Return what the interpreter says of itself: pyenv's shims are on the PATH also for versions that are off."""
    code = "import sys, ensurepip, venv; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([path, "-I", "-c", code], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
