"""The checks: a module for each group, a function for each check. `catalogue.ALL` has them in order."""
