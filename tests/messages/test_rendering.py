"""Every mail in every language, with every fact, with the fewest, and with hostile ones."""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from hypothesis import given, settings
from hypothesis import strategies as st

from gateways.money import Money
from panel.messages.rendering import (
    TEMPLATES,
    TRANSLATIONS,
    CannotRender,
    Sender,
    deliverable,
    kinds,
    locale_of,
    money_text,
    render,
)

SENDER = Sender(
    "Evergreen Domains", "billing@evergreen.example", "sales@evergreen.example", "billing@evergreen.example"
)
ACCOUNT_LINKS = {"base_url": "https://panel.example/", "account_id": 3, "proforma_id": 12}
SAMPLE = {
    "contact_name": "Anne Martin",
    "number": "PF-000012",
    "total_minor": 4320,
    "tax_minor": 720,
    "fee_minor": 1500,
    "currency": "EUR",
    "bill_on": "2026-12-01",
    "due_on": "2026-12-15",
    "delete_on": "2027-01-14",
    "expires_on": "2027-12-15",
    "next_try_on": "2026-12-08",
    "days_left": 3,
    "years": 1,
    "ceiling_percent": 20,
    "card": "Visa •••• 4242",
    "decline_text": "The card has insufficient funds.",
    "invoice_number": "EV-2026-000007",
    "reason": "above_ceiling",
    "cause": "declined",
    "domain": "jardin-d’été.example",
    "domains": ["one.example", "two.example"],
    "lines": [
        {"domain": "one.example", "kind": "renewal", "years": 1, "ends_on": "2027-12-15", "net_minor": 1200},
        {"domain": "two.example", "kind": "renewal", "years": 2, "ends_on": "2028-12-15", "net_minor": 2400},
        {
            "domain": "one.example",
            "kind": "reactivation",
            "years": 0,
            "ends_on": "2026-12-15",
            "net_minor": 1500,
        },
        {"domain": "two.example", "kind": "redemption", "years": 0, "ends_on": "2026-12-15"},
        {"domain": "three.example"},
    ],
    **ACCOUNT_LINKS,
}
HOSTILE = (
    "{{7*7}}{% for x in () %}%(number)s ${7*7} <script>alert(1)</script><a href='https://evil.example'>x</a>"
    "\r\nBcc: everybody@client.example\r\n\r\n- item\n\x00\x1b[2J\u202egnp.exe\u2028\u200b\ud800 \"'&<![CDATA["
)


@pytest.fixture(scope="session")
def translations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The catalogues, compiled."""
    folder = tmp_path_factory.mktemp("translations")
    for source in TRANSLATIONS.glob("*/LC_MESSAGES/mail.po"):
        target = folder / source.relative_to(TRANSLATIONS).with_suffix(".mo")
        target.parent.mkdir(parents=True)
        with source.open("rb") as lines, target.open("wb") as output:
            write_mo(output, read_po(lines, locale=source.parent.parent.name))
    return folder


def rendered(
    kind: str, facts: dict, locale: str = "en", translations: Path = TRANSLATIONS, **changes
) -> EmailMessage:
    return render(
        **(
            {
                "kind": kind,
                "facts": facts,
                "locale": locale,
                "recipient": "anne@client.example",
                "message_id": "<1@evergreen.example>",
                "sender": SENDER,
                "at": datetime(2026, 11, 22, 9, tzinfo=UTC),
                "translations": translations,
            }
            | changes
        )
    )


def text_of(mail: EmailMessage) -> str:
    return mail.get_body(("plain",)).get_content()


def html_of(mail: EmailMessage) -> str:
    return mail.get_body(("html",)).get_content()


@pytest.mark.parametrize("kind", kinds())
def test_every_mail_says_what_it_knows_in_english_and_in_french(kind, translations):
    english, french = (rendered(kind, SAMPLE, locale, translations) for locale in ("en", "fr"))
    assert text_of(english).startswith("Hello Anne Martin,\n\n")
    assert text_of(french).startswith("Bonjour Anne Martin,\n\n")
    assert "Questions?" in text_of(english)
    assert "Des questions" in text_of(french)
    assert english["Subject"] != french["Subject"]
    assert text_of(french).splitlines()[2] != text_of(english).splitlines()[2]
    for mail in (english, french):
        assert "None" not in text_of(mail) + mail["Subject"]
        assert "\n\n\n" not in text_of(mail)


@pytest.mark.parametrize("kind", kinds())
def test_every_mail_lists_what_it_needs_and_what_it_may_have(kind):
    described = kinds()[kind]
    assert set(described.needs) | set(described.may_have) <= set(SAMPLE) | {"link"}
    assert not set(described.needs) & set(described.may_have)


@pytest.mark.parametrize("kind", kinds())
def test_every_mail_is_complete_with_the_fewest_facts(kind):
    fewest = {name: SAMPLE[name] for name in kinds()[kind].needs}
    mail = rendered(kind, fewest)
    assert text_of(mail).startswith("Hello,\n\n")
    assert "None" not in text_of(mail) + mail["Subject"]
    for name in fewest:
        with pytest.raises(CannotRender, match=name):
            rendered(kind, fewest | {name: None})


@pytest.mark.parametrize("kind", kinds())
def test_leaving_out_any_one_fact_leaves_a_proper_mail(kind):
    for name in kinds()[kind].may_have:
        mail = rendered(kind, {key: value for key, value in SAMPLE.items() if key != name})
        assert "None" not in text_of(mail) + mail["Subject"], name


@pytest.mark.parametrize("kind", kinds())
@pytest.mark.parametrize("locale", ["en", "fr"])
def test_hostile_text_in_every_fact_stays_text(kind, locale, translations):
    numbers = {name: value for name, value in SAMPLE.items() if not isinstance(value, str)}
    days = {name: value for name, value in SAMPLE.items() if name.endswith("_on")}
    facts = dict.fromkeys(SAMPLE, HOSTILE) | numbers | days | ACCOUNT_LINKS | {"currency": "EUR"}
    facts["domains"] = [HOSTILE] * 60
    facts["lines"] = [line | {"domain": HOSTILE, "kind": HOSTILE} for line in SAMPLE["lines"]] * 12
    mail = rendered(kind, facts, locale, translations)
    whole = mail.as_bytes()
    assert "{{7*7}}" in text_of(mail)
    assert "<script" not in html_of(mail)
    assert "href='https://evil" not in html_of(mail)
    assert html_of(mail).count("<a ") == html_of(mail).count('<a href="https://panel.example/')
    headers = whole.partition(b"\r\n\r\n")[0]
    assert b"\r\nBcc:" not in headers
    assert mail["Bcc"] is None
    for forbidden in ("\x00", "\x1b", "\u202e", "\u2028", "\r"):
        assert forbidden not in text_of(mail).replace("\r\n", "\n") + mail["Subject"]
    assert len(mail["Subject"]) <= 200


ANY_TEXT = st.text(st.characters(codec=None), max_size=200)


@settings(max_examples=150, deadline=None)
@given(kind=st.sampled_from(sorted(kinds())), text=ANY_TEXT, other=ANY_TEXT)
def test_no_text_at_all_breaks_a_mail_or_gets_into_its_headers(kind, text, other):
    facts = SAMPLE | {
        "contact_name": text,
        "number": other or "1",
        "card": text or "1",
        "domain": other or "1",
        "decline_text": text,
        "invoice_number": other,
        "reason": text,
        "cause": other,
        "domains": [text, other],
        "lines": [{"domain": text, "kind": other, "years": 1, "ends_on": "2027-01-01", "net_minor": 1}],
    }
    mail = rendered(kind, facts, sender=Sender(text, "a@b.example", other, "a@b.example"))
    assert mail.as_bytes()
    assert set(mail.keys()) == {
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "Auto-Submitted",
        "Content-Language",
        "MIME-Version",
        "Content-Type",
    }


def test_money_and_days_are_written_as_the_reader_writes_them(translations):
    english, french = (
        text_of(rendered("proforma_issued", SAMPLE, locale, translations)) for locale in ("en", "fr")
    )
    assert "€43.20" in english
    assert "December 15, 2026" in english
    assert "43,20\xa0€" in french
    assert "15 décembre 2026" in french
    assert "43,20" in text_of(rendered("proforma_issued", SAMPLE, "de"))
    assert "December 15, 2026" in text_of(rendered("proforma_issued", SAMPLE, "tlh"))


@pytest.mark.parametrize(
    ("minor", "currency", "shown"),
    [(1250, "JPY", "¥1,250"), (1250, "KWD", "KWD 1.250"), (5, "ISK", "ISK 5"), (1, "HUF", "HUF 0.01")],
)
def test_money_has_the_decimals_of_its_currency(minor, currency, shown):
    assert money_text(Money(minor, currency), locale_of("en")).replace("\xa0", " ") == shown


def test_a_long_list_is_cut_with_the_number_of_what_is_left_out():
    facts = SAMPLE | {"lines": [{"domain": f"d{number}.example"} for number in range(1234)]}
    text = text_of(rendered("receipt", facts))
    assert "- d49.example\n" in text
    assert "- d50.example\n" not in text
    assert "- and 1184 more\n" in text


def test_links_lead_to_the_page_that_it_is_about():
    assert "\nhttps://panel.example/accounts/3/proformas/12\n" in text_of(rendered("charge_declined", SAMPLE))
    assert "\nhttps://panel.example/accounts/3/cards\n" in text_of(rendered("card_expiring", SAMPLE))
    signed = SAMPLE | {"link": "https://panel.example/confirm/abc.def"}
    assert "\nhttps://panel.example/confirm/abc.def\n" in text_of(rendered("authentication_required", signed))
    without = {name: value for name, value in SAMPLE.items() if name != "base_url"}
    assert "http" not in text_of(rendered("charge_declined", without))


def test_the_html_is_the_text_with_lists_and_links():
    html = html_of(rendered("proforma_issued", SAMPLE))
    assert "<li>two.example: 2 years, until December 15, 2028, €24.00</li>" in html
    assert '<a href="https://panel.example/accounts/3/proformas/12">' in html
    assert "src=" not in html


def test_an_international_domain_is_written_to_in_ascii():
    assert deliverable("anne@café.example") == "anne@xn--caf-dma.example"
    for wrong in ("", "anne", "@b.example", "anne@", "an ne@b.example", "a@b.example\r\nX: y"):
        with pytest.raises(CannotRender):
            deliverable(wrong)


def test_every_word_of_every_mail_is_in_the_french_catalogue():
    with (TRANSLATIONS / "fr/LC_MESSAGES/mail.po").open("rb") as lines:
        catalogue = read_po(lines, locale="fr")
    found = extract_from_dir(str(TEMPLATES / "mail"), method_map=[("**.txt", "jinja2")])
    words = {
        message if isinstance(message, str) else message[0]
        for _file, _line, message, _notes, _context in found
    }
    assert words == {m.id if isinstance(m.id, str) else m.id[0] for m in catalogue if m.id}
    for message in catalogue:
        if message.id:
            said = [message.string] if isinstance(message.string, str) else list(message.string)
            assert all(said), message.id
            assert not message.fuzzy
            assert not list(message.check(catalogue)), message.id
