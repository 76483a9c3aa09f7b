"""What a fault does to the connection: silence, a reset, a drip, a flood."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable
from typing import Final

from gateways.mock.faults import Fault, FaultKind

_LONGEST_S: Final = 120.0
_FLOOD_BYTES: Final = 100 * 1024 * 1024


def way_of(fault: Fault) -> Callable[[socket.socket, bytes, bytes], None] | None:
    """How to deliver (socket, head, body), or None when the answer goes out like any other."""
    if fault.kind is FaultKind.LATE_LANDING and fault.answer == "timeout":
        return _say_nothing
    return _WAYS.get(fault.kind)


def _say_nothing(connection: socket.socket, head: bytes, body: bytes) -> None:
    connection.settimeout(_LONGEST_S)
    connection.recv(1)  # returns when the client gives up


def _reset(connection: socket.socket, head: bytes, body: bytes) -> None:
    # Lingering for zero seconds makes the kernel send RST instead of FIN.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def _reset_in_body(connection: socket.socket, head: bytes, body: bytes) -> None:
    connection.sendall(head + body[: len(body) // 2])
    time.sleep(0.05)  # a reset overtakes what the client has not read yet
    _reset(connection, head, body)


def _drip(connection: socket.socket, head: bytes, body: bytes) -> None:
    ends = time.monotonic() + _LONGEST_S
    for byte in head + body:
        if time.monotonic() > ends:
            return
        connection.sendall(bytes([byte]))
        time.sleep(1.0)


def _flood(connection: socket.socket, head: bytes, body: bytes) -> None:
    connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {_FLOOD_BYTES}\r\n\r\n".encode())
    block = b" " * 65536
    for _ in range(_FLOOD_BYTES // len(block)):
        connection.sendall(block)


_WAYS: Final = {
    FaultKind.TIMEOUT_BEFORE: _say_nothing,
    FaultKind.TIMEOUT_AFTER: _say_nothing,
    FaultKind.RESET_BEFORE: _reset,
    FaultKind.RESET_AFTER: _reset,
    FaultKind.RESET_MID_BODY: _reset_in_body,
    FaultKind.SLOW_DRIP: _drip,
    FaultKind.HUGE_BODY: _flood,
}
