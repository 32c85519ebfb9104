"""Erasing a patient of whom everything was really pushed: every table is searched for what was known of the person."""

import re
from typing import Any

import msgspec
import pytest
from psycopg import Connection, sql

from consumer.contract import Encoder, Schemas, event_to_json
from consumer.database import connect
from consumer.orders import ChangeKind, OrderEvent
from consumer.resources import schemas_folder
from consumer.sync.settlement import SettledAs
from consumer.sync.settling import Wish, load_settlement, settle
from tests.deploy.conftest import DEPLOY
from tests.sync.books import ORGANISATION, Books, line, patient
from tests.sync.conftest import books, open_books

__all__ = ["books", "open_books"]

SCRIPT = DEPLOY / "runbook" / "erase-a-patient.sql"
PERSON = {
    "first_name": "Quentin",
    "last_name": "Quillfeather",
    "email": "q.quill@example.org",
    "phone": "01632 960987",
    "address": {
        "line1": "17 Larkspur Lane",
        "line2": None,
        "city": "Netherwick",
        "region": None,
        "postal_code": "NW7 4QF",
        "country": "GB",
    },
}
# Quillfether: as it was spelt later.
TRACES = ("Quentin", "Quillfeather", "Quillfether", "q.quill", "960987", "Larkspur", "Netherwick", "NW7 4QF")


def erase(books: Books, patient_id: str) -> list[Any]:
    """Run the script as psql does; return what its last question answers."""
    lines = SCRIPT.read_text(encoding="utf-8").splitlines()
    # psql's own commands begin with a backslash.
    text = "\n".join(line for line in lines if not line.startswith("\\"))
    for variable, value in (("organisation", ORGANISATION), ("patient", patient_id)):
        text = text.replace(f":'{variable}'", f"'{value}'")
    found: list[Any] = []
    with connect(books.database_url, name="erasure") as connection:
        for statement in re.sub(r"^--.*$", "", text, flags=re.MULTILINE).split(";"):
            if not statement.strip():
                continue
            cursor = connection.execute(statement)
            if statement.strip().startswith("select"):
                found = cursor.fetchall()
    return found


def traces(connection: Connection[Any]) -> list[tuple[str, str]]:
    """Return (table, trace) wherever a row of any table holds one, in text or in bytes."""
    tables = connection.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
    found = []
    for (table,) in tables:
        query = sql.SQL("select lower(to_jsonb(t)::text) from {} t").format(sql.Identifier(table))
        for (row,) in connection.execute(query):
            # Bytes are shown as hexadecimal digits.
            # The namesake's own rows stay as they are.
            if "patient-n" not in row and "order-n" not in row:
                found += [(table, trace) for trace in TRACES if trace.lower() in row or trace.encode().hex() in row]
    return found


@pytest.fixture
def pushed(books: Books) -> Books:
    """A patient with a namesake, pushed, renamed, refused in words that quote the name; with a dead letter."""
    books.patients["order-n"] = patient("patient-n", first_name="Quentin", last_name="Quillfeather")
    books.save_invoice("order-n")
    books.patients["order-1"] = patient("patient-q", **PERSON)
    books.save_invoice()
    books.save_payment(amount="10.0000")
    books.push()
    books.patients["order-1"] = patient("patient-q", **{**PERSON, "last_name": "Quillfether"})
    books.save_credit_note(total="5.0000", lines=[line(unit_price="5.0000")])
    books.push()
    said = "Quentin Quillfether may not pay."
    problem = books.connection.execute(
        "insert into problem (organisation_id, code, class, message, fix, xero_message)"
        " values (%s, 'not_in_catalogue', 'xero', %s, 'f', %s) returning id",
        [ORGANISATION, f"Xero refused this: “{said}”", said],
    ).fetchone()
    assert problem is not None
    books.connection.execute(
        "insert into sync_log (organisation_id, clinic_id, order_id, operation, outcome, problem, problem_id, message,"
        " xero_message, trigger, attempt) values (%s, 'clinic-1', 'order-1', 'payment_create', 'failed',"
        " 'not_in_catalogue', %s, %s, %s, 'auto', 1)",
        [ORGANISATION, problem[0], f"Xero refused this: “{said}”", said],
    )
    value = f"{PERSON['first_name']} {PERSON['last_name']}".encode()
    books.connection.execute(
        'insert into dead_letter (topic, partition, "offset", value, organisation_id, order_id, reason, detail)'
        " values ('orders', 0, 1, %s, %s, 'order-1', 'impossible', 'the sequence is below 1')",
        [value, ORGANISATION],
    )
    books.connection.execute(
        "insert into outbox (topic, key, value, set_aside_at) values ('dead_letter', %s, %s, now())",
        [b"order-1", value],
    )
    # What the relay published is gone a moment later.
    books.connection.execute("delete from outbox where set_aside_at is null")
    return books


def test_nothing_of_an_erased_patient_is_left_in_any_table(pushed: Books) -> None:
    # Whoever settled the order named the patient, though the page says not to.
    wish = Wish(
        order_id="order-1", settled_as=SettledAs.DO_NOT_SEND, reason="Quentin Quillfeather is gone", actor="finance"
    )
    settle(pushed.connection, pushed.services.encoder, pushed.services.catalogue, wish)
    # What the relay published is gone a moment later.
    pushed.connection.execute("delete from outbox where set_aside_at is null")
    before = {table for table, _ in traces(pushed.connection)}
    assert {"orders", "xero_intent_element", "xero_link", "dead_letter", "outbox", "sync_log", "problem"} <= before
    assert {"settlement", "audit"} <= before
    links = pushed.connection.execute("select count(*) from xero_link").fetchone()
    assert erase(pushed, "patient-q") == []
    assert traces(pushed.connection) == []
    # It stands as it did, and who settled it is known.
    settlement = load_settlement(pushed.connection, "order-1")
    assert settlement is not None
    assert (settlement.actor, settlement.reason, settlement.changed) == ("finance", "erased", False)
    hashes = pushed.connection.execute(
        "select detail ->> 'details' from xero_link where local_id = 'patient-q'"
        " union all select detail #>> '{detail,details}' from xero_intent_element where patient_id = 'patient-q'"
        " union all select nullif(i.body_hash, '') from xero_intent i join xero_intent_element e on e.intent_id = i.id"
        " where e.patient_id = 'patient-q'"
    ).fetchall()
    assert {found for (found,) in hashes} == {None}
    assert pushed.connection.execute("select count(*) from xero_link").fetchone() == links
    assert len(pushed.payments()) == 1


@pytest.mark.parametrize("patient_id", ["patient-q", "q" * 63, "q" * 64, "ü" * 40])
def test_letters_of_no_order_that_we_know_are_found_by_the_patients_id(books: Books, patient_id: str) -> None:
    """Events that were impossible came under another order's key, or under none."""
    encoder = Encoder(Schemas.load(schemas_folder()))
    event = OrderEvent(
        event_id="event-1",
        organisation_id=ORGANISATION,
        clinic_id="clinic-1",
        order_id="order-0",
        sequence=1,
        occurred_at_us=1_700_000_000_000_000,
        actor=None,
        patient=patient(patient_id, **PERSON),
        kind=ChangeKind.SYNC_REQUESTED,
        change={},
    )
    values = [
        encoder.encode_event("orders", event),
        event_to_json(event).encode(),
        # Of somebody whose id begins in the same way.
        encoder.encode_event("orders", msgspec.structs.replace(event, patient=patient(f"{patient_id}-n"))),
    ]
    for offset, value in enumerate(values):
        books.connection.execute(
            'insert into dead_letter (topic, partition, "offset", value, reason, detail)'
            " values ('orders', 0, %s, %s, 'impossible', 'the message has no key')",
            [offset, value],
        )
        books.connection.execute(
            "insert into outbox (topic, value, set_aside_at) values ('dead_letter', %s, now())", [b"letter " + value]
        )
    erase(books, patient_id)
    left = books.connection.execute("select value from dead_letter where value is not null").fetchall()
    assert left == [(values[2],)]
    assert books.connection.execute("select value from outbox").fetchall() == [(b"letter " + values[2],)]


def test_the_contact_in_xero_gets_the_patients_number_for_a_name_at_the_next_push(pushed: Books) -> None:
    erase(pushed, "patient-q")
    pushed.retry()
    pushed.push()
    found = pushed.contact("patient-q")
    assert found["Name"] == "Patient patient-q"
    # What the page says must be removed in Xero by hand.
    assert found["EmailAddress"] == PERSON["email"]
    assert found["LastName"] == "Quillfether"


def test_a_call_without_an_outcome_is_told_and_its_note_stays_for_the_look_up(books: Books) -> None:
    books.patients["order-1"] = patient("patient-q", **PERSON)
    books.save_invoice()
    books.strike("drop_after", method="PUT", path="/Contacts$")
    books.push_once()
    (still_open,) = erase(books, "patient-q")
    assert still_open[0] > 0
    books.settle()
    assert erase(books, "patient-q") == []
    books.connection.execute("delete from outbox")
    assert traces(books.connection) == []
