"""A relay as a process of its own, to be killed: publishes until its standard input ends."""

import json
import sys
import threading

from consumer.results import OutboxTopic, Relay, producer_settings


class Silent:
    """Metrics that nobody reads."""

    def relay_published(self, topic: OutboxTopic, count: int) -> None:
        """Count nothing."""

    def relay_set_aside(self, topic: OutboxTopic) -> None:
        """Count nothing."""

    def relay_waits(self, reason: str | None) -> None:
        """Tell nobody."""


def main() -> None:
    url, bootstrap_servers, topics = sys.argv[1:]
    names = {OutboxTopic(topic): name for topic, name in json.loads(topics).items()}
    stop = threading.Event()
    thread = threading.Thread(
        target=Relay(url, producer_settings(bootstrap_servers, {}), names, Silent()).run, args=[stop]
    )
    thread.start()
    sys.stdin.read()
    stop.set()
    thread.join()


if __name__ == "__main__":
    main()
