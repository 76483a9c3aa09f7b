"""`perennial serve` as its user meets it: one process group that starts, is asked, and ends together."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

START_SECONDS = 90
# Less than the grace that a request under way gets: nothing was under way, so nothing may have hung.
STOP_SECONDS = 7


@pytest.fixture
def free_ports() -> list[int]:
    probes = [socket.socket() for _ in range(2)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PERENNIAL_")}
    return {**ours, "PERENNIAL_DATA_DIR": str(tmp_path / "data"), "PYTHONUNBUFFERED": "1"}


@pytest.fixture
def served(environment: dict[str, str], free_ports: list[int]) -> Iterator[subprocess.Popen[str]]:
    web, mock = free_ports
    command = [sys.executable, "-m", "panel", "serve", "--demo", "--port", str(web), "--mock-port", str(mock)]
    panel = subprocess.Popen(
        command,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    yield panel
    if panel.poll() is None:
        os.killpg(panel.pid, signal.SIGKILL)
    panel.communicate()


def lines_until(panel: subprocess.Popen[str], wanted: str) -> list[str]:
    assert panel.stdout is not None
    lines: list[str] = []
    for line in panel.stdout:
        lines.append(line.rstrip())
        if wanted in line:
            return lines
    pytest.fail("\n".join(["ended before it was ready:", *lines]))


def is_closed(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def parts_of(panel: subprocess.Popen[str]) -> list[int]:
    listing = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True)
    pairs = [tuple(map(int, line.split())) for line in listing.stdout.splitlines()]
    return [pid for pid, parent in pairs if parent == panel.pid]


@pytest.mark.timeout(START_SECONDS)
def test_serve_names_its_address_and_log_ins_and_ends_with_everything_it_started(
    served: subprocess.Popen[str], free_ports: list[int], tmp_path: Path
) -> None:
    lines = lines_until(served, "Ctrl-C stops it.")
    assert f"Perennial is at http://127.0.0.1:{free_ports[0]}" in lines
    assert any("@" in line for line in lines[lines.index("Log in as:") + 1 :])
    with urllib.request.urlopen(f"http://127.0.0.1:{free_ports[0]}/healthz", timeout=10) as answer:
        assert answer.status == 200
    assert (tmp_path / "data" / "secret-key").stat().st_mode & 0o777 == 0o600

    os.killpg(served.pid, signal.SIGINT)
    assert served.wait(timeout=STOP_SECONDS) == 0
    assert all(is_closed(port) for port in free_ports)


@pytest.mark.timeout(START_SECONDS)
def test_when_one_part_dies_the_others_are_stopped_and_it_is_named(
    served: subprocess.Popen[str], free_ports: list[int]
) -> None:
    lines_until(served, "Ctrl-C stops it.")
    assert served.stdout is not None
    _mock, _web, worker = sorted(parts_of(served))
    os.kill(worker, signal.SIGKILL)
    assert served.wait(timeout=15) == 1
    assert "Error: The worker ended (SIGKILL), so everything was stopped.\n" in served.stdout.read()
    assert all(is_closed(port) for port in free_ports)


def test_a_port_in_use_is_one_clear_line(environment: dict[str, str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for command in ("serve", "web"):
            begun = time.monotonic()
            answer = subprocess.run(
                [sys.executable, "-m", "panel", command, "--port", str(port)],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )
            assert answer.returncode == 1
            assert (
                answer.stderr == f"Error: Port {port} on 127.0.0.1 is in use; choose another with --port.\n"
            )
            assert time.monotonic() - begun < 30
