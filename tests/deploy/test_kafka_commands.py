"""Kafka's own scripts, as pages of the runbook call them: each call is made on a real broker and does what is said."""

import os
import re
import subprocess
import uuid
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient

from tests.deploy.walk import DEPLOY, steps_of
from tests.fixtures.kafka import ApacheKafka, CreateTopic
from tests.fixtures.kafka_scripts import write_kafka_scripts

pytestmark = pytest.mark.timeout(180)
_SECONDS = 60
# Walked through as a whole elsewhere.
_WALKED = {"kafka.md", "runbook/moved-offsets.md", "runbook/erase-a-patient.md"}


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_kafka_scripts(tmp_path_factory.mktemp("kafka") / "scripts")


class Page:
    """Calls what a page shows, with the names that are meant."""

    def __init__(self, kafka: ApacheKafka, scripts: Path, topic: str, group: str) -> None:
        self.topic, self.group = topic, group
        self._path = os.pathsep.join([str(scripts), os.environ["PATH"]])
        self._names = {
            "…": kafka.bootstrap_servers,
            "hearlink.orders.v1": topic,
            "--group hearlink-xero": f"--group {group}",
        }

    def call(self, page: str, beginning: str) -> str:
        """Return what the one call on `page` that begins so writes; it has to succeed."""
        (text,) = [step.text for step in steps_of(page) if step.text.startswith(beginning)]
        return self.shell(text)

    def shell(self, text: str) -> str:
        for written, meant in self._names.items():
            text = text.replace(written, meant)
        finished = subprocess.run(
            ["bash", "-euc", text],
            env={"PATH": self._path},
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        assert finished.returncode == 0, f"{text}\n{finished.stdout}\n{finished.stderr}"
        return finished.stdout


@pytest.fixture
def page(real_kafka: ApacheKafka, scripts: Path, create_topic: CreateTopic) -> Page:
    return Page(real_kafka, scripts, create_topic("orders", partitions=12), f"group-{uuid.uuid4().hex[:8]}")


def test_every_page_that_calls_a_script_is_tried() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    calling = {
        path.relative_to(DEPLOY).as_posix()
        for path in DEPLOY.rglob("*.md")
        if "kafka-" in path.read_text(encoding="utf-8") and re.search(r"kafka-[a-z-]+\.sh", path.read_text())
    }
    assert {name for name in calling - _WALKED if f'"{name}"' not in source} == set()


def test_partitions_are_added(page: Page, real_kafka: ApacheKafka) -> None:
    page.call("runbook/add-partitions.md", "kafka-topics.sh")
    listed = AdminClient({"bootstrap.servers": real_kafka.bootstrap_servers}).list_topics(page.topic, timeout=15)
    assert len(listed.topics[page.topic].partitions) == 24


def test_who_is_in_the_group_is_told(page: Page, real_kafka: ApacheKafka) -> None:
    consumer = Consumer({"bootstrap.servers": real_kafka.bootstrap_servers, "group.id": page.group})
    consumer.subscribe([page.topic])
    try:
        while not consumer.assignment():
            consumer.poll(0.2)
        assert page.topic in page.call("runbook/nobody-reads.md", "kafka-consumer-groups.sh")
        members = next(step.text for step in steps_of("runbook/group-unsettled.md") if "--members" in step.text)
        assert "rdkafka" in page.shell(members)
        assert "Stable" in page.shell(members.replace("--members", "--state"))
    finally:
        consumer.close()


def test_a_right_is_given_and_a_partition_without_a_leader_looked_for(page: Page) -> None:
    assert "READ" in page.call("runbook/topic-unreadable.md", "kafka-acls.sh")
    assert page.call("runbook/topic-unreadable.md", "kafka-topics.sh").strip() == ""


def test_a_transaction_that_nobody_ends_is_found_and_ended(page: Page, real_kafka: ApacheKafka) -> None:
    producer = Producer({"bootstrap.servers": real_kafka.bootstrap_servers, "transactional.id": page.topic})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(page.topic, b"v", partition=0)
    producer.flush(30)
    found = page.call("runbook/lag-growing.md", "kafka-transactions.sh")
    (open_at,) = re.findall(r"\s(\d+)\s*$", found.strip().splitlines()[-1])
    text = (DEPLOY / "runbook/lag-growing.md").read_text(encoding="utf-8")
    (abort,) = re.findall(r"`… (abort [^`]*)`", text)
    page.shell(f"kafka-transactions.sh --bootstrap-server … {abort.replace('OFFSET', open_at)}")
    found = page.call("runbook/lag-growing.md", "kafka-transactions.sh")
    assert found.strip().splitlines()[-1].split()[-1] == "None"
