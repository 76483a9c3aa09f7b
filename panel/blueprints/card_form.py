"""The small forms about cards: a name for one, and where to add it."""

from __future__ import annotations

from collections.abc import Sequence

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import SelectField, StringField
from wtforms.validators import InputRequired, Length, Optional

from panel.records import GatewayAccount


def _stripped(text: str | None) -> str | None:
    return " ".join(text.split()) if text else text


class RenameForm(FlaskForm):
    label = StringField(
        _l("Name"),
        description=_l("To tell your cards apart. Never the card's number."),
        validators=[Optional(), Length(max=100)],
        filters=[_stripped],
        render_kw={"autocomplete": "off"},
    )


class AddCardForm(RenameForm):
    gateway_account = SelectField(_l("Through"), coerce=int, validators=[InputRequired()])

    def __init__(self, gateway_accounts: Sequence[GatewayAccount]):
        super().__init__()
        self.gateway_account.choices = [(account.id, account.label) for account in gateway_accounts]
