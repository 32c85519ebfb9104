"""Rolling upgrades: the tables go first, so the version before must run on the schema of the one after."""

import re

import pytest

from consumer.database import connect
from consumer.resources import sql_folder
from tests.cli.service import Service

pytestmark = pytest.mark.timeout(180)

# What a migration may do: add. Every table gets what later versions may add to one.
_LATER_VERSION = """
do $$
declare
    found record;
begin
    for found in
        select c.oid::regclass as name from pg_class c
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
    loop
        execute format(
            'alter table %s add column later_text text, add column later_flag boolean not null default false, '
            'add column later_document jsonb not null default ''{}''', found.name
        );
    end loop;
end
$$;
create table later_table (id bigint generated always as identity primary key);
insert into schema_migration (name, checksum) values ('9999_later.sql', 'of a later version');
"""
_TAKES_AWAY = re.compile(
    r"\bdrop (?:table|column|view|function|index)\b|\brename\b"
    r"|\balter column \w+ (?:set data )?type\b|\bset not null\b",
    re.IGNORECASE,
)
# Made the sync log's partitions before there was a version to run on them.
_BEFORE_ALL_VERSIONS = {"0006_sync_log_partitions.sql"}


def test_it_goes_on_while_the_tables_become_those_of_a_later_version(service: Service) -> None:
    tenant_id = service.set_up()
    with service.start() as old:
        old.wait_for("partitions_assigned")
        service.send_invoice("before")
        service.wait_until_quiet()
        with connect(service.environment["DATABASE_URL"], name="migrate") as connection:
            connection.execute(_LATER_VERSION)
        service.send_invoice("after")
        service.send_invoice("before", reference="changed")
        service.wait_until_quiet()
        assert old.stop() == 0, old.text
    assert not [line for line in old.log if line["level"] in {"error", "critical"}], old.text
    # One that is started anew takes the newer schema as well.
    with service.start() as again:
        again.wait_for("partitions_assigned")
        service.send_invoice("at last")
        assert service.wait_until_quiet()["failed"] == 0
        assert again.stop() == 0, again.text
    invoices = service.simulator.control.ledger(tenant_id)["Invoices"]
    assert sorted(invoice["InvoiceNumber"] for invoice in invoices) == ["WH-after", "WH-at last", "WH-before"]
    for command in (
        ["logs", "--json"],
        ["timeline", "before", "--json"],
        ["plan", "before", "--json"],
        ["problems", "--json"],
        ["settings", "show", "--organisation", "org-1"],
        ["verify"],
        ["dead-letters", "list", "--json"],
    ):
        service.expect(*command)


def test_migrations_take_nothing_away_from_the_version_before() -> None:
    takers = {
        path.name for path in sql_folder().glob("*.sql") if _TAKES_AWAY.search(_without_comments(path.read_text()))
    }
    assert takers <= _BEFORE_ALL_VERSIONS


def _without_comments(text: str) -> str:
    return re.sub(r"--.*", "", text)
