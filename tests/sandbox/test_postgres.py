import os
import pwd
import subprocess
import sys
from pathlib import Path

import psutil
import psycopg
import pytest
from psycopg import errors

from consumer.database import pending_migrations
from consumer.sandbox.postgres import EmbeddedPostgres
from consumer.sandbox.postgres_installation import PostgresInstallation
from tests.fixtures import postgres_versions

REPOSITORY = Path(__file__).parents[2]
SCRIPT = """
import psycopg
from consumer.sandbox.postgres import EmbeddedPostgres
with EmbeddedPostgres() as server, psycopg.connect(server.create_database("mine")) as connection:
    print(connection.execute("select current_database()").fetchone()[0])
"""


def test_each_test_gets_a_migrated_database(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        assert pending_migrations(connection) == []


def test_an_empty_database_has_no_tables(empty_database_url: str) -> None:
    with psycopg.connect(empty_database_url) as connection:
        tables = connection.execute("select 1 from pg_class where relnamespace = 'public'::regnamespace").fetchall()
    assert tables == []


def test_the_server_is_of_the_version_that_was_asked_for_and_speaks_utf_8_and_utc(
    postgres_server: EmbeddedPostgres,
) -> None:
    with psycopg.connect(postgres_server.url) as connection:
        settings = [
            connection.execute("select current_setting(%s)", [name]).fetchone()
            for name in ("server_version_num", "server_encoding", "timezone")
        ]
    version, encoding, timezone = (row[0] for row in settings if row)
    assert int(version) // 10_000 == postgres_versions.chosen().major_version()
    assert (encoding, timezone) == ("UTF8", "UTC")


def test_a_wrong_password_is_refused(postgres_server: EmbeddedPostgres) -> None:
    password = postgres_server._password
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres_server.url.replace(password, "guess"))


def test_committed_data_survive_a_kill_and_a_stop(own_postgres: EmbeddedPostgres) -> None:
    url = own_postgres.create_database("mine")
    for number, end in enumerate([own_postgres.kill, own_postgres.stop]):
        with psycopg.connect(url) as connection:
            connection.execute("create table if not exists item (number integer)")
            connection.execute("insert into item values (%s)", [number])
        end()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(url)
        own_postgres.start()

    with psycopg.connect(url) as connection:
        assert connection.execute("select number from item order by number").fetchall() == [(0,), (1,)]


def test_a_stop_breaks_open_sessions(own_postgres: EmbeddedPostgres) -> None:
    with psycopg.connect(own_postgres.url, autocommit=True) as connection:
        own_postgres.stop()
        with pytest.raises(errors.AdminShutdown):
            connection.execute("select 1")


def test_the_run_folder_is_removed() -> None:
    with EmbeddedPostgres() as server:
        folder = server._folder
        assert folder is not None
    assert not folder.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start the server as another user")
def test_root_runs_the_server_as_nobody(postgres_server: EmbeddedPostgres) -> None:
    assert psutil.Process(postgres_server.pid).username() == "nobody"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start the server as another user")
def test_root_runs_the_server_from_a_folder_that_is_closed_to_others(
    tmp_path: Path,
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    programs = PostgresInstallation.of_package().copy_to(closed)
    installation = PostgresInstallation(programs, tuple(closed.iterdir()))

    with EmbeddedPostgres(installation=installation) as server, psycopg.connect(server.url) as connection:
        assert connection.execute("select 1").fetchone() == (1,)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start the server as another user")
def test_an_ordinary_user_runs_the_server() -> None:
    nobody = pwd.getpwnam("nobody")
    user, group = nobody.pw_uid, nobody.pw_gid
    try:
        subprocess.run([sys.executable, "-c", ""], check=True, user=user, group=group, extra_groups=[], cwd=REPOSITORY)
    except PermissionError:
        pytest.skip("this checkout or its Python is closed to other users")

    result = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
        user=user,
        group=group,
        extra_groups=[],
    )

    assert (result.stdout.strip(), result.returncode) == ("mine", 0), result.stderr
