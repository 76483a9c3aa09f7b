"""Holds what is given to Stripe's library to the library's own parameter types, which it does not check by
itself.

Stricter than they are where they say `Literal[…] | str` for values that are still to come: a misspelt one
would pass.
"""

import inspect
import sys
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Literal, NotRequired, Required, Union

import stripe
from typing_extensions import is_typeddict

from gateways.stripe.sdk import Calls

SERVICES = {
    "checkout.sessions": "CheckoutSession",
    "customers": "Customer",
    "disputes": "Dispute",
    "payment_intents": "PaymentIntent",
    "payment_methods": "PaymentMethod",
    "refunds": "Refund",
}


class WrongParameters(AssertionError):
    pass


def checked(calls: Calls, seen: set[str]) -> None:
    """From now on every method that is called on `calls` is noted, and its parameters are checked first."""
    calls.v1 = _Checking(calls.v1, "", seen)  # type: ignore[assignment]


class _Checking:
    def __init__(self, inner: Any, path: str, seen: set[str]) -> None:
        self._inner, self._path, self._seen = inner, path, seen

    def __getattr__(self, name: str) -> Any:
        found, path = getattr(self._inner, name), f"{self._path}.{name}".lstrip(".")
        if inspect.ismethod(found):
            return _checking(found, path, self._seen)
        return _Checking(found, path, self._seen)


def _checking(method: Callable[..., Any], path: str, seen: set[str]) -> Callable[..., Any]:
    def call(*arguments: Any, **named: Any) -> Any:
        bound = inspect.signature(method).bind(*arguments, **named)
        for name, value in bound.arguments.items():
            if name in ("params", "options"):
                complain_about(value, type_of(method, name), f"{path}({name})")
            elif not isinstance(value, str):
                raise WrongParameters(f"{path}({name}) is {value!r}")
        if method.__func__.__defaults__ is None and "params" not in bound.arguments:  # type: ignore[attr-defined]
            raise WrongParameters(f"{path} needs params")
        seen.add(path)
        return method(*arguments, **named)

    return call


def type_of(method: Callable[..., Any], name: str) -> Any:
    """The TypedDict of a service method's `params` or `options`."""
    written = method.__annotations__[name]
    text = written if isinstance(written, str) else written.__args__[0].__forward_arg__
    text = text.removeprefix("Optional[").rstrip("]").strip("'\"")
    if text == "RequestOptions":
        return stripe.RequestOptions
    package = sys.modules["stripe.params.checkout" if "checkout" in method.__module__ else "stripe.params"]
    return getattr(package, text)


def complain_about(value: Any, wanted: Any, where: str) -> None:
    """Raises WrongParameters for what is not of type `wanted`."""
    problem = _problem(value, wanted, where)
    if problem is not None:
        raise WrongParameters(problem)


def _problem(value: Any, wanted: Any, where: str) -> str | None:
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if origin in (NotRequired, Required) or getattr(origin, "__name__", "") in ("NotRequired", "Required"):
        return _problem(value, arguments[0], where)
    if is_typeddict(wanted):
        return _problem_in_dict(value, wanted, where)
    if origin in (Union, types.UnionType):
        return _problem_in_union(value, arguments, where)
    if origin is Literal:
        fits = any(value == each and type(value) is type(each) for each in arguments)
        return None if fits else f"{where} is {value!r}, not one of {arguments}"
    if origin is list:
        if not isinstance(value, list):
            return f"{where} is no list"
        found = (_problem(item, arguments[0], f"{where}[{at}]") for at, item in enumerate(value))
        return next((problem for problem in found if problem), None)
    if origin in (dict, Mapping):
        if not isinstance(value, dict):
            return f"{where} is no mapping"
        found = (_problem(item, arguments[1], f"{where}[{name}]") for name, item in value.items())
        return next((problem for problem in found if problem), None)
    return None if type(value) is wanted else f"{where} is {value!r}, not {wanted}"


def _problem_in_union(value: Any, arguments: tuple[Any, ...], where: str) -> str | None:
    if any(typing.get_origin(each) is Literal and typing.get_args(each) != ("",) for each in arguments):
        arguments = tuple(each for each in arguments if each is not str)
    problems = [_problem(value, each, where) for each in arguments]
    return None if None in problems else "; or ".join(str(problem) for problem in problems)


def _problem_in_dict(value: Any, wanted: Any, where: str) -> str | None:
    if not isinstance(value, dict):
        return f"{where} is {value!r}, not {wanted.__name__}"
    for name, item in value.items():
        if name not in wanted.__annotations__:
            return f"{where} has no parameter {name}"
        if problem := _problem(item, _hint(wanted, name), f"{where}.{name}"):
            return problem
    missing = sorted(wanted.__required_keys__ - value.keys())
    return f"{where} lacks {', '.join(missing)}" if missing else None


def _hint(wanted: Any, name: str) -> Any:
    """Resolved one by one: some of the others name types that exist for type checkers only."""
    holder = type("Holder", (), {"__annotations__": {name: wanted.__annotations__[name]}})
    module = vars(sys.modules[wanted.__module__])
    return typing.get_type_hints(holder, globalns=module, localns=vars(typing), include_extras=True)[name]
