"""The panel of the tests of pages, for what can only be seen on one."""

from tests.panel.conftest import app, database, log_in, set_up_database, settings

__all__ = ["app", "database", "log_in", "set_up_database", "settings"]
