"""A registry's calendar."""

from __future__ import annotations

from datetime import datetime


def add_years(expiry: datetime, years: int) -> datetime:
    """The same day and time `years` later; 29 February becomes 28 (and stays 28, since only the result is
    kept)."""
    if years < 1:
        raise ValueError(f"a renewal is for at least one year, not {years}")
    if (expiry.month, expiry.day) == (2, 29):
        expiry = expiry.replace(day=28)
    return expiry.replace(year=expiry.year + years)
