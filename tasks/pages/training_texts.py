"""What one training page says: texts of the open vocabulary, each of which stands on the page once."""

from __future__ import annotations

from random import Random

from ..screens import texts
from ..screens.texts import Maker, allowed, sentence

TRIES = 50


class PageTexts:
    """Texts for one page. What is meant to be asked for comes once, whatever its case and spaces."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.used: set[str] = set()

    def once(self, maker: Maker) -> str:
        """What the maker makes, until it is new to the page."""
        text = ""
        for _ in range(TRIES):
            text = maker(self.rng)
            if _key(text) not in self.used and len(text) > 1 and allowed(text):
                break
        self.used.add(_key(text))
        return text

    def label(self) -> str:
        return self.once(texts.any_text)

    def heading(self) -> str:
        return self.once(texts.headline)

    def link(self) -> str:
        return self.once(texts.link_text)

    def action(self) -> str:
        """What a button says."""
        return self.once(texts.button_text)

    def field(self) -> str:
        return self.once(texts.field_label)

    def setting(self) -> str:
        return self.once(texts.switch_text)

    def choice(self) -> str:
        return self.once(texts.choice_text)

    def word(self) -> str:
        """A short one: a tab, a column, a chip, a place to go."""
        return self.once(self.rng.choice((texts.tab_text, texts.place_text, texts.column_text)))

    def value(self) -> str:
        """What stands in a field or a cell."""
        return self.once(self.rng.choice((texts.typed_text, texts.cell_text)))

    def number(self) -> str:
        return self.once(self.rng.choice((texts.number, texts.price, texts.clock, texts.date)))

    def address(self) -> str:
        return self.once(texts.address)

    def brand(self) -> str:
        return self.once(texts.brand)

    def sentence(self, *, short: bool = False) -> str:
        """Four to fourteen words, three to six if short; nobody asks for them whole."""
        return sentence(self.rng, self.rng.randint(3, 6) if short else self.rng.randint(4, 14))


def _key(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalnum()) or text
