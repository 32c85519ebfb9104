"""Pages of the runbook, walked through as they are written, on real parts."""

import json
import re
import shutil
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import requests
from confluent_kafka import OFFSET_END, TopicPartition
from confluent_kafka.admin import AdminClient

from consumer.database import connect
from consumer.orders import ChangeKind
from consumer.sandbox.broker import Broker
from consumer.sandbox.postgres import EmbeddedPostgres
from consumer.sandbox.processes import free_port
from tests.cli.service import Service
from tests.deploy.test_runbook import RUNBOOK, TEXTS
from tests.deploy.walk import DEPLOYMENTS, Walk, steps_of
from tests.sync.books import payment

pytestmark = pytest.mark.timeout(240)

PASSWORD = "CHANGE-ME"
# The embedded server's administrator is called as the page calls the owner.
OWNER = "clinic_owner"


# Which deployments a page tells of


def test_whoever_names_two_deployments_names_the_third_or_says_why_not() -> None:
    """In the same paragraph, that is: a reader follows one line at a time."""
    seen = set()
    for page, text in TEXTS.items():
        for line in text.splitlines():
            for command in re.findall(r"kubectl [^`]*", line):
                named = {name for name in DEPLOYMENTS if re.search(rf"\b{name}\b", command)}
                if len(named) >= 2:
                    seen.add(page)
                    missing = {name for name in DEPLOYMENTS if name not in line}
                    assert not missing, f"{page}: {command} says nothing of {missing}"
    assert {"runbook/restore-from-backup.md", "runbook/rotate-keys.md", "runbook/upgrade.md", "README.md"} <= seen


# Owners and roles; restore


@pytest.fixture
def foreign_server() -> Iterator[EmbeddedPostgres]:
    """A server on which nobody has been."""
    with EmbeddedPostgres() as server:
        yield server


def prepare(server: EmbeddedPostgres, *, without_role: bool = False) -> str:
    """Do what postgres.md asks of an administrator; return the database's address for its owner."""
    statements = re.sub(r"\bhearlink\b", OWNER, steps_of("postgres.md")[0].text).split(";")
    with connect(server.url, name="administrator") as administrator:
        for statement in filter(str.strip, statements):
            if not (without_role and "hearlink_console" in statement):
                administrator.execute(statement.encode())
    return address(server, OWNER)


def address(server: EmbeddedPostgres, user: str) -> str:
    parts = urlsplit(server.url)
    netloc = f"{user}:{PASSWORD}@{parts.hostname}:{parts.port}"
    return parts._replace(netloc=netloc, path=f"/{OWNER}").geturl()


def administrators(server: EmbeddedPostgres) -> str:
    return urlsplit(server.url)._replace(path=f"/{OWNER}").geturl()


def test_postgres_is_made_ready_and_a_second_user_works_as_the_first(
    service: Service, foreign_server: EmbeddedPostgres
) -> None:
    service.environment["DATABASE_URL"] = prepare(foreign_server)
    names = {"hearlink_b": "clinic_owner_b", "grant hearlink ": f"grant {OWNER} "}
    with Walk(service, "postgres.md", names) as walk:
        walk.pass_over("create role hearlink login")  # Done by `prepare`, in another database.
        walk.do("hearlink-xero migrate")
        walk.run_as(administrators(foreign_server), "create role hearlink_b")
    service.environment["DATABASE_URL"] = address(foreign_server, "clinic_owner_b")
    service.set_up()
    assert service.status_without_kafka()["missing_rights"] == []
    assert service.expect("migrate").out == "The database is up to date.\n"


def test_an_owner_who_may_make_no_role_is_told_by_migrate_what_to_run(
    service: Service, foreign_server: EmbeddedPostgres
) -> None:
    service.environment["DATABASE_URL"] = prepare(foreign_server, without_role=True)
    answer = service.run("migrate")
    assert answer.code == 1
    assert "create role hearlink_console nologin;" in answer.err
    with connect(administrators(foreign_server), name="administrator") as administrator:
        for statement in re.findall(r"^  (.*;)$", answer.err, re.MULTILINE):
            administrator.execute(statement.encode())
    service.expect("migrate")


def console_environment(service: Service) -> str:
    """Give the console addresses; return that of its probes."""
    ports = free_port(), free_port()
    service.environment |= {
        "CONSOLE_ADDRESS": f"127.0.0.1:{ports[0]}",
        "CONSOLE_METRICS_ADDRESS": f"127.0.0.1:{ports[1]}",
    }
    return f"http://127.0.0.1:{ports[1]}"


def test_a_dump_is_put_back_on_an_empty_server_and_all_three_go_on(
    service: Service, foreign_server: EmbeddedPostgres
) -> None:
    probes = console_environment(service)
    tenant_id = service.set_up()
    with Walk(service, "runbook/restore-from-backup.md") as walk:
        walk.start(*DEPLOYMENTS)
        service.send_invoice("order-1")
        service.wait_until_quiet()
        walk.shell(walk.text_of("pg_dump"))
        # What the backup doesn't know: it is in Kafka, and in Xero.
        service.send("order-1", ChangeKind.PAYMENT_SAVED, {"payment": payment()})
        service.wait_until_quiet()
        walk.do("kubectl -n hearlink-xero scale deployment projection push console --replicas 0")
        assert walk.running == {}
        walk.do("kubectl -n hearlink-xero annotate scaledobject projection push")
        walk.pass_over("pg_dump")
        service.environment["DATABASE_URL"] = prepare(foreign_server)
        walk.do("pg_restore --no-owner --exit-on-error")
        assert walk.do("hearlink-xero migrate") == "The database is up to date.\n"
        walk.do("insert into setback")
        walk.do("kubectl -n hearlink-xero scale deployment projection --replicas 1")
        noticed = {reason for *_, reason in walk.do("select noticed_at, timeline, reason from setback")}
        # Kafka may tell as well, of what its group had committed.
        assert noticed >= {"first", "restored", "database"}
        walk.do("kubectl -n hearlink-xero scale deployment push --replicas 1")
        service.wait_until_quiet()
        walk.do("kubectl -n hearlink-xero scale deployment console --replicas 2")
        walk.wait(lambda: requests.get(f"{probes}/readyz", timeout=10).status_code == 200, "the console is ready")
        page = requests.get(
            f"http://localhost:{service.environment['CONSOLE_ADDRESS'][10:]}/organisations/org-1/log", timeout=30
        )
        assert (page.status_code, "WH-order-1" in page.text) == (200, True)
        walk.do("kubectl -n hearlink-xero annotate scaledobject projection push")
        assert "Everything that is here fits" in walk.do("hearlink-xero verify")
    # Nothing was made twice.
    ledger = service.simulator.control.ledger(tenant_id)
    assert (len(ledger["Invoices"]), len(ledger["Payments"])) == (1, 1)


def test_a_restore_without_its_roles_is_told_by_each_and_mended_by_migrate(
    service: Service, foreign_server: EmbeddedPostgres
) -> None:
    probes = console_environment(service)
    service.set_up()
    with Walk(service, "runbook/console-down.md") as walk:
        walk.shell('pg_dump --format=custom --file=hearlink.dump "$DATABASE_URL"')
        service.environment["DATABASE_URL"] = administrators(foreign_server)
        with connect(foreign_server.url, name="administrator") as administrator:
            administrator.execute(f"create database {OWNER}".encode())
        # It complains of each grant and policy, and goes on.
        walk.shell('pg_restore --no-owner --dbname="$DATABASE_URL" hearlink.dump', code=1)
        found = service.status()["missing_rights"]
        assert found[0] == "the role hearlink_console"
        assert "the policy console on orders" in found
        refused = service.run_apart("console")
        assert (refused.code, "the role hearlink_console" in refused.err) == (1, True)
        with service.start("--only", "relay") as running:
            assert "the role hearlink_console" in running.wait_for("rights_missing")["missing"]
            running.wait_for("started")
            assert running.stop() == 0
        walk.pass_over("kubectl -n hearlink-xero exec deploy/console")
        walk.pass_over("hearlink-xero status")
        assert "put back the policy console on orders" in walk.do("hearlink-xero migrate")
        walk.pass_over("kubectl -n hearlink-xero logs deployment/console")
        walk.pass_over("kubectl -n hearlink-xero rollout undo deployment console")
        walk.start("console")
        walk.wait(lambda: requests.get(f"{probes}/readyz", timeout=10).status_code == 200, "the console is ready")
        with connect(service.environment["DATABASE_URL"], name="test") as connection:
            connection.execute("revoke select on sync_log from hearlink_console")
        walk.wait(lambda: requests.get(f"{probes}/readyz", timeout=10).status_code == 503, "it notices")
        reason = requests.get(f"{probes}/readyz", timeout=10).json()["postgres"]["reason"]
        assert reason == "The database lacks select on sync_log for hearlink_console. Run: hearlink-xero migrate"
        assert "hearlink_xero_console_ready 0.0" in requests.get(f"{probes}/metrics", timeout=10).text


# Keys


def test_keys_are_rotated_and_the_old_one_is_wanted_no_more(service: Service) -> None:
    console_environment(service)
    tenant_id = service.set_up()
    (block, *_) = steps_of("runbook/rotate-keys.md")
    make, rotate = (line for line in block.text.splitlines() if line and not line.startswith("#"))
    with Walk(service, "runbook/rotate-keys.md") as walk:
        walk.start(*DEPLOYMENTS)
        old = service.environment["TOKEN_ENCRYPTION_KEYS"]
        new = walk.shell(make).strip()
        service.environment["TOKEN_ENCRYPTION_KEYS"] = f"{new},{old}"
        walk.pass_over(block.text)
        walk.do("kubectl -n hearlink-xero rollout restart deployment projection push console")
        walk.shell(rotate.partition("#")[0])
        service.environment["TOKEN_ENCRYPTION_KEYS"] = new
        for name in DEPLOYMENTS:
            walk.restart(name)
        service.send_invoice("order-1")
        service.wait_until_quiet()
    assert len(service.simulator.control.ledger(tenant_id)["Invoices"]) == 1


# What is gone from Kafka


def delete_before(kafka: Broker, service: Service, offsets: dict[int, int]) -> dict[int, int]:
    """Take records away, as retention does; return where each partition begins then."""
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    topic = service.environment["ORDERS_TOPIC"]
    wanted = [TopicPartition(topic, partition, offset) for partition, offset in offsets.items()]
    done = admin.delete_records(wanted)
    return {place.partition: int(future.result(30).low_watermark) for place, future in done.items()}


def ends(service: Service) -> dict[int, int]:
    with connect(service.environment["DATABASE_URL"], name="test") as connection:
        rows = connection.execute(
            "select partition, next_offset from partition_offset where topic = %s",
            [service.environment["ORDERS_TOPIC"]],
        )
        return dict(rows.fetchall())


def test_events_that_are_gone_for_good_are_found_by_hearlinks_own_list(service: Service, real_kafka: Broker) -> None:
    service.set_up()
    with Walk(service, "runbook/moved-offsets.md").with_kafka_scripts() as walk:
        walk.start("projection", "push")
        for order_id in ("kept", "behind", "gap"):
            service.send_invoice(order_id)
        service.wait_until_quiet()
        walk.stop("projection")
        for order_id in ("behind", "gap", "new"):
            service.send_invoice(order_id, reference="lost")
        lows = delete_before(real_kafka, service, dict.fromkeys(ends(service), OFFSET_END))
        service.send_invoice("gap", reference="the next one")
        with service.start("--only", "projection") as refused:
            assert refused.process.wait(60) == 1
        assert "offset" in walk.do("select topic, partition, next_offset")[0][1]
        earliest = walk.do("kafka-get-offsets.sh")
        assert {int(partition): int(low) for partition, low in re.findall(r":(\d+):(\d+)\n", earliest)} == lows
        walk.do("kubectl -n hearlink-xero scale deployment projection --replicas 0")
        update = walk.pass_over("update partition_offset")
        for partition, low in lows.items():
            here = update.replace("next_offset = 0", f"next_offset = {low}")
            walk.execute(here.replace("partition = 0", f"partition = {partition}"))
        walk.pass_over("delete from partition_offset")
        write_list(service)
        walk.do("kubectl -n hearlink-xero scale deployment projection --replicas 1")
        service.wait_until_quiet()
        walk.do("hearlink-xero status")
        found = walk.do("hearlink-xero verify", code=1)
        assert "sequence {[2,3)}" in found
        assert "Whether HearLink has orders of which nothing came" in found
        found = walk.do("hearlink-xero verify --against hearlink-orders.csv", code=1)
        assert re.search(r"behind +│ behind +│ sequence 1 here, 2 at HearLink", found), found
        assert re.search(r"not_arrived +│ new", found), found
        # HearLink publishes them again.
        for order_id in ("behind", "new"):
            service.send_invoice(order_id, reference="again")
        service.wait_until_quiet()
        write_list(service)
        found = walk.shell("hearlink-xero verify --against hearlink-orders.csv", code=1)
        assert "0 are behind, 0 never came" in found
        walk.pass_over("hearlink-xero timeline ORDER_ID")


def write_list(service: Service) -> None:
    lines = [f"{order_id},{sequence}" for order_id, sequence in service.sequences.items()]
    (service.folder / "hearlink-orders.csv").write_text("\n".join(lines), encoding="utf-8")


@pytest.mark.usefixtures("real_kafka")
def test_who_is_erased_stays_so_over_a_rebuild_once_the_events_are_gone(service: Service) -> None:
    service.set_up()
    folder = service.folder / "deploy/runbook"
    folder.mkdir(parents=True)
    shutil.copy(RUNBOOK / "erase-a-patient.sql", folder)
    names = {"ORGANISATION": "org-1", "PATIENT": "patient-order-1", "FILE": "offsets.json"}
    with Walk(service, "runbook/erase-a-patient.md", names).with_kafka_scripts() as walk:
        walk.start("projection", "push")
        for order_id in ("order-1", "order-2"):
            service.send_invoice(order_id)
        service.wait_until_quiet()
        walk.stop("projection")
        walk.stop("push")
        assert [row[0] for row in walk.do("select order_id, clinic_id, invoice_number")] == ["order-1"]
        walk.pass_over("hearlink-xero dead-letters list")
        script = walk.text_of('psql "$DATABASE_URL"')
        walk.do('psql "$DATABASE_URL"')
        assert names_of(service) == {"order-1": "", "order-2": "known"}
        delete_records = walk.pass_over("kafka-delete-records.sh")
        # As long as the topic holds the events, the person comes back.
        walk.do("hearlink-xero rebuild --swap")
        assert names_of(service) == {"order-1": "known", "order-2": "known"}
        walk.shell(script)
        topic = service.environment["ORDERS_TOPIC"]
        wanted = [{"topic": topic, "partition": number, "offset": offset} for number, offset in ends(service).items()]
        (service.folder / "offsets.json").write_text(json.dumps({"partitions": wanted, "version": 1}))
        assert "low_watermark" in walk.shell(delete_records)
        walk.start("projection")
        service.send_invoice("order-2", reference="changed")
        walk.wait(lambda: service.status()["lag"] == 0, "the projection has it")
        told = walk.shell("hearlink-xero rebuild --swap")
        assert "The topic no longer tells all of" in told
        assert names_of(service) == {"order-1": "", "order-2": "known"}
        assert walk.shell("hearlink-xero rebuild")
        with Walk(service, "runbook/rebuild.md") as rebuild:
            rebuild.do("hearlink-xero rebuild             # beside")
            assert rebuild.do("select occurred_at, organisation_id")[0][2] == "patient-order-1"


def names_of(service: Service) -> dict[str, str]:
    """Return for each order whether its patient's name is known."""
    with connect(service.environment["DATABASE_URL"], name="test") as connection:
        rows = connection.execute(
            "select order_id, case state -> 'patient' ->> 'last_name' when '' then '' else 'known' end from orders"
        )
        return dict(rows.fetchall())
