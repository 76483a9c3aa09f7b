"""Receives a fake's webhooks on a free loopback port, as the panel would."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Final

from werkzeug.wrappers import Request, Response

from gateways.contract import WebhookRequest
from gateways.mock.server import serve

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_PATIENCE_S: Final = 5.0


class Receiver:
    def __init__(self, now: Callable[[], datetime]) -> None:
        self.url = ""
        self._now = now
        self._deliveries: list[WebhookRequest] = []
        self._arrived = threading.Condition()

    def wait_for(self, enough: Callable[[list[WebhookRequest]], bool]) -> list[WebhookRequest]:
        """What has come until it is `enough`, or until patience is over."""
        until = time.monotonic() + _PATIENCE_S
        with self._arrived:
            while not enough(list(self._deliveries)) and (left := until - time.monotonic()) > 0:
                self._arrived.wait(left)
            return list(self._deliveries)

    def app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        delivery = WebhookRequest(body=request.get_data(), headers=dict(request.headers), now=self._now())
        with self._arrived:
            self._deliveries.append(delivery)
            self._arrived.notify_all()
        return Response(b"", 200)(environ, start_response)


@contextmanager
def received(now: Callable[[], datetime]) -> Iterator[Receiver]:
    receiver = Receiver(now)
    server = serve(receiver.app, 0)
    receiver.url = f"http://127.0.0.1:{server.server_port}/webhooks"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
