"""Turns a row of the outbox into a mail: a template of its kind, in the recipient's language.

A template is `templates/mail/<kind>.txt`. Its first comment says which facts it needs and which it may have; that
comment is read here, so it cannot be wrong. Facts are data: they are put into the text, never evaluated, and lose
line breaks, control characters and invisible marks on the way.
"""

from __future__ import annotations

import copy
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from functools import lru_cache
from pathlib import Path
from typing import Any

import idna
from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.support import NullTranslations, Translations
from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError, select_autoescape

from gateways.money import Money
from panel.messages.links import links_for

PANEL = Path(__file__).resolve().parent.parent
TEMPLATES = PANEL / "templates"
TRANSLATIONS = PANEL / "translations"
# The words of mails are a catalogue of their own, beside that of the pages.
CATALOGUE = "mail"
FALLBACK = Locale("en")

LONGEST_TEXT = 2_000
LONGEST_SUBJECT = 200
DEEPEST = 6

_HEADER = re.compile(r"\A{#(.*?)#}", re.DOTALL)
_LETTER_THEN_DIGIT = re.compile(r"(?<=[^\W\d_])(?=\d)")
_FACT = re.compile(r"[a-z][a-z_]*")


class CannotRender(Exception):
    """This mail can't be made of these facts; the text says why. Trying again won't help."""


@dataclass(frozen=True)
class Sender:
    """The seller, as mails show it. `email` gets the answers, `sales_contact` is where questions go.

    `address` is whom mails are from: one that the mail server may send for.
    """

    name: str
    email: str
    sales_contact: str
    address: str


@dataclass(frozen=True)
class Kind:
    """The facts of one kind of mail."""

    name: str
    needs: tuple[str, ...]
    may_have: tuple[str, ...]


def kinds() -> dict[str, Kind]:
    """Every kind of mail there is a template for."""
    names = sorted(path.stem for path in (TEMPLATES / "mail").glob("*.txt"))
    return {name: kind_of(name) for name in names if name != "layout" and not name.startswith("_")}


@lru_cache
def kind_of(name: str) -> Kind:
    """Reads the first comment of a template. CannotRender when there is no such template."""
    path = TEMPLATES / "mail" / f"{name}.txt"
    if not _FACT.fullmatch(name) or name == "layout" or not path.is_file():
        raise CannotRender(f"there is no mail of the kind {name[:64]!r}")
    header = _HEADER.match(path.read_text(encoding="utf-8"))
    if header is None:
        raise CannotRender(f"the template of {name} doesn't say which facts it needs")
    needs, _, may_have = header[1].partition("Needs:")[2].partition("May have:")
    return Kind(
        name,
        tuple(_FACT.findall(needs.replace("nothing", ""))),
        tuple(_FACT.findall(may_have.partition("\n\n")[0])),
    )


def render(
    *,
    kind: str,
    facts: Mapping[str, Any],
    locale: str,
    recipient: str,
    message_id: str,
    sender: Sender,
    at: datetime,
    translations: Path = TRANSLATIONS,
) -> EmailMessage:
    """The finished mail, as plain text and HTML. Raises CannotRender.

    Facts are JSON values: amounts in minor units beside a `currency`, days as ISO dates. `at` is the moment of sending.
    """
    try:
        subject, text, html, language = _written(kind, facts, locale, sender, translations)
        return _composed(subject, text, html, language, recipient, message_id, sender, at)
    except CannotRender:
        raise
    except (
        TemplateError,
        MessageError,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        ArithmeticError,
    ) as error:
        raise CannotRender(f"{type(error).__name__}: {error}") from error


def _written(
    kind: str, facts: Mapping[str, Any], locale: str, sender: Sender, translations: Path
) -> tuple[str, str, str, str]:
    spoken = locale_of(locale)
    environment = _environment(str(spoken), str(translations))
    values = _values(kind_of(kind), facts)
    links = links_for(values)
    context = {**values, **links, "seller": plain(vars(sender))}
    template = environment.get_template(f"mail/{kind}.txt")
    subject = "".join(template.blocks["subject"](template.new_context(context)))
    text = re.sub(r"\n{3,}", "\n\n", template.render(context)).strip() + "\n"
    html = environment.get_template("mail/layout.html").render(
        title=_one_line(subject),
        paragraphs=_paragraphs(text, {link for link in links.values() if link}),
        language=spoken.language,
    )
    return _one_line(subject)[:LONGEST_SUBJECT], text, html, spoken.language


def _values(kind: Kind, facts: Mapping[str, Any]) -> dict[str, Any]:
    missing = [name for name in kind.needs if facts.get(name) is None]
    if missing:
        raise CannotRender(f"{kind.name} needs the facts {', '.join(missing)}")
    known = dict.fromkeys(kind.may_have) | {
        name: facts.get(name) for name in (*kind.needs, *kind.may_have, "contact_name")
    }
    return {name: plain(value) for name, value in known.items()}


def _composed(
    subject: str,
    text: str,
    html: str,
    language: str,
    recipient: str,
    message_id: str,
    sender: Sender,
    at: datetime,
) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(_one_line(plain(sender.name)), addr_spec=deliverable(sender.address))
    if sender.email != sender.address:
        message["Reply-To"] = Address(addr_spec=deliverable(sender.email))
    message["To"] = Address(addr_spec=deliverable(recipient))
    message["Subject"] = subject
    message["Date"] = at
    message["Message-ID"] = message_id
    # Absence notices and mailing-list software leave such mail alone.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text, cte="quoted-printable")
    message.add_alternative(html, subtype="html", cte="quoted-printable")
    message["Content-Language"] = language
    # Headers are checked when they are written out: better here than half-way through a conversation with a server.
    message.as_bytes()
    return message


def deliverable(address: str) -> str:
    """An address as SMTP takes it: the domain in its ASCII form. CannotRender for what is no address."""
    local, at, domain = address.rpartition("@")
    if not at or not local or not domain or any(c.isspace() or not c.isprintable() for c in address):
        raise CannotRender("there is no usable e-mail address")
    if domain.isascii():
        return address
    return f"{local}@{idna.encode(domain, uts46=True).decode()}"


def plain(value: Any, depth: int = 0) -> Any:
    """A fact without anything that could break a line, a header or the reading order of the text around it."""
    if isinstance(value, str):
        return _plain_text(value)
    if depth >= DEEPEST:
        raise CannotRender("the facts are nested too deeply")
    if isinstance(value, Mapping):
        return {str(name): plain(item, depth + 1) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, depth + 1) for item in value]
    if value is None or isinstance(value, (bool, int)):
        return value
    raise CannotRender(f"a fact can't be a {type(value).__name__}")


def _plain_text(text: str) -> str:
    kept = []
    for character in text[: LONGEST_TEXT + 1]:
        category = unicodedata.category(character)
        if category in {"Cc", "Zl", "Zp"}:
            kept.append(" ")
        elif category == "Cs":
            kept.append("\ufffd")
        # Joiners are letters' business in Persian and Indic scripts; the other format characters hide or turn text.
        elif category != "Cf" or character in "\u200c\u200d":
            kept.append(character)
    return _one_line("".join(kept))[:LONGEST_TEXT]


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _paragraphs(text: str, links: set[str]) -> list[dict[str, Any]]:
    """The text's paragraphs for the HTML layout: a list where every line is an item, a link where a line is one."""
    found = []
    for block in text.strip().split("\n\n"):
        lines = [line.rstrip() for line in block.splitlines() if line.strip()]
        items = all(line.startswith("- ") for line in lines)
        found.append(
            {
                "items": items,
                "lines": [
                    {"text": line[2:] if items else line, "link": not items and line in links}
                    for line in lines
                ],
            }
        )
    return found


def locale_of(name: str) -> Locale:
    """The locale called `name` ("fr", "pt_BR", "pt-BR"), or English when nobody speaks it."""
    try:
        return Locale.parse(name.replace("-", "_"))
    except (ValueError, TypeError, UnknownLocaleError):
        return FALLBACK


@lru_cache(maxsize=32)
def _environment(locale: str, translations: str) -> Environment:
    spoken = Locale.parse(locale)
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(["html"], default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        extensions=["jinja2.ext.i18n"],
    )
    catalogue: NullTranslations = Translations.load(translations, [locale, spoken.language], domain=CATALOGUE)
    environment.install_gettext_translations(catalogue, newstyle=True)  # type: ignore[attr-defined]
    environment.filters["money"] = lambda minor, currency: money_text(Money(minor, currency), spoken)
    environment.filters["day"] = lambda iso: format_date(
        date.fromisoformat(iso), format="long", locale=spoken
    )
    return environment


def money_text(amount: Money, locale: Locale) -> str:
    """As the locale writes money, with as many decimals as ISO 4217 gives the currency (CLDR shows fewer for some)."""
    pattern = copy.copy(locale.currency_formats["standard"])
    pattern.frac_prec = (amount.exponent, amount.exponent)
    text = pattern.apply(
        Decimal(amount.minor).scaleb(-amount.exponent),
        locale,
        currency=amount.currency,
        currency_digits=False,
    )
    # CLDR wants a space between letters and digits, which Babel leaves out: HUF 500.
    return _LETTER_THEN_DIGIT.sub("\u00a0", text)
