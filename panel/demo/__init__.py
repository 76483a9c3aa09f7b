"""Demo data: an invented reseller with invented clients, in the panel's real rows."""
