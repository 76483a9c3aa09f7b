"""Payment gateways and registrars as plugins: a library that knows nothing of the panel.

Importing this package loads neither an HTTP client nor any gateway: ask `gateways.loading` for those.
"""

from gateways.hookspecs import hookimpl

__all__ = ["hookimpl"]
