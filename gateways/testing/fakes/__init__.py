"""The processors behind the gateways that ship with Perennial, described for the conformance kit.

`fakes.<gateway id>` holds a module-level `conformance`; installed gateways keep theirs in their own package.
"""
