"""Domain names, as people write them and as they come in lists."""

from __future__ import annotations

import time

import pytest

from panel.billing.names import NameProblem, NameRefused, parse_domain, shown_form

TLDS = frozenset({"com", "de", "jp", "ro", "uk", "co.uk", "com.br"})


@pytest.mark.parametrize(
    ("written", "name", "shown", "tld"),
    [
        ("Example.COM", "example.com", "example.com", "com"),
        ("  example.com.\n", "example.com", "example.com", "com"),
        ("Straße.de", "xn--strae-oqa.de", "straße.de", "de"),
        ("XN--STRAE-OQA.DE", "xn--strae-oqa.de", "straße.de", "de"),
        ("țară.ro", "xn--ar-kla13i.ro", "țară.ro", "ro"),
        ("ｆｕｌｌ。com", "full.com", "full.com", "com"),
        ("日本語.jp", "xn--wgv71a119e.jp", "日本語.jp", "jp"),
        ("ひらカナ漢字.jp", "xn--y9j3b8e6e728tv2ya.jp", "ひらカナ漢字.jp", "jp"),
        ("автоэлектрик.com", "xn--80aejmjbdxvpe2k.com", "автоэлектрик.com", "com"),
        ("3-d.com", "3-d.com", "3-d.com", "com"),
    ],
)
def test_a_name_is_normalised_and_shown_with_its_own_letters(
    written: str, name: str, shown: str, tld: str
) -> None:
    assert parse_domain(written, TLDS) == (name, shown, tld)


@pytest.mark.parametrize("letters", ["аррӏе", "раypal", "gοοgle", "مثال", "שלום", "abc日本"])
def test_what_could_deceive_is_shown_as_punycode(letters: str) -> None:
    """Look-alikes, mixed scripts, right-to-left."""
    parsed = parse_domain(f"{letters}.com", TLDS)
    assert parsed.shown == parsed.name
    assert parsed.shown.startswith("xn--")


def test_the_longest_tld_is_taken() -> None:
    assert parse_domain("shop.co.uk", TLDS).tld == "co.uk"
    assert parse_domain("shop.uk", TLDS).tld == "uk"


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("", NameProblem.EMPTY),
        ("   ", NameProblem.EMPTY),
        (".", NameProblem.EMPTY),
        ("localhost", NameProblem.NO_TLD),
        ("com", NameProblem.IS_TLD),
        ("co.uk", NameProblem.IS_TLD),
        ("example.test", NameProblem.UNKNOWN_TLD),
        ("shop.org.uk", NameProblem.UNKNOWN_SUFFIX),
        ("www.example.com", NameProblem.UNKNOWN_SUFFIX),
        ("-a.com", NameProblem.INVALID_LABEL),
        ("a..com", NameProblem.INVALID_LABEL),
        ("ab--cd.com", NameProblem.INVALID_LABEL),
        ("xn--zz.com", NameProblem.INVALID_LABEL),
        ("a_b.com", NameProblem.NOT_IN_IDNA),
        ("https://example.com/", NameProblem.NOT_IN_IDNA),
        ("two words.com", NameProblem.NOT_IN_IDNA),
        ("smile😀.com", NameProblem.NOT_IN_IDNA),
        ("nul\x00.com", NameProblem.NOT_IN_IDNA),
        (f"{'a' * 64}.com", NameProblem.TOO_LONG),
        (f"{'ab.' * 90}com", NameProblem.TOO_LONG),
        (f"{'ä' * 60}.com", NameProblem.INVALID_LABEL),
    ],
)
def test_what_is_no_name_is_refused_with_the_reason(written: str, problem: NameProblem) -> None:
    with pytest.raises(NameRefused) as refused:
        parse_domain(written, TLDS)
    assert refused.value.problem is problem
    assert str(refused.value).endswith(".")
    assert refused.value.field == "name"


def test_a_refusal_moves_no_cursor_and_turns_no_text_round() -> None:
    with pytest.raises(NameRefused) as refused:
        parse_domain("evil\x1b[2J\u202ename.com", TLDS)
    assert str(refused.value).isprintable()


def test_a_long_text_is_refused_at_once() -> None:
    started = time.perf_counter()
    for hostile in ("a" * 1_000_000, "a." * 500_000, "ü" * 250, "xn--" + "9" * 240 + ".com", "-" * 200_000):
        with pytest.raises(NameRefused):
            parse_domain(hostile, TLDS)
    assert time.perf_counter() - started < 1


def test_a_name_that_is_here_already_is_shown_by_the_same_rule() -> None:
    assert shown_form("xn--strae-oqa.de") == "straße.de"
    assert shown_form("xn--80ak6aa92e.com") == "xn--80ak6aa92e.com"
    assert shown_form("example.com") == "example.com"
