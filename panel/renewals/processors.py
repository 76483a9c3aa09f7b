"""The configured processors and registrars: instances made from rows, and the context that one call to them gets."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import requests
import sqlalchemy as sa
from sqlalchemy.orm import Session

from gateways.contract import Capabilities, Context, Deadline, Gateway, Mode, RegistrationKind, keep_nothing
from gateways.contract import Secret as GatewaySecret
from gateways.http import make_session
from gateways.loading import Loaded, one_line
from gateways.registrars.contract import Registrar
from gateways.setting_fields import FieldKind, SettingField, SettingValue
from panel import journal
from panel.errors import N_, NotThere, Refused
from panel.records import GatewayAccount, StaffTask, TaskKind
from panel.renewals.staff_tasks import open_task

CALL_SECONDS = 30.0
MOST_CONNECTIONS = 256


class Processors:
    """What plugins were loaded, and instances of them for the rows of `gateway_accounts`.

    `registrar_settings` maps a registrar's id to its settings. Instances are kept for as long as a row's settings stay.
    `call_seconds` is the total deadline of one call.
    """

    def __init__(
        self,
        loaded: Loaded,
        registrar_settings: Mapping[str, Mapping[str, SettingValue]],
        *,
        call_seconds: float = CALL_SECONDS,
    ):
        self.loaded = loaded
        self.call_seconds = call_seconds
        self._registrar_settings = registrar_settings
        self._gateways: dict[tuple[int, str], Gateway] = {}
        self._registrars: dict[str, Registrar] = {}
        self._lock = threading.Lock()
        self._http = make_session(MOST_CONNECTIONS)

    def capabilities(self, account: GatewayAccount) -> Capabilities | None:
        """None when the plugin of this account isn't loaded: nothing can be charged through it then."""
        plugin = self.loaded.gateways.get(account.gateway)
        return plugin.capabilities if plugin else None

    def gateway(self, account: GatewayAccount) -> Gateway:
        """Refused when its plugin isn't loaded or doesn't take these settings."""
        plugin = self.loaded.gateways.get(account.gateway)
        if plugin is None:
            raise Refused(
                N_("The gateway %(gateway)s is not loaded; see the gateways page."), gateway=account.gateway
            )
        version = (account.id, repr(sorted(account.settings.items())))
        with self._lock:
            if version not in self._gateways:
                settings = wrap_secrets(plugin.setting_fields, account.settings)
                self._gateways[version] = self._made(plugin, settings, account)
            return self._gateways[version]

    def _made(
        self, plugin: type[Gateway], settings: dict[str, SettingValue], account: GatewayAccount
    ) -> Gateway:
        try:
            return plugin(settings, Mode(account.mode.value), str(account.id))
        except (Exception, SystemExit) as error:  # a stranger's constructor
            raise Refused(
                N_("The gateway account %(label)s can't be used: %(error)s"),
                label=account.label,
                error=one_line(error),
            ) from error

    def usable_accounts(self, session: Session) -> list[int]:
        """The accounts that charge: switched on, not stopped, and their plugin loads."""
        rows = session.scalars(
            sa.select(GatewayAccount).where(GatewayAccount.enabled, GatewayAccount.stopped_at.is_(None))
        )
        return [row.id for row in rows if self._can_be_made(row)]

    def _can_be_made(self, account: GatewayAccount) -> bool:
        try:
            self.gateway(account)
        except Refused:
            return False
        return True

    def registrar(self, name: str) -> Registrar:
        """Refused when no such registrar is loaded."""
        plugin = self.loaded.registrars.get(name)
        if plugin is None:
            raise Refused(N_("The registrar %(registrar)s is not loaded."), registrar=name)
        with self._lock:
            if name not in self._registrars:
                settings = wrap_secrets(plugin.setting_fields, self._registrar_settings.get(name, {}))
                self._registrars[name] = plugin(
                    settings, Mode.TEST if Mode.LIVE not in plugin.modes else Mode.LIVE, name
                )
            return self._registrars[name]

    def context(
        self,
        now: datetime,
        *,
        seconds: float | None = None,
        checkpoint: Callable[[str, str], None] = keep_nothing,
    ) -> Context:
        """A context for one call; connections are kept alive and shared."""
        return Context(
            http=self._http,
            deadline=Deadline.after(seconds or self.call_seconds),
            now=now,
            checkpoint=checkpoint,
        )

    def choices(self, session: Session) -> list[GatewayAccount]:
        """The enabled accounts with which a card can be added."""
        rows = session.scalars(
            sa.select(GatewayAccount)
            .where(GatewayAccount.enabled)
            .order_by(GatewayAccount.label, GatewayAccount.id)
        )
        return [
            row
            for row in rows
            if (can := self.capabilities(row)) and can.registration is not RegistrationKind.NONE
        ]

    def tell_clock(self, session: Session, now: datetime) -> None:
        """Moves the clock of every mock processor to the panel's simulated one. Refused when one can't be reached."""
        for row in session.scalars(
            sa.select(GatewayAccount).where(GatewayAccount.gateway == "mock", GatewayAccount.enabled)
        ):
            base_url, key = row.settings["base_url"], row.settings["api_key"]
            try:
                answer = requests.post(
                    f"{base_url.rstrip('/')}/control/clock",
                    json={"now": now.isoformat()},
                    headers={"Authorization": f"Bearer {key}"},
                    timeout=10,
                )
                answer.raise_for_status()
            except requests.RequestException as error:
                raise Refused(
                    N_("The mock processor at %(url)s can't be reached (%(error)s); start it first."),
                    url=base_url,
                    error=type(error).__name__,
                ) from error


def wrap_secrets(fields: tuple[SettingField, ...], stored: Mapping[str, Any]) -> dict[str, SettingValue]:
    """Stored settings as a plugin gets them: secrets masked, what it doesn't know left out."""
    kinds = {field.key: field.kind for field in fields}
    return {
        key: GatewaySecret(value) if kinds[key] is FieldKind.SECRET and isinstance(value, str) else value
        for key, value in stored.items()
        if key in kinds
    }


def stop(session: Session, account: GatewayAccount, *, reason: str, now: datetime, actor: str) -> None:
    """Stops charging through an account because the processor refused *us*; staff are told, nobody is dunned."""
    if account.stopped_at is not None:
        return
    account.stopped_at = now
    account.stopped_reason = reason[:500]
    subject = f"gateway_account:{account.id}"
    open_task(session, TaskKind.GATEWAY_STOPPED, subject, reason, account_id=None, now=now)
    journal.write(
        session, now=now, actor=actor, kind="gateway.stopped", subject=subject, data={"reason": reason[:500]}
    )


def resume(session: Session, *, gateway_account_id: int, user_id: int, now: datetime) -> GatewayAccount:
    """Charging goes on through an account that staff have put right."""
    account = session.get(GatewayAccount, gateway_account_id, with_for_update=True)
    if account is None:
        raise NotThere
    if account.stopped_at is None:
        raise Refused(N_("Charging through %(label)s is not stopped."), label=account.label)
    account.stopped_at = account.stopped_reason = None
    subject = f"gateway_account:{account.id}"
    session.execute(
        sa.update(StaffTask)
        .where(
            StaffTask.kind == TaskKind.GATEWAY_STOPPED,
            StaffTask.subject == subject,
            StaffTask.resolved_at.is_(None),
        )
        .values(resolved_at=now, resolved_by_id=user_id, resolution="resumed")
    )
    journal.write(session, now=now, actor=f"user:{user_id}", kind="gateway.resumed", subject=subject)
    return account
