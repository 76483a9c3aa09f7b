"""Cards through Mollie: a first payment of 0.00 makes a mandate, recurring payments charge it.

`gateway.py` says what is asked, `wire.py` how, `results.py` reads payments, refunds and mandates,
`listing.py` finds them, `declines.py` is a table.
"""

from gateways.mollie.gateway import MollieGateway, register_payment_gateways

__all__ = ["MollieGateway", "register_payment_gateways"]
