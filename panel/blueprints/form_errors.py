"""Puts a refusal where a person looks for it: at the field it names, or above the form."""

from __future__ import annotations

from flask_wtf import FlaskForm

from panel.billing.card_number_guard import has_card_number
from panel.errors import Refused
from panel.web import explain


def attach(form: FlaskForm, refused: Refused) -> None:
    """Adds the refusal's text to the field it names; without one, to the form as a whole."""
    errors = form[refused.field].errors if refused.field in form else form.form_errors
    text = explain(refused)
    if isinstance(errors, list):
        errors.append(text)
    else:
        # A field that passed validation holds an empty tuple.
        form[refused.field].errors = [*errors, text]
    if refused.field in form and has_card_number(str(form[refused.field].data)):
        # What was refused for being a card number isn't sent back either.
        form[refused.field].data = ""
