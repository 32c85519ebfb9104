"""What deploy/kafka.md shows is done, on a real broker with TLS and an authoriser: each role with its rights alone."""

import json
import os
import re
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psycopg
import pytest
from cryptography.fernet import Fernet

from consumer.configuration import REGISTRY_VARIABLES
from consumer.sandbox.xero import XeroSimulator
from tests.cli.service import PATIENCE_SECONDS, Running, Service, base_environment
from tests.fixtures.kafka_scripts import write_kafka_scripts
from tests.fixtures.secure_kafka import SecureKafka, tokens_for

pytestmark = pytest.mark.timeout(180)

PAGE = (Path(__file__).parents[2] / "deploy/kafka.md").read_text(encoding="utf-8")
SCRAM, OAUTH, CERTIFICATE, RIGHTS, PREFIXED = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
ROLES = ("hearlink-projection", "hearlink-relay", "hearlink-operator", "hearlink-deployer")


@pytest.fixture(scope="module")
def granted(secure_kafka: SecureKafka, tmp_path_factory: pytest.TempPathFactory) -> SecureKafka:
    """The broker with the rights that the page gives to each role, and nothing else."""
    for role in ROLES:
        secure_kafka.add_user(role, f"secret-of-{role}")
    run(RIGHTS, tmp_path_factory.mktemp("rights"), {"…": secure_kafka.bootstrap_servers})
    return secure_kafka


@pytest.fixture
def service(granted: SecureKafka, empty_database_url: str, tmp_path: Path) -> Iterator[Service]:
    """A service with a database, with the topics and the group that the page names, and as nobody yet."""
    with XeroSimulator() as simulator:
        environment = base_environment(
            DATABASE_URL=empty_database_url,
            KAFKA_BOOTSTRAP_SERVERS=granted.sasl_servers,
            XERO_CLIENT_ID="test",
            TOKEN_ENCRYPTION_KEYS=Fernet.generate_key().decode(),
            HTTP_ADDRESS="127.0.0.1:0",
            LOG_FORMAT="json",
        )
        made = Service(environment, simulator, tmp_path)
        made.environment["ANYBODY"] = granted.bootstrap_servers
        made.expect("migrate")
        become(made, granted, "hearlink-deployer")
        made.expect("topics", "ensure", "--partitions", "2")
        yield made


def run(example: str, folder: Path, replaced: Mapping[str, str]) -> dict[str, str]:
    """Let a shell run an example, with these texts instead of the page's; return what it exports."""
    for old, new in replaced.items():
        assert old in example
        example = example.replace(old, new)
    scripts = write_kafka_scripts(folder / "kafka-scripts")
    exported = folder / "exported"
    subprocess.run(
        ["bash", "-ec", f"{example}\nenv -0 > exported"],
        env={"PATH": os.pathsep.join([str(scripts), os.environ["PATH"]])},
        cwd=folder,
        check=True,
    )
    pairs = (entry.partition("=") for entry in exported.read_text(encoding="utf-8").split("\0"))
    return {name: value for name, _, value in pairs if name.startswith("KAFKA_") or name.endswith("_TOPIC")}


def become(service: Service, broker: SecureKafka, user: str) -> None:
    """Let the next commands come to Kafka as `user`, by password."""
    exported = run(
        SCRAM,
        service.folder,
        {
            "kafka-1.example.com:9093,kafka-2.example.com:9093": broker.sasl_servers,
            "/etc/hearlink/ca.pem": str(broker.authority.ca_file),
            "hearlink-projection": user,
        },
    )
    service.environment |= exported


def projected(service: Service) -> list[str]:
    with psycopg.connect(service.environment["DATABASE_URL"]) as connection:
        return [order_id for (order_id,) in connection.execute("select order_id from orders order by 1")]


def order_event(order_id: str) -> str:
    example = re.search(r"```json\n(.*?)```", (Path(__file__).parents[2] / "schemas/README.md").read_text(), re.DOTALL)
    assert example is not None
    return json.dumps({**json.loads(example[1]), "order_id": order_id, "sequence": 1, "event_id": uuid.uuid4().hex})


def send(service: Service, order_id: str) -> None:
    """Publish an event as HearLink would, by who may do everything."""
    open_door = {"KAFKA_BOOTSTRAP_SERVERS": service.environment["ANYBODY"], "KAFKA_CONFIG": "{}"}
    answer = service.run("events", "send", "-", stdin=order_event(order_id), environment=open_door)
    assert answer.code == 0, answer


def read(service: Service, order_id: str) -> None:
    """See that the projection reads, as whoever the service comes."""
    send(service, order_id)
    with service.start("--only", "projection") as running:
        wait_until(lambda: order_id in projected(service), running)
        assert running.stop() == 0


def wait_until(is_reached: Callable[[], bool], running: Running) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not is_reached():
        assert running.process.poll() is None, running.text
        assert time.monotonic() < until, running.text
        time.sleep(0.05)


def test_by_user_and_password(service: Service, granted: SecureKafka) -> None:
    become(service, granted, "hearlink-projection")
    read(service, "by-password")


def test_by_tokens_of_a_provider(service: Service, granted: SecureKafka) -> None:
    with tokens_for(granted, {"hearlink-projection": "secret-of-hearlink-projection"}) as endpoint:
        exported = run(
            OAUTH,
            service.folder,
            {
                "kafka-1.example.com:9093,kafka-2.example.com:9093": granted.sasl_servers,
                "https://login.example.com/oauth2/token": endpoint,
                "/etc/hearlink/ca.pem": str(granted.authority.ca_file),
            },
        )
        service.environment |= exported
        read(service, "by-token")


def test_by_a_certificate(service: Service, granted: SecureKafka) -> None:
    ours = granted.authority.issue("hearlink-projection")
    exported = run(
        CERTIFICATE,
        service.folder,
        {
            "kafka-1.example.com:9094,kafka-2.example.com:9094": granted.certificate_servers,
            "/etc/hearlink/ca.pem": str(granted.authority.ca_file),
            "/etc/hearlink/client.pem": str(ours.certificate),
            "/etc/hearlink/client.key": str(ours.key),
        },
    )
    service.environment |= exported
    read(service, "by-certificate")


def test_the_relay_publishes_with_its_rights_alone(service: Service, granted: SecureKafka) -> None:
    become(service, granted, "hearlink-relay")
    with psycopg.connect(service.environment["DATABASE_URL"], autocommit=True) as connection:
        for topic in ("sync_log", "retry", "dead_letter"):
            connection.execute("insert into outbox (topic, key, value) values (%s, 'k', 'v')", [topic])
        with service.start("--only", "relay") as running:
            wait_until(lambda: connection.execute("select count(*) from outbox").fetchone() == (0,), running)
            assert running.stop() == 0
    refused = service.run("events", "send", "-", stdin=order_event("by-relay"))
    assert refused.code == 3
    assert "Topic authorization failed" in refused.err


def test_commands_do_their_work_with_the_rights_of_an_operator(service: Service, granted: SecureKafka) -> None:
    send(service, "for-operator")
    become(service, granted, "hearlink-projection")
    with service.start("--only", "projection") as running:
        become(service, granted, "hearlink-operator")
        # What other tests have sent is in the topic as well.
        wait_until(lambda: service.status()["lag"] == 0, running)
        assert running.stop() == 0
    # It reads the whole topic and finds what is projected.
    service.expect("rebuild")
    service.expect("events", "send", "-", stdin=order_event("of-operator"))
    assert service.status()["lag"] == 1
    assert service.run("events", "tail", "--from-beginning", "--limit", "1", "--timeout", "20").code == 0
    service.expect("sync", "for-operator")
    with psycopg.connect(service.environment["DATABASE_URL"], autocommit=True) as connection:
        for topic in ("hearlink.orders.v1", "hearlink.xero.retry.v1"):
            connection.execute(
                'insert into dead_letter (topic, partition, "offset", key, value, reason, detail)'
                " values (%s, 0, 1000, 'k', 'v', 'undecodable', 'a test')",
                [topic],
            )
    # Beside those that other tests have left.
    answer = service.expect("dead-letters", "replay", "--all", "--json").json
    assert len(answer["replayed"]) >= 2
    assert answer["refused"] == []


def test_one_rule_for_a_prefix_is_enough_for_all_roles(service: Service, granted: SecureKafka, tmp_path: Path) -> None:
    granted.add_user("acme", "secret-of-acme")
    exported = run(PREFIXED, tmp_path, {"…": granted.bootstrap_servers})
    become(service, granted, "acme")
    service.environment |= exported
    service.expect("topics", "ensure", "--partitions", "1")
    service.expect("events", "send", "-", stdin=order_event("acme-1"))
    with service.start() as running:
        wait_until(lambda: projected(service) == ["acme-1"], running)
        assert service.status()["lag"] == 0
        assert running.stop() == 0


def test_the_table_of_the_registry_is_the_one_of_the_code() -> None:
    lines = [line for line in PAGE.splitlines() if line.startswith("| `SCHEMA")]
    cells = [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]
    assert cells == [[name, default, meaning] for name, default, meaning in REGISTRY_VARIABLES]
