"""Starting the panel: `perennial web` is the pages alone, `perennial serve` is all that one machine needs.

`serve` imports the panel once and forks its parts from there, so that they start fast and share memory. All
of them stay in one process group: Ctrl-C, SIGTERM or the end of any part stops the others too.
"""

import errno
import http.client
import multiprocessing
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NoReturn

import click
import sqlalchemy as sa
from flask import Flask
from flask.cli import ScriptInfo
from gunicorn.app.base import BaseApplication

from panel import data_dir as kept
from panel.database import db
from panel.demo.logins import DEMO_LOGINS
from panel.records import Account, User

HOST = "127.0.0.1"
PORT = 8000
DATA_DIR = "instance"
# Beside the database: the demo's log-ins, known once its data are made.
LOGINS = "demo-logins"
READY_SECONDS = 60
STOP_SECONDS = 10
# Requests that are under way get this long to finish; less than STOP_SECONDS, or they would be killed.
GRACE_SECONDS = 8

Children = dict[str, BaseProcess]

# Fork, not spawn: a part starts in milliseconds, with everything imported already.
_fork = multiprocessing.get_context("fork")


class _Pages(BaseApplication):
    """gunicorn with our settings alone: it reads neither the command line nor a file of its own.

    The application is made before the workers are forked: what is wrong with the configuration is then said
    once, in the words of every other command, and the workers share its memory.
    """

    def __init__(self, panel: Flask, settings: dict[str, Any]) -> None:
        self.panel = panel
        self.settings = settings
        super().__init__()

    def load_config(self) -> None:
        for name, value in self.settings.items():
            self.cfg.set(name, value)
        self.cfg.set("post_fork", self._leave_connections)
        # gunicorn's threads deadlock when Ctrl-C comes twice, from the terminal and from the process above. So
        # only the topmost one acts on it: this one, or `serve`, which started it with SIGINT ignored.
        self.cfg.set("post_worker_init", _ignore_interrupt)
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            self.cfg.set("when_ready", _ignore_interrupt)

    def load(self) -> Flask:
        return self.panel

    def _leave_connections(self, _server: object, _worker: object) -> None:
        """A connection that the parent opened is the parent's: two processes must not speak on it."""
        with self.panel.app_context():
            for engine in db.engines.values():
                engine.dispose(close=False)


def _ignore_interrupt(_process: object) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _address_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option(
            "--threads", default=8, show_default=True, type=click.IntRange(1, 256), help="Threads in each."
        ),
        click.option(
            "--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Web processes."
        ),
        click.option("--port", default=PORT, show_default=True, type=click.IntRange(1, 65535)),
        click.option("--host", default=HOST, show_default=True, help="Address to listen on."),
    ):
        command = option(command)
    return command


@click.command()
@_address_options
@click.option(
    "--log-level", default="info", show_default=True, type=click.Choice(["debug", "info", "warning", "error"])
)
@click.pass_context
def web(context: click.Context, host: str, port: int, workers: int, threads: int, log_level: str) -> None:
    """Serve the pages with gunicorn, without worker."""
    _require_free(host, port, "--port")
    _Pages(
        context.ensure_object(ScriptInfo).load_app(),
        {
            "bind": _address(host, port),
            "workers": workers,
            "threads": threads,
            "worker_class": "gthread",
            "graceful_timeout": GRACE_SECONDS,
            "loglevel": log_level,
            "proc_name": "perennial",
            # Its default path is one for the whole user, so that two panels would take it from each other.
            "control_socket_disable": True,
        },
    ).run()


@click.command()
@_address_options
@click.option("--demo", is_flag=True, help="With demo data and a mock payment processor.")
@click.option(
    "--mock-port",
    default=8001,
    show_default=True,
    type=click.IntRange(1, 65535),
    help="Port of the mock processor; unused where PERENNIAL_MOCK_URL names one that runs already.",
)
@click.pass_context
def serve(
    context: click.Context, host: str, port: int, workers: int, threads: int, demo: bool, mock_port: int
) -> None:
    """Run the panel on one machine: pages and worker, until Ctrl-C.

    On SQLite (the default) the secret key is made at first start and kept in the data directory, and the
    database is upgraded. Elsewhere set PERENNIAL_SECRET_KEY and run `perennial db upgrade` yourself.
    """
    _require_free(host, port, "--port")
    runs_mock = demo and not os.environ.get("PERENNIAL_MOCK_URL")
    if runs_mock:
        _require_free("127.0.0.1", mock_port, "--mock-port")
    data = _prepare_environment(demo, mock_port)
    if (host, port) != (HOST, PORT):
        # Links in mails and the way back from a processor's page lead to where the panel really is.
        _default("PERENNIAL_BASE_URL", lambda: f"http://{_address(_reachable(host), port)}")
    perennial = context.find_root().command
    with _process_group() as children:
        if runs_mock:
            children["mock processor"] = _start(_exec_mock, mock_port, data / "mock")
        # Elsewhere it only asks: what is wrong with configuration or database is then said once, before the start.
        step = "upgrade" if demo or _on_sqlite() else "current"
        _finish(_start(_run, perennial, ["db", step]), f"db {step}")
        if runs_mock:
            _wait_until(children, lambda: _listens("127.0.0.1", mock_port))
        if demo:
            _make_demo_data(perennial, data / LOGINS)
        address = ["--host", host, "--port", str(port), "--workers", str(workers), "--threads", str(threads)]
        children["web"] = _start(_run, perennial, ["web", *address, "--log-level", "warning"])
        children["worker"] = _start(_run, perennial, ["worker"])
        _wait_until(children, lambda: _is_healthy(host, port))
        click.echo(f"Perennial is at {os.environ.get('PERENNIAL_BASE_URL') or f'http://{HOST}:{PORT}'}")
        if demo:
            click.echo(f"Log in as:\n{(data / LOGINS).read_text().rstrip()}")
        click.echo("Ctrl-C stops it.")
        _watch(children)


def _prepare_environment(demo: bool, mock_port: int) -> Path:
    """Sets what the parts inherit, where the environment doesn't; gives the data directory, absolute."""
    data = Path(os.environ.get("PERENNIAL_DATA_DIR") or DATA_DIR).absolute()
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.environ["PERENNIAL_DATA_DIR"] = str(data)
        if demo or _on_sqlite():
            _default("PERENNIAL_SECRET_KEY", lambda: _kept_secret_key(data / kept.SECRET_KEY))
    except OSError as problem:
        raise click.ClickException(
            f"PERENNIAL_DATA_DIR {data} can't be used: {problem.strerror}."
        ) from problem
    if demo:
        _default("PERENNIAL_MOCK_URL", lambda: f"http://127.0.0.1:{mock_port}")
        (data / kept.MOCK_URL).write_text(os.environ["PERENNIAL_MOCK_URL"] + "\n")
    return data


def _default(name: str, value: Callable[[], str]) -> None:
    """An empty variable counts as none, as it does for every setting."""
    if not os.environ.get(name, "").strip():
        os.environ[name] = value()


def _on_sqlite() -> bool:
    return (os.environ.get("PERENNIAL_DATABASE_URL") or "sqlite:").startswith("sqlite")


def _kept_secret_key(path: Path) -> str:
    if not path.exists():
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(48))
    return path.read_text().strip()


def _make_demo_data(perennial: click.Command, logins: Path) -> None:
    """At first start, into an empty database. The list of log-ins, written last, says that it was done."""
    if logins.exists():
        return
    if _ends_well(_start(_require_accounts)):
        click.echo("There are accounts in this database already: no demo data were added.")
    else:
        click.echo("Making demo data …")
        _finish(_start(_run, perennial, ["demo-data"]), "demo-data")
    _finish(_start(_list_logins, logins), "list of log-ins")


def _require_accounts() -> NoReturn:
    """In a forked child: ends well if the database has accounts."""
    with ScriptInfo(app_import_path="panel").load_app().app_context():
        sys.exit(0 if db.session.scalar(sa.select(Account.id).limit(1)) else 1)


def _list_logins(path: Path) -> NoReturn:
    """In a forked child: writes the demo's log-ins that this database knows, one a line."""
    with ScriptInfo(app_import_path="panel").load_app().app_context():
        known = set(db.session.scalars(sa.select(User.email)))
    lines = [
        f"{login.email} {login.password} {login.role.value}" for login in DEMO_LOGINS if login.email in known
    ]
    unfinished = path.with_suffix(".new")
    with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write("\n".join(lines) + "\n")
    unfinished.replace(path)
    sys.exit(0)


@contextmanager
def _process_group() -> Iterator[Children]:
    """What is put into the dictionary is stopped at the end, however that comes."""
    children: Children = {}
    endings = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for ending in endings:
        signal.signal(ending, signal.default_int_handler)
    try:
        yield children
    except KeyboardInterrupt:
        click.echo("Stopping …")
    finally:
        for ending in endings:
            signal.signal(ending, signal.SIG_IGN)
        _stop(children)


def _start(target: Callable[..., NoReturn], *arguments: object) -> BaseProcess:
    child = _fork.Process(target=_become, args=(target, *arguments))
    child.start()
    return child


def _become(target: Callable[..., NoReturn], *arguments: object) -> NoReturn:
    # A terminal sends Ctrl-C to the whole group; only the parent acts on it, and ends the others by SIGTERM.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    target(*arguments)


def _run(perennial: click.Command, arguments: list[str]) -> NoReturn:
    """In a forked child: one command, as if it had been typed."""
    perennial.main(arguments, prog_name="perennial")
    sys.exit(0)


def _exec_mock(port: int, data: Path) -> NoReturn:
    """In a forked child: becomes the mock processor, which shares nothing with the panel."""
    os.execv(
        sys.executable, [sys.executable, "-m", "gateways.mock", "--port", str(port), "--data", str(data)]
    )


def _finish(child: BaseProcess, name: str) -> None:
    if not _ends_well(child):
        # A command that ends by itself has said why.
        if child.exitcode and child.exitcode > 0:
            sys.exit(child.exitcode)
        raise click.ClickException(f"The {name} was ended by {_ending(child)}.")


def _ends_well(child: BaseProcess) -> bool:
    try:
        child.join()
    finally:
        _stop({"command": child})
    return child.exitcode == 0


def _wait_until(children: Children, is_ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not is_ready():
        _require_all(children)
        if time.monotonic() > deadline:
            raise click.ClickException(
                f"{' and '.join(children)} didn't answer within {READY_SECONDS} seconds."
            )
        time.sleep(0.05)


def _watch(children: Children) -> NoReturn:
    while True:
        _require_all(children)
        time.sleep(0.25)


def _require_all(children: Children) -> None:
    for name, child in children.items():
        if child.exitcode is not None:
            raise click.ClickException(f"The {name} ended ({_ending(child)}), so everything was stopped.")


def _ending(child: BaseProcess) -> str:
    code = child.exitcode or 0
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _stop(children: Children) -> None:
    for child in children.values():
        child.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    for child in children.values():
        child.join(max(0.0, deadline - time.monotonic()))
    for child in children.values():
        if child.exitcode is None:
            child.kill()
            child.join()


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _require_free(host: str, port: int, option: str) -> None:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # As servers do: a port whose last connections are still closing counts as free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as problem:
        if problem.errno == errno.EADDRINUSE:
            reason = f"Port {port} on {host} is in use; choose another with {option}."
        else:
            reason = f"Can't listen on {_address(host, port)}: {problem.strerror}."
        raise click.ClickException(reason) from problem


def _reachable(host: str) -> str:
    """Where a server on this address is asked from its own machine."""
    return {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host)


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def _is_healthy(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(_reachable(host), port, timeout=5)
    try:
        # By its loopback name, which it answers to whatever PERENNIAL_BASE_URL says; there it may lead to https.
        connection.request("GET", "/healthz", headers={"Host": f"127.0.0.1:{port}"})
        return connection.getresponse().status < HTTPStatus.BAD_REQUEST
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
