"""The forms by which staff close a task."""

from __future__ import annotations

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import DateField, TextAreaField
from wtforms.validators import DataRequired, InputRequired, Length

from panel.renewals.task_resolution import LONGEST_NOTE


class NoteForm(FlaskForm):
    note = TextAreaField(
        _("What was done"),
        validators=[
            DataRequired(_("Say what was done about it.")),
            Length(max=LONGEST_NOTE, message=_("The note is too long.")),
        ],
    )


class WorklistForm(FlaskForm):
    new_expiry = DateField(
        _("New expiry date at the registry"),
        validators=[InputRequired(_("Enter the expiry date that the registry shows now."))],
    )
