"""The container engine of this machine, by its own command, and what a test needs of it."""

import functools
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fixtures.kafka_container import engine_answers

REPOSITORY = Path(__file__).parents[3]
COMPOSE_FILE = REPOSITORY / "deploy/compose/compose.yaml"
DOCKERFILE = REPOSITORY / "deploy/image/Dockerfile"
_HINT = 'eval "$(.ci/engine start)" installs and starts one, and makes the images'


def needs_engine(*images: str) -> None:
    """Skip the test where no engine answers, or where it lacks one of `images`."""
    if shutil.which("docker") is None or not engine_answers():
        pytest.skip(f"needs a container engine: {_HINT}")
    missing = sorted(image for image in set(images) if not has_image(image))
    if missing:
        pytest.skip(f"needs {', '.join(missing)} on the container engine: {_HINT}")


def needs_plugin(name: str) -> None:
    """Skip the test where the command docker lacks the plugin `name`: compose or buildx."""
    if docker(name, "version", check=False).returncode != 0:
        pytest.skip(f"needs docker {name}: {_HINT}")


def docker(
    *arguments: str | Path, check: bool = True, timeout_seconds: float = 240, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run the command docker in the repository; what it says is in the error where it fails and `check` holds."""
    finished = subprocess.run(
        ["docker", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_seconds,
        **options,
    )
    if check and finished.returncode != 0:
        said = f"{finished.stdout}\n{finished.stderr}"
        raise AssertionError(f"docker {' '.join(map(str, arguments))} ended with {finished.returncode}:\n{said}")
    return finished


def has_image(image: str) -> bool:
    return docker("image", "inspect", image, check=False).returncode == 0


def inspect(image: str) -> dict[str, Any]:
    """What the engine knows of `image`."""
    (found,) = json.loads(docker("image", "inspect", image).stdout)
    return dict(found)


@functools.cache
def compose_services() -> dict[str, dict[str, Any]]:
    """The services of the compose file, by name."""
    services: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE_FILE.read_text(encoding="utf-8"))["services"]
    return services


def images_asked_for() -> dict[str, str]:
    """The images that the compose file takes as they are, by service."""
    return {name: service["image"] for name, service in compose_services().items() if "build" not in service}
