"""What the gateways page shows of each configured account: its state, and what its plugin can do."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_babel.speaklater import LazyString
from sqlalchemy.orm import Session

from gateways.contract import Capabilities, LookupBy, RefundSupport, RegistrationKind
from panel.records import Card, CardStatus, GatewayAccount
from panel.renewals.processors import Processors

REGISTRATION: dict[RegistrationKind, LazyString] = {
    RegistrationKind.HOSTED: lazy_gettext("Cards are added on the processor's own page"),
    RegistrationKind.EMBEDDED: lazy_gettext("Cards are added in a form of the processor's"),
    RegistrationKind.NONE: lazy_gettext("No cards can be added"),
}
REFUNDS: dict[RefundSupport, LazyString] = {
    RefundSupport.NONE: lazy_gettext("No refunds"),
    RefundSupport.FULL: lazy_gettext("Refunds in full"),
    RefundSupport.PARTIAL: lazy_gettext("Refunds in part or in full"),
}
LOOKUP: dict[LookupBy, LazyString] = {
    LookupBy.KEY: lazy_gettext("A lost answer is looked up by our own key"),
    LookupBy.REF: lazy_gettext("A lost answer is looked up by the processor's reference"),
    LookupBy.NONE: lazy_gettext("A lost answer can't be looked up"),
}


@dataclass(frozen=True)
class GatewayRow:
    """`plugin` is None when it isn't loaded: then nothing is charged. `cards` are those validated there."""

    account: GatewayAccount
    plugin: str | None
    abilities: list[str]
    currencies: list[str]
    cards: int


def gateway_rows(session: Session, processors: Processors) -> list[GatewayRow]:
    accounts = session.scalars(
        sa.select(GatewayAccount).order_by(GatewayAccount.label, GatewayAccount.id)
    ).all()
    counted = session.execute(
        sa.select(Card.gateway_account_id, sa.func.count().label("cards"))
        .where(Card.status == CardStatus.VALIDATED)
        .group_by(Card.gateway_account_id)
    )
    cards = {row.gateway_account_id: row.cards for row in counted}
    return [_row(account, processors, cards.get(account.id, 0)) for account in accounts]


def _row(account: GatewayAccount, processors: Processors, cards: int) -> GatewayRow:
    plugin = processors.loaded.gateways.get(account.gateway)
    can = processors.capabilities(account)
    return GatewayRow(
        account=account,
        plugin=plugin.label if plugin else None,
        abilities=_abilities(can) if can else [],
        currencies=sorted(can.currencies) if can else [],
        cards=cards,
    )


def _abilities(can: Capabilities) -> list[str]:
    said = [
        str(REGISTRATION[can.registration]),
        _("Cards are validated at no cost") if can.zero_amount_verification else "",
        str(LOOKUP[can.lookup]),
        _("A key is remembered for %(hours)s hours", hours=can.idempotency_window_s // 3600),
        str(REFUNDS[can.refunds]),
        _("The cardholder can confirm a payment later") if can.authentication else "",
        _("Its list of charges can be compared with the books") if can.list_charges else "",
        _("Expired cards are renewed by the processor") if can.card_updates else "",
        _("A charge may take days to be decided") if can.asynchronous else "",
    ]
    return [text for text in said if text]
