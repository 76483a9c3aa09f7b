"""`perennial worker`: the schedule and its tasks."""

from __future__ import annotations

import click
from flask.cli import ScriptInfo, pass_script_info

from panel.worker import main


@click.command()
@pass_script_info
def worker(info: ScriptInfo) -> None:
    """Work in the background until Ctrl-C: scheduled runs, charges that clients asked for, mail."""
    main(info.load_app())
