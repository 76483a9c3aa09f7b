"""Starts the mock processor as a process of its own, for tests and demos."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import requests

from gateways.http import make_session
from gateways.mock import DEMO_API_KEY

_PACKAGE_ROOT: Final = Path(__file__).resolve().parents[2]
_TIMEOUT_S: Final = 30.0


@dataclass
class RunningProcessor:
    """`url` and `api_key` for the gateway's settings; the rest is what a test does to it from outside."""

    url: str
    api_key: str
    pid: int
    _session: requests.Session = field(repr=False)

    def control(self, path: str, body: Any = None, method: str | None = None) -> Any:
        """Calls /control/<path>: GET without a body, POST with one. Raises requests.HTTPError on a
        refusal."""
        response = self._session.request(
            method or ("GET" if body is None else "POST"),
            f"{self.url}/control/{path}",
            json=body,
            headers={"Authorization": f"Bearer {self.api_key}"},
            timeout=_TIMEOUT_S,
        )
        response.raise_for_status()
        return response.json()

    def set_clock(self, now: datetime | None) -> None:
        """The processor's clock; None is real time again."""
        self.control("clock", {"now": now.isoformat() if now is not None else None})

    def fault(self, kind: str, **entry: Any) -> None:
        """One scripted fault: times=1, match={"method", "path_prefix", "key"}, effect, after_s, clock,
        answer."""
        self.control("faults", [{"kind": kind, **entry}])

    def clear_faults(self) -> None:
        self.control("faults", method="DELETE")

    def ledger(self) -> list[dict[str, Any]]:
        """Every charge and refund, oldest first, declined attempts included."""
        return self._all("ledger")

    def registry_ledger(self) -> list[dict[str, Any]]:
        """Every renewal, suspension and deletion that the registry was asked for."""
        return self._all("registry")

    def _all(self, path: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        cursor: str | None = ""
        while cursor is not None:
            page = self.control(f"{path}?cursor={cursor}")
            items += page["items"]
            cursor = page["next"]
        return items


@contextmanager
def running_processor(data_dir: Path, port: int = 0, latency_ms: int = 0) -> Iterator[RunningProcessor]:
    """A processor over the ledgers in `data_dir`, until the block ends. Raises RuntimeError if it does not
    start."""
    api_key = os.environ.get("PERENNIAL_MOCK_KEY") or DEMO_API_KEY
    command = [sys.executable, "-m", "gateways.mock", "--port", str(port), "--data", str(data_dir)]
    process = subprocess.Popen(
        [*command, "--latency-ms", str(latency_ms)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": _python_path(), "PERENNIAL_MOCK_KEY": api_key},
    )
    try:
        assert process.stdout is not None
        said = process.stdout.readline().strip()
        if not said.startswith("listening on "):
            raise RuntimeError(f"the mock processor did not start: {said or 'it said nothing'}")
        with make_session() as session:
            yield RunningProcessor(said.removeprefix("listening on "), api_key, process.pid, session)
    finally:
        process.terminate()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _python_path() -> str:
    """The caller's, after the folder that this package was imported from: it may be started from anywhere."""
    return os.pathsep.join(filter(None, [str(_PACKAGE_ROOT), os.environ.get("PYTHONPATH")]))
