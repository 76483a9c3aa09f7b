"""`perennial gateways`: which plugins were loaded, which accounts are configured, what was set aside."""

from __future__ import annotations

from typing import Any

import click
import sqlalchemy as sa
from flask.cli import with_appcontext

from gateways.loading import Loaded
from panel.cli.output import json_option, print_json, print_table
from panel.records import GatewayAccount
from panel.web import database, processors


@click.command()
@json_option
@with_appcontext
def gateways(as_json: bool) -> None:
    """List gateways: loaded, configured, and set aside with the reason."""
    loaded = processors().loaded
    configured = _configured(loaded)
    if as_json:
        print_json({"loaded": _loaded(loaded), "configured": configured, "quarantined": _quarantined(loaded)})
        return
    print_table("Loaded", ["Gateway", "Name", "Currencies"], [list(row.values()) for row in _loaded(loaded)])
    print_table(
        "Configured",
        ["Account", "Gateway", "Name", "Mode", "State"],
        [[row["id"], row["gateway"], row["label"], row["mode"], row["state"]] for row in configured],
    )
    print_table(
        "Set aside", ["Plugin", "Reason"], [[row["name"], row["error"]] for row in _quarantined(loaded)]
    )


def _loaded(loaded: Loaded) -> list[dict[str, Any]]:
    return [
        {"id": id, "label": gateway.label, "currencies": " ".join(sorted(gateway.capabilities.currencies))}
        for id, gateway in sorted(loaded.gateways.items())
    ]


def _configured(loaded: Loaded) -> list[dict[str, Any]]:
    """Settings stay where they are: some of them are secret."""
    columns = (
        GatewayAccount.id,
        GatewayAccount.gateway,
        GatewayAccount.label,
        GatewayAccount.mode,
        GatewayAccount.enabled,
        GatewayAccount.stopped_reason,
        GatewayAccount.stopped_at,
    )
    with database().read() as session:
        rows = session.execute(sa.select(*columns).order_by(GatewayAccount.id)).all()
    return [
        {
            "id": row.id,
            "gateway": row.gateway,
            "label": row.label,
            "mode": row.mode.value,
            "state": _state(row, loaded),
        }
        for row in rows
    ]


def _state(row: Any, loaded: Loaded) -> str:
    if row.gateway not in loaded.gateways:
        return "not loaded"
    if not row.enabled:
        return "disabled"
    if row.stopped_at is not None:
        return f"stopped: {row.stopped_reason}"
    return "enabled"


def _quarantined(loaded: Loaded) -> list[dict[str, str]]:
    return [{"name": plugin.name, "error": plugin.error} for plugin in loaded.quarantined]
