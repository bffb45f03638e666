"""Text put into what has the keyboard, whatever its letters and the layout."""

from __future__ import annotations

import itertools
import sys
import unicodedata
from collections.abc import Iterator

from .actions import TypeText
from .clipboard import Clipboard, check_length
from .errors import UnsupportedAction
from .hands import RAW_KEY, Hands, XTestHands
from .held import Held
from .wording import describe

NAMED_CHARACTERS = {"\n": "enter", "\r": "enter", "\t": "tab"}
TERMINALS = frozenset(  # by window class; to them Ctrl+V is a key like others
    (
        *("xterm", "uxterm", "urxvt", "rxvt", "st-256color", "kitty", "alacritty", "konsole", "xfce4-terminal"),
        *("gnome-terminal", "gnome-terminal-server", "lxterminal", "mate-terminal", "terminator", "tilix", "foot"),
    )
)


class Typist:
    """Types key by key what the layout has; a line that has more is pasted, or typed with borrowed keys.

    `paste_keys` paste from the clipboard, which is as before afterwards. Keys are borrowed in terminals, where the
    clipboard holds more than a text or cannot be read, and where nothing fetches what is pasted.
    """

    def __init__(
        self, held: Held, clipboard: Clipboard, *, display: str | None, gap_s: float, paste_keys: tuple[str, ...]
    ) -> None:
        self._held, self._clipboard = held, clipboard
        self._display, self._gap_s, self._paste_keys = display, gap_s, paste_keys

    def type(self, action: TypeText) -> None:
        """UnsupportedAction, mostly before anything is touched, where a character cannot be typed that way."""
        hands = self._held.hands
        lines = _lines(action.text)
        easy = {character for character in set(action.text) if _can(hands, character)}
        hard = [line for line in lines if not easy.issuperset(line)]
        pastes = action.via == "paste" or (bool(hard) and action.via == "auto" and self._may_paste(hands))
        self._check(action, hands, "".join(lines if action.via == "paste" else hard), pastes=pastes)
        if action.clear:
            self.chord(("meta" if sys.platform == "darwin" else "ctrl", "a"))
            self.chord(("backspace",))
        if action.via == "paste":
            if action.text and not self._paste(action.text):
                raise UnsupportedAction(
                    "nothing on the screen fetched the pasted text: click into a field first, or set paste_keys for "
                    'this program, such as ("shift", "insert")'
                )
        else:
            is_caps = isinstance(hands, XTestHands) and hands.is_caps()
            if is_caps:
                self.chord(("capslock",))
            for line in lines:
                if line in hard and pastes:
                    pastes = self._paste(line)
                    if pastes:
                        continue
                    self._check(action, hands, line, pastes=False)
                self._keys(hands, line)
            if is_caps:
                self.chord(("capslock",))
        if action.submit:
            self.chord(("enter",))

    def chord(self, keys: tuple[str, ...], hold_s: float = 0.0) -> None:
        """Press them together."""
        with self._held.holding(keys):
            self._held.pause(max(hold_s, self._gap_s))

    def _check(self, action: TypeText, hands: Hands, hard: str, *, pastes: bool) -> None:
        if strange := next((one for one in action.text if unicodedata.category(one) == "Cs"), None):
            raise UnsupportedAction(f"{describe(action)}: {strange!r} is half a character: give the whole one")
        if pastes:
            check_length(hard)
        if action.via == "paste":
            return
        if control := next((one for one in hard if unicodedata.category(one) == "Cc"), None):
            raise UnsupportedAction(f"{describe(action)}: no key types {control!r}; press its keys, or paste it")
        if hard and not pastes and not isinstance(hands, XTestHands):
            raise UnsupportedAction(f"{describe(action)}: the keyboard has no keys for {hard[0]!r}; paste it")
        if hard and not pastes and not self._num_spare_keys():
            raise UnsupportedAction(f"{describe(action)}: the keyboard has no keys left for {hard[0]!r}; paste it")

    def _may_paste(self, hands: Hands) -> bool:
        if not isinstance(hands, XTestHands):
            return True
        return hands.focused_class().lower() not in TERMINALS and self._clipboard.can_be_kept()

    def _paste(self, text: str) -> bool:
        hands = self._held.hands
        chord = tuple(dict.fromkeys(part for key in self._paste_keys for part in hands.stroke(key) or (key,)))
        return self._clipboard.paste(text, lambda: self.chord(chord))

    def _keys(self, hands: Hands, line: str) -> None:
        """Key by key, with borrowed keys for as many of the other characters at once as there are."""
        hard = {one for one in set(line) if not _can(hands, one)}
        for text, others in _batches(line, hard, self._num_spare_keys() if hard else 0):
            self._batch(hands, text, others)

    def _batch(self, hands: Hands, text: str, others: list[str]) -> None:
        if not others:
            for character in text:
                self.chord(_stroke(hands, character))
            return
        from .keymap import borrowed_keys

        strokes = {one: _stroke(hands, one) for one in text if one not in others}  # before the map is another one
        with borrowed_keys(self._display, others) as codes:
            strokes |= {one: (f"{RAW_KEY}{code}",) for one, code in codes.items()}
            for character in text:
                self.chord(strokes[character])

    def _num_spare_keys(self) -> int:
        from .keymap import num_spare_keys

        return num_spare_keys(self._display)


def _lines(text: str) -> list[str]:
    """The text in parts: what has a key of its own by name, and what lies between."""
    return ["".join(part) for _, part in itertools.groupby(text, NAMED_CHARACTERS.__contains__)]


def _batches(text: str, hard: set[str], limit: int) -> Iterator[tuple[str, list[str]]]:
    """The text in parts with at most `limit` different characters of the hard ones, and those."""
    batch, others = "", list[str]()
    for character in text:
        if character in hard and character not in others:
            if len(others) == limit:
                yield batch, others
                batch, others = "", []
            others.append(character)
        batch += character
    yield batch, others


def _can(hands: Hands, character: str) -> bool:
    return character in NAMED_CHARACTERS or hands.stroke(character, is_text=True) is not None


def _stroke(hands: Hands, character: str) -> tuple[str, ...]:
    named = NAMED_CHARACTERS.get(character)
    return (named,) if named else hands.stroke(character, is_text=True) or ()
