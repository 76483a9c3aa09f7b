"""What renews domains: recurring payment, the run, charging, settlement, extension and lapse."""
