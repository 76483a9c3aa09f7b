"""Is this the cardholder? What can only be the same name matches; a near miss never does."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from panel.records import Card, Contact
from panel.renewals.holder_match import HolderAnswer, best_card, match

SAME_PERSON = [
    ("ANNE MARTIN", "Anne Martin"),
    ("MARTIN ANNE", "Anne Martin"),
    ("Martin, Anne", "Anne Martin"),
    ("MARTIN/ANNE MS", "Anne Martin"),
    ("  anne   martin ", "Anne Martin"),
    ("A. Martin", "Anne Martin"),
    ("A MARTIN", "Anne Martin"),
    ("MARTIN A", "Anne Martin"),
    ("ANNE M MARTIN", "Anne Martin"),
    ("Mrs Anne Martin", "Anne Martin"),
    ("MR JOHN SMITH", "John Smith"),
    ("JOHN SMITH MR", "John Smith"),
    ("Dr. John Smith", "John Smith"),
    ("John Smith, PhD", "John Smith"),
    ("Dipl.-Ing. Hans Müller", "Hans Müller"),
    ("Prof. Dr. med. Hans Müller", "Hans Müller"),
    ("HANS MUELLER", "Hans Müller"),
    ("HANS MULLER", "Hans Müller"),
    ("JOERG WEISS", "Jörg Weiß"),
    ("JORG WEISS", "Jörg Weiß"),
    ("SOEREN AABERG", "Søren Åberg"),
    ("SOREN ABERG", "Søren Åberg"),
    ("JEAN PIERRE DUPONT", "Jean-Pierre Dupont"),
    ("JEANPIERRE DUPONT", "Jean-Pierre Dupont"),
    ("J P DUPONT", "Jean-Pierre Dupont"),
    ("J.-P. Dupont", "Jean-Pierre Dupont"),
    ("FRANCOISE LEFEVRE", "Françoise Lefèvre"),
    ("STEFAN TARAN", "Ștefan Țăran"),
    ("Ştefan Ţăran", "Ștefan Țăran"),
    ("GARCIA MARQUEZ GABRIEL", "Gabriel García Márquez"),
    ("GABRIEL MARQUEZ GARCIA", "Gabriel García Márquez"),
    ("ANA ORTEGA GASSET", "Ana Ortega y Gasset"),
    ("SEAN OBRIEN", "Seán O'Brien"),
    ("SEAN O BRIEN", "Seán O’Brien"),
    ("JUAN DELACRUZ", "Juan de la Cruz"),
    ("JAN VANDENBERG", "Jan van den Berg"),
    ("LUKASZ WISNIEWSKI", "Łukasz Wiśniewski"),
    ("NGUYEN THI DAO", "Nguyễn Thị Đào"),
    ("IBRAHIM OZTURK", "İbrahim Öztürk"),
    ("ISIK YILMAZ", "Işık Yılmaz"),
    ("THORA JONSDOTTIR", "Þóra Jónsdóttir"),
    ("SERGEY YURYEVICH SHCHUKIN", "Сергей Юрьевич Щукин"),
    ("SERGEI SHCHUKIN", "Сергей Щукин"),
    ("IULIIA KHRUSHCHEVA", "Юлия Хрущёва"),
    ("DMITRY ALEXEEV", "Дмитрий Алексеев"),
    ("GIORGOS PAPADOPOULOS", "Γιώργος Παπαδόπουλος"),
    ("EVANGELOS CHRISTOU", "Ευάγγελος Χρήστου"),
    ("WANG XIAOMING", "王小明"),
    ("XIAOMING WANG", "王小明"),
    ("KOVACS EVA", "Kovács Éva"),
    ("SUKARNO", "Sukarno"),
]

SAME_COMPANY = [
    ("EXEMPLU SRL", "Exemplu S.R.L."),
    ("EXEMPLU", "SC Exemplu SRL"),
    ("S.C. Exemplu și Fiii S.R.L.", "Exemplu & Fiii SRL"),
    ("MUELLER UND SOHN GMBH", "Müller & Sohn GmbH"),
    ("MUELLER SOHN", "Müller & Sohn GmbH"),
    ("BEISPIEL GMBH & CO KG", "Beispiel GmbH & Co. KG"),
    ("EXAMPLE LIMITED", "Example Ltd."),
    ("EXAMPLE TRADING CO LTD", "Example Trading Co. Ltd"),
    ("ESEMPIO SPA", "Esempio S.p.A."),
    ("EXEMPLE SARL", "Exemple S.à r.l."),
    ("PRZYKLAD SP Z O O", "Przykład Sp. z o.o."),
    ("PRIKLAD SRO", "Příklad s.r.o."),
    ("ABC", "A.B.C. Ltd"),
    ("E Corp", "E Corp"),
    ("OOO PRIMER", "ООО Пример"),
]

DIFFERENT = [
    ("ANNE MARTINEZ", "Anne Martin"),
    ("ANNE MARTINS", "Anne Martin"),
    ("ANN MARTIN", "Anne Martin"),
    ("ANNA MARTIN", "Anne Martin"),
    ("JON SMITH", "John Smith"),
    ("JOHN SMYTH", "John Smith"),
    ("JOHN SMITH JR", "John Smith"),
    ("JOHN SMITH III", "John Smith"),
    ("B. Martin", "Anne Martin"),
    ("ANNE B MARTIN", "Anne C. Martin"),
    ("A M", "Anne Martin"),
    ("ANNE", "Anne Martin"),
    ("MARTIN", "Anne Martin"),
    ("A. Martin", "Martin"),
    ("ANNE MARIE MARTIN", "Anne Martin"),
    ("GABRIEL GARCIA", "Gabriel García Márquez"),
    ("HANS MUELLER", "Hans Muller"),
    ("HANS MÖLLER", "Hans Müller"),
    ("HANS MILLER", "Hans Müller"),
    ("ANN AMARTIN", "Anna Martin"),
    ("LEE ANNA", "Lea Anne"),
    ("WANG XIAOMEI", "王小明"),
    ("SERGEI SHCHUKIN", "Сергей Юрьевич Щукин"),
    ("MARIA POPESCU", "Ion Popescu"),
    ("BOB JONES", "Anne Martin"),
    ("", "Anne Martin"),
]

DIFFERENT_COMPANIES = [
    ("EXEMPLU SA", "Exemplu SRL"),
    ("EXEMPLE SAS", "Exemple SARL"),
    ("EXEMPLU TRADING SRL", "Exemplu SRL"),
    ("SOHN MUELLER GMBH", "Müller Sohn GmbH"),
    ("EXAMPEL LTD", "Example Ltd"),
    ("ANNE MARTINEZ", "Example Ltd"),
    ("SRL", "Exemplu SRL"),
]


@pytest.mark.parametrize(("holder", "contact"), SAME_PERSON)
def test_these_are_one_person(holder, contact):
    assert match(holder, contact, None).answer is HolderAnswer.MATCH
    assert match(contact, holder, None).answer is HolderAnswer.MATCH


@pytest.mark.parametrize(("holder", "company"), SAME_COMPANY)
def test_these_are_one_company(holder, company):
    assert match(holder, "Anne Martin", company).answer is HolderAnswer.MATCH
    assert match(company, "Anne Martin", holder).answer is HolderAnswer.MATCH


@pytest.mark.parametrize(("holder", "contact"), [pair for pair in DIFFERENT if pair[0]])
def test_these_are_two_people(holder, contact):
    assert match(holder, contact, None).answer is HolderAnswer.DIFFERS
    assert match(contact, holder, None).answer is HolderAnswer.DIFFERS


@pytest.mark.parametrize(("holder", "company"), DIFFERENT_COMPANIES)
def test_these_are_two_companies(holder, company):
    assert match(holder, "Bob Jones", company).answer is HolderAnswer.DIFFERS


def test_the_table_is_long_enough_to_mean_something():
    assert len(SAME_PERSON) + len(SAME_COMPANY) + len(DIFFERENT) + len(DIFFERENT_COMPANIES) >= 90


def test_a_company_card_and_the_contact_of_that_company_match_and_the_owner_of_another_does_not():
    assert match("EXEMPLU SRL", "Ana Pop", "Exemplu SRL").answer is HolderAnswer.MATCH
    assert match("ANA POP", "Ana Pop", "Exemplu SRL").answer is HolderAnswer.MATCH
    assert match("ION POP", "Ana Pop", "Exemplu SRL").answer is HolderAnswer.DIFFERS
    assert match("ANA POP", "Ana Pop SRL", None).answer is HolderAnswer.DIFFERS


@pytest.mark.parametrize(
    "holder",
    [None, "", "   ", "…", "4242", "CARDHOLDER", "Card Holder", "Valued Customer", "N/A", "Gift Card"],
)
def test_no_name_is_unknown_and_never_a_match(holder):
    answer = match(holder, "Anne Martin", None)
    assert answer.answer is HolderAnswer.UNKNOWN
    assert answer.contact_name == "Anne Martin"
    assert match(holder, holder or "", None).answer is HolderAnswer.UNKNOWN


def test_the_answer_carries_both_names_as_they_were_written():
    answer = match("MARTIN/ANNE", "Anne Martin", "Example Ltd")
    assert (answer.holder_name, answer.contact_name) == ("MARTIN/ANNE", "Anne Martin")


GIVEN = ["Anne", "Jörg", "Zoë", "Ștefan", "Łukasz", "Íñigo", "Chloé", "Björn", "Maeve", "Tomáš"]
FAMILY = ["Martin", "Weiß", "Țăran", "Wójcik", "Åkesson", "Öztürk", "Çelik", "Dvořák", "Nuñez", "Grün"]
NAMES = st.tuples(
    st.sampled_from(GIVEN), st.lists(st.sampled_from(FAMILY), min_size=1, max_size=2, unique=True)
).map(lambda parts: [parts[0], *parts[1]])
LETTERS = st.sampled_from("abcdefghijklmnopqrstuvwxyz")


def without_marks(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))


@given(words=NAMES, data=st.data())
def test_order_case_and_accents_change_nothing(words, data):
    written = " ".join(data.draw(st.permutations(words)))
    change = data.draw(st.sampled_from([str.upper, str.lower, str.title, without_marks, lambda t: f" {t} "]))
    form = data.draw(st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
    holder = unicodedata.normalize(form, change(written))
    assert match(holder, " ".join(words), None).answer is HolderAnswer.MATCH


@given(words=NAMES, data=st.data())
def test_an_initial_stands_for_any_given_name_in_any_order(words, data):
    short = [words[0][0] + data.draw(st.sampled_from(["", "."])), *words[1:]]
    assert (
        match(" ".join(data.draw(st.permutations(short))), " ".join(words), None).answer is HolderAnswer.MATCH
    )


@given(words=NAMES, place=st.integers(0, 2), data=st.data())
def test_one_letter_changed_dropped_or_added_in_a_word_is_never_a_match(words, place, data):
    place = place % len(words)
    word = without_marks(words[place]).lower().replace("ł", "l").replace("ß", "ss").replace("ø", "o")
    assume(len(word) > 3)
    at = data.draw(st.integers(1, len(word) - 1))
    letter = data.draw(LETTERS)
    changed = data.draw(
        st.sampled_from(
            [word[:at] + letter + word[at + 1 :], word[:at] + word[at + 1 :], word[:at] + letter + word[at:]]
        )
    )
    # Mueller is Müller: written out, an umlaut is one letter more and the same name.
    assume(changed != word and not any(pair in changed for pair in ("ae", "oe", "ue", "aa")))
    misspelt = [*words[:place], changed, *words[place + 1 :]]
    assert match(" ".join(misspelt), " ".join(words), None).answer is HolderAnswer.DIFFERS


@given(one=NAMES, other=NAMES)
def test_who_asks_whom_makes_no_difference(one, other):
    left, right = " ".join(one), " ".join(other)
    assert match(left, right, None).answer is match(right, left, None).answer
    assert (match(left, right, None).answer is HolderAnswer.MATCH) == (set(one) == set(other))


@given(holder=st.text(max_size=60), contact=st.text(max_size=60), company=st.none() | st.text(max_size=60))
def test_any_text_at_all_gets_an_answer(holder, contact, company):
    assert match(holder, contact, company).answer in HolderAnswer


def test_the_card_offered_first_is_one_that_matches_then_the_default_then_the_nearest():
    contact = Contact(name="Anne Martin", company=None)
    bob = Card(holder_name="BOB JONES", is_default=False)
    nobody = Card(holder_name=None, is_default=True)
    near = Card(holder_name="ANNE MARTINEZ", is_default=False)
    anne = Card(holder_name="A MARTIN", is_default=False)
    assert best_card([bob, nobody, near, anne], contact) is anne
    assert best_card([bob, nobody, near], contact) is nobody
    assert best_card([bob, near], contact) is near
    assert best_card([], contact) is None
