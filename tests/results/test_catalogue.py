"""The catalogue: every known message of Xero finds its explanation, and only that one."""

import re
from pathlib import Path

import pytest

from consumer.results import (
    NOT_FOUND,
    Attempt,
    Behaviour,
    Catalogue,
    CatalogueError,
    Facts,
    ProblemClass,
    Severity,
    load_catalogue,
)
from consumer.results.catalogue import UNKNOWN
from consumer.sync.step import Stage

FACTS = Facts(order_id="order-7", patient_id="patient-9", number="WH00035", payment_account="090")
CATALOGUE = load_catalogue()
EXAMPLES = [(entry.code, example) for entry in CATALOGUE.entries.values() for example in entry.examples]
ONE_OF_EACH = {
    Attempt.CONTACT_CREATE,
    Attempt.CONTACT_RENAME,
    Attempt.INVOICE_CREATE,
    Attempt.CREDIT_NOTE_UPDATE,
    Attempt.ALLOCATE,
    Attempt.PAYMENT_CREATE,
}

# What Xero is known to say, with the entry that must explain it: the table of known errors, row by row.
KNOWN = [
    ("The document date cannot be before the period lock date, currently set at 30-Nov-2018", "period_locked"),
    ("The document date cannot be before the end of year lock date, currently set at 30-Nov-2018", "year_locked"),
    (
        "Account code '200' has been archived, or has been deleted. Each line item must reference a valid account",
        "account_archived",
    ),
    ("Account code '999' is not a valid code for this document", "account_not_usable"),
    ("The TaxType code 'OUTPUT2' cannot be used with account code '200'", "tax_rate_not_for_account"),
    ("Account code or ID must be specified", "account_missing"),
    ("TaxType field is mandatory", "tax_rate_not_chosen"),
    ("The document DueDate field must be specified", "due_date_missing"),
    ("Invoice # must be unique.", "number_taken"),
    ("Invoice not of valid status for modification", "document_closed"),
    ("This document cannot be edited as it has a payment or credit note allocated to it.", "invoice_has_payments"),
    (
        "The status VOIDED cannot be applied to the invoice because it has payments or credit notes allocated to it.",
        "status_has_payments",
    ),
    ("Payments can only be made against Authorised documents", "invoice_not_authorised"),
    ("Payment amount exceeds the amount outstanding on this document", "payment_exceeds_outstanding"),
    ("Payment not of valid status for modification", "payment_closed"),
    (
        (
            "The contact name A B is already assigned to another contact. "
            "The contact name must be unique across all active contacts."
        ),
        "contact_name_taken",
    ),
    (
        "Another contact has this contact number. Please enter a different contact number.",
        "contact_number_taken",
    ),
    (
        "The account number already exists, please enter a different account number",
        "contact_account_number_taken",
    ),
    (
        (
            "The contact with the specified contact details has been archived. "
            "The contact must be un-archived before creating new invoices or credit notes."
        ),
        "contact_archived",
    ),
    ("Email address must be valid.", "email_refused"),
    ("Website must be valid", "website_refused"),
    ("You have reached the limit of invoices you can approve", "plan_limit"),
    (
        "The User specified does not have the correct permissions to perform this action",
        "permission_missing",
    ),
    ("AuthenticationUnsuccessful", "xero_disconnected"),
    ("TokenExpired: token expired at 08/12/2022 07:00:40", "token_expired"),
    ("invalid_grant", "xero_disconnected"),
    ("insufficient_scope", "scope_missing"),
    ("Idempotency Key: 17-abc is used with a different request.", "idempotency_key_reused"),
    ("Quantity must not be less than zero", "quantity_negative"),
    ("An existing invoice with the specified ID could not be found", "invoice_not_found"),
    ("Account could not be found", "payment_account_missing"),
]
# Rows of the same table that Xero tells by a status or by silence, not by a sentence.
KNOWN_WITHOUT_TEXT = ["answer_lost", "xero_unreachable", "answer_without_result"]
LOCAL = [
    "xero_disconnected",
    "no_tenant",
    "synchronisation_disabled",
    "mapping_incomplete",
    "currency_mismatch",
    "totals_differ",
    "linked_elsewhere",
    "number_taken_by_other",
    "contact_number_of_other",
    "two_of_ours",
    "deleted_in_xero",
    "invoice_has_payments",
    "order_closed",
    "invoice_deleted_in_hearlink",
    "zero_amount",
    "not_in_catalogue",
]
JARGON = re.compile(
    r"\b(api|http|json|avro|kafka|payload|request body|endpoint|uuid|guid|null|exception|validation|idempoten\w*"
    r"|sync error|stack|offset|hash|retry-after|invalid_grant|oauth|token|line item|taxtype|unitamount)\b",
    re.IGNORECASE,
)


@pytest.mark.parametrize(("code", "example"), EXAMPLES)
def test_each_example_finds_its_own_entry_and_no_other(code: str, example: str) -> None:
    for attempt in CATALOGUE.attempts[code]:
        assert {code} == CATALOGUE.matching_codes(example, attempt)


@pytest.mark.parametrize(("message", "code"), KNOWN)
def test_each_known_message_is_explained(message: str, code: str) -> None:
    for attempt in CATALOGUE.attempts[code]:
        for variant in (message, message.upper(), message.rstrip(".") + ".", f"  {message.replace(' ', '  ')}"):
            problem = CATALOGUE.match([variant], FACTS, attempt=attempt)
            assert code == problem.code
            assert variant.strip() == problem.xero_message


@pytest.mark.parametrize(
    ("message", "codes"),
    [
        (
            "Email address must be valid.",
            {
                "email_refused",
                "contact_email_in_the_way",
            },
        ),
        ("Website must be valid", {"website_refused", "contact_website_in_the_way"}),
        (
            "Account code '090' is not a valid code for this document.",
            {"account_not_usable", "payment_account_missing"},
        ),
        (
            "This document cannot be edited as it has a payment or credit note allocated to it.",
            {"invoice_has_payments", "credit_note_has_allocations"},
        ),
        (
            "The contact name already exists. Please enter a different contact name.",
            {"contact_name_taken", "contact_name_in_the_way"},
        ),
    ],
)
def test_the_same_words_mean_something_else_of_something_else(message: str, codes: set[str]) -> None:
    assert {CATALOGUE.match([message], FACTS, attempt=attempt).code for attempt in ONE_OF_EACH} - {UNKNOWN} == codes


@pytest.mark.parametrize("attempt", Attempt)
def test_what_is_not_there_is_named(attempt: Attempt) -> None:
    """A 404 says nothing of its own: what was attempted tells what it can be about."""
    names = {
        Attempt.CONTACT_CREATE: "address",
        Attempt.CONTACT_RENAME: "contact",
        Attempt.INVOICE_CREATE: "contact",
        Attempt.INVOICE_UPDATE: "invoice",
        Attempt.CREDIT_NOTE_CREATE: "contact",
        Attempt.CREDIT_NOTE_UPDATE: "credit_note",
        Attempt.CREDIT_NOTE_VOID: "credit_note",
        Attempt.ALLOCATE: "credit_note",
        Attempt.DEALLOCATE: "credit_note",
        Attempt.PAYMENT_CREATE: "invoice",
        Attempt.PAYMENT_DELETE: "payment",
    }
    for messages in ([], ["The resource you're looking for cannot be found"]):
        problem = CATALOGUE.match(messages, FACTS, attempt=attempt, kind=NOT_FOUND)
        assert problem.code == f"{names[attempt]}_not_found"
        assert problem.xero_message == (messages[0] if messages else None)


def test_every_stage_of_the_sync_is_an_attempt() -> None:
    assert {stage.name.lower() for stage in Stage} == set(Attempt)


def test_what_xero_can_not_read_is_ours_whatever_it_says() -> None:
    problem = CATALOGUE.match(["The gizmo is odd."], FACTS, kind="PostDataInvalidException")
    assert (problem.code, problem.problem_class) == ("request_faulty", ProblemClass.DEFECT)
    assert problem.xero_message == "The gizmo is odd."
    assert CATALOGUE.match(["The gizmo is odd."], FACTS, kind="ValidationException").code == UNKNOWN


@pytest.mark.parametrize("code", KNOWN_WITHOUT_TEXT + LOCAL)
def test_what_is_told_by_no_sentence_has_its_entry_too(code: str) -> None:
    entry = CATALOGUE.entries[code]
    assert entry.sample is not None
    problem = CATALOGUE.local(code, **entry.sample)
    assert code == problem.code
    assert "{" not in problem.message + problem.fix + problem.subject


@pytest.mark.parametrize("code", sorted(CATALOGUE.entries))
def test_words_are_plain_and_short(code: str) -> None:
    entry = CATALOGUE.entries[code]
    for text in (entry.message, entry.fix):
        assert JARGON.search(text) is None
        assert len(text) <= 200
        assert text[0].isupper() or text[0] == "{"


@pytest.mark.parametrize(
    ("code", "values", "message"),
    [
        ("xero_disconnected", {}, "Xero is disconnected"),
        ("no_tenant", {"clinic_id": "clinic-3"}, "No Xero tenant selected for the clinic"),
        ("synchronisation_disabled", {"clinic_id": "clinic-3"}, "Synchronisation is disabled"),
    ],
)
def test_what_people_know_word_for_word_stays_word_for_word(code: str, values: dict[str, str], message: str) -> None:
    assert message == CATALOGUE.local(code, **values).message


def test_what_is_captured_fills_the_words_and_groups() -> None:
    problem = CATALOGUE.match(["The TaxType code 'OUTPUT2' cannot be used with account code '200'."], FACTS)
    assert problem.subject == "OUTPUT2/200"
    assert "OUTPUT2" in problem.message
    assert "200" in problem.message
    assert problem.problem_class == ProblemClass.SETTINGS


def test_one_lock_date_is_one_problem_whatever_the_order() -> None:
    message = "The document date cannot be before the period lock date, currently set at 30-Nov-2018"
    other = Facts(order_id="order-8", patient_id="patient-1", number="WH00036")
    assert CATALOGUE.match([message], FACTS) == CATALOGUE.match([message], other)


def test_the_most_telling_of_several_messages_wins_and_all_are_kept() -> None:
    messages = [
        "Invoice not of valid status for modification",
        "This document cannot be edited as it has a payment or credit note allocated to it.",
    ]
    for order in (messages, messages[::-1]):
        problem = CATALOGUE.match(order, FACTS)
        assert problem.code == "invoice_has_payments"
        assert " / ".join(order) == problem.xero_message


def test_a_known_message_wins_over_an_unknown_one() -> None:
    assert (
        CATALOGUE.match(["Odd.", "You have reached the limit of invoices you can approve!"], FACTS).code == "plan_limit"
    )


def test_an_unknown_message_is_shown_as_it_is_and_never_retried_by_itself() -> None:
    problem = CATALOGUE.match(["The {number} of widget '17' is upside down!"], FACTS)
    assert problem.code == "not_in_catalogue"
    assert "The {number} of widget '17' is upside down!" in problem.message
    assert problem.problem_class == ProblemClass.XERO
    assert not problem.retries_by_itself
    assert problem.subject == CATALOGUE.match(["The {number} of widget '18' is upside down"], FACTS).subject


def test_a_refusal_without_a_word_still_says_what_to_do() -> None:
    problem = CATALOGUE.match([], FACTS)
    assert problem.code == "refused_without_reason"
    assert problem.xero_message is None
    assert FACTS.order_id == problem.subject


def test_a_patients_name_stays_in_xeros_own_words_alone() -> None:
    problem = CATALOGUE.match(["The contact name Zebedee Q is already assigned to another contact."], FACTS)
    assert "Zebedee" not in problem.message + problem.fix + problem.subject
    assert FACTS.patient_id == problem.subject


def test_only_outages_are_retried_by_themselves() -> None:
    retried = {
        code
        for code, entry in CATALOGUE.entries.items()
        if entry.problem_class in {ProblemClass.TRANSIENT, ProblemClass.WAITING}
    }
    assert retried == {
        "token_expired",
        "base_currency_unknown",
        "xero_maintenance",
        "xero_unreachable",
        "answer_lost",
        "in_doubt",
        "xero_broke_down",
        "idempotency_key_reused",
    }


@pytest.mark.parametrize(
    ("message", "behaviours"),
    [
        ("Payment not of valid status for modification", {Behaviour.LOOK_UP}),
        ("Invoice # must be unique", {Behaviour.LOOK_UP}),
        ("Email address must be valid", {Behaviour.LEAVE_OUT}),
        ("Quantity must not be less than zero", set()),
    ],
)
def test_behaviours(message: str, behaviours: set[Behaviour]) -> None:
    (attempt, *_) = CATALOGUE.attempts[CATALOGUE.match([message], FACTS).code]
    assert behaviours == CATALOGUE.match([message], FACTS, attempt=attempt).behaviours


def test_severities() -> None:
    assert (
        CATALOGUE.match(["Email address must be valid"], FACTS, attempt=Attempt.CONTACT_CREATE).severity
        == Severity.WARNING
    )
    assert CATALOGUE.local("order_closed", order_id="1", outcome="cancelled").severity == Severity.SKIP
    assert CATALOGUE.match(["Odd"], FACTS).severity == Severity.FAILURE


def test_xeros_words_can_stand_beside_what_we_found_ourselves() -> None:
    assert CATALOGUE.local("xero_disconnected", xero_message="invalid_grant").xero_message == "invalid_grant"


def test_a_caller_may_pass_more_than_an_entry_wants() -> None:
    assert CATALOGUE.local("no_tenant", clinic_id="clinic-3") == CATALOGUE.local(
        "no_tenant", clinic_id="clinic-3", order_id="order-1"
    )


def test_missing_values_or_unknown_codes_are_a_defect_that_says_so() -> None:
    with pytest.raises(KeyError, match="clinic_id"):
        CATALOGUE.local("no_tenant")
    with pytest.raises(KeyError, match="no problem 'no_such'"):
        CATALOGUE.local("no_such")
    with pytest.raises(KeyError, match="without asking Xero"):
        CATALOGUE.local("plan_limit")


REST = """
[[problem]]
code = "not_in_catalogue"
class = "xero"
message = "{said}"
fix = "Look."
subject = "{shape}"
sample = { said = "a", shape = "a" }
[[problem]]
code = "refused_without_reason"
class = "xero"
message = "No."
fix = "Look."
sample = {}
"""
GOOD = """
[captures]
date = '\\d+'
[[problem]]
code = "locked"
class = "xero"
message = "Locked up to {date}."
fix = "Unlock it."
subject = "{date}"
patterns = ["books are locked up to {date}"]
examples = ["The books are locked up to 7."]
"""


def _load(folder: Path, text: str) -> Catalogue:
    path = folder / "problems.toml"
    path.write_text(text, encoding="utf-8")
    return load_catalogue(path)


def test_a_small_catalogue_loads(tmp_path: Path) -> None:
    catalogue = _load(tmp_path, GOOD + REST)
    assert catalogue.match(["Books are locked up to 8"], FACTS).message == "Locked up to 8."


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('class = "xero"', 'class = "odd"', "odd"),
        ('class = "xero"', 'class = "xero"\ncolour = "red"', "colour"),
        ('code = "locked"', 'code = "Locked!"', "lower-case words"),
        ('code = "locked"', 'code = "refused_without_reason"', "more than one entry"),
        ('fix = "Unlock it."', 'fix = "Unlock it"', "in sentences"),
        ("Locked up to {date}.", "Locked up to {day}.", "does not give"),
        ('locked up to {date}"]', 'locked up to {day}"]', "captures"),
        ('"books are locked up to {date}"', '"up to {date}"', "so short"),
        ('"books are locked up to {date}"', '"shelves are locked up to {date}"', "no example shows"),
        ('"The books are locked up to 7."', '"The books are locked up to 7.", "Else."', r"matches \[\]"),
        ("Locked up to {date}.", "{number} is locked.", "speaks of one document"),
        ('code = "locked"', 'code = "locked"\nattempts = ["dance"]', "neither an attempt nor"),
        ('code = "locked"', 'code = "locked"\nkinds = ["Odd"]', "its kinds do not give"),
        ('patterns = ["books are locked up to {date}"]', "", "neither patterns nor kinds nor a sample"),
        ("[captures]", "[captures", "problems.toml"),
        ('code = "not_in_catalogue"', 'code = "something_else"', "not_in_catalogue is missing"),
    ],
)
def test_a_file_that_breaks_a_rule_is_refused(tmp_path: Path, old: str, new: str, fault: str) -> None:
    text = GOOD + REST
    assert old in text
    with pytest.raises(CatalogueError, match=fault):
        _load(tmp_path, text.replace(old, new, 1))
