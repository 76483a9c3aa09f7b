"""A payment processor and a registry that play along: real HTTP, real ledgers, no money.

`gateway.py` is the gateway, `processor.py` what it talks to (`python -m gateways.mock --port P --data DIR`).
"""

from typing import Final

DEMO_API_KEY: Final = "mock_key_demo"
"""A toy's key, known to everyone; PERENNIAL_MOCK_KEY sets another one."""
