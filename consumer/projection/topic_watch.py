"""Whether the topics are still those that were claimed, while they are read.

With the classic protocol nobody tells a consumer that its topic was deleted and created again: it goes on at its
offset, and what the new topic has before that is never read. So the topics' ids are asked for now and then, without
waiting for the answer.
"""

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import structlog
from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from consumer.projection.claims import Claim

if TYPE_CHECKING:
    from concurrent.futures import Future

_LOG = structlog.get_logger()
_ASK_SECONDS = 3.0
_ANSWER_SECONDS = 10.0


class TopicWatch:
    """Asks for the topics' ids every few seconds. For one thread."""

    def __init__(self, admin: AdminClient) -> None:
        self._admin = admin
        self._next_at = time.monotonic() + _ASK_SECONDS
        self._answers: dict[str, Future[Any]] = {}

    def others(self, claims: Iterable[Claim]) -> list[Claim]:
        """Return those of `claims` whose topic is another one by now, as far as an answer has come since the last call.

        A broker that does not answer, or tells no ids, says nothing of any.
        """
        living = [claim for claim in claims if claim.is_alive and claim.topic_id is not None]
        found = {topic: self._id(topic) for topic, answer in list(self._answers.items()) if answer.done()}
        if not self._answers and living and time.monotonic() >= self._next_at:
            topics = TopicCollection(sorted({claim.topic for claim in living}))
            self._answers = dict(self._admin.describe_topics(topics, request_timeout=_ANSWER_SECONDS))
            self._next_at = time.monotonic() + _ASK_SECONDS
        return [claim for claim in living if found.get(claim.topic) not in {None, claim.topic_id}]

    def _id(self, topic: str) -> str | None:
        try:
            return str(self._answers.pop(topic).result().topic_id)
        except KafkaException as error:
            _LOG.warning("topic_id_unknown", topics=[topic], error=str(error))
            return None
