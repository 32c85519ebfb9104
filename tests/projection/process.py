"""A projection as a process of its own, to be killed: `python -m tests.projection.process SETTINGS_AS_JSON`."""

import json
import signal
import sys
import threading

from consumer.contract import Decoder, Encoder, MessageDecoder, Schemas
from consumer.projection import Projection, ProjectionSettings
from consumer.resources import schemas_folder


def main() -> None:
    schemas = Schemas.load(schemas_folder())
    settings = ProjectionSettings(**json.loads(sys.argv[1]))
    projection = Projection(settings, Decoder(schemas), MessageDecoder(schemas), Encoder(schemas))
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    projection.run(stop)


if __name__ == "__main__":
    main()
