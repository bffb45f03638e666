"""What the keysyms of X type, dead keys included."""

from __future__ import annotations

import unicodedata

CODECS = {
    1: "iso8859_2", 2: "iso8859_3", 3: "iso8859_4", 5: "iso8859_6", 7: "iso8859_7", 12: "iso8859_8", 13: "iso8859_11",
    19: "iso8859_15",
}  # fmt: skip
KOI_FIRST, KOI_LAST = 0x6C0, 0x6FF  # Cyrillic, in the order of KOI8-R
CYRILLIC_FIRST, CYRILLIC = (
    0x6A1,
    "\u0452\u0453\u0451\u0454\u0455\u0456\u0457\u0458\u0459\u045a\u045b\u045c\u0491\u045e\u045f\u2116"
    "\u0402\u0403\u0401\u0404\u0405\u0406\u0407\u0408\u0409\u040a\u040b\u040c\u0490\u040e\u040f",
)
GREEK = {
    0x7A1: "\u0386", 0x7A2: "\u0388", 0x7A3: "\u0389", 0x7A4: "\u038a", 0x7A5: "\u03aa", 0x7A7: "\u038c",
    0x7A8: "\u038e", 0x7A9: "\u03ab", 0x7AB: "\u038f", 0x7AE: "\u0385", 0x7AF: "\u2015", 0x7B1: "\u03ac",
    0x7B2: "\u03ad", 0x7B3: "\u03ae", 0x7B4: "\u03af", 0x7B5: "\u03ca", 0x7B6: "\u0390", 0x7B7: "\u03cc",
    0x7B8: "\u03cd", 0x7B9: "\u03cb", 0x7BA: "\u03b0", 0x7BB: "\u03ce", 0x7F2: "\u03c3", 0x7F3: "\u03c2",
    **{0x7F4 + number: chr(0x3C4 + number) for number in range(6)},
}  # fmt: skip
KEYPAD_FIRST, KEYPAD_LAST = 0xFFAA, 0xFFBD  # keysyms that are their ASCII character and 0xFF80
DEAD = {
    0xFE50: "\u0300", 0xFE51: "\u0301", 0xFE52: "\u0302", 0xFE53: "\u0303", 0xFE54: "\u0304", 0xFE55: "\u0306",
    0xFE56: "\u0307", 0xFE57: "\u0308", 0xFE58: "\u030a", 0xFE59: "\u030b", 0xFE5A: "\u030c", 0xFE5B: "\u0327",
    0xFE5C: "\u0328",
}  # fmt: skip
SPACING = {"\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0308": '"'}  # with a space, or twice


def character_of(keysym: int) -> str:
    """The character that a keysym stands for; "" for one that types none."""
    if 0x20 <= keysym <= 0x7E or 0xA0 <= keysym <= 0xFF:
        return chr(keysym)
    if keysym >> 24 == 1:
        return chr(keysym & 0xFFFFFF) if keysym & 0xFFFFFF <= 0x10FFFF else ""
    if KEYPAD_FIRST <= keysym <= KEYPAD_LAST:
        return chr(keysym - 0xFF80)
    if keysym in GREEK:
        return GREEK[keysym]
    if keysym == 0x20AC:  # the euro has its own
        return chr(keysym)
    if KOI_FIRST <= keysym <= KOI_LAST:
        return bytes([keysym & 0xFF]).decode("koi8_r")
    if CYRILLIC_FIRST <= keysym < CYRILLIC_FIRST + len(CYRILLIC):
        return CYRILLIC[keysym - CYRILLIC_FIRST]
    codec = CODECS.get(keysym >> 8)
    return "" if codec is None or keysym & 0xFF < 0xA0 else bytes([keysym & 0xFF]).decode(codec, "ignore")


class DeadKeys:
    """Accents that wait for their letter."""

    def __init__(self) -> None:
        self._accent = ""

    def takes(self, keysym: int) -> bool:
        """Whether it is an accent, which types nothing as yet."""
        accent = DEAD.get(keysym, "")
        if accent and accent == self._accent:  # twice: the accent alone
            return False
        self._accent = accent or self._accent
        return bool(accent)

    def text(self, keysym: int) -> str:
        """What the key types, with the accent that waited."""
        accent, self._accent = self._accent, ""
        if not accent:
            return character_of(keysym)
        base = character_of(keysym)
        if keysym in DEAD or base == " ":
            return SPACING.get(accent, "")
        composed = unicodedata.normalize("NFC", base + accent)
        return composed if len(composed) == 1 else ""  # else no program takes it
