from tests.renewals.conftest import database, processor, world

__all__ = ["database", "processor", "world"]
