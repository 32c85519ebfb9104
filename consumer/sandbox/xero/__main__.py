"""The simulator as a process: ``python -m consumer.sandbox.xero --port 0``."""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from consumer.sandbox.xero.books import BooksError
from consumer.sandbox.xero.serving import serve
from consumer.sandbox.xero.simulator import CLIENT_ID, CLIENT_SECRET, XeroSimulator


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; the first line of output says where, in JSON."""
    options = _parser().parse_args(arguments)
    try:
        xero = XeroSimulator(
            host=options.host,
            port=options.port,
            client_id=options.client_id,
            client_secret=options.client_secret or None,
            books=options.books,
        )
    except BooksError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    tenants: list[dict[str, Any]] = [] if xero.has_books else [{"name": "Demo Company (UK)"}]
    if options.tenants and not xero.has_books:
        tenants = json.loads(options.tenants.read_text())
    serve(xero, tenants, _tell)
    return 0


def _tell(said: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m consumer.sandbox.xero", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--client-id", default=CLIENT_ID)
    parser.add_argument("--client-secret", default=CLIENT_SECRET, help="empty: the app must use PKCE")
    parser.add_argument(
        "--tenants",
        type=Path,
        help='JSON file: [{"name": "...", "tenant_id": "...", "base_currency": "GBP", "limits": {...}}]',
    )
    parser.add_argument(
        "--books",
        type=Path,
        help="a file that keeps everything from one start to the next; with it, --tenants counts at the first alone",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
