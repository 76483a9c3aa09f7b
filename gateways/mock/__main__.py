"""`python -m gateways.mock --port P --data DIR`: the mock processor and registry on 127.0.0.1."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from gateways.mock import DEMO_API_KEY
from gateways.mock.books import open_books
from gateways.mock.processor import make_app
from gateways.mock.server import serve


def main() -> None:
    arguments = _arguments()
    books = open_books(
        arguments.data, os.environ.get("PERENNIAL_MOCK_KEY") or DEMO_API_KEY, arguments.latency_ms
    )
    server = serve(make_app(books), arguments.port)
    signal.signal(signal.SIGTERM, _leave)
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    with suppress(KeyboardInterrupt):
        server.serve_forever()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m gateways.mock",
        description="Plays a payment processor and a domain registry on 127.0.0.1. No money, no domains.",
        epilog="PERENNIAL_MOCK_KEY sets the API key that it asks for.",
    )
    parser.add_argument("--port", type=int, default=0, help="0 (the default) takes a free one and prints it")
    parser.add_argument("--data", type=Path, required=True, help="folder of the two ledgers (SQLite)")
    parser.add_argument("--latency-ms", type=int, default=0, help="how long every API call takes at least")
    return parser.parse_args()


def _leave(signum: int, frame: FrameType | None) -> NoReturn:
    sys.exit(0)


if __name__ == "__main__":
    main()
