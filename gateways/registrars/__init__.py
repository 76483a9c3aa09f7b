"""Who extends a domain: the contract, the manual worklist and the mock registry's client."""
