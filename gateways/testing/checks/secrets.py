"""Keys reach the processor and nothing else: no printing, no log, no traceback, no address."""

from __future__ import annotations

import dataclasses
import json
import logging
import pickle
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from gateways.contract import RegistrationKind, RegistrationRequest, WebhookAuth
from gateways.mock.faults import FaultKind
from gateways.testing.bench import Bench, expect
from gateways.testing.checks.registry import check
from gateways.testing.processor import NotOffered


@check("Keep keys as Secret, and print an instance without them: repr, str, format and vars must show none.")
def they_are_not_in_what_the_gateway_prints(bench: Bench) -> None:
    _some(bench)
    gateway = bench.gateway
    shown = [repr(gateway), str(gateway), f"{gateway}", repr(vars(gateway)), repr(gateway.settings)]
    shown += [json.dumps(vars(gateway), default=repr), repr(_pickled(gateway))]
    _expect_none(bench, "what the gateway prints", *shown)


@check("Put no key into results, problems and exceptions, nor what the library says of its request.")
def they_are_not_in_results_and_errors(bench: Bench) -> None:
    _some(bench)
    for what, outcome in _exercise(bench):
        shown = [repr(outcome), str(outcome), f"{outcome}"]
        if dataclasses.is_dataclass(outcome) and not isinstance(outcome, type):
            shown.append(json.dumps(dataclasses.asdict(outcome), default=str))
        if isinstance(outcome, BaseException):
            shown += traceback.format_exception(outcome)
        _expect_none(bench, what, *shown)


@check("Log no key, nor headers or bodies that contain one, at any level.")
def they_are_not_in_debug_logs(bench: Bench) -> None:
    _some(bench)
    with _everything_logged() as lines:
        for _ in _exercise(bench):
            pass
    _expect_none(bench, "the DEBUG log", *lines)


@check("Send keys in a header, never in an address: addresses are logged everywhere.")
def they_are_not_in_addresses(bench: Bench) -> None:
    _some(bench)
    for _ in _exercise(bench):
        pass
    _expect_none(bench, "an address", *(sent.url for sent in bench.wire.sent))


@check("Keep the webhook secret to yourself: it is for verifying, and never sent.")
def the_webhook_secret_is_not_sent(bench: Bench) -> None:
    text = bench.webhook_secret.reveal()
    for _ in _exercise(bench):
        pass
    expect(not any(text in sent.whole for sent in bench.wire.sent), "the webhook secret was sent")


def _exercise(bench: Bench) -> Iterator[tuple[str, object]]:
    """Calls that go well and calls that fail, with what each answered or raised."""
    yield "a charge's result", bench.charge(bench.request())
    for kind in (FaultKind.UNAUTHORISED, FaultKind.ERROR_BEFORE, FaultKind.GARBAGE, FaultKind.RESET_BEFORE):
        bench.fault_at(1, kind)
        yield f"the result of a charge that met {kind.value}", _tried(lambda: bench.charge(bench.request()))
        bench.calm()
    nowhere = bench.context(5.0, to="http://127.0.0.1:1")
    yield "a charge that reached nobody", _tried(lambda: bench.gateway.charge(nowhere, bench.request()))
    yield "a settings check", _tried(lambda: bench.gateway.check_settings(bench.context()))
    bench.processor.fault(FaultKind.UNAUTHORISED, times=20)
    yield "a refused settings check", _tried(lambda: bench.gateway.check_settings(bench.context()))
    if bench.can.registration is not RegistrationKind.NONE:
        asked = RegistrationRequest(key="secrets", return_url="https://panel.example/back")
        yield (
            "a refused registration",
            _tried(lambda: bench.gateway.start_registration(bench.context(), asked)),
        )
        yield (
            "a registration that reached nobody",
            _tried(lambda: bench.gateway.start_registration(nowhere, asked)),
        )
    bench.calm()
    if bench.can.webhook_auth is not WebhookAuth.NONE:
        yield "a refused webhook", _tried(lambda: bench.hear(b"{}", {"Signature": "t=1,v1=0"}))


def _tried(call: Callable[[], object]) -> object:
    try:
        return call()
    except Exception as error:  # what it raises is what is looked at
        return error


@contextmanager
def _everything_logged() -> Iterator[list[str]]:
    root = logging.getLogger()
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage() + _raised(record))  # type: ignore[method-assign]
    changed = {log: log.level for log in (root, *_loggers())}
    root.addHandler(handler)
    for log in changed:
        log.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        root.removeHandler(handler)
        for log, level in changed.items():
            log.setLevel(level)


def _loggers() -> list[logging.Logger]:
    known = logging.Logger.manager.loggerDict.values()
    return [found for found in known if isinstance(found, logging.Logger)]


def _raised(record: logging.LogRecord) -> str:
    if not record.exc_info or not isinstance(record.exc_info, tuple) or record.exc_info[1] is None:
        return ""
    return "".join(traceback.format_exception(record.exc_info[1]))


def _pickled(gateway: Any) -> bytes:
    """What pickle makes of it; nothing when it refuses, as a Secret does."""
    try:
        return pickle.dumps(gateway)
    except Exception:  # any refusal will do
        return b""


def _some(bench: Bench) -> None:
    if not bench.secret_texts:
        raise NotOffered("no setting of the conformance is a Secret")


def _expect_none(bench: Bench, where: str, *shown: str) -> None:
    leaked = any(text in line for text in bench.secret_texts for line in shown)
    expect(not leaked, f"a secret stands in {where}")
