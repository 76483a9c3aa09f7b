"""Invented people and companies of several countries, with the addresses they would have."""

from __future__ import annotations

import random
from dataclasses import dataclass

from stdnum.eu import vat

from panel.demo.labels import word


@dataclass(frozen=True)
class Country:
    """What names and addresses look like there. In postcodes and VAT ids a # is any digit."""

    code: str
    currency: str
    locale: str
    tlds: tuple[str, ...]
    given: tuple[str, ...]
    family: tuple[str, ...]
    company: str
    streets: tuple[str, ...]
    cities: tuple[str, ...]
    postcode: str
    phone: str
    vat_id: str | None


@dataclass(frozen=True)
class Person:
    """Somebody with an address; `company` and `vat_id` are None for private people."""

    name: str
    company: str | None
    email: str
    phone: str
    street: str
    city: str
    postcode: str
    country: str
    vat_id: str | None


COUNTRIES = (
    Country(
        "FR", "EUR", "fr", ("fr", "com", "eu"),
        ("Élise", "Maël", "Océane", "Théo", "Zélie"), ("Varnier", "Delaubépine", "Roquelaire", "Brévanne"),
        "Atelier {} SARL", ("rue des Aulnes-Gris", "quai du Vieux-Lavoir"), ("Lyon", "Nantes", "Besançon"),
        "#####", "+33 1 99 00 ## ##", "FR##999######",
    ),
    Country(
        "RO", "RON", "en", ("ro", "com", "eu"),
        ("Ștefan", "Ioana", "Rareș", "Ilinca", "Țipora"), ("Brânzeiu", "Codrănescu", "Văleanu-Șotrop"),
        "{} Impex SRL", ("Strada Mestecenilor", "Aleea Țesătorilor"), ("Cluj-Napoca", "Iași", "Timișoara"),
        "######", "+40 31 999 ####", "RO999#####",
    ),
    Country(
        "DE", "EUR", "en", ("de", "com", "net"),
        ("Jörg", "Anneliese", "Björn", "Käthe", "Uwe"), ("Birkenfuß", "Möllendorn", "Strüwer", "Haselbröck"),
        "{} GmbH", ("Am Krähenteich", "Lindenstieg"), ("Köln", "Lübeck", "Görlitz"),
        "#####", "+49 30 99900 ###", "DE99#######",
    ),
    Country(
        "PL", "EUR", "en", ("pl", "eu", "com"),
        ("Łucja", "Zdzisław", "Małgorzata", "Świętomir"), ("Jaworzyński", "Brzózka", "Gęślicka"),
        "{} Sp. z o.o.", ("ul. Żurawia Górna", "ul. Młyńska Stara"), ("Łódź", "Gdańsk", "Kraków"),
        "##-###", "+48 22 999 ## ##", "PL99########",
    ),
    Country(
        "US", "USD", "en", ("com", "net", "org", "us"),
        ("Dorothea", "Quincy", "Marisol", "Everett"), ("Halverstone", "Pennywhistle", "Tillerman"),
        "{} LLC", ("Cottonwood Loop", "Old Ferry Road"), ("Portland", "Austin", "Madison"),
        "9####", "+1 202 555 01##", None,
    ),
    Country(
        "SE", "EUR", "en", ("se", "com", "eu"),
        ("Åsa", "Göran", "Märta", "Örjan"), ("Lindgårdh", "Björkvall", "Sjöstrand-Ek"),
        "{} AB", ("Tallbacksvägen", "Östra Kvarngränd"), ("Malmö", "Örebro", "Västerås"),
        "### ##", "+46 8 999 ## ##", "SE99########01",
    ),
    Country(
        "GB", "USD", "en", ("co.uk", "uk", "com"),
        ("Imogen", "Rhys", "Siân", "Alasdair"), ("Thornbury-Vale", "Wexcombe", "Ó Brannagáin"),
        "{} Ltd", ("Foxglove Row", "Tanner's Yard"), ("Bristol", "Leeds", "Aberdeen"),
        "ZZ# #ZZ", "+44 20 7946 0###", None,
    ),
)  # fmt: skip
"""The first one is the demo client's."""


def person(dice: random.Random, country: Country, *, is_company: bool, number: int) -> Person:
    """A person, or one who speaks for a company; `number` makes the e-mail address unique."""
    return Person(
        name=f"{dice.choice(country.given)} {dice.choice(country.family)}",
        company=country.company.format(word(dice).capitalize()) if is_company else None,
        email=f"client{number}@example.com",
        phone=_digits(dice, country.phone),
        street=f"{dice.choice(country.streets)} {dice.randint(1, 180)}",
        city=dice.choice(country.cities),
        postcode=_digits(dice, country.postcode),
        country=country.code,
        vat_id=_vat_id(dice, country) if is_company else None,
    )


def _vat_id(dice: random.Random, country: Country) -> str | None:
    """One with the right check digits, in a range chosen to look invented."""
    if country.vat_id is None:
        return None
    while not vat.is_valid(number := _digits(dice, country.vat_id)):
        pass
    return number


def _digits(dice: random.Random, pattern: str) -> str:
    return "".join(str(dice.randrange(10)) if sign == "#" else sign for sign in pattern)
