"""Perennial as `make run` starts it: pages, worker and mock processor as one process group, on free ports."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

READY = "Ctrl-C stops it."
COMMAND_SECONDS = 100
STOP_SECONDS = 20


@dataclass(frozen=True)
class Served:
    """A panel that answers at `address`; its commands see the same data as its pages."""

    address: str
    environment: dict[str, str]

    def command(self, *arguments: str) -> dict[str, Any]:
        """`perennial …` beside the running panel; what it printed as JSON. Its own words if it fails."""
        done = subprocess.run(
            [sys.executable, "-m", "panel", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
        )
        if done.returncode:
            raise RuntimeError(f"perennial {' '.join(arguments)}: {done.stdout}{done.stderr}")
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer


@contextmanager
def serve_demo(data: Path) -> Iterator[Served]:
    """With the demo's data, made in the folder `data`."""
    web, mock = _free_ports(2)
    address = f"http://127.0.0.1:{web}"
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PERENNIAL_")}
    environment = {**ours, "PERENNIAL_DATA_DIR": str(data), "PYTHONUNBUFFERED": "1"}
    group = subprocess.Popen(
        [sys.executable, "-m", "panel", "serve", "--demo", "--port", str(web), "--mock-port", str(mock)],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        _wait_until_ready(group)
        told = {
            "PERENNIAL_SECRET_KEY": (data / "secret-key").read_text(),
            "PERENNIAL_MOCK_URL": f"http://127.0.0.1:{mock}",
            "PERENNIAL_BASE_URL": address,
        }
        yield Served(address, environment | told)
    finally:
        _stop(group)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def _wait_until_ready(group: subprocess.Popen[str]) -> None:
    """Until it says so; it gives up by itself when a part doesn't start."""
    assert group.stdout is not None
    said: deque[str] = deque(maxlen=100)
    for line in group.stdout:
        said.append(line)
        if READY in line:
            break
    else:
        raise RuntimeError("Perennial didn't start:\n" + "".join(said))
    # Whatever it says later is read too: a full pipe would stop it.
    threading.Thread(target=group.stdout.read, daemon=True).start()


def _stop(group: subprocess.Popen[str]) -> None:
    if group.poll() is None:
        os.killpg(group.pid, signal.SIGINT)
    try:
        group.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(group.pid, signal.SIGKILL)
        group.wait()
