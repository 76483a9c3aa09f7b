"""What a contact consists of, and what each field may hold."""

from __future__ import annotations

import unicodedata
from dataclasses import asdict, dataclass, fields

import idna

from panel.billing.card_number_guard import refuse_card_number
from panel.billing.countries import WITHOUT_POSTCODES, codes
from panel.billing.vat_ids import read_vat_id
from panel.errors import N_, Refused


@dataclass(frozen=True)
class ContactValues:
    """A contact as a form holds it. `country` is an ISO 3166-1 code; empty text and None are the same."""

    name: str
    company: str | None
    email: str
    phone: str | None
    street: str
    city: str
    postcode: str
    country: str
    vat_id: str | None


FIELDS = tuple(field.name for field in fields(ContactValues))

LONGEST = {
    "name": 200,
    "company": 200,
    "email": 255,
    "phone": 40,
    "street": 200,
    "city": 100,
    "postcode": 20,
    "country": 2,
    "vat_id": 20,
}
MOST_TYPED = 1_000
# One message for each, so that every language can say it properly.
MISSING = {
    "name": N_("The name is missing: say whom documents are issued to."),
    "email": N_("The e-mail address is missing: documents and reminders are sent there."),
    "street": N_("The street is missing: invoices must show a full address."),
    "city": N_("The city is missing: invoices must show a full address."),
    "postcode": N_("The postcode is missing: invoices must show a full address."),
    "country": N_("The country is missing: it decides about tax."),
}

_LOCAL_PART = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.!#$%&'*+-/=?^_`{|}~")
_PHONE = frozenset("0123456789 +-./()x")


def checked(values: ContactValues) -> ContactValues:
    """The same, tidied up. Raises Refused for the first field that can't stand, naming it and the remedy."""
    for name, given in asdict(values).items():
        # Nothing is done to a text of a megabyte but to refuse it.
        if len(given or "") > MOST_TYPED:
            raise _too_long(name)
    text = {
        name: _tidy(name, value) for name, value in asdict(values).items() if name not in {"email", "vat_id"}
    }
    text["email"] = (values.email or "").strip()
    text["country"] = text["country"].upper()
    for name, message in MISSING.items():
        if not text[name] and not (name == "postcode" and text["country"] in WITHOUT_POSTCODES):
            raise Refused(message, field=name)
    for name, value in text.items():
        if len(value) > LONGEST[name]:
            raise _too_long(name)
        refuse_card_number(value, name)
    if text["country"] not in codes():
        raise Refused(N_("Choose a country from the list."), field="country")
    if not set(text["phone"]) <= _PHONE:
        raise Refused(N_("A phone number has digits, spaces and + - . / ( ) only."), field="phone")
    return ContactValues(
        name=text["name"],
        company=text["company"] or None,
        email=checked_email(text["email"]),
        phone=text["phone"] or None,
        street=text["street"],
        city=text["city"],
        postcode=text["postcode"],
        country=text["country"],
        vat_id=read_vat_id(values.vat_id, text["country"]),
    )


def _too_long(field: str) -> Refused:
    return Refused(
        N_("This is too long: %(longest)s characters at most."), field=field, longest=LONGEST[field]
    )


def checked_email(address: str, field: str = "email") -> str:
    """The address with its domain in lower case. Raises Refused for what no mail server would take."""
    local, at, domain = address.rpartition("@")
    if (
        not at
        or not 1 <= len(local) <= 64
        or len(address) > 254
        or not set(local) <= _LOCAL_PART
        or local.startswith(".")
        or local.endswith(".")
        or ".." in local
        or not _is_mail_domain(domain)
    ):
        raise Refused(
            N_("This isn't an e-mail address that mail can be sent to. It looks like anna@example.com."),
            field=field,
        )
    return f"{local}@{domain.lower()}"


def _is_mail_domain(domain: str) -> bool:
    if "." not in domain or any(not c.isprintable() or c.isspace() for c in domain):
        return False
    try:
        idna.encode(domain, uts46=True)
    except idna.IDNAError:
        return False
    # A top-level domain is never a number: that would be an IP address.
    return not domain.rpartition(".")[2].isdigit()


def _tidy(field: str, text: str | None) -> str:
    """One line, composed, single spaces. Refused for characters that can't be seen or that turn the text around."""
    tidied = " ".join(unicodedata.normalize("NFC", text or "").split())
    for character in tidied:
        category = unicodedata.category(character)
        if category in {"Cc", "Cs", "Co", "Cn"} or (category == "Cf" and character not in "\u200c\u200d"):
            raise Refused(
                N_("There is an invisible character in this field. Please type it again."), field=field
            )
    return tidied
