"""What a gateway or registrar may raise. Outcomes of a charge are results, not exceptions: see
`contract.Status`."""

from __future__ import annotations


class GatewayError(Exception):
    """Base of everything here."""


class NotSupported(GatewayError):
    """The method is not offered; its flag in `capabilities` says the same."""


class WrongMode(GatewayError):
    """The settings belong to another mode: a live key in test mode, or a test gateway in live mode."""


class Rejected(GatewayError):
    """The processor understood a request other than a charge and said no; `code` is its own word for why."""

    def __init__(self, message: str, *, code: str = "", http_status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.http_status = http_status


class Unreachable(GatewayError):
    """No usable answer came; the two ways differ in what may have happened there."""


class NotSent(Unreachable):
    """Provably no byte of the request was handed to a connection: repeating it is safe."""


class Ambiguous(Unreachable):
    """The request may have been executed: time ran out, the connection broke, or the answer is unreadable."""
