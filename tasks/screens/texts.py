"""Texts for training screens from an open vocabulary: interface words, their combinations, and what has no dictionary.

Every maker takes the random numbers and returns one line of printable ASCII. None returns a text that
`vocabulary.HELD_OUT_TEXTS` keeps for the evaluation, nor one that holds a word of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from random import Random

from ..vocabulary import BUTTONS, CHECKBOXES, FIELDS, HEADINGS, HELD_OUT_WORDS, LINKS, TABS
from . import words

Maker = Callable[[Random], str]

_ONSETS = (
    "b", "c", "d", "f", "g", "h", "j", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "y", "z",
    "bl", "br", "ch", "cl", "cr", "dr", "fl", "fr", "gl", "gr", "kn", "ph", "pl", "pr", "qu", "sc", "sh", "sk", "sl",
    "sm", "sn", "sp", "st", "str", "th", "tr", "tw", "wh", "x", "",
)  # fmt: skip
_SINGLE = 19  # so many onsets of one letter
_VOWELS = ("a", "e", "i", "o", "u", "a", "e", "i", "o", "u", "ai", "au", "ea", "ee", "ei", "ia", "ie", "io", "oa", "oo",
           "ou", "y")  # fmt: skip
_CODAS = (
    "", "", "", "n", "r", "s", "l", "t", "m", "d", "k", "ck", "ll", "nd", "ng", "nt", "rd", "rn", "rt", "ss", "st", "x",
    "p", "ft", "sh", "th",
)  # fmt: skip
_ENDINGS = ("com", "org", "net", "io", "dev", "app", "edu", "co.uk", "de", "fr", "jp", "info", "news", "shop")
_SUFFIXES = (
    "pdf", "txt", "png", "jpg", "doc", "docx", "xlsx", "csv", "zip", "tar.gz", "mp3", "mp4", "py", "js", "ts", "rs",
    "c", "cpp", "h", "html", "css", "json", "yaml", "toml", "md", "log", "ini", "sh", "svg", "gif", "wav", "pptx",
    "sql", "xml", "exe", "iso", "deb",
)  # fmt: skip
_LONG_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_MONTHS = tuple(month[:3] for month in _LONG_MONTHS)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def allowed(text: str) -> bool:
    """Whether a training screen may show this text."""
    return HELD_OUT_WORDS.isdisjoint(_lower_words(text))


@lru_cache(maxsize=16384)
def _lower_words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[a-z0-9]+", text.lower()))


def allowed_from(maker: Maker, rng: Random) -> str:
    """What the maker makes, again until it is allowed."""
    while True:
        if allowed(text := maker(rng)):
            return text


def pseudo_word(rng: Random) -> str:
    """A word that no dictionary has but a reader can spell: Stroam, kleent."""
    syllables = rng.choices((1, 2, 3), (3, 6, 2))[0]
    word = "".join(rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS) for _ in range(syllables))
    if len(word) < 3:
        word += rng.choice(_ONSETS[:_SINGLE]) + rng.choice("aeiou")
    return word[:10] if rng.random() < 0.4 else word[:10].capitalize()


def person(rng: Random) -> str:
    first, last = rng.choice(words.FIRST_NAMES), rng.choice(words.LAST_NAMES)
    if rng.random() < 0.15:
        last = pseudo_word(rng).capitalize()
    return rng.choices((f"{first} {last}", first, f"{last}, {first}", f"{first[0]}. {last}"), (8, 2, 1, 1))[0]


def number(rng: Random) -> str:
    style = rng.randrange(7)
    value = rng.randint(0, 10 ** rng.randint(1, 6))
    if style == 0:
        return f"{value:,}"
    if style == 1:
        return f"{rng.uniform(0, 100):.{rng.randint(0, 2)}f}%"
    if style == 2:
        return f"{rng.uniform(-100, 1000):.{rng.randint(1, 3)}f}"
    if style == 3:
        return f"{rng.uniform(0.1, 999):.1f} {rng.choice(('KB', 'MB', 'GB', 'km', 'kg', 'ms', 's', 'px', 'K', 'M'))}"
    if style == 4:
        return f"{rng.choice('+-')}{rng.uniform(0, 20):.2f}"
    if style == 5:
        return f"#{rng.randint(1, 99999)}"
    return str(value)


def price(rng: Random) -> str:
    value = rng.choice((rng.uniform(1, 100), rng.uniform(1, 10), rng.uniform(100, 5000)))
    shown = f"{value:,.2f}" if rng.random() < 0.75 else f"{value:,.0f}"
    return rng.choices((f"${shown}", f"{shown} EUR", f"EUR {shown}", f"{shown} USD", f"-${shown}", f"${shown}/mo"),
                       (8, 2, 1, 1, 1, 1))[0]  # fmt: skip


def clock(rng: Random) -> str:
    hour, minute = rng.randint(0, 23), rng.randint(0, 59)
    if rng.random() < 0.4:
        return f"{hour % 12 or 12}:{minute:02d} {rng.choice(('AM', 'PM', 'am', 'pm'))}"
    return f"{hour:02d}:{minute:02d}" + (f":{rng.randint(0, 59):02d}" if rng.random() < 0.2 else "")


def date(rng: Random) -> str:
    day, month, year = rng.randint(1, 28), rng.randrange(12), rng.randint(1998, 2031)
    match rng.randrange(8):
        case 0:
            return f"{year}-{month + 1:02d}-{day:02d}"
        case 1:
            return f"{_MONTHS[month]} {day}, {year}"
        case 2:
            return f"{day} {_LONG_MONTHS[month]}" + (f" {year}" if rng.random() < 0.5 else "")
        case 3:
            return f"{day:02d}/{month + 1:02d}/{year}"
        case 4:
            return f"{day:02d}.{month + 1:02d}.{year}"
        case 5:
            return f"{rng.choice(_DAYS)}" + (f", {_MONTHS[month]} {day}" if rng.random() < 0.5 else "")
        case 6:
            unit = rng.choice(("min", "minutes", "hours", "days", "weeks", "months", "years"))
            return f"{rng.randint(2, 59)} {unit} ago"
        case _:
            return f"{_MONTHS[month]} {day}"


def version(rng: Random) -> str:
    parts = [str(rng.randint(0, 30)) for _ in range(rng.choice((2, 3, 3, 4)))]
    tail = rng.choices(("", "-rc1", "-beta", "b2", ".dev0", " LTS"), (12, 1, 1, 1, 1, 1))[0]
    return rng.choice(("", "", "v", "Version ")) + ".".join(parts) + tail


def identifier(rng: Random) -> str:
    """A name from source code or a log: readConfig, MAX_RETRIES, a3f09c1, INV-20418."""
    parts = [_one_word(rng).lower() for _ in range(rng.choice((2, 2, 3)))]
    match rng.randrange(7):
        case 0:
            return parts[0] + "".join(part.capitalize() for part in parts[1:])
        case 1:
            return "".join(part.capitalize() for part in parts)
        case 2:
            return "_".join(parts)
        case 3:
            return "_".join(parts).upper()
        case 4:
            return "-".join(parts)
        case 5:
            return f"{rng.getrandbits(28):07x}"
        case _:
            letters = "".join(rng.choices("ABCDEFGHKLMNPRSTUVWX", k=rng.randint(2, 3)))
            return f"{letters}-{rng.randint(100, 99999)}"


def file_name(rng: Random) -> str:
    stem = rng.choice((
        lambda: _one_word(rng), lambda: identifier(rng), lambda: f"{_one_word(rng)}_{rng.randint(1, 2030)}",
        lambda: f"{_one_word(rng)} ({rng.randint(1, 9)})", lambda: f"{_one_word(rng)}-{_one_word(rng)}",
        lambda: f"IMG_{rng.randint(1000, 9999)}",
    ))()  # fmt: skip
    return f"{stem}.{rng.choice(_SUFFIXES)}"


def email(rng: Random) -> str:
    first, last = rng.choice(words.FIRST_NAMES).lower(), rng.choice(words.LAST_NAMES).lower()
    name = rng.choice(
        (first, f"{first}.{last}", f"{first[0]}{last}", f"{first}{rng.randint(1, 99)}", "info", "support")
    )
    return f"{name}@{domain(rng)}"


def domain(rng: Random) -> str:
    name = rng.choice((pseudo_word(rng), rng.choice(words.BRAND_NAMES), _one_word(rng), "example")).lower()
    return f"{name}.{rng.choice(_ENDINGS)}"


def address(rng: Random) -> str:
    """An address of the web or of a folder."""
    path = "/".join(_one_word(rng).lower() for _ in range(rng.randint(1, 3)))
    return rng.choice((f"https://{domain(rng)}/{path}", f"{domain(rng)}/{path}", f"/{path}", f"~/{path}",
                       f"{rng.randint(1, 255)}.{rng.randint(0, 255)}.{rng.randint(0, 255)}.{rng.randint(1, 254)}",
                       f"www.{domain(rng)}", f"localhost:{rng.randint(1000, 9999)}"))  # fmt: skip


def code_line(rng: Random) -> str:
    """A line of source code or of a terminal."""
    one, two, value = identifier(rng), identifier(rng), rng.randint(0, 999)
    return rng.choice((
        f"{one} = {value}", f"import {one}", f"return {one}", f"def {one}({two}):", f"if {one} > {value}:",
        f"const {one} = {two};", f"$ {one} --{_one_word(rng).lower()}", f"<{one}>", f"{one}({two})", f"# {one} {two}",
        f'{one}: "{_one_word(rng)}"', f"let {one} = {value};", f"WARN {one}: {value}", f"{clock(rng)} INFO {one}",
    ))  # fmt: skip


def combination(rng: Random) -> str:
    """Interface words put together anew."""
    verb, noun = rng.choice(words.VERBS), rng.choice(words.NOUNS)
    adjective, other = rng.choice(words.ADJECTIVES), rng.choice(words.NOUNS)
    match rng.randrange(8):
        case 0 | 1:
            return f"{verb} {noun}"
        case 2:
            return f"{adjective} {noun}"
        case 3:
            return f"{noun.capitalize()} {other}"
        case 4:
            return f"{verb} {adjective.lower()} {noun}"
        case 5:
            return f"{noun.capitalize()} and {other}"
        case 6:
            return noun.capitalize()
        case _:
            return verb


def oddity(rng: Random) -> str:
    """What is seldom in a dictionary: numbers, prices, times, names, addresses, versions, made-up words."""
    maker: Maker = rng.choices(
        (pseudo_word, number, price, clock, date, version, identifier, file_name, email, address, person, _pseudo_pair),
        (8, 3, 3, 2, 3, 2, 3, 3, 2, 1, 4, 4),
    )[0]
    return maker(rng)


def cased(rng: Random, text: str) -> str:
    """The text in one of the styles that designers choose."""
    style = rng.random()
    if style < 0.72:
        return text
    if style < 0.80:
        return text.upper()
    if style < 0.89:
        return text.lower()
    if style < 0.98:
        return " ".join(word[:1].upper() + word[1:] for word in text.split())
    return "".join(word[:1].upper() + word[1:] for word in text.split())


def _from(*pools: Sequence[str], odd_share: float = 0.12, combined_share: float = 0.3) -> Maker:
    pool = tuple(dict.fromkeys(text for group in pools for text in group))

    def make(rng: Random) -> str:
        chance = rng.random()
        if chance < odd_share:
            text = oddity(rng) if rng.random() < 0.5 else pseudo_word(rng)
        elif chance < odd_share + combined_share:
            text = combination(rng)
        else:
            text = rng.choice(pool)
        return cased(rng, text)

    return lambda rng: allowed_from(make, rng)


button_text = _from(BUTTONS, words.ACTIONS, words.VERBS)
link_text = _from(LINKS, words.PLACES_TO_GO, words.ACTIONS)
field_label = _from(FIELDS, words.FIELD_LABELS, combined_share=0.2)
switch_text = _from(CHECKBOXES, words.SETTINGS, combined_share=0.25)
choice_text = _from(words.SETTINGS, words.STATES, words.CITIES, words.ADJECTIVES, odd_share=0.25)
tab_text = _from(TABS, words.PLACES_TO_GO, words.MENU_BAR)
menu_text = _from(words.MENU_BAR, odd_share=0.06, combined_share=0.05)
entry_text = _from(words.MENU_ENTRIES, words.ACTIONS, combined_share=0.2)
place_text = _from(words.PLACES_TO_GO, words.CITIES, words.MENU_BAR)
headline = _from(HEADINGS, words.HEADLINES, combined_share=0.35)
column_text = _from(words.COMMON_COLUMNS, words.NOUNS, odd_share=0.05, combined_share=0.1)
brand = _from(words.BRAND_NAMES, odd_share=0.4, combined_share=0.0)
any_text = _from(words.MENU_ENTRIES, words.PLACES_TO_GO, words.ACTIONS, words.HEADLINES, words.CITIES,
                 words.FIELD_LABELS, odd_share=0.35, combined_share=0.3)  # fmt: skip


def cell_text(rng: Random) -> str:
    """What stands in a table."""
    make: Maker = rng.choice((number, price, date, clock, person, version, identifier, file_name, email, _state, _city))
    return allowed_from(make, rng)


def cell_makers(rng: Random, count: int) -> list[Maker]:
    """One maker for each column of a table: a column says one sort of thing."""
    makers: list[Maker] = [number, price, date, clock, person, version, identifier, file_name, email, _state, _city,
                           combination, pseudo_word, number, price]  # fmt: skip
    return [rng.choice(makers) for _ in range(count)]


def typed_text(rng: Random) -> str:
    """What somebody has entered into a field."""
    make: Maker = rng.choice((person, email, number, date, _city, pseudo_word, _stars, combination, address, price))
    return allowed_from(make, rng)


def sentence(rng: Random, num_words: int) -> str:
    """So many words in a row with the marks of a sentence; it need not mean anything."""
    said: list[str] = []
    for place in range(num_words):
        chance = rng.random()
        if chance < 0.62:
            word = rng.choice(words.PLAIN_WORDS)
        elif chance < 0.82:
            word = rng.choice(words.NOUNS)
        elif chance < 0.9:
            word = pseudo_word(rng).lower()
        elif chance < 0.94:
            word = rng.choice(words.CITIES + words.LAST_NAMES)
        elif chance < 0.97:
            word = str(rng.randint(1, 2030))
        else:
            word = rng.choice(words.VERBS).lower()
        if not allowed(word):
            word = "the"
        if place and place % 9 == 8 and rng.random() < 0.5:
            word += rng.choice((",", ".", ";", ":"))
        said.append(word)
    return said[0][:1].upper() + " ".join(said)[1:] + "."


def _one_word(rng: Random) -> str:
    return pseudo_word(rng) if rng.random() < 0.3 else rng.choice(words.NOUNS)


def _pseudo_pair(rng: Random) -> str:
    return f"{pseudo_word(rng)} {pseudo_word(rng) if rng.random() < 0.5 else rng.choice(words.NOUNS)}"


def _state(rng: Random) -> str:
    return rng.choice(words.STATES)


def _city(rng: Random) -> str:
    return rng.choice(words.CITIES)


def _stars(rng: Random) -> str:
    return "*" * rng.randint(5, 12)


def _only(maker: Maker) -> Maker:
    return lambda rng: allowed_from(maker, rng)


oddity_text = _only(oddity)
file_name_text = _only(file_name)
person_text = _only(person)
code_text = _only(code_line)
state_text = _only(_state)


def month(rng: Random) -> str:
    return f"{rng.choice(_LONG_MONTHS)} {rng.randint(1990, 2035)}" if rng.random() < 0.7 else rng.choice(_LONG_MONTHS)
