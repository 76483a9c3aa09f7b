"""The command line: one file for a command, and each says one verb."""

from __future__ import annotations

from typing import Any

import click
from flask import Flask
from flask.cli import FlaskGroup, ScriptInfo
from flask_migrate import Migrate
from flask_migrate.cli import db as database_commands
from sqlalchemy.exc import DBAPIError

from panel.cli.audit import audit
from panel.cli.database_trouble import explained
from panel.cli.demo_data import demo_data
from panel.cli.forecast import forecast
from panel.cli.gateways import gateways
from panel.cli.run import run
from panel.cli.serve import serve, web
from panel.cli.user import user
from panel.cli.worker import worker
from panel.database import db
from panel.errors import NotThere, Refused
from panel.migrations import DIRECTORY

# In the order in which they are needed; `perennial db` is Flask-Migrate's.
COMMANDS = (serve, web, worker, run, forecast, audit, gateways, user, demo_data, database_commands)


class BadInput(click.ClickException):
    """What was asked for can't be done: one line, nothing was changed."""

    exit_code = 2


class PanelGroup(FlaskGroup):
    """Flask's command group with our commands in it, which says in one line what a person can mend."""

    def __init__(self, **settings: Any):
        super().__init__(add_default_commands=False, add_version_option=False, **settings)
        # There is one application, and the environment configures it: Flask's options to choose would do nothing.
        self.params = []

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        # By name, as `flask --app panel` finds it: it is made when a command needs it; `--help` doesn't.
        if "obj" not in extra:
            extra["obj"] = ScriptInfo(app_import_path="panel")
        return super().make_context(info_name, args, parent=parent, **extra)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        # Ours alone: extensions bring commands along that know nothing of accounts, roles or the journal.
        return self.commands.get(name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [command.name for command in COMMANDS if command.name]

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Refused as refused:
            raise BadInput(str(refused)) from refused
        except NotThere as missing:
            raise BadInput("There is no such row.") from missing
        except DBAPIError as trouble:
            words = explained(trouble)
            if words is None:
                raise
            raise click.ClickException(words) from trouble


cli = PanelGroup(
    name="perennial",
    help="Perennial keeps customers' domains renewed and paid.",
    commands=list(COMMANDS),
)


def register(app: Flask) -> None:
    """Gives `flask --app panel` the same commands, and the migrations their folder."""
    Migrate(app, db, directory=str(DIRECTORY))
    for command in COMMANDS:
        app.cli.add_command(command)
