"""The page on events that can't be used, walked as it stands: bad messages, the brake, its words, and back to work."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from confluent_kafka import Producer

from consumer.contract import Encoder, Schemas
from consumer.database import connect
from consumer.orders import ChangeKind
from consumer.resources import schemas_folder
from tests.cli.conftest import service
from tests.cli.service import PATIENCE_SECONDS, Service
from tests.projection.world import event

__all__ = ["service"]
pytestmark = pytest.mark.timeout(240)

PAGE = Path(__file__).parents[2] / "deploy" / "runbook" / "poison-events.md"
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
STATUS, TAIL, MOUNT, SKIP, DROP = BLOCKS
PARTITION = 2


def words(block: str, **places: int) -> list[str]:
    """The one command of a block, with the places of this test instead of the page's."""
    command, *arguments = shlex.split(block)
    assert command == "hearlink-xero"
    for name, value in places.items():
        position = arguments.index(f"--{name.strip('_')}") + 1
        assert arguments[position].isdigit()
        arguments[position] = str(value)
    return arguments


def produce(service: Service, *values: bytes, key: bytes = b"order-bad") -> None:
    producer = Producer({"bootstrap.servers": service.environment["KAFKA_BOOTSTRAP_SERVERS"]})
    for value in values:
        producer.produce(service.environment["ORDERS_TOPIC"], key=key, value=value, partition=PARTITION)
    assert producer.flush(30) == 0


def order_value(order_id: str) -> bytes:
    sent = event(order_id, 1, ChangeKind.INVOICE_SAVED)
    return Encoder(Schemas.load(schemas_folder())).encode_event("orders", sent)


def stop_by_the_brake(service: Service) -> dict[str, Any]:
    """Run the service into the brake; return where it stands, as `status` says it."""
    with service.start("--only", "projection") as running:
        assert running.process.wait(PATIENCE_SECONDS) == 1, running.text
        assert running.wait_for("role_failed", ended=True)["role"] == "projection"
        text = running.text
    (stop,) = service.status()["stops"]
    assert stop["partition"] == PARTITION
    # The last words are those of `status`.
    assert stop["detail"].splitlines()[-1] in text
    assert stop["detail"] in service.expect(*words(STATUS)).out
    return dict(stop)


@pytest.fixture
def stopped(service: Service) -> tuple[Service, dict[str, Any]]:
    """A service that 30 bad messages have stopped, with good ones before, among and after them."""
    service.environment["DEAD_LETTER_BRAKE_RUN"] = "15"
    service.set_up()
    produce(service, order_value("before"), key=b"before")
    produce(service, *[b"Ada Example"] * 10)
    produce(service, order_value("among"), key=b"among")
    produce(service, *[b"Ada Example"] * 20)
    produce(service, order_value("after"), key=b"after")
    return service, stop_by_the_brake(service)


def test_rubbish_is_let_through_and_what_is_good_is_kept(stopped: tuple[Service, dict[str, Any]]) -> None:
    service, stop = stopped
    first, last = stop["first_offset"], stop["last_offset"]
    assert 1 <= first <= last <= 31
    # Its words hold the page's commands, with the numbers of this case.
    told = stop["detail"].splitlines()
    look = words(TAIL, partition=PARTITION, offset=first, count=last - first + 1)
    assert shlex.join(["hearlink-xero", *look]) in told
    span = {"partition": PARTITION, "from_": first, "to": last}
    skip = words(SKIP, **span)
    assert any(shlex.split(line)[1:-1] == skip[:-1] for line in told if line.startswith("hearlink-xero dead-letters"))

    shown = service.expect(*look)
    assert [line["offset"] for line in shown.lines] == list(range(first, last + 1))
    assert "Ada" not in shown.out
    bad = [line for line in shown.lines if "reason" in line]
    assert {(line["reason"], line["size_bytes"], line["order_id"]) for line in bad} == {
        ("undecodable", len(b"Ada Example"), "order-bad")
    }
    assert all("neither Confluent's wire format" in line["detail"] for line in bad)

    for answer, code in (("n\n", 1), ("", 130)):
        refused = service.run(*skip, stdin=answer)
        assert refused.code == code, refused
        assert f"{len(bad)} messages are bad" in refused.out
        assert "Ada" not in refused.out
    assert service.status()["stops"] == [stop]
    # Nobody let it through yet: it ends where it ended before.
    assert stop_by_the_brake(service) == stop

    service.expect(*skip, "--actor", "ann", stdin="y\n")
    assert service.status()["stops"] == []
    with service.start("--only", "projection", "--only", "relay") as running:
        service.wait_for_status(lambda status: status["lag"] == status["unpublished"] == 0)
        assert running.stop() == 0, running.text
    with connect(service.environment["DATABASE_URL"], name="test") as connection:
        orders = connection.execute("select order_id from orders order by 1").fetchall()
        assert orders == [("after",), ("among",), ("before",)]
        (act,) = connection.execute("select actor, detail from audit where action = 'dead_letters_skip'").fetchall()
    assert act == (
        "ann",
        {
            "topic": service.environment["ORDERS_TOPIC"],
            "partition": PARTITION,
            "first_offset": first,
            "last_offset": last,
            "bad": len(bad),
            "reason": skip[-1],
        },
    )
    letters = service.expect("dead-letters", "list", "--json").json
    assert len(letters) == 30
    published = service.expect("events", "tail", "--topic", "dead-letter", "--from-beginning", "--timeout", "2")
    assert sorted(line["offset"] for line in published.lines) == sorted(letter["offset"] for letter in letters)
    assert "Ada" not in published.out

    again = service.run(*skip, "--yes")
    assert again.code == 1
    assert "the service is past offset" in again.err
    dropped = service.expect(*words(DROP, **span), "--json").json
    assert len(dropped["dropped"]) == len(bad)
    assert len(service.expect("dead-letters", "list", "--json").json) == 30 - len(bad)


def test_only_what_stops_the_service_and_is_there_can_be_let_through(stopped: tuple[Service, dict[str, Any]]) -> None:
    service, stop = stopped
    for partition, first, last, text in (
        (0, stop["first_offset"], stop["last_offset"], "nothing between these offsets stopped the service"),
        (77, 0, 5, "Nobody ever read"),
        (PARTITION, stop["last_offset"] + 1, stop["last_offset"] + 1, "It stands at: partition 2"),
        (PARTITION, stop["first_offset"], 4_000, "ends before offset 33 for now"),
    ):
        answer = service.run(*words(SKIP, partition=partition, from_=first, to=last), "--yes")
        assert (answer.code, answer.out) == (1, ""), answer
        assert text in answer.err
    without_end = words(SKIP, partition=PARTITION, from_=stop["first_offset"])
    del without_end[without_end.index("--to") : without_end.index("--to") + 2]
    skipped = service.expect(*without_end, "--yes", "--json").json["skipped"]
    assert skipped["last_offset"] == 32
    assert skipped["usable"] == sum(line["offset"] >= stop["first_offset"] for line in good_lines(service))


def good_lines(service: Service) -> list[Any]:
    lines = service.expect("events", "tail", "--partition", str(PARTITION), "--offset", "0").lines
    return [line for line in lines if "reason" not in line]


def test_a_schema_that_was_missing_is_given_by_a_directory(service: Service, tmp_path: Path) -> None:
    writers = tmp_path / "writers"
    shutil.copytree(schemas_folder(), writers)
    path = writers / "order-event.avsc"
    schema = json.loads(path.read_text(encoding="utf-8"))
    schema["fields"].append({"name": "branch", "type": ["null", "string"], "default": None})
    path.write_text(json.dumps(schema), encoding="utf-8")
    newer = Encoder(Schemas.load(writers))
    for other in writers.glob("*.avsc"):
        if other != path:
            other.unlink()
    mounted = service.environment["SCHEMAS_DIRECTORY"] = str(tmp_path / "mounted")
    Path(mounted).mkdir()
    service.environment["DEAD_LETTER_BRAKE_RUN"] = "1"
    service.set_up()
    sent = [event(f"order-{number}", 1, ChangeKind.INVOICE_SAVED) for number in range(5)]
    for one in sent:
        produce(service, newer.encode_event("orders", one), key=one.order_id.encode())
    stop = stop_by_the_brake(service)
    assert "SCHEMAS_DIRECTORY" in stop["detail"]

    mount(tmp_path, Path(mounted))
    with service.start("--only", "projection") as running:
        service.wait_for_status(lambda status: status["lag"] == 0)
        assert running.stop() == 0, running.text
    found = service.status()
    assert (found["stops"], found["dead_letters"]) == ([], 0)
    with connect(service.environment["DATABASE_URL"], name="test") as connection:
        assert connection.execute("select count(*) from orders").fetchone() == (5,)


def mount(folder: Path, directory: Path) -> None:
    """Make the page's ConfigMap, and lay it out as the kubelet does: links beside a folder of this version."""
    make, restart = MOUNT.splitlines()
    command, apply = (part.strip() for part in make.split("|"))
    assert apply == "kubectl apply -f -"
    assert "rollout restart deployment projection push #" in restart
    kubectl = Path(sys.executable).parent / "kubectl"
    made = subprocess.run([kubectl, *shlex.split(command)[1:]], cwd=folder, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    config_map = yaml.safe_load(made.stdout)
    assert (config_map["metadata"]["name"], config_map["metadata"]["namespace"]) == (
        "hearlink-xero-schemas",
        "hearlink-xero",
    )
    version = directory / "..2026_01_31"
    version.mkdir()
    (directory / "..data").symlink_to(version.name)
    for name, text in config_map["data"].items():
        (version / name).write_text(text, encoding="utf-8")
        (directory / name).symlink_to(f"..data/{name}")


def test_a_directory_that_is_not_there_or_holds_no_schema_is_named(service: Service, tmp_path: Path) -> None:
    service.expect("migrate")
    service.environment["SCHEMAS_DIRECTORY"] = str(tmp_path / "nowhere")
    answer = service.run("status")
    assert answer.code == 2
    assert "SCHEMAS_DIRECTORY is" in answer.err
    service.environment["SCHEMAS_DIRECTORY"] = str(tmp_path)
    (tmp_path / "broken.avsc").write_text("{", encoding="utf-8")
    answer = service.run_apart("run", "--only", "push")
    assert answer.code == 1
    assert "broken.avsc is no Avro schema" in answer.err
