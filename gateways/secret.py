"""A value that must reach a processor and nothing else."""

from __future__ import annotations

import hmac
from typing import NoReturn

MASK = "••••••"


class Secret:
    """Not a `str`, so that json, concatenation and joins fail instead of leaking; prints as a mask
    everywhere.

    `reveal()` is the only way to the text: use it in the line that puts it on the wire.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            raise TypeError(f"a secret is made from str, not {type(text).__name__}")
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return MASK

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    __hash__ = None  # type: ignore[assignment]  # a hash of a short secret can be searched for

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret is not pickled or copied; pass the object itself")

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self


def redact(text: str, secrets: list[Secret]) -> str:
    """`text` with every secret in it replaced by the mask (longest first: one may contain another)."""
    for revealed in sorted((secret.reveal() for secret in secrets if secret), key=len, reverse=True):
        text = text.replace(revealed, MASK)
    return text
