"""Is the cardholder the person, or the company, that documents are issued to?

Three answers. What is written differently but can only be the same name is a match: other case, other order,
accents, a passport's transliteration, titles, an initial for a given name, a company's legal form left out.
Whatever else isn't equal differs, however little: Martin is not Martinez, and a person decides.
"""

from __future__ import annotations

import enum
import itertools
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from anyascii import anyascii
from rapidfuzz import fuzz

from panel.records import Card, Contact


class HolderAnswer(enum.StrEnum):
    MATCH = "match"
    DIFFERS = "differs"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class HolderMatch:
    """The answer, and the two names it is about."""

    answer: HolderAnswer
    holder_name: str | None
    contact_name: str


# What is printed on cards that have no name.
PLACEHOLDERS = frozenset(
    {
        "cardholder",
        "card holder",
        "card member",
        "cardmember",
        "card user",
        "customer",
        "gift card",
        "gift card recipient",
        "n a",
        "na",
        "no name",
        "none",
        "null",
        "not available",
        "not provided",
        "unknown",
        "valued customer",
        "valued cardholder",
        "visa cardholder",
    }
)

_TITLES_BEFORE = """
mr mrs ms miss mx sir dame dr doctor prof professor dipl diplom ing engr mag herr frau monsieur madame mme mlle
mademoiselle sig signor signora sra srta senor senora dott dottssa avv dl dna domnul doamna hr fru
"""
TITLES_BEFORE = frozenset(_TITLES_BEFORE.split())
# Prof. Dr. med. habil.: parts of a title, but on their own they may be names.
TITLES_GO_ON = frozenset({"med", "rer", "nat", "habil", "hc", "phil", "iur", "oec"})
# Cards made from a magnetic stripe's data carry the title at the end: MARTIN/ANNE MS.
TITLES_AFTER = frozenset({"mr", "mrs", "ms", "miss", "dr", "phd", "msc", "bsc", "mba", "llm", "esq"})

# Parts of a surname that some write apart and some don't: O'Brien, Mac Donald, Van den Berg, De la Cruz.
_PARTICLES = """
o d l mc mac de del della dela di da das do dos du des la le las los van von vander den der ter ten zu zur el al bin
ibn abu st
"""
PARTICLES = frozenset(_PARTICLES.split())

# Legal forms, each with the form that it is another spelling of.
_LEGAL_FORMS = """
ltd limited, inc incorporated, corp corporation, co company, plc, llc, llp, lp, pty, ptyltd, pteltd,
srl, srls, spa, sas, sasu, sarl, eurl, sa, sci, snc, scs, sc, pfa, sl slu, slp, lda, ltda, eirl,
gmbh, mbh, gmbhcokg, ag, kg, ohg, ug, ek, ev, gbr, se, bv, nv, vof, bvba, ab, as, asa, aps, oy oyj,
spzoo, doo, dd, ad, kft, zrt, nyrt, bt, sro, eood, ood, ooo, tov, sia, uab, ou, epe, ae, ike, kk
"""
LEGAL_FORMS = {form: forms.split()[0] for forms in _LEGAL_FORMS.split(",") for form in forms.split()}
# Written as several words, in this order, once points are gone.
_LONG_FORMS = (
    (("gmbh", "&", "co", "kg"), "gmbhcokg"),
    (("sp", "zoo"), "spzoo"),
    (("sp", "z", "oo"), "spzoo"),
    (("pty", "ltd"), "ptyltd"),
    (("pte", "ltd"), "pteltd"),
    (("societe", "anonyme"), "sa"),
    (("besloten", "vennootschap"), "bv"),
)
_FORM_PARTS = frozenset(part for parts, _form in _LONG_FORMS for part in parts)
AND = frozenset({"&", "+", "and", "und", "et", "si", "y", "e", "og", "och", "en"})

# The ways in which passports (ICAO Doc 9303, part 3, section 6), banks and people transliterate. Letters that all
# of them write as anyascii does are left out.
_CYRILLIC = {
    "ий": ("iy", "ii", "y", "ij"),
    "ый": ("yy", "y", "yi"),
    "ье": ("ye", "ie", "e"),
    "кс": ("ks", "x"),
    "й": ("y", "i", "j"),
    "ё": ("yo", "e", "io"),
    "ю": ("yu", "iu", "ju"),
    "я": ("ya", "ia", "ja"),
    "ж": ("zh", "j"),
    "х": ("kh", "h"),
    "ц": ("ts", "c"),
    "ч": ("ch", "c"),
    "ш": ("sh", "s"),
    "щ": ("shch", "sht", "sch"),
    "ъ": ("", "ie", "a"),
    "ь": ("",),
    "ы": ("y",),
    "э": ("e",),
    "є": ("ie", "ye"),
    "ї": ("i", "yi"),
    "г": ("g", "h"),
    "и": ("i", "y"),
    "ђ": ("dj", "d"),
    "ћ": ("c",),
    "џ": ("dz", "d"),
    "љ": ("lj",),
    "њ": ("nj",),
}
MOST_SPELLINGS = 256
_GREEK_PAIRS = (
    ("ου", "ou"),
    ("αυ", "av"),
    ("ευ", "ev"),
    ("ηυ", "iv"),
    ("γγ", "ng"),
    ("γξ", "nx"),
    ("γχ", "nch"),
)
_GREEK_UNVOICED = (("αυ", "af"), ("ευ", "ef"))
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe", "ő": "oe", "ű": "ue"})

# Beyond this a name is no name of a person, and its permutations would take time.
MOST_TOKENS = 8
MOST_JOINED = 5

Token = frozenset[str]


def match(holder_name: str | None, contact_name: str, company: str | None) -> HolderMatch:
    """Whether `holder_name`, as the processor gives it, is the contact's person or company.

    UNKNOWN when the processor gives no name, or one that stands for none.
    """
    return HolderMatch(_answer(holder_name, contact_name, company), holder_name or None, contact_name)


def best_card(cards: Sequence[Card], contact: Contact) -> Card | None:
    """The card to offer first for this contact: one that matches, then the default one, then the nearest name."""

    def rank(card: Card) -> tuple[bool, bool, float]:
        answer = match(card.holder_name, contact.name, contact.company).answer
        nearest = max(
            fuzz.token_sort_ratio(_spelled(card.holder_name), _spelled(name))
            for name in (contact.name, contact.company)
        )
        return answer is HolderAnswer.MATCH, card.is_default, nearest

    return max(cards, key=rank, default=None)


def _answer(holder_name: str | None, contact_name: str, company: str | None) -> HolderAnswer:
    spelled = _spelled(holder_name)
    if holder_name is None or not any(c.isalpha() for c in spelled) or spelled in PLACEHOLDERS:
        return HolderAnswer.UNKNOWN
    if same_person(holder_name, contact_name) or same_company(holder_name, contact_name, form_needed=True):
        return HolderAnswer.MATCH
    if company and same_company(holder_name, company):
        return HolderAnswer.MATCH
    return HolderAnswer.DIFFERS


def same_person(one: str, other: str) -> bool:
    """Whether two names of people can only be the same: every full word of one is in the other, or its initial is."""
    if _is_cjk(one) != _is_cjk(other) and _joined_alike(one, other):
        return True
    return any(
        _tokens_agree(tokens, others)
        for tokens, others in itertools.product(_readings(one), _readings(other))
        if tokens and others
    )


def same_company(one: str, other: str, *, form_needed: bool = False) -> bool:
    """Whether two company names are the same words in the same order, the legal form aside.

    Two different legal forms are two companies. `form_needed`: a name without a legal form is no company's.
    """
    (words, form), (other_words, other_form) = _company(one), _company(other)
    if not words or len(words) != len(other_words):
        return False
    if form and other_form and form != other_form:
        return False
    if form_needed and not (form and other_form):
        return False
    return all(word & other_word for word, other_word in zip(words, other_words, strict=True))


def _tokens_agree(one: list[Token], other: list[Token]) -> bool:
    words, initials = _split(one)
    other_words, other_initials = _split(other)
    equal = 0
    for word in list(words):
        twin = next((candidate for candidate in other_words if candidate & word), None)
        if twin is not None:
            words.remove(word)
            other_words.remove(twin)
            equal += 1
    if not equal:
        return False
    if not _abbreviated(words, other_initials) or not _abbreviated(other_words, initials):
        return False
    for initial in list(initials):
        twin = next((candidate for candidate in other_initials if candidate & initial), None)
        if twin is not None:
            initials.remove(initial)
            other_initials.remove(twin)
    if initials and other_initials:
        return False
    # A middle initial more is no other name, as long as given name and surname are both there.
    return equal >= 2 or not (initials or other_initials)


def _abbreviated(words: list[Token], initials: list[Token]) -> bool:
    """Whether each of `words` has an initial of its own among `initials`; the ones that served are taken out."""
    for word in words:
        letters = {form[0] for form in word}
        initial = next((candidate for candidate in initials if candidate & letters), None)
        if initial is None:
            return False
        initials.remove(initial)
    return True


def _split(tokens: list[Token]) -> tuple[list[Token], list[Token]]:
    """Full words and initials."""
    words = [token for token in tokens if max(map(len, token)) > 1]
    return words, [token for token in tokens if max(map(len, token)) == 1]


def _readings(name: str) -> list[list[Token]]:
    """The ways in which a name divides into words: as written, with hyphens closed, with particles joined."""
    readings = []
    for hyphens in (" ", ""):
        words = _untitled(_words(name, hyphens))
        if len(words) <= MOST_TOKENS:
            readings.append([_forms(word) for word in words])
            joined = _particles_joined(words)
            if joined != words:
                readings.append([_forms(word) for word in joined])
    return readings


def _words(name: str, hyphens: str) -> list[str]:
    """Lower-case words in their own script. Apostrophes close, other punctuation parts."""
    text = unicodedata.normalize("NFKC", name).casefold()
    characters = []
    for character in unicodedata.normalize("NFC", text):
        category = unicodedata.category(character)
        if category == "Pd":
            characters.append(hyphens)
        elif character in "'’‘ʼ`´":
            continue
        elif category[0] in "LM":
            characters.append(character)
        elif category[0] == "N" or character in "&+":
            characters.append(f" {character} " if character in "&+" else character)
        elif category != "Cf":
            characters.append(" ")
    return "".join(characters).split()


def _untitled(words: list[str]) -> list[str]:
    kept = list(words)
    while len(kept) > 1 and anyascii(kept[0]) in TITLES_BEFORE:
        del kept[0]
        while len(kept) > 2 and anyascii(kept[0]) in TITLES_GO_ON:
            del kept[0]
    while len(kept) > 1 and anyascii(kept[-1]) in TITLES_AFTER:
        del kept[-1]
    return kept


def _particles_joined(words: list[str]) -> list[str]:
    joined: list[str] = []
    pending = ""
    for place, word in enumerate(words):
        if anyascii(word) in PARTICLES and place + 1 < len(words):
            pending += word
        else:
            joined.append(pending + word)
            pending = ""
    return joined


@lru_cache(maxsize=4096)
def _forms(word: str) -> Token:
    """The Latin spellings of a word: without accents, with umlauts written out, as a passport transliterates it."""
    spellings = [word, word.translate(_UMLAUTS), *_from_cyrillic(word), *_from_greek(word)]
    latin = {"".join(c for c in anyascii(spelling).casefold() if c.isalnum()) for spelling in spellings}
    return frozenset(form for form in latin if form) or frozenset({word})


def _from_cyrillic(word: str) -> list[str]:
    if not any("а" <= c <= "џ" or c == "ґ" for c in word):
        return []
    choices: list[tuple[str, ...]] = []
    rest = word
    while rest:
        length = 2 if rest[:2] in _CYRILLIC else 1
        choices.append(_CYRILLIC.get(rest[:length], (rest[:length],)))
        rest = rest[length:]
    return ["".join(parts) for parts in itertools.islice(itertools.product(*choices), MOST_SPELLINGS)]


def _from_greek(word: str) -> list[str]:
    if not any("ά" <= c <= "ώ" for c in word):
        return []
    bare = unicodedata.normalize(
        "NFC", "".join(c for c in unicodedata.normalize("NFD", word) if c != "\u0301")
    )
    spellings = []
    for pairs in (_GREEK_PAIRS, (*_GREEK_UNVOICED, *_GREEK_PAIRS)):
        spelling = bare
        for pair, latin in pairs:
            spelling = spelling.replace(pair, latin)
        spellings.append(spelling)
    return spellings


def _company(name: str) -> tuple[list[Token], str]:
    """The words of a company's name in order, and its legal form in one spelling ("" when it names none)."""
    words = _legal_forms_alike(_abbreviations_closed(_ands_alike(_words(name, " "))))
    for parts, form in _LONG_FORMS:
        for start in range(len(words) - len(parts) + 1):
            if tuple(words[start : start + len(parts)]) == parts:
                words[start : start + len(parts)] = [form]
                break
    form = ""
    if len(words) > 1 and words[-1] in LEGAL_FORMS:
        form = LEGAL_FORMS[words.pop()]
    # Romanian and Slavic companies put it first: SC Example SRL, ООО Пример.
    while len(words) > 1 and words[0] in {"sc", "ooo", "tov", "sia", "uab", "pfa", "ao"}:
        first = words.pop(0)
        form = form or LEGAL_FORMS.get(first, "")
    return [_forms(word) for word in words if word != "&"], form


def _ands_alike(words: list[str]) -> list[str]:
    """With one word for every "and" between two others, whatever the language."""
    return [
        "&" if anyascii(word) in AND and 0 < place < len(words) - 1 else word
        for place, word in enumerate(words)
    ]


def _legal_forms_alike(words: list[str]) -> list[str]:
    """Legal forms in Latin letters without accents; the other words as they are."""
    latin = [anyascii(word).casefold() for word in words]
    return [
        plain if plain in LEGAL_FORMS or plain in _FORM_PARTS else word
        for word, plain in zip(words, latin, strict=True)
    ]


def _abbreviations_closed(words: list[str]) -> list[str]:
    """Rows of single letters made one word: S.R.L. has come here as s, r, l."""
    closed: list[str] = []
    for is_letter, row in itertools.groupby(words, key=lambda word: len(word) == 1 and word.isalpha()):
        in_row = list(row)
        closed.extend(["".join(in_row)] if is_letter else in_row)
    return closed


def _is_cjk(name: str) -> bool:
    return any("\u3040" <= c <= "\u9fff" or "\uac00" <= c <= "\ud7a3" for c in name)


def _joined_alike(one: str, other: str) -> bool:
    """Whether the words of one, in some order and without spaces, spell the other: 王小明 is Xiaoming Wang."""
    words, others = (
        ["".join(anyascii(word).casefold().split()) for word in _untitled(_words(name, ""))]
        for name in (one, other)
    )
    if not 1 < max(len(words), len(others)) <= MOST_JOINED:
        return "".join(words) == "".join(others)
    spelled = {"".join(order) for order in itertools.permutations(others)}
    return any("".join(order) in spelled for order in itertools.permutations(words))


def _spelled(name: str | None) -> str:
    """For placeholders and for ranking alone."""
    return " ".join(anyascii(word) for word in _words(name or "", " ")).casefold()
