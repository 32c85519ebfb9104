"""Image, compose and Kubernetes: checked by the tools that they are for, and against what the code needs."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml
from compose_spec import PyCompose

from consumer.configuration import ALL_VARIABLES, read_configuration
from consumer.operations.logs import LOG_VARIABLES
from consumer.operations.process import STOP_SECONDS
from consumer.operations.topic_declarations import declared_topics
from tests.deploy.test_monitoring import existing_names

_BIN = Path(sys.executable).parent
_KNOWN_VARIABLES = {name for name, _, _ in (*ALL_VARIABLES, *LOG_VARIABLES)}
_SECRETS = {
    "DATABASE_URL",
    "KAFKA_CONFIG",
    "SCHEMA_REGISTRY_PASSWORD",
    "SCHEMA_REGISTRY_TOKEN",
    "XERO_CLIENT_ID",
    "XERO_CLIENT_SECRET",
    "TOKEN_ENCRYPTION_KEYS",
    "CONSOLE_SECRET_KEY",
    "OIDC_CLIENT_SECRET",
}
# Kubernetes' own schemas don't know them.
_CUSTOM = {"ScaledObject", "ServiceMonitor"}


@pytest.fixture(scope="module")
def manifests() -> list[dict[str, Any]]:
    """What `kubectl apply -k` would send."""
    overlay = Path(__file__).parents[2] / "deploy/kubernetes/overlays/production"
    built = subprocess.run([_BIN / "kubectl", "kustomize", overlay], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return list(yaml.safe_load_all(built.stdout))


def of_kind(manifests: list[dict[str, Any]], kind: str) -> Iterator[dict[str, Any]]:
    return (manifest for manifest in manifests if manifest["kind"] == kind)


def pods(manifests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [manifest["spec"]["template"] for manifest in manifests if manifest["kind"] in {"Deployment", "Job"}]


def test_what_is_set_of_directories_is_mounted(manifests: list[dict[str, Any]]) -> None:
    """Further schemas: the ConfigMap of the runbook's page, or an empty directory where nobody made it."""
    found = set()
    for deployment in of_kind(manifests, "Deployment"):
        spec = deployment["spec"]["template"]["spec"]
        for container in spec["containers"]:
            for variable in container.get("env", []):
                assert variable["name"] == "SCHEMAS_DIRECTORY"
                (mount,) = [entry for entry in container["volumeMounts"] if entry["mountPath"] == variable["value"]]
                (volume,) = [entry for entry in spec["volumes"] if entry["name"] == mount["name"]]
                assert volume["configMap"] == {"name": "hearlink-xero-schemas", "optional": True}
                found.add(deployment["metadata"]["name"])
    assert found == {"projection", "push"}


# The image


def test_the_image_passes_hadolint(deploy: Path) -> None:
    finished = subprocess.run(
        [_BIN / "hadolint", deploy / "image/Dockerfile"], capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stdout


def test_the_image_runs_as_nobody_with_locked_packages(deploy: Path) -> None:
    text = (deploy / "image/Dockerfile").read_text()
    stages = re.findall(r"^FROM (\S+) AS (\S+)", text, re.MULTILINE)
    assert [name for _, name in stages][-1] == "service"
    assert all(re.search(r":\d+\.\d+\.\d+", image) for image, _ in stages if "/" in image or ":" in image)
    assert "USER 10001:10001" in text
    assert "HEALTHCHECK" in text
    for command in re.findall(r"pip install (.*)", text):
        assert "--require-hashes" in command or "--no-index" in command, command


def test_what_the_image_copies_is_there_and_let_through(deploy: Path) -> None:
    text = (deploy / "image/Dockerfile").read_text()
    allowed = [
        line[1:].rstrip("/") for line in (deploy.parent / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    ]
    for line in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.MULTILINE):
        for source in line.split():
            assert (deploy.parent / source).exists(), source
            assert any(source == path or source.startswith(f"{path}/") for path in allowed), source


def test_the_packages_that_the_build_picks_from_the_lock_file_are_in_it(deploy: Path) -> None:
    text = (deploy / "image/Dockerfile").read_text()
    lock = (deploy.parent / "requirements/development.txt").read_text()
    picks = re.findall(r"awk '/\^\(([^)]+)\)==/", text)
    assert len(picks) == 2
    for name in "|".join(picks).split("|"):
        assert re.search(rf"^{re.escape(name)}==", lock, re.MULTILINE), name


# Compose


def compose(deploy: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((deploy / "compose/compose.yaml").read_text())
    return document


def test_compose_is_as_the_specification_has_it(deploy: Path) -> None:
    document = compose(deploy)
    parsed = PyCompose.from_json(json.dumps(document))
    parsed.validate()
    assert set(document["services"]) >= {
        "kafka",
        "schema-registry",
        "postgres",
        "simulator",
        "migrate",
        "topics",
        "service",
        "prometheus",
        "grafana",
    }


def test_compose_mounts_what_exists_sets_what_is_known_and_pins_images(deploy: Path) -> None:
    folder = deploy / "compose"
    services, declared = compose(deploy)["services"], compose(deploy)["volumes"]
    for name, service in services.items():
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert not source.startswith(".") or (folder / source).resolve().exists(), f"{name}: {source}"
        for needed in service.get("depends_on", []):
            assert needed in services
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert source.startswith(".") or source in declared, f"{name}: the volume {source} is not declared"
        if "build" in service:
            assert (folder / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
        else:
            assert re.search(r":v?\d+\.\d+", service["image"]), service["image"]
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), "nothing is open to the network"
    assert set(services["service"]["environment"]) <= _KNOWN_VARIABLES
    assert services["service"]["read_only"] is True


# Kubernetes


def test_manifests_are_valid(manifests: list[dict[str, Any]]) -> None:
    kinds = {manifest["kind"] for manifest in manifests}
    assert kinds >= {"Deployment", "Job", "PodDisruptionBudget", "NetworkPolicy", "ConfigMap", "Service", *_CUSTOM}
    for manifest in manifests:
        if manifest["kind"] not in _CUSTOM:
            kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)


def test_pods_may_do_nothing_they_need_not(manifests: list[dict[str, Any]]) -> None:
    for pod in pods(manifests):
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["automountServiceAccountToken"] is False
        for container in spec["containers"]:
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"] is True
            assert security["allowPrivilegeEscalation"] is False
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["requests"]
            assert container["resources"]["limits"]["memory"]


def test_deployments_are_probed_spread_and_stopped_gracefully(manifests: list[dict[str, Any]]) -> None:
    budgets = [budget["spec"]["selector"] for budget in of_kind(manifests, "PodDisruptionBudget")]
    deployments = list(of_kind(manifests, "Deployment"))
    roles = set()
    for deployment in deployments:
        pod = deployment["spec"]["template"]
        (container,) = pod["spec"]["containers"]
        assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
        assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "metrics"}
        assert pod["spec"]["terminationGracePeriodSeconds"] > STOP_SECONDS
        assert pod["spec"]["topologySpreadConstraints"]
        assert deployment["spec"]["selector"] in budgets
        labels = deployment["spec"]["selector"]["matchLabels"]
        assert labels.items() <= pod["metadata"]["labels"].items()
        arguments = container["args"]
        roles |= {arguments[index + 1] for index, word in enumerate(arguments) if word == "--only"}
    assert roles == {"projection", "push", "relay"}


def test_secrets_are_named_and_never_written(manifests: list[dict[str, Any]], deploy: Path) -> None:
    text = (deploy / "kubernetes/base/configuration.yaml").read_text()
    assert [name for name in _SECRETS if name not in text] == []
    assert not list(of_kind(manifests, "Secret"))
    for configuration in of_kind(manifests, "ConfigMap"):
        assert set(configuration["data"]) <= _KNOWN_VARIABLES - _SECRETS
    for pod in pods(manifests):
        sources = [source for container in pod["spec"]["containers"] for source in container["envFrom"]]
        assert {"secretRef": {"name": "hearlink-xero"}} in sources


def test_scaling_is_by_what_exists_and_of_what_exists(manifests: list[dict[str, Any]], deploy: Path) -> None:
    # A handful of people look at the console.
    names = {deployment["metadata"]["name"] for deployment in of_kind(manifests, "Deployment")} - {"console"}
    scaled = {each["spec"]["scaleTargetRef"]["name"]: each["spec"] for each in of_kind(manifests, "ScaledObject")}
    assert set(scaled) == names
    for spec in scaled.values():
        for trigger in spec["triggers"]:
            assert set(re.findall(r"hearlink_xero_\w+", trigger["metadata"]["query"])) <= existing_names()
    (orders, *_) = declared_topics(read_configuration({}).topics)
    assert scaled["projection"]["maxReplicaCount"] == orders.partitions
    assert (deploy / "topics/topics.toml").is_file()


def test_services_find_their_pods(manifests: list[dict[str, Any]]) -> None:
    services = {service["metadata"]["name"]: service for service in of_kind(manifests, "Service")}
    (monitor,) = of_kind(manifests, "ServiceMonitor")
    (expression,) = monitor["spec"]["selector"]["matchExpressions"]
    # The job that alerts ask for is the value of this label.
    assert monitor["spec"]["jobLabel"] == expression["key"]
    watched = {
        name
        for name, service in services.items()
        if service["metadata"]["labels"][expression["key"]] in expression["values"]
    }
    port = monitor["spec"]["endpoints"][0]["port"]
    assert {name for name in watched if services[name]["spec"]["ports"][0]["name"] == port} == {
        "hearlink-xero",
        "console-metrics",
    }
    found = {
        name: {
            deployment["metadata"]["name"]
            for deployment in of_kind(manifests, "Deployment")
            if service["spec"]["selector"].items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
        }
        for name, service in services.items()
    }
    assert found == {
        "hearlink-xero": {"projection", "push"},
        "console": {"console"},
        "console-metrics": {"console"},
    }


def test_what_may_come_in_is_what_is_listened_on(manifests: list[dict[str, Any]]) -> None:
    for policy in of_kind(manifests, "NetworkPolicy"):
        wanted = policy["spec"]["podSelector"].get("matchLabels", {}).items()
        rules = policy["spec"].get("ingress", [])
        if rules:
            allowed = {port["port"] for rule in rules for port in rule["ports"]}
            listening = {
                port["containerPort"]
                for deployment in of_kind(manifests, "Deployment")
                if wanted <= deployment["spec"]["template"]["metadata"]["labels"].items()
                for container in deployment["spec"]["template"]["spec"]["containers"]
                for port in container["ports"]
            }
            assert allowed == listening, policy["metadata"]["name"]
