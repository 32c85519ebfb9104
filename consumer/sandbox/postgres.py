"""A PostgreSQL server that comes with the Python packages: for the demo and the tests."""

import os
import pwd
import secrets
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

import psycopg
from psycopg import sql

from consumer.sandbox.postgres_installation import PostgresInstallation
from consumer.sandbox.processes import (
    ManagedProcess,
    ProcessError,
    create_run_folder,
    free_port,
    remove_run_folder,
)

# Data of a demo or a test need not survive the machine: no flush to disk, which makes commits several times quicker.
# `synchronous_commit` stays on, so that what was committed survives a kill -9 of the server.
_THROW_AWAY_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_wal_size": "4GB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    # All of the demo's and the tests' assertions on times hold in any zone; logs are easier to compare in one.
    "timezone": "UTC",
    "log_timezone": "UTC",
}
_SUPERUSER = "hearlink"
_DEFAULT_DATABASE = "postgres"
# The password is random and long; iterations would only slow every connection down.
_SCRAM_ITERATIONS = "1"
# Before these versions initdb knew neither settings nor a collation that is the same on every machine.
_FIRST_WITH_SETTINGS, _FIRST_WITH_BUILTIN_LOCALE = 16, 17


class EmbeddedPostgres:
    """A PostgreSQL server on a free port of 127.0.0.1, in a temporary folder, as a context manager.

    PostgreSQL refuses to run as root; started by root it runs as the user `nobody`. Users of the machine can't get
    in without the password, which is part of `url`.

    Args:
        durable: flush commits to disk. Off by default, because the folder is removed at the end anyway: committed data
            survives `kill`, but not a crash of the machine.
        settings: further settings of postgresql.conf.
        installation: whose programs run; by default those of the Python package (PostgreSQL 18).
    """

    start_timeout_seconds = 30.0

    def __init__(
        self,
        *,
        durable: bool = False,
        settings: Mapping[str, str] | None = None,
        installation: PostgresInstallation | None = None,
    ) -> None:
        self.port = free_port()
        self._password = secrets.token_urlsafe(24)
        self._settings = {
            **_SETTINGS,
            **({} if durable else _THROW_AWAY_SETTINGS),
            **(settings or {}),
            "port": str(self.port),
        }
        self._installation = installation
        self._user_id, self._group_id = _server_user()
        self._folder: Path | None = None
        self._programs: Path | None = None
        self._process: ManagedProcess | None = None

    @property
    def url(self) -> str:
        """Address of the maintenance database `postgres`, with user and password."""
        return self._url_of(_DEFAULT_DATABASE)

    @property
    def pid(self) -> int:
        """Process id of the server.

        Raises:
            ProcessError: the server is stopped.
        """
        if self._process is None:
            raise ProcessError("The embedded Postgres is stopped.")
        return self._process.pid

    def start(self) -> None:
        """Start the server, on the data of the last time if it was only stopped; return once it answers.

        Raises:
            ProcessError: it ended or did not answer in time; the message has the end of its log.
        """
        try:
            if self._folder is None:
                self._create_cluster()
            self._start_server()
        except BaseException:
            self.close()
            raise

    def stop(self) -> None:
        """Stop the server in good order, breaking its connections, and keep the data for `start`."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def kill(self) -> None:
        """End the server with SIGKILL, as a crash would, and keep the data for `start`."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def pause(self) -> None:
        """Freeze the server's main process: nobody can connect; sessions that are open go on."""
        if self._process is not None:
            self._process.pause()

    def resume(self) -> None:
        """Undo `pause`."""
        if self._process is not None:
            self._process.resume()

    def close(self) -> None:
        """Stop the server and remove its data."""
        self.stop()
        if self._folder is not None:
            remove_run_folder(self._folder)
            self._folder = None

    def create_database(self, name: str, *, template: str = "template1") -> str:
        """Create a database as a copy of `template`, which must be without connections; return its URL."""
        statement = sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(template))
        self._execute(statement)
        return self._url_of(name)

    def drop_database(self, name: str) -> None:
        """Drop a database, breaking the connections to it."""
        self._execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _url_of(self, database: str) -> str:
        return f"postgresql://{_SUPERUSER}:{self._password}@127.0.0.1:{self.port}/{database}"

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)

    def _create_cluster(self) -> None:
        self._folder = create_run_folder("postgres", user_id=self._user_id, group_id=self._group_id)
        self._programs = self._programs_for_server_user(self._folder)
        password_file = self._folder / "password"
        password_file.write_text(self._password)
        if self._user_id is not None and self._group_id is not None:
            os.chown(password_file, self._user_id, self._group_id)
        password_file.chmod(0o600)
        installation = self._installation or PostgresInstallation.of_package()
        command: list[Path | str] = [
            self._programs / "initdb",
            *("--pgdata", str(self._folder / "data")),
            *("--username", _SUPERUSER, "--pwfile", str(password_file), "--auth=scram-sha-256"),
            *("--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"),
            *_options_since(installation.major_version()),
        ]
        result = self._run_as_server_user(command)
        password_file.unlink()
        if result.returncode != 0:
            raise ProcessError(f"initdb of the embedded Postgres failed: {result.stderr.strip()}")
        self._append_settings()

    def _append_settings(self) -> None:
        if self._folder is None:
            raise ProcessError("The embedded Postgres has no data yet.")
        with (self._folder / "data" / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in self._settings.items())

    def _start_server(self) -> None:
        if self._folder is None or self._programs is None:
            raise ProcessError("The embedded Postgres has no data to start on.")
        self._process = ManagedProcess(
            "The embedded Postgres",
            [self._programs / "postgres", "-D", self._folder / "data"],
            folder=self._folder,
            log=self._folder / "postgres.log",
            stop_signal=signal.SIGINT,  # Fast shutdown: breaks the sessions that are open.
            user_id=self._user_id,
            group_id=self._group_id,
        )
        self._process.wait_until(self._answers, timeout_seconds=self.start_timeout_seconds)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _programs_for_server_user(self, folder: Path) -> Path:
        """Return the folder of PostgreSQL's programs, a copy of it if the server's user can't reach the installed one.

        A checkout in root's home folder is closed to others, and that is not ours to change.
        """
        installation = self._installation or PostgresInstallation.of_package()
        try:
            if self._run_as_server_user([installation.programs / "initdb", "--version"]).returncode == 0:
                return installation.programs
        except PermissionError:
            pass  # The copy below is the answer to this.
        return installation.copy_to(folder / "installed")

    def _run_as_server_user(self, command: list[Path | str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - PostgreSQL's own programs with arguments made here, no shell.
            command,
            check=False,
            capture_output=True,
            text=True,
            cwd="/",
            user=self._user_id,
            group=self._group_id,
            extra_groups=None if self._user_id is None else [],
        )


def _options_since(version: int) -> Iterator[str]:
    """Yield those of initdb's options that not every version has."""
    if version >= _FIRST_WITH_SETTINGS:
        yield f"--set=scram_iterations={_SCRAM_ITERATIONS}"
    if version >= _FIRST_WITH_BUILTIN_LOCALE:
        yield from ("--locale-provider=builtin", "--builtin-locale=C.UTF-8")


def _server_user() -> tuple[int | None, int | None]:
    """Return user and group for the server: those of `nobody` when this process is root's, else none (its own)."""
    if os.geteuid() != 0:
        return None, None
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid
