import base64
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import pytest
from cryptography.fernet import Fernet
from psycopg import Connection
from psycopg.rows import TupleRow

from consumer.sandbox.xero import Fault
from consumer.xero import (
    AccessCode,
    AccessRefusedError,
    AccessToken,
    ConnectionSource,
    DisconnectedError,
    IdentityClient,
    NotSentError,
    Refusal,
    TokenCipher,
    TokenKeyError,
    Tokens,
    Transport,
    load_access,
)
from tests.xero.conftest import ORGANISATION, Access
from tests.xero.raw_server import answering, http_answer

_MAKE_OLD = (
    "update xero_connection set access_expires_at = now() + interval '1 minute', "
    "refreshed_at = now() - interval '29 minutes'"
)


def key() -> str:
    return Fernet.generate_key().decode()


def refreshes(access: Access) -> int:
    return access.count_calls("/connect/token")


def run(access: Access, statement: str) -> None:
    with access.connections() as connection:
        connection.execute(statement.encode())


def stored(access: Access) -> tuple[str, str]:
    with access.connections() as connection:
        row = connection.execute("select access_token, refresh_token from xero_connection").fetchone()
    assert row is not None
    return access.cipher.decrypt(row[0]), access.cipher.decrypt(row[1])


def tokens_at(access: Access, url: str) -> Tokens:
    identity = IdentityClient(
        identity_url=url, client_id="id", client_secret="the-client-secret", transport=Transport()
    )
    return Tokens(connections=access.connections, cipher=access.cipher, identity=identity)


def test_tokens_lie_encrypted(access: Access) -> None:
    token, refresh_token = stored(access)
    with access.connections() as connection:
        row = connection.execute("select xero_connection::text from xero_connection").fetchone()
    assert row is not None
    for secret in (token, refresh_token):
        assert secret not in row[0]
        assert secret.encode().hex() not in row[0]


def test_a_good_token_is_given_as_it_is(access: Access) -> None:
    token = access.tokens.access_token(ORGANISATION, access.tenant_id)
    assert token.value == stored(access)[0]
    assert refreshes(access) == 0


def test_a_token_near_its_end_is_refreshed_and_saved(access: Access) -> None:
    before = stored(access)
    run(access, _MAKE_OLD)
    token = access.tokens.access_token(ORGANISATION)
    after = stored(access)
    assert refreshes(access) == 1
    assert token.value == after[0] != before[0]
    assert after[1] != before[1]
    assert access.tokens.access_token(ORGANISATION).value == token.value
    assert refreshes(access) == 1


def test_a_token_that_never_lives_long_is_used_while_it_lives(access: Access) -> None:
    with access.connections() as connection:
        connection.execute(
            "update xero_connection set access_expires_at = now() + interval '40 seconds', refreshed_at = now()"
        )
    access.tokens.access_token(ORGANISATION)
    assert refreshes(access) == 0


def test_many_workers_refresh_once(access: Access) -> None:
    run(access, _MAKE_OLD)
    start = threading.Barrier(8)

    def ask(_: int) -> AccessToken:
        start.wait(10)
        return access.tokens.access_token(ORGANISATION)

    with ThreadPoolExecutor(8) as pool:
        tokens = list(pool.map(ask, range(8)))
    assert refreshes(access) == 1
    assert len({token.value for token in tokens}) == 1


def test_many_workers_that_met_a_401_refresh_once(access: Access) -> None:
    stale = access.tokens.access_token(ORGANISATION)
    with ThreadPoolExecutor(8) as pool:
        tokens = list(pool.map(access.tokens.replace, [stale] * 8))
    assert refreshes(access) == 1
    assert {token.generation for token in tokens} == {stale.generation + 1}


def test_a_worker_does_not_replace_what_another_replaced_already(access: Access) -> None:
    stale = access.tokens.access_token(ORGANISATION)
    fresh = access.tokens.replace(stale)
    assert access.tokens.replace(stale).value == fresh.value
    assert refreshes(access) == 1


def test_a_refresh_that_could_not_be_saved_is_repeated_with_the_old_token(access: Access) -> None:
    # Another worker refreshed, and died before its commit: what we hold is the previous token.
    run(access, _MAKE_OLD)
    lost = access.identity.refresh(stored(access)[1])
    token = access.tokens.access_token(ORGANISATION)
    assert token.value not in {lost.access_token, ""}
    assert access.state() == ("connected", None)
    assert access.tenant.organisation()


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param([http_answer(500)], id="500"),
        pytest.param([http_answer(503, b"The Xero API is temporarily unavailable")], id="503"),
        pytest.param([http_answer(429, b"", {"Retry-After": "5"})], id="429"),
        pytest.param([http_answer(200, b"{")], id="cut"),
        pytest.param([http_answer(200, b'{"access_token": "a"}')], id="no refresh token"),
        pytest.param([b"nonsense\r\n\r\n"], id="no HTTP"),
    ],
)
def test_trouble_on_the_way_is_no_disconnect(access: Access, answers: list[bytes]) -> None:
    before = stored(access)
    run(access, _MAKE_OLD)
    with answering(*answers) as server, pytest.raises(NotSentError):
        tokens_at(access, server.url).access_token(ORGANISATION)
    assert access.state() == ("connected", None)
    assert stored(access) == before


def test_a_wrong_client_secret_is_no_disconnect(access: Access) -> None:
    run(access, _MAKE_OLD)
    for _ in range(3):
        with pytest.raises(AccessRefusedError) as caught:
            tokens_at(access, access.simulator.url).access_token(ORGANISATION)
        assert caught.value.refusal == Refusal(AccessCode.APP_REFUSED, "", "invalid_client")
    assert access.state() == ("connected", None)
    assert refreshes(access) == 1
    # With the right secret all is well as soon as it is time.
    run(access, "update xero_refusal set retry_at = now()")
    assert access.tokens.access_token(ORGANISATION).value
    with access.connections() as connection:
        assert load_access(connection) == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 408, 410, 422])
def test_a_refusal_that_names_nothing_is_no_outage(access: Access, status: int) -> None:
    run(access, _MAKE_OLD)
    with answering(http_answer(status, b"<html>")) as server:
        for _ in range(3):
            with pytest.raises(AccessRefusedError) as caught:
                tokens_at(access, server.url).access_token(ORGANISATION)
            assert caught.value.refusal == Refusal(AccessCode.UNEXPLAINED)


def test_invalid_grant_disconnects_once(access: Access) -> None:
    access.simulator.control.expire_refresh_tokens()
    run(access, _MAKE_OLD)
    for _ in range(3):
        with pytest.raises(DisconnectedError, match="no longer accepts") as caught:
            access.tokens.access_token(ORGANISATION)
        assert not caught.value.tenant_only
    assert refreshes(access) == 1
    state, reason = access.state()
    assert state == "disconnected"
    assert reason is not None
    assert "60 days" in reason


def test_workers_that_meet_invalid_grant_together_agree(access: Access) -> None:
    access.simulator.control.revoke_tokens()
    run(access, _MAKE_OLD)

    def ask(_: int) -> bool:
        with pytest.raises(DisconnectedError):
            access.tokens.access_token(ORGANISATION)
        return True

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(ask, range(4)))
    with access.connections() as connection:
        assert connection.execute("select generation from xero_connection").fetchone() == (2,)


def test_a_reconnect_in_the_same_moment_is_not_undone(access: Access) -> None:
    access.simulator.control.expire_refresh_tokens()
    run(access, _MAKE_OLD)

    class Overtaken(Tokens):
        """Someone connects between the refused refresh and the note of it."""

        @staticmethod
        def _disconnect(connection: Connection[TupleRow], organisation_id: str, generation: int, reason: str) -> None:
            run(access, "update xero_connection set generation = generation + 1")
            Tokens._disconnect(connection, organisation_id, generation, reason)

    tokens = Overtaken(connections=access.connections, cipher=access.cipher, identity=access.identity)
    with pytest.raises(DisconnectedError):
        tokens.access_token(ORGANISATION)
    assert access.state() == ("connected", None)


def test_who_was_never_connected_is_told_so(access: Access) -> None:
    with pytest.raises(DisconnectedError, match="never connected"):
        access.tokens.access_token("org-2")


def test_a_tenant_taken_out_is_told_so_until_it_is_back(access: Access) -> None:
    access.tokens.take_tenant_out(ORGANISATION, access.tenant_id)
    with pytest.raises(DisconnectedError, match="taken out") as caught:
        access.tokens.access_token(ORGANISATION, access.tenant_id)
    assert caught.value.tenant_only
    assert access.tokens.access_token(ORGANISATION, "another tenant").value


def test_keys_rotate_without_a_new_consent(access: Access, connections: ConnectionSource) -> None:
    old_key, new_key = key(), key()
    old = TokenCipher([old_key])
    with connections() as connection:
        connection.execute(
            "update xero_connection set access_token = %s, refresh_token = %s",
            [old.encrypt("access"), old.encrypt("refresh")],
        )
    both = Tokens(connections=connections, cipher=TokenCipher([new_key, old_key]), identity=access.identity)
    assert both.access_token(ORGANISATION).value == "access"
    assert both.rotate() == 1
    new = Tokens(connections=connections, cipher=TokenCipher([new_key]), identity=access.identity)
    assert new.access_token(ORGANISATION).value == "access"
    with pytest.raises(TokenKeyError, match="None of TOKEN_ENCRYPTION_KEYS"):
        Tokens(connections=connections, cipher=old, identity=access.identity).access_token(ORGANISATION)


def test_a_lost_key_is_no_disconnect(access: Access) -> None:
    run(access, _MAKE_OLD)
    wrong = Tokens(connections=access.connections, cipher=TokenCipher([key()]), identity=access.identity)
    with pytest.raises(TokenKeyError):
        wrong.access_token(ORGANISATION)
    assert access.state() == ("connected", None)


@pytest.mark.parametrize("keys", [[], ["short"], [base64.b64encode(b"x" * 31).decode()], ["ü"]])
def test_keys_that_are_none_are_refused_without_showing_them(keys: list[str]) -> None:
    with pytest.raises(TokenKeyError) as caught:
        TokenCipher(keys)
    assert not [key for key in keys if key in str(caught.value)]
    assert caught.value.__cause__ is None


def test_nothing_shows_a_token(
    access: Access, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    secrets = [*stored(access), access.simulator.client_secret or ""]
    shown: list[str] = []

    def expect(error: type[Exception], action: Callable[[], object]) -> None:
        with pytest.raises(error) as caught:
            action()
        chained: BaseException | None = caught.value
        while chained is not None:
            shown.extend([str(chained), repr(chained)])
            chained = chained.__cause__ or chained.__context__

    run(access, _MAKE_OLD)
    for answer in (http_answer(500), http_answer(400, b'{"error":"invalid_client"}'), b"nonsense\r\n\r\n"):
        with answering(answer) as server:
            tokens = tokens_at(access, server.url)
            expect(Exception, lambda tokens=tokens: tokens.access_token(ORGANISATION))  # type: ignore[misc]
    run(access, "delete from xero_refusal")
    fresh = access.identity.refresh(secrets[1])
    secrets += [fresh.access_token, fresh.refresh_token]
    shown += [repr(fresh), str(fresh), f"{fresh}", repr(access.tokens.access_token(ORGANISATION))]
    access.simulator.control.add_fault(Fault(kind="unauthorized", count=2))
    expect(Exception, access.tenant.organisation)
    shown += [caplog.text, *capsys.readouterr()]
    assert not [text for text in shown if any(secret in text for secret in secrets)]


def test_a_worker_that_waits_too_long_for_the_row_has_not_sent(
    access: Access, connection: Connection[TupleRow], connections: ConnectionSource
) -> None:
    run(access, _MAKE_OLD)

    with connection.transaction():
        connection.execute("select 1 from xero_connection for update")
        with connections() as other:
            other.execute("set lock_timeout = '50ms'")
            tokens = Tokens(connections=lambda: nullcontext(other), cipher=access.cipher, identity=access.identity)
            with pytest.raises(NotSentError, match="Another worker"):
                tokens.access_token(ORGANISATION)
            # The connection goes back to its pool as it came.
            other.execute("reset lock_timeout")
    assert refreshes(access) == 0
