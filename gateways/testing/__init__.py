"""The conformance kit: `pytest --gateway NAME` says whether a gateway keeps the contract.

An author describes the processor (`fake.Fake`), names the pieces (`conformance.Conformance`), and reads
the checks' verdicts; each failure is one sentence that says what to do. Importing this package loads
nothing else: pytest finds the plugin on every run, and most runs do not ask for it.
"""
