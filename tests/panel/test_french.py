"""The panel in French: a complete catalogue, no English left on the pages, money and days as France writes them."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

from hatch_build import CATALOGUES, compile_catalogues
from panel.blueprints.languages import LANGUAGES
from panel.records import AttemptStatus, RoleName
from tests import cast
from tests.house.documents import code_of
from tests.house.source import ROOT
from tests.panel.amber import Amber, settle_in

TRANSLATIONS = ROOT / CATALOGUES
FRENCH = TRANSLATIONS / "fr/LC_MESSAGES"
TRANSLATING = ROOT / "docs/translating.md"

# Words that give away a text nobody translated. What is a word in French too ("on", "or", "an") can't be among them.
ENGLISH = re.compile(
    r"\b(the|of|and|is|are|was|were|be|been|this|that|these|it|its|your|you|with|from|by|to|for|not|will|can"
    r"|domains?|cards?|invoices?|account|accounts|renew|renewals?|pay|paid|payment|charged?|charges|search|add"
    r"|remove|save|cancel|confirm|next|previous|none|any|all|expires|expiry|password|log|language|nothing|yet"
    r"|day|days|year|years|price|tax|amount|name|street|city|country|enabled|disabled|done|waiting)\b",
    re.IGNORECASE,
)
PLACES = re.compile(r"%\(\w+\)[sd]|%%")
NARROW, WIDE = "\u202f", "\u00a0"


# The catalogue


def fresh(domain: str, folder: Path) -> Catalog:
    """The messages in the source as it is now, taken by the very command that the documents name."""
    [command] = [line for line in code_of(TRANSLATING) if " extract " in line and f"/{domain}.pot" in line]
    words = shlex.split(command.replace("build/", f"{folder.as_posix()}/"))[1:]
    subprocess.run(
        [sys.executable, "-m", "babel.messages.frontend", *words], cwd=ROOT, check=True, capture_output=True
    )
    with (folder / f"{domain}.pot").open("rb") as lines:
        return read_po(lines)


def ids(catalogue: Catalog) -> set[Any]:
    return {message.id for message in catalogue if message.id}


def read(language: str, domain: str) -> Catalog:
    with (TRANSLATIONS / language / "LC_MESSAGES" / f"{domain}.po").open("rb") as lines:
        return read_po(lines, locale=language)


def texts(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


@pytest.fixture(scope="module", params=["messages", "mail"])
def domain(request) -> str:
    return request.param


@pytest.fixture(params=[language for language in LANGUAGES if language != "en"])
def language(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def messages(domain, tmp_path_factory) -> set[Any]:
    found = ids(fresh(domain, tmp_path_factory.mktemp(domain)))
    assert len(found) > 50
    return found


def test_every_message_is_in_the_catalogue_of_every_language(messages, domain, language):
    assert messages - ids(read(language, domain)) == set()


def test_no_catalogue_has_a_message_that_nobody_says(messages, domain, language):
    catalogue = read(language, domain)
    assert ids(catalogue) - messages == set()
    assert not catalogue.obsolete


def test_every_message_is_translated_and_none_is_in_doubt(domain, language):
    for message in said(domain, language):
        assert not message.fuzzy, message.id
        assert all(texts(message.string)), message.id


def test_every_translation_has_the_places_of_its_message(domain, language):
    for message in said(domain, language):
        places = sorted(PLACES.findall(texts(message.id)[-1]))
        for text in texts(message.string):
            assert sorted(PLACES.findall(text)) == places, message.id
            assert not PLACES.sub("", text).count("%") or "python-format" not in message.flags, message.id


def said(domain: str, language: str) -> list[Message]:
    return [message for message in read(language, domain) if message.id]


def test_the_words_of_pages_are_set_as_french_is_printed():
    for message in said("messages", "fr"):
        for text in texts(message.string):
            assert "'" not in text, text
            assert not re.search(r" [:;?!»]|« |\d %|[^ \u00a0\u202f(][;?!»]", text), text


def test_mails_and_pages_call_the_same_thing_by_the_same_name():
    pages, mail = ({m.id: m.string for m in said(name, "fr")} for name in ("messages", "mail"))
    for english in pages.keys() & mail.keys():
        assert pages[english] == mail[english]


# Pages


class _Shown(HTMLParser):
    """What a person sees or hears of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "style"):
            self._silent += 1
        told = ("aria-label", "placeholder", "alt", "data-label", "data-one", "data-many")
        self.pieces += [value for name, value in attrs if name in told and value]

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._silent -= 1

    def handle_data(self, data: str) -> None:
        if not self._silent and data.strip():
            self.pieces.append(" ".join(data.split(" ")).strip(" \n"))


def shown(page: str) -> str:
    reader = _Shown()
    reader.feed(page)
    return "\n".join(reader.pieces)


@pytest.fixture(scope="session")
def compiled(tmp_path_factory) -> Path:
    """The catalogues as the wheel has them; what lies beside the source may be older, or not there."""
    root = tmp_path_factory.mktemp("compiled")
    shutil.copytree(TRANSLATIONS, root / CATALOGUES, ignore=shutil.ignore_patterns("*.mo"))
    assert root / CATALOGUES / "fr/LC_MESSAGES/messages.mo" in compile_catalogues(root)
    return root / CATALOGUES


@pytest.fixture
def settings(settings, compiled) -> dict:
    places = {"BABEL_TRANSLATION_DIRECTORIES": str(compiled), "SECURITY_I18N_DIRNAME": [str(compiled)]}
    return settings | places


@dataclass
class Stage:
    """Amber Studio with something on every page, and the browsers of its client and of staff, both in French."""

    amber: Amber
    client: Any
    staff: Any
    proforma: Any
    paid: Any
    invoice: Any
    run: Any

    @property
    def account(self) -> str:
        return f"/accounts/{self.amber.account.id}"


@pytest.fixture
def stage(app, log_in) -> Stage:
    amber = settle_in(app)
    database = amber.database
    cast.make_recurrence(database, amber.domains[0], amber.contact, amber.card)
    address = {"name": "Anne Martin", "street": "2 Mill Lane", "city": "Graz", "country": "AT"}
    proforma = amber.proforma(
        due_on=date(2026, 12, 3), net_minor=102875, tax_minor=20575, total_minor=123450, issued_to=address
    )
    later = cast.make_domain(database, amber.account, "later.com", expires_in=90)
    paid = cast.make_proforma(database, amber.account, amber.contact, [later], issued_to=address)
    invoice = cast.make_invoice(database, paid)
    run = cast.make_run(database, counts={"due": 2, "issued": 2, "charged": 1, "declined": 1})
    decline = {"decline_kind": "hard", "decline_code": "51"}
    cast.make_attempt(database, proforma, amber.card, status=AttemptStatus.DECLINED, **decline)
    cast.make_task(
        database,
        subject=f"gateway_account:{amber.gateway_account.id}",
        account_id=None,
        reason="Clé refusée.",
    )
    client, staff = log_in(amber.user(RoleName.CLIENT)), log_in(amber.user(RoleName.ADMIN))
    for browser in (client, staff):
        assert browser.send("/language", {"locale": "fr"}).status_code == 303
    return Stage(amber, client, staff, proforma, paid, invoice, run)


# The page, and what it says in French.
PAGES = {
    "{account}/domains": ["Domaines", "Renouveler tout", "Paiement récurrent tout", "Actif", "3 domaines"],
    "{account}/domains/{domain}": ["Les trois réglages", "Ce qui se passe et quand", "Expiration"],
    "{account}/cards": ["Cartes", "Titulaire", "validée", "Ajouter une carte"],
    "{account}/cards/{card}": ["Supprimer cette carte", "1 domaine dépend de cette carte"],
    "{account}/cards/{card}/remove": ["1 domaine perd son moyen de paiement", "La conserver"],
    "{account}/cards/{card}/move": ["Rattacher les domaines à une autre carte"],
    "{account}/cards/add": ["Ajouter une carte"],
    "{account}/contacts": ["contact principal", "Numéro de TVA"],
    "{account}/contacts/{contact}": ["Code postal", "Enregistrer", "facultatif"],
    "{account}/contacts/add": ["Un contact de facturation", "Annuler"],
    "{account}/proformas": ["Échéance", "À payer", "En retard"],
    "{account}/proformas/{proforma}": [
        "Votre banque refuse les paiements par cette carte.",
        "Lignes",
        "1 an",
    ],
    "{account}/proformas/{paid}": ["Payé", "Renouvellement"],
    "{account}/invoices": ["Factures", "Avoirs", "Plus récent d’abord"],
    "{account}/invoices/{invoice}": ["Vendeur", "Acheteur", "TVA"],
    "{account}/actions/renew-all": ["Renouveler tout", "Nouvelle expiration", "Confirmer", "Prix hors taxe"],
    "{account}/actions/recurring-payment-all": [
        "Paiement récurrent tout",
        "J’accepte que la carte désignée ici soit débitée",
        "Confirmer pour",
    ],
    "/change": ["Nouveau mot de passe"],
    "/tf-setup": ["Connexion en deux étapes"],
}
STAFF_PAGES = {
    "/domains": ["Domaines de tous les comptes"],
    "/accounts": ["Contact principal", "Devise"],
    "/proformas": ["Tous les comptes"],
    "/invoices": ["Numéro"],
    "/forecast": ["Débits de demain", "Jours à venir"],
    "/runs": ["Traitements de renouvellement"],
    "/runs/{run}": ["Ce qu’est devenue chaque proforma", "Terminé"],
    "/tasks": ["Les débits par une passerelle sont arrêtés", "Que faire"],
    "/gateways": ["Passerelles", "Cartes validées", "Aucun : tous les modules ont été chargés."],
    "{account}/proformas/{proforma}/cancel": ["Que deviennent ces périodes ?", "La conserver"],
}


def address(stage: Stage, page: str) -> str:
    return page.format(
        account=stage.account,
        domain=stage.amber.domains[0].id,
        card=stage.amber.card.id,
        contact=stage.amber.contact.id,
        proforma=stage.proforma.id,
        paid=stage.paid.id,
        invoice=stage.invoice.id,
        run=stage.run.id,
    )


def test_every_page_is_in_french_and_nothing_on_it_in_english(stage):
    wrong = []
    for browser, pages in ((stage.client, PAGES), (stage.staff, PAGES | STAFF_PAGES)):
        for page, words in pages.items():
            answer = browser.get(address(stage, page))
            assert answer.status_code == 200, page
            assert '<html lang="fr">' in answer.text
            seen = shown(answer.text)
            missing = [word for word in words if not re.search(nbsp(word), seen)]
            english = [line for line in without_names(seen).splitlines() if ENGLISH.search(line)]
            if missing or english:
                wrong.append((page, missing, english))
    assert not wrong, "\n".join(map(str, wrong))


def nbsp(word: str) -> str:
    return re.sub(r" (?=[:?])", WIDE, word).replace("?", r"\?")


def without_names(text: str) -> str:
    """Leaves out what isn't ours to translate: names of people, plugins and gateway accounts, addresses."""
    names = (
        r"[\w.+-]+@[\w.-]+|Mock processor( \d+)?|Mock registry|By hand|Mill Lane|Evergreen Domains|Read Only"
    )
    return re.sub(names, "", text)


def test_money_and_days_are_written_as_in_france(stage):
    page = shown(stage.client.get(address(stage, "{account}/proformas")).text)
    assert f"1{NARROW}234,50{WIDE}€" in page
    assert "3 déc. 2026" in page
    stage.client.send("/language", {"locale": "en"})
    page = shown(stage.client.get(address(stage, "{account}/proformas")).text)
    assert "€1,234.50" in page
    assert "3 Dec 2026" in page


@pytest.mark.parametrize(("ticks", "said"), [(0, "0 domaine"), (1, "1 domaine"), (3, "3 domaines")])
def test_none_is_singular_in_french(stage, ticks, said):
    search = {0: "nothing-like-it", 1: "amber", 3: ""}[ticks]
    page = shown(stage.client.get(f"{stage.account}/domains?search={search}").text)
    assert said in page.splitlines()


def test_a_refusal_is_in_french_with_its_remedy(stage):
    page = f"{stage.account}/contacts/add"
    values = {"name": "Anne", "email": "a@b.example", "street": "1 rue Haute", "city": "Lyon", "vat_id": "F1"}
    answer = stage.client.send(page, values | {"postcode": "69001", "country": "FR"}, page=page)
    assert answer.status_code == 422
    assert "Un numéro de TVA compte de 4 à 20 lettres et chiffres" in answer.text
    assert not ENGLISH.search(without_names(shown(answer.text)))


@pytest.mark.parametrize(
    ("page", "status", "words"),
    [("/no-such-page", 404, "Il n’y a rien ici"), ("/gateways", 403, "Cela ne vous est pas permis")],
)
def test_error_pages_are_in_french(stage, page, status, words):
    answer = stage.client.get(page)
    assert answer.status_code == status
    assert words in shown(answer.text)
    assert not ENGLISH.search(without_names(shown(answer.text)))


# Logging in: texts of Flask-Security and of WTForms beside ours


@pytest.fixture
def visitor(app, anonymous):
    """Somebody at the log-in page, whose browser asks for French."""
    anonymous.environ_base["HTTP_ACCEPT_LANGUAGE"] = "fr-FR,fr;q=0.9,en;q=0.5"
    return anonymous


@pytest.fixture
def french(database, log_in):
    """Somebody of the staff, who has chosen French."""
    browser = log_in(cast.make_user(database, RoleName.ADMIN, locale="fr"))
    assert '<html lang="fr">' in browser.get("/change").text
    return browser


def log_in_as(visitor, **form: str):
    return visitor.post("/login", data={"csrf_token": visitor.token()} | form).text


def test_logging_in_is_refused_in_french(visitor, database):
    assert "Se connecter" in visitor.get("/login").text
    refused = shown(log_in_as(visitor, email="nobody@client.example", password="wrong"))
    assert "L’adresse e-mail et le mot de passe ne correspondent pas, ou l’accès n’est pas permis." in refused
    elsewhere = shown(log_in_as(visitor, email="a@b.example", password="x", next="//evil.example"))
    assert "vous ne pouvez continuer que vers une page de ce panneau" in elsewhere
    for page in (refused, elsewhere):
        assert not ENGLISH.search(page)


@pytest.mark.parametrize(
    ("now", "new", "again", "refusal"),
    [
        ("wrong", "a brand new sentence", "a brand new sentence", "Ce n’est pas votre mot de passe."),
        (cast.PASSWORD, "short", "short", "Un mot de passe compte au moins 10 caractères."),
        (cast.PASSWORD, "a brand new sentence", "another", "Les deux mots de passe sont différents."),
        (
            cast.PASSWORD,
            cast.PASSWORD,
            cast.PASSWORD,
            "C’est votre mot de passe actuel. Choisissez-en un autre.",
        ),
        ("", "", "", "Saisissez un mot de passe."),
    ],
)
def test_a_new_password_is_refused_in_french(french, now, new, again, refusal):
    change = {"password": now, "new_password": new, "new_password_confirm": again}
    page = shown(french.send("/change", change).text)
    assert refusal in page.splitlines()
    assert not ENGLISH.search(without_names(page))


def test_two_step_log_in_is_refused_in_french(french):
    page = shown(french.send("/tf-setup", {"setup": "carrier pigeon"}).text)
    assert not ENGLISH.search(without_names(page))
    assert "Choisissez l’un des moyens proposés." in page


def test_the_mail_with_the_link_is_in_french(app, visitor, database):
    user = cast.make_user(database, RoleName.ADMIN)
    visitor.post("/reset", data={"csrf_token": visitor.token("/reset"), "email": user.email})
    # It is sent after the answer.
    deadline = time.monotonic() + 10
    while not getattr(app.extensions["mailman"], "outbox", None) and time.monotonic() < deadline:
        time.sleep(0.02)
    [mail] = app.extensions["mailman"].outbox
    assert mail.subject == "Choisir un nouveau mot de passe"
    assert "a demandé un nouveau mot de passe pour votre accès" in mail.body
    assert not ENGLISH.search(re.sub(r"http\S+", "", mail.body))
