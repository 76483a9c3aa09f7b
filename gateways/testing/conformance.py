"""What an author hands to the kit: the gateway, a fake of its processor, and what cannot be found out.

The package of the gateway has a module-level `conformance`, in itself or in a module of that name:

    conformance = Conformance(
        gateway=AcmeGateway,
        processor=AcmeFake,
        settings={"api_key": Secret("acme_test_key"), "webhook_secret": Secret("acme_hook")},
    )

The kit sends whatever goes through `ctx.http` to the fake, whichever host it was meant for, so that a gateway
needs no setting for a test address.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gateways.contract import DeclineKind, Gateway, Mode, SettingValue
from gateways.testing.processor import Processor


@dataclass(frozen=True, kw_only=True)
class Conformance:
    """`processor` makes a fresh fake each time; `settings` are those of an account in `mode`, keys and
    all."""

    gateway: type[Gateway]
    processor: Callable[[], Processor]
    settings: Mapping[str, SettingValue]
    mode: Mode = Mode.TEST
    make: Callable[[Mapping[str, SettingValue], Mode, str], Gateway] | None = None
    """Makes an instance from settings, mode and account id; the class itself when None."""
    other_settings: Mapping[str, SettingValue] | None = None
    """Those of a second account with other keys; made up from `settings` when None."""
    webhook_secret: str | None = "webhook_secret"
    """The key of the setting that holds the webhook secret; None when webhooks are not signed."""
    declines: Mapping[str, DeclineKind] = field(default_factory=dict)
    """Every behaviour that the processor documents beyond `behaviours.STANDARD`, with the kind that it must
    become; `processor.card` is asked for each."""
    wire_exponents: Mapping[str, int] = field(default_factory=dict)
    """Decimals on the wire where the processor deviates from ISO 4217 (a currency without decimals that is
    sent in hundredths: {"ISK": 2})."""
    currencies: tuple[str, ...] = ()
    """Those that the money checks try; all declared ones when empty."""

    def new_gateway(self, settings: Mapping[str, SettingValue], mode: Mode, account_id: str) -> Gateway:
        return (self.make or self.gateway)(settings, mode, account_id)
