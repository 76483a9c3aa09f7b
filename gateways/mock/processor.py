"""The mock payment processor as a Werkzeug application: routes, the API key, faults, errors as JSON."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from gateways.errors import Ambiguous
from gateways.http import strict_json
from gateways.mock import charges, control, instruments, late, pages, refunds, registrations, registry
from gateways.mock.answers import answered_once
from gateways.mock.books import ApiError, Books, Reply, invalid
from gateways.mock.faults import Fault, FaultKind, falsified, spoiled
from gateways.mock.server import FAULT

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class _Call:
    """One API request, read."""

    def __init__(self, books: Books, request: Request) -> None:
        self.books = books
        self.method = request.method
        self.path = request.path
        self.host_url = request.host_url
        self.asked: Mapping[str, str] = request.args
        self.key = request.headers.get("Idempotency-Key")
        self.authorisation = request.headers.get("Authorization", "")
        self._raw = request.get_data()

    @property
    def any_key(self) -> str | None:
        """The key that a scripted fault may wait for: also the one that is looked up."""
        return self.key or self.asked.get("reference")

    def json(self) -> Any:
        try:
            return strict_json(self._raw)
        except Ambiguous as error:
            raise invalid("body", "the body is not strict JSON") from error

    def body(self) -> dict[str, Any]:
        found = self.json()
        if not isinstance(found, dict):
            raise invalid("body", "the body is not a JSON object")
        return found


Endpoint = Callable[..., Reply]


def _keyed(effect: Callable[[_Call, dict[str, Any]], Reply]) -> Endpoint:
    def endpoint(call: _Call) -> Reply:
        if not call.key or len(call.key) > 255:
            raise invalid("idempotency_key", "Idempotency-Key is missing or too long")
        body = call.body()
        return answered_once(call.books, call.key, call.path, body, lambda: effect(call, body))

    return endpoint


def _plain(answer: Callable[..., Reply]) -> Endpoint:
    def endpoint(call: _Call, **parts: str) -> Reply:
        call.books.pause()
        return answer(call, **parts)

    return endpoint


_API: Final[dict[tuple[str, str], Endpoint]] = {
    ("GET", "/v1/account"): _plain(lambda call: (200, {"object": "account", "mode": "test"})),
    ("POST", "/v1/charges"): _keyed(lambda call, body: charges.create_charge(call.books, body)),
    ("GET", "/v1/charges"): _plain(lambda call: charges.list_charges(call.books, call.asked)),
    ("GET", "/v1/charges/<id>"): _plain(lambda call, id: charges.get_charge(call.books, id)),
    ("POST", "/v1/charges/<id>/cancel"): _plain(lambda call, id: charges.cancel_charge(call.books, id)),
    ("POST", "/v1/charges/<id>/authentication"): _plain(
        lambda call, id: charges.start_authentication(call.books, id, call.body(), call.host_url)
    ),
    ("POST", "/v1/refunds"): _keyed(lambda call, body: refunds.create_refund(call.books, body)),
    ("GET", "/v1/refunds"): _plain(lambda call: refunds.list_refunds(call.books, call.asked)),
    ("GET", "/v1/refunds/<id>"): _plain(lambda call, id: refunds.get_refund(call.books, id)),
    ("POST", "/v1/registrations"): _keyed(
        lambda call, body: registrations.create_registration(call.books, body, call.host_url)
    ),
    ("GET", "/v1/registrations/<id>"): _plain(
        lambda call, id: registrations.get_registration(call.books, id)
    ),
    ("GET", "/v1/instruments/<id>"): _plain(lambda call, id: instruments.get_instrument(call.books, id)),
    ("DELETE", "/v1/instruments/<id>"): _plain(
        lambda call, id: instruments.forget_instrument(call.books, id)
    ),
    ("POST", "/registry/renewals"): lambda call: registry.renew(call.books, call.body()),
    ("GET", "/registry/domains/<name>"): _plain(lambda call, name: registry.get_domain(call.books, name)),
    ("POST", "/registry/domains/<name>/<action>"): _plain(
        lambda call, name, action: registry.act(call.books, name, action)
    ),
}

_CONTROL: Final[dict[tuple[str, str], Endpoint]] = {
    ("GET", "/control/clock"): lambda call: control.get_clock(call.books),
    ("POST", "/control/clock"): lambda call: control.set_clock(call.books, call.body()),
    ("GET", "/control/faults"): lambda call: control.get_faults(call.books),
    ("POST", "/control/faults"): lambda call: control.set_faults(call.books, call.json()),
    ("DELETE", "/control/faults"): lambda call: control.clear_faults(call.books),
    ("POST", "/control/webhook"): lambda call: control.set_webhook(call.books, call.body()),
    ("GET", "/control/ledger"): lambda call: control.ledger(call.books, call.asked),
    ("GET", "/control/registry"): lambda call: registry.ledger(call.books, call.asked),
    ("POST", "/control/registry"): lambda call: registry.set_domain(call.books, call.body()),
    ("POST", "/control/instruments/<id>"): lambda call, id: instruments.change_instrument(
        call.books, id, call.body()
    ),
}

_PAGES: Final[dict[str, Callable[..., Response]]] = {
    "/": lambda books, request: pages.front(),
    "/hosted/style.css": lambda books, request: pages.style(),
    "/hosted/registrations/<token>": pages.registration,
    "/hosted/challenges/<token>": pages.challenge,
    "/hosted/authentications/<token>": pages.authentication,
}

_EXECUTED_LATE: Final = {
    "/v1/charges": lambda books, key, body: answered_once(
        books, key, "/v1/charges", body, lambda: charges.create_charge(books, body)
    ),
    "/v1/refunds": lambda books, key, body: answered_once(
        books, key, "/v1/refunds", body, lambda: refunds.create_refund(books, body)
    ),
    "/registry/renewals": lambda books, key, body: registry.renew(books, body),
}
"""What may land late, and how; anything else that is to land late just fails."""

_ROUTES: Final = Map(
    [Rule(path, methods=[method], endpoint=("api", run)) for (method, path), run in _API.items()]
    + [Rule(path, methods=[method], endpoint=("control", run)) for (method, path), run in _CONTROL.items()]
    + [Rule(path, methods=["GET", "POST"], endpoint=("page", run)) for path, run in _PAGES.items()]
)


def make_app(books: Books) -> WSGIApplication:
    """The WSGI application over these books."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return _responded(books, environ)(environ, start_response)

    return app


def _responded(books: Books, environ: WSGIEnvironment) -> Response:
    request = Request(environ)
    try:
        (family, run), parts = _ROUTES.bind_to_environ(environ).match()
        if family == "page":
            page: Response = run(books, request, **parts)
            return page
        call = _Call(books, request)
        _authorise(call)
        if family == "control":
            late.land_due(books, _execute)
            return _as_response(run(call, **parts))
        return _api(call, run, parts, environ)
    except ApiError as error:
        return _as_response(error.reply)
    except HTTPException as error:
        return _as_response((error.code or 500, {"error": {"type": "invalid_request", "code": error.name}}))


def _authorise(call: _Call) -> None:
    if not hmac.compare_digest(call.authorisation.encode(), f"Bearer {call.books.api_key}".encode()):
        raise ApiError(401, "authentication", "invalid_api_key", "the API key is not valid")


def _api(call: _Call, run: Endpoint, parts: Mapping[str, Any], environ: WSGIEnvironment) -> Response:
    late.land_due(call.books, _execute)
    fault = call.books.faults.draw(call.method, call.path, call.any_key)
    if fault is None:
        return _as_response(_ran(call, run, parts))
    environ[FAULT] = fault
    if not fault.effect:
        call.books.pause()
        if fault.kind is FaultKind.LATE_LANDING:
            _put_off(call, fault)
        return spoiled(fault, Response(b"", 500))
    status, body = _ran(call, run, parts)
    return spoiled(fault, _as_response((status, falsified(fault, body))))


def _ran(call: _Call, run: Endpoint, parts: Mapping[str, Any]) -> Reply:
    """A refusal is an answer like any other, which a fault may spoil."""
    try:
        return run(call, **parts)
    except ApiError as error:
        return error.reply


def _put_off(call: _Call, fault: Fault) -> None:
    if call.method != "POST" or call.path not in _EXECUTED_LATE or not call.key:
        return
    body = call.body()
    watched = str(body.get("reference") or body.get("domain"))
    late.put_off(call.books, call.path, call.key, body, watched, fault)


def _execute(books: Books, path: str, key: str, body: dict[str, Any]) -> object:
    return _EXECUTED_LATE[path](books, key, body)


def _as_response(reply: Reply) -> Response:
    status, body = reply
    return Response(json.dumps(body), status, mimetype="application/json")
