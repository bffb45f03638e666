"""What is to go out of a record, and strings without it."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, cast
from urllib.parse import unquote_plus

from ...envs import KINDS, NAMED_KEYS, UNTOUCHING
from ...envs.secrets import Secrets, placeholder
from ..errors import BadRequest

GONE = "[redacted]"
_KEYS = (
    "ahash button change decision format frame key keys kind kinds modifiers phash prompt_sha256 risks sha256 source "
    "state status type unit until verdict via waited_for"
)
_WORDS = (
    "abort accepted agent alt auto bad_replies change changed changed_far changed_near covered ctrl done dry_run error "
    "failed failure finished healed human instead keys left manual max_steps meta middle missing moonhand-trajectory "
    "moved needs_user no_change nobody notch open page paste px refused rejected replay right running shift skip "
    "skipped slow still still_moving stop stopped stuck success yes"
)
FORMAT_KEYS = frozenset(_KEYS.split())
OWN_WORDS = frozenset(_WORDS.split()) | KINDS | NAMED_KEYS | UNTOUCHING
"""What a record says under these keys, beside hashes and single characters: words of its own, which tell nothing."""
_HASH_OR_LETTER = re.compile(r"[0-9a-f]{64}|[0-9a-f]{16}|.", re.DOTALL)
_FIELD = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_ESCAPED = re.compile(r"\\+(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)


class Hiding:
    """Patterns and values that are to go.

    A pattern is looked for in a string as it stands and as it reads without the escapes of addresses, HTML and JSON; of
    a string that shows one only so, nothing stays. A value becomes the `{{secret:NAME}}` that it is called by.
    """

    def __init__(self, patterns: Sequence[re.Pattern[str]] = (), values: Mapping[str, str] | None = None) -> None:
        """`values` by the names that take their place."""
        self._patterns = tuple(patterns)
        self._secrets = Secrets((values or {}).get)
        for name in values or {}:
            self._secrets.fill(placeholder(name))

    def __bool__(self) -> bool:
        return bool(self._patterns or self._secrets.values)

    def shows_in(self, text: str) -> bool:
        return self.of(text) != text

    def looks_in(self, text: str) -> bool:
        """The same of a text that was read off a picture: a value with a letter in five misread is found too."""
        if self.shows_in(text) or self.shows_in("".join(text.split())):
            return True
        read = _blurred(text)
        return any(_is_nearly_in(wanted, read) for value in self._secrets.values if len(wanted := _blurred(value)) >= 4)

    def of(self, text: str) -> str:
        """The text without it."""
        text = self._secrets.mask(text)
        for pattern in self._patterns:
            text = GONE.join(pattern.sub(GONE, part) for part in text.split(GONE))
        bare = [form for form in _forms(text) if form != text]
        if any(pattern.search(form) for form in bare for pattern in self._patterns):
            return GONE
        return GONE if any(self._secrets.shows_in(form) for form in bare) else text

    def of_json(self, value: Any, key: str = "", count: Counter[str] | None = None) -> Any:
        """The same for every string in plain JSON values, and for names that are no field of a record.

        `count` gets how many strings were `changed`, and how many are the record's `own` words and stayed.
        """
        count = Counter() if count is None else count
        if isinstance(value, str):
            cleaned = self.of(value)
            if cleaned != value and _is_own_word(value, key):
                count["own"] += 1
                return value
            count["changed"] += cleaned != value
            return cleaned
        if isinstance(value, list):
            return [self.of_json(each, key, count) for each in cast(list[Any], value)]
        if isinstance(value, tuple):
            return tuple(self.of_json(each, key, count) for each in cast(tuple[Any, ...], value))
        if isinstance(value, dict):
            return {
                name if _is_field(name, key) else self.of(name): self.of_json(each, name, count)
                for name, each in cast(dict[str, Any], value).items()
            }
        return value


def pattern_of(text: str) -> re.Pattern[str]:
    """A regular expression as given. BadRequest for none, or for one that also finds nothing."""
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise BadRequest(f"--text {text!r} is no regular expression: {error}") from error
    if pattern.search("") is not None:
        raise BadRequest(f"--text {text!r} also finds the empty text, which is everywhere: make it find something")
    return pattern


def _is_own_word(text: str, key: str) -> bool:
    return key in FORMAT_KEYS and (text in OWN_WORDS or _HASH_OR_LETTER.fullmatch(text) is not None)


def _is_field(name: str, of: str) -> bool:
    """Whether it is the record's own name for something; variables have the names that people gave them."""
    return of != "variables" and _FIELD.fullmatch(name) is not None


def _forms(text: str) -> tuple[str, ...]:
    """The text without the escapes that it may have been written with."""
    return unquote_plus(unquote_plus(text)), html.unescape(text), _ESCAPED.sub(_unescaped, text)


def _unescaped(found: re.Match[str]) -> str:
    code = found[1] or found[2]
    return chr(int(code, 16)) if code else found[3]


def _blurred(text: str) -> str:
    """Letters and digits alone, those that readers take for one another as one."""
    return "".join(filter(str.isalnum, text.lower())).translate(_LOOK_ALIKE)


_LOOK_ALIKE = str.maketrans("01i5829", "ollsbzg")


def _is_nearly_in(wanted: str, text: str) -> bool:
    allowed = len(wanted) // 5
    windows = (text[at : at + len(wanted)] for at in range(len(text) - len(wanted) + 1))
    return any(sum(a != b for a, b in zip(wanted, window, strict=True)) <= allowed for window in windows)
