"""Secrets by name: `{{secret:NAME}}` stands for one wherever text is typed, and never leaves the environment."""

from __future__ import annotations

import html
import os
import re
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import contextmanager
from typing import Any, cast

from .actions import Action, Click, Drag, KeyDown, MouseDown, MouseUp, PressKeys, TypeText
from .errors import EnvError, UnsupportedAction

SecretLookup = Callable[[str], str | None]  # name -> value, None where there is none

VARIABLE = "MOONHAND_SECRET_"
KEYRING = "moonhand"  # the service under which keyrings keep them
SHORT = 4  # values with fewer characters are told from other text only where they stand alone
PASTES = ({"ctrl", "v"}, {"shift", "insert"}, {"meta", "v"})
_NAMED = re.compile(r"\{\{secret:([A-Za-z0-9_.-]+)\}\}")
_OPENING = re.compile(r"\{\{\s*secret\s*:", re.IGNORECASE)


class Secrets:
    """Fills secrets in at the last moment, and hides those it has filled in from whatever comes back.

    Hidden is a value as it stands and as addresses, HTML, JSON and Python write it, in any mix and any case. A value of
    fewer than SHORT characters is hidden only where no letter or digit stands beside it, for everything would look like
    it: such a one may show, and should not be used. Nothing is hidden of a part of a value, nor of one that was turned
    around, hashed or put in base64.
    """

    def __init__(self, lookup: SecretLookup) -> None:
        self._lookup = lookup
        self._used: dict[str, str] = {}  # name -> value, of those filled in
        self._hidden: list[tuple[re.Pattern[str], str]] = []  # the longest value first

    @property
    def values(self) -> tuple[str, ...]:
        """All that were filled in so far."""
        return tuple(self._used.values())

    def fill(self, text: str) -> str:
        """The text with the values in place of the names. UnsupportedAction for a name that stands for nothing."""
        if not names_secrets(text):
            return text
        if len(_OPENING.findall(text)) != len(_NAMED.findall(text)):
            raise UnsupportedAction(
                f"{text!r} does not name a secret: write {{{{secret:NAME}}}}, NAME in letters, digits, '_', '.' and '-'"
            )
        found = {name: self._find(name) for name in _NAMED.findall(text)}
        self._used |= found
        longest_first = sorted(self._used.items(), key=lambda item: -len(item[1]))
        self._hidden = [(_any_form(value), placeholder(name)) for name, value in longest_first]
        return _NAMED.sub(lambda match: found[match[1]], text)  # once: a value is never read as a name

    def mask(self, text: str) -> str:
        """The text with the names in place of the values that were filled in."""
        for form, name in self._hidden:
            text = form.sub(lambda _, name=name: name, text)
        return text

    def mask_name(self, name: str) -> str:
        """The same for a file's name, where browsers and we put others for some characters."""
        name = self.mask(name)
        for secret, value in self._used.items():
            if sum(map(str.isalnum, value)) >= SHORT:
                written = "".join(re.escape(char) if char.isalnum() else r"[\W_]{0,3}" for char in value)
                name = re.sub(written, lambda _, secret=secret: placeholder(secret), name, flags=re.IGNORECASE)
        return name

    def mask_all(self, value: Any) -> Any:
        """The same for every string in plain JSON values."""
        if not self._hidden:
            return value
        if isinstance(value, str):
            return self.mask(value)
        if isinstance(value, list):
            return [self.mask_all(each) for each in cast(list[Any], value)]
        if isinstance(value, dict):
            return {self.mask_all(key): self.mask_all(each) for key, each in cast(dict[Any, Any], value).items()}
        return value

    @contextmanager
    def hidden(self) -> Generator[None]:
        """Errors that leave the block show no value that was filled in, nor carry an error that does."""
        try:
            yield
        except EnvError as error:
            if self._hidden:
                error.args = tuple(self.mask(str(said)) for said in error.args)
                error.__cause__ = error.__context__ = None
            raise

    def shows_in(self, text: str) -> bool:
        """Whether a value that was filled in stands in the text."""
        return any(form.search(text) for form, _ in self._hidden)

    def _find(self, name: str) -> str:
        value = self._lookup(name)
        if not value:
            raise UnsupportedAction(
                f"there is no secret {name!r}: set {variable_of(name)} in the environment, or keep it with "
                f"`keyring set {KEYRING} {name}` (pip install 'moonhand[secrets]')"
            )
        return value


def names_secrets(text: str) -> bool:
    """Whether the text names a secret, or tries to."""
    return _OPENING.search(text) is not None


def is_paste(action: Action, held: Collection[str] = ()) -> bool:
    """Whether its keys, with those that are down already, paste what is on the clipboard, which may be a secret."""
    match action:
        case PressKeys():
            pressed = action.keys
        case KeyDown():
            pressed = (action.key,)
        case TypeText():
            pressed = tuple(action.text)
        case _:
            return False
    keys = {key.lower() for key in (*pressed, *held)}
    return any(chord <= keys for chord in PASTES)


def pastes_selected(action: Action) -> bool:
    """Whether it pastes what was selected last, on X."""
    return isinstance(action, Click | MouseDown | MouseUp | Drag) and action.button == "middle"


def pieces(action: TypeText) -> list[Action]:
    """The same in parts, each of which is typed: the names of secrets stand alone."""
    parts: list[Action] = [TypeText(text="", clear=True)] if action.clear else []
    texts = re.split(f"({_NAMED.pattern.replace('(', '(?:', 1)})", action.text)
    parts += [TypeText(text=text, via=action.via) for text in texts if text]
    return [*parts, PressKeys(keys=("enter",))] if action.submit else parts


def placeholder(name: str) -> str:
    return f"{{{{secret:{name}}}}}"


def find_secret(name: str) -> str | None:
    """From the environment, else from the keyring."""
    return secret_from_environment(name) or secret_from_keyring(name)


def secret_from_environment(name: str) -> str | None:
    """MOONHAND_SECRET_NAME, the name in capitals and with `_` for `.` and `-`."""
    return os.environ.get(variable_of(name))


def secret_from_keyring(name: str) -> str | None:
    """What the system's keyring keeps for `moonhand`; None without the library, a keyring or such an entry."""
    try:
        import keyring
        import keyring.errors
    except ImportError:
        return None
    try:
        return keyring.get_password(KEYRING, name)
    except (keyring.errors.KeyringError, RuntimeError, OSError):  # none there, locked, or its service does not answer
        return None


def without_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment for programs that we start: what they show, an agent sees."""
    return {name: value for name, value in environ.items() if not name.upper().startswith(VARIABLE)}


def variable_of(name: str) -> str:
    return VARIABLE + re.sub("[.-]", "_", name).upper()


def _any_form(value: str) -> re.Pattern[str]:
    """Finds the value however each of its characters is written."""
    written = "".join(f"(?:{'|'.join(_forms(character))})" for character in value)
    if len(value) < SHORT:
        written = rf"(?<!\w){written}(?!\w)"
    return re.compile(written, re.IGNORECASE)


def _forms(character: str) -> list[str]:
    data = character.encode("utf-8", "surrogatepass")
    code = ord(character)
    percent = "".join(f"%(?:25)*{byte:02x}" for byte in data)
    units = character.encode("utf-16-be", "surrogatepass").hex()
    escaped = "".join(rf"\\+u{units[at : at + 4]}" for at in range(0, len(units), 4))
    named = html.escape(character)
    forms = [rf"\\*{re.escape(character)}", percent, escaped, rf"&\#0*{code};", rf"&\#x0*{code:x};"]
    if code < 256:
        forms.append(rf"\\+x{code:02x}")
    if named != character:
        forms.append(re.escape(named))
    if character == " ":
        forms += [r"\+", "\u00a0", "&nbsp;"]
    return forms
