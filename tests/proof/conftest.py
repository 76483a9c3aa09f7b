from tests.renewals.conftest import database, postgres, processor, world

__all__ = ["database", "postgres", "processor", "world"]
