"""The service put together from its configuration: each part is built when it is first asked for, and then kept."""

import os
import socket
from collections.abc import Callable
from functools import cached_property
from types import TracebackType
from typing import Self

from psycopg import Connection
from psycopg.rows import TupleRow

from consumer.configuration import Configuration
from consumer.contract import Decoder, Encoder, MessageDecoder, Registry, Schemas
from consumer.database import connect
from consumer.operations.connections import ThreadConnections
from consumer.operations.kafka import log_reader
from consumer.operations.metrics import Metrics
from consumer.projection import BrakeLimits, LagWatch, Projection, ProjectionSettings, Reader
from consumer.resources import schemas_folder
from consumer.results import Catalogue, OutboxEncoder, Relay, load_catalogue, producer_settings, topic_names
from consumer.sync.pusher import Pusher
from consumer.sync.services import Services
from consumer.xero import Authorisation, Budget, IdentityClient, TokenCipher, Tokens, Transport, XeroClient


class Assembly:
    """The parts of one process; a context manager that closes what they opened.

    A part raises ConfigurationError when it is first asked for, if a variable that it needs is not set.
    """

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.metrics = Metrics()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if "connections" in self.__dict__:
            self.connections.close()
        registry: Registry | None = self.__dict__.get("schema_registry")
        if registry is not None:
            registry.close()

    def connect(self, name: str) -> Connection[TupleRow]:
        """Open a connection of the caller's own.

        Raises:
            psycopg.OperationalError: the database can't be reached.
        """
        return connect(self.configuration.require_database(), name=name)

    @cached_property
    def connections(self) -> ThreadConnections:
        """Where the Xero client and the tokens borrow connections."""
        return ThreadConnections(self.configuration.require_database(), "xero")

    # The contract

    @cached_property
    def schemas(self) -> Schemas:
        """The schemas of the folder `schemas/`."""
        return Schemas.load(schemas_folder(), self.configuration.schemas_directory)

    @cached_property
    def schema_registry(self) -> Registry | None:
        """The schema registry, where one is configured."""
        url = self.configuration.schema_registry_url
        return None if url is None else Registry(url, self.configuration.schema_registry_access)

    @cached_property
    def encoder(self) -> Encoder:
        """Encodes events and the service's own messages."""
        return Encoder(self.schemas, self.schema_registry)

    def decoder(self) -> Decoder:
        """Return a decoder of events, for one thread."""
        return Decoder(self.schemas, self.schema_registry)

    @cached_property
    def message_decoder(self) -> MessageDecoder:
        """Decodes the service's own messages."""
        return MessageDecoder(self.schemas, self.schema_registry)

    # Results

    @cached_property
    def catalogue(self) -> Catalogue:
        """The problems and their words."""
        return load_catalogue()

    @cached_property
    def outbox_encoder(self) -> OutboxEncoder:
        """Encodes what goes to the outbox."""
        return OutboxEncoder(self.encoder, self.configuration.topics)

    # Xero

    @cached_property
    def cipher(self) -> TokenCipher:
        """Encrypts tokens."""
        return TokenCipher(self.configuration.require_token_keys())

    @cached_property
    def transport(self) -> Transport:
        """Sends HTTP requests."""
        return Transport()

    @cached_property
    def identity(self) -> IdentityClient:
        """Speaks with Xero's token endpoint."""
        xero = self.configuration.xero
        return IdentityClient(
            identity_url=xero.identity_url,
            client_id=self.configuration.require_client_id(),
            client_secret=xero.client_secret,
            transport=self.transport,
        )

    @cached_property
    def authorisation(self) -> Authorisation:
        """Connects organisations."""
        return Authorisation(
            api_url=self.configuration.xero.api_url,
            identity=self.identity,
            cipher=self.cipher,
            transport=self.transport,
        )

    @cached_property
    def tokens(self) -> Tokens:
        """Keeps access tokens fresh."""
        return Tokens(connections=self.connections.borrow, cipher=self.cipher, identity=self.identity)

    @cached_property
    def budget(self) -> Budget:
        """Grants calls."""
        xero = self.configuration.xero
        return Budget(calls_per_minute=xero.calls_per_minute, calls_per_day=xero.calls_per_day)

    @cached_property
    def xero_client(self) -> XeroClient:
        """Calls Xero."""
        return XeroClient(
            api_url=self.configuration.xero.api_url,
            tokens=self.tokens,
            budget=self.budget,
            connections=self.connections.borrow,
            transport=self.transport,
            on_call=self.metrics.xero_call,
        )

    @cached_property
    def services(self) -> Services:
        """What the sync needs."""
        return Services(
            client=self.xero_client,
            budget=self.budget,
            catalogue=self.catalogue,
            encoder=self.outbox_encoder,
            hearlink_url=self.configuration.hearlink_url,
            metrics=self.metrics,
        )

    # The roles

    def projection_settings(self) -> ProjectionSettings:
        """Return what the projection is told from outside."""
        configuration = self.configuration
        return ProjectionSettings(
            database_url=configuration.require_database(),
            bootstrap_servers=configuration.require_kafka(),
            group_id=configuration.kafka_group_id,
            orders_topic=configuration.topics.orders,
            retry_topic=configuration.topics.retry,
            dead_letter_topic=configuration.topics.dead_letter,
            owner=f"{socket.gethostname()}:{os.getpid()}",
            kafka_config=configuration.kafka_config,
            brake=BrakeLimits(
                run_max=configuration.brake.run,
                window_messages=configuration.brake.window,
                share_max=configuration.brake.share,
            ),
        )

    def reader(self) -> Reader:
        """Return what tells good messages of the orders topic from bad ones, as the projection does; for one thread."""
        return Reader(self.decoder(), self.message_decoder, self.configuration.topics.orders)

    def projection(self) -> Projection:
        """Build the projection; it connects to Kafka when it runs."""
        return Projection(self.projection_settings(), self.decoder(), self.message_decoder, self.encoder, self.metrics)

    def lag_watch(self) -> LagWatch:
        """Build what keeps looking how far the projection is behind."""
        configuration = self.configuration
        topics = [configuration.topics.orders, configuration.topics.retry]
        return LagWatch(log_reader(configuration), configuration.require_database(), topics)

    def pusher(self, on_defect: Callable[[BaseException], None]) -> Pusher:
        """Build the pusher; `on_defect` gets what ends one of its threads."""
        return Pusher(self.configuration.require_database(), self.services, on_defect=on_defect)

    def relay(self) -> Relay:
        """Build the relay."""
        configuration = self.configuration
        return Relay(
            configuration.require_database(),
            producer_settings(configuration.require_kafka(), configuration.kafka_config),
            topic_names(configuration.topics),
            self.metrics,
        )
