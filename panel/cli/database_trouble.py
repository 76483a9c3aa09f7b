"""What a person can do about a database that doesn't answer as it should."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError, OperationalError

_REMEDIES = (
    (
        ("no such table", "no such column", "no column named", "undefinedtable", "undefinedcolumn"),
        "has no tables yet, or old ones: run `perennial db upgrade`.",
    ),
    (
        ("database is locked", "locknotavailable"),
        "is locked by another process; try again when that has finished.",
    ),
    (("readonly database", "read-only"), "is read-only: see who owns its file and folder."),
    (("unable to open",), "can't be opened: see PERENNIAL_DATABASE_URL and PERENNIAL_DATA_DIR."),
)


def explained(trouble: DBAPIError) -> str | None:
    """One line with the remedy; None when the fault is the panel's own."""
    said = f"{type(trouble.orig).__name__} {trouble.orig}".lower()
    for signs, remedy in _REMEDIES:
        if any(sign in said for sign in signs):
            return f"The database {remedy}"
    if isinstance(trouble, OperationalError):
        return f"The database can't be used: {str(trouble.orig).strip().splitlines()[0]}"
    return None
