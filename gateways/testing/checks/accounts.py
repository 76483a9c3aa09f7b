"""Several accounts of one gateway, several threads of one account: nothing is shared but the class."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from gateways.contract import FieldKind, Gateway, SettingValue, Status
from gateways.secret import Secret
from gateways.testing.bench import Bench, expect, told
from gateways.testing.checks.registry import check
from gateways.testing.processor import NotOffered
from gateways.testing.wire import Wire

_ROUNDS = 10


@check("Keep keys on the instance, not on a module or a class: another account's request must carry its own.")
def two_accounts_interleaved_keep_their_keys_apart(bench: Bench) -> None:
    ours, theirs = bench.conformance.settings, _other_settings(bench)
    one, two = bench.gateway, bench.conformance.new_gateway(theirs, bench.conformance.mode, "2")
    wires = {0: Wire(bench.processor.url), 1: Wire(bench.processor.url)}
    sessions = {number: wire.session() for number, wire in wires.items()}

    def charge(number: int) -> None:
        gateway: Gateway = (one, two)[number % 2]
        ctx = replace(bench.context(), http=sessions[number % 2])
        gateway.charge(ctx, bench.request())

    for number in range(4):
        charge(number)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(charge, range(2 * _ROUNDS)))
    for number, (own, foreign) in enumerate(((ours, theirs), (theirs, ours))):
        sent = wires[number].sent
        expect(
            bool(sent), "no request went through ctx.http: send every request with the session of its context"
        )
        for text in _texts(foreign) - _texts(own):
            expect(
                not any(text in request.whole for request in sent),
                f"a request of account {number + 1} carried the other account's key",
            )


@check("Keep nothing of a call on the instance: several threads charge with the same one.")
def many_threads_share_one_instance(bench: Bench) -> None:
    gateway = bench.gateway
    requests = [
        bench.request(amount=bench.amount(at_least=2000 + 10 * number)) for number in range(4 * _ROUNDS)
    ]
    bench.processor.slow_down(0.02)  # so that their calls overlap
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda request: gateway.charge(bench.context(), request), requests))
    for request, result in zip(requests, results, strict=True):
        expect(
            (result.status, result.amount) == (Status.SUCCEEDED, request.amount),
            f"of {len(requests)} at once, one of {request.amount} became {told(result)}",
        )
        bench.expect_moved_once(request)


def _other_settings(bench: Bench) -> Mapping[str, SettingValue]:
    """A second account: the author's, or the first one's with other secrets of the same form."""
    if bench.conformance.other_settings is not None:
        return bench.conformance.other_settings
    settings = bench.conformance.settings
    secrets = {
        field.key
        for field in bench.conformance.gateway.setting_fields
        if field.kind is FieldKind.SECRET and isinstance(settings.get(field.key), Secret)
    }
    if not secrets:
        raise NotOffered("no setting of the conformance is a Secret")
    return {**settings, **{key: _different(settings[key]) for key in secrets}}


def _different(value: SettingValue) -> Secret:
    assert isinstance(value, Secret)
    text = value.reveal()
    return Secret(text[:-4] + ("".join(reversed(text[-4:])) if text[-4:] != text[:-5:-1] else "zzzz"))


def _texts(settings: Mapping[str, SettingValue]) -> set[str]:
    return {value.reveal() for value in settings.values() if isinstance(value, Secret)}
