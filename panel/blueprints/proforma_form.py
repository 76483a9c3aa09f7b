"""The forms on a proforma's page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import DateField, RadioField, SelectField, StringField
from wtforms.validators import DataRequired, InputRequired, Length

from panel.records import Card


class PayForm(FlaskForm):
    """Pay with a saved card; `cards` are those that can be charged today."""

    card = SelectField(_("Saved card"), coerce=int, validators=[InputRequired()])

    def __init__(self, cards: Sequence[Card], **values: Any):
        super().__init__(**values)
        self.card.choices = [(card.id, card.name) for card in cards]


class RecordPaymentForm(FlaskForm):
    reference = StringField(
        _("Reference of the payment"),
        description=_("As on the bank statement or the receipt."),
        validators=[DataRequired(_("Enter the reference of the payment.")), Length(max=200)],
    )
    received_on = DateField(
        _("Received on"), validators=[InputRequired(_("Enter the day on which the money was received."))]
    )

    @classmethod
    def of_today(cls, today: date) -> RecordPaymentForm:
        return cls(data={"received_on": today})


class CancelForm(FlaskForm):
    term = RadioField(
        _("What happens to these terms?"),
        choices=[
            ("again", _("Issue again: the next renewal run makes a new proforma at today's prices.")),
            (
                "skip",
                _("Skip this term: the domains are not billed for it, and expire unless renewed by hand."),
            ),
        ],
        validators=[InputRequired(_("Choose one of the two."))],
    )
