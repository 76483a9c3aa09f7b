"""The processor's state, handed to each of its parts."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateways.mock.clock import Clock
from gateways.mock.database import PROCESSOR_SCHEMA, REGISTRY_SCHEMA, Database
from gateways.mock.faults import FaultPlan
from gateways.mock.webhooks import Webhooks

Reply = tuple[int, dict[str, Any]]
"""HTTP status and JSON body."""


class ApiError(Exception):
    """Answered as {"error": {...}}."""

    def __init__(self, http_status: int, kind: str, code: str, message: str) -> None:
        super().__init__(message)
        self.reply: Reply = (http_status, {"error": {"type": kind, "code": code, "message": message}})


def invalid(code: str, message: str) -> ApiError:
    return ApiError(400, "invalid_request", code, message)


def not_found(what: str) -> ApiError:
    return ApiError(404, "invalid_request", "not_found", f"no such {what}")


@dataclass
class Books:
    database: Database
    registry: Database
    clock: Clock
    webhooks: Webhooks
    api_key: str
    latency_s: float
    faults: FaultPlan = field(default_factory=FaultPlan)
    in_flight: set[str] = field(default_factory=set)

    def pause(self) -> None:
        if self.latency_s:
            time.sleep(self.latency_s)


def open_books(data: Path, api_key: str, latency_ms: int = 0) -> Books:
    """Creates or reopens the two ledgers in the folder `data`."""
    data.mkdir(parents=True, exist_ok=True)
    database = Database(data / "processor.db", PROCESSOR_SCHEMA)
    clock = Clock(database)
    return Books(
        database=database,
        registry=Database(data / "registry.db", REGISTRY_SCHEMA),
        clock=clock,
        webhooks=Webhooks(database, clock),
        api_key=api_key,
        latency_s=latency_ms / 1000,
    )


def text_in(body: dict[str, Any], name: str, *, required: bool = True) -> str:
    value = body.get(name)
    if value is None and not required:
        return ""
    if not isinstance(value, str) or (required and not value) or len(value) > 2000:
        raise invalid("parameter", f"{name} must be a text")
    return value
