"""Cards through Stripe: Checkout in setup mode registers them, off-session PaymentIntents charge them.

`gateway.py` says what is asked, `sdk.py` is the only module that loads Stripe's library, `results.py` reads
PaymentIntents, refunds and cards, `declines.py` and `currencies.py` are tables, `webhooks.py` checks
signatures.
"""

from importlib.util import find_spec

if find_spec("stripe") is None:
    raise ImportError("Stripe's library is not installed: pip install 'stripe>=16.1,<17'")

from gateways.stripe.gateway import StripeGateway, register_payment_gateways

__all__ = ["StripeGateway", "register_payment_gateways"]
