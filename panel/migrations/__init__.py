"""Alembic's folder: `perennial db upgrade` brings a database of any age to the present tables."""

from pathlib import Path

DIRECTORY = Path(__file__).resolve().parent
