"""The form of a contact: whom documents are issued to."""

from __future__ import annotations

from flask_babel import get_locale
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import EmailField, HiddenField, SelectField, StringField, TelField
from wtforms.validators import InputRequired

from panel.billing.contact_fields import FIELDS, LONGEST, MISSING, ContactValues
from panel.billing.countries import countries
from panel.records import Contact


def _text(name: str, autocomplete: str) -> dict[str, object]:
    return {"autocomplete": autocomplete, "maxlength": LONGEST[name]}


def _required(name: str) -> InputRequired:
    return InputRequired(_l(MISSING[name]))


class ContactForm(FlaskForm):
    """Says at once which fields are missing; what they may hold is checked where contacts are kept."""

    name = StringField(_l("Name"), validators=[_required("name")], render_kw=_text("name", "name"))
    company = StringField(_l("Company"), render_kw=_text("company", "organization"))
    vat_id = StringField(
        _l("VAT id"),
        description=_l("With the country's letters in front, such as FR or DE."),
        render_kw={"autocomplete": "off", "maxlength": 40},
    )
    email = EmailField(_l("E-mail"), validators=[_required("email")], render_kw=_text("email", "email"))
    phone = TelField(_l("Phone"), render_kw=_text("phone", "tel"))
    street = StringField(
        _l("Street and number"), validators=[_required("street")], render_kw=_text("street", "street-address")
    )
    postcode = StringField(
        _l("Postcode"),
        description=_l("Needed wherever the country has them."),
        render_kw=_text("postcode", "postal-code"),
    )
    city = StringField(_l("City"), validators=[_required("city")], render_kw=_text("city", "address-level2"))
    country = SelectField(
        _l("Country"), validators=[_required("country")], render_kw={"autocomplete": "country"}
    )
    version = HiddenField()

    def __init__(self, contact: Contact | None = None):
        super().__init__(obj=contact)
        self.country.choices = [("", "—"), *countries(str(get_locale()))]

    @classmethod
    def of(cls, contact: Contact) -> ContactForm:
        """Shows what is stored, whatever the request carries."""
        form = cls(contact)
        form.process(formdata=None, obj=contact)
        return form

    def values(self) -> ContactValues:
        return ContactValues(**{field: self[field].data or "" for field in FIELDS})

    def shown_version(self) -> int:
        """The version that the page was made of; 0, which no contact has, when the form carries nonsense."""
        text = self.version.data or ""
        return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0

    def differences(self, contact: Contact) -> list[tuple[str, str]]:
        """Label and stored value of each field that this form would change."""
        return [
            (self[field].label.text, getattr(contact, field) or "—")
            for field in FIELDS
            if (getattr(contact, field) or None) != (self[field].data or None)
        ]
