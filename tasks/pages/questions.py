"""What is asked about a large evaluation page: by text, by label, kind, place and icon, and for what is not there.

Nothing ambiguous: a text or label asked for stands once in the whole page, seen or not; a kind asked for alone is there
once; where something is counted, all of its kind lie in one row or column. Nothing absent shares a word with the page.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from ..screens.samples import Asked, Control
from ..vocabulary import (
    HELD_OUT_KIND_WORDINGS,
    HELD_OUT_POSITION_WORDINGS,
    HELD_OUT_RELATION_WORDINGS,
    HELD_OUT_TEXTS,
    HELD_OUT_WORDINGS,
    ICON_WORDS,
    KIND_NAMES,
    KINDS,
    ORDINALS,
    Kind,
)
from . import texts
from .icons import HELD_OUT_ICONS
from .shown import Shown

BY_TEXT: Final[tuple[Kind, ...]] = ("button", "link", "tab", "menu", "option", "cell", "text")
BY_LABEL: Final[tuple[Kind, ...]] = ("field", "checkbox", "radio", "switch", "slider", "select")
TICKS: Final[tuple[Kind, ...]] = ("checkbox", "radio", "switch")
ALONE: Final[tuple[Kind, ...]] = ("field", "select", "slider", "checkbox", "switch")
ABSENT_KINDS: Final[tuple[Kind, ...]] = ("slider", "switch", "radio", "checkbox", "select")
COUNTED: Final[tuple[Kind, ...]] = ("tab", *ABSENT_KINDS)
MOST_ALIKE = 3
MOST_TEXT, MOST_CONTROLS, MOST_NOTHING = 8, 8, 4  # questions a page
SAME_LINE_PX = 5


@dataclass(frozen=True)
class Ask:
    """One question; `control` is None where the page holds nothing of the kind."""

    instruction: str
    control: Control | None
    kind: Kind
    label: str
    asked: Asked


def ask(rng: Random, shown: Shown) -> list[Ask]:
    """Some questions of every sort that the page allows, sorts and kinds mixed evenly."""
    texts = _by_kind(rng, _text_questions(rng, shown), MOST_TEXT)
    controls = _by_kind(
        rng,
        [*_label_questions(rng, shown), *_kind_questions(rng, shown), *_position_questions(rng, shown),
         *_icon_questions(rng, shown)],
        MOST_CONTROLS,
    )  # fmt: skip
    return [*texts, *controls, *_nothing_questions(rng, shown)]


def _by_kind(rng: Random, asks: Sequence[Ask], most: int) -> list[Ask]:
    """At most so many, from each way of asking and kind in turn, at most three of the same."""
    groups: dict[tuple[Asked, Kind], list[Ask]] = {}
    for one in rng.sample(asks, len(asks)):
        groups.setdefault((one.asked, one.kind), []).append(one)
    rows = list(groups.values())
    rng.shuffle(rows)
    return [row[at] for at in range(MOST_ALIKE) for row in rows if at < len(row)][:most]


def _text_questions(rng: Random, shown: Shown) -> list[Ask]:
    asks: list[Ask] = []
    for mark, control in shown.marked:
        if mark.kind in BY_TEXT and _only(shown, mark.label):
            instruction = rng.choice(HELD_OUT_WORDINGS[mark.kind]).format(label=mark.label)
            asks.append(Ask(instruction, control, mark.kind, mark.label, "text"))
    return asks


def _label_questions(rng: Random, shown: Shown) -> list[Ask]:
    asks: list[Ask] = []
    for mark, control in shown.marked:
        if mark.kind in BY_LABEL and _only(shown, mark.label):
            if mark.kind in TICKS and rng.random() < 0.3:
                wording, name = rng.choice(HELD_OUT_RELATION_WORDINGS), KIND_NAMES[mark.kind][0]
                instruction = wording.format(kind=name, relation="next to", label=mark.label)
            else:
                instruction = rng.choice(HELD_OUT_WORDINGS[mark.kind]).format(label=mark.label)
            asks.append(Ask(instruction, control, mark.kind, mark.label, "label"))
    return asks


def _kind_questions(rng: Random, shown: Shown) -> list[Ask]:
    """The only one of its kind; a list to choose from looks like a field, so that one of each is none."""
    asks: list[Ask] = []
    for mark, control in shown.marked:
        rivals = ("field", "select") if mark.kind == "field" else (mark.kind,)
        if mark.kind in ALONE and sum(other.kind in rivals for other in shown.partly) == 1:
            name = KIND_NAMES[mark.kind][0]
            asks.append(Ask(rng.choice(HELD_OUT_KIND_WORDINGS).format(kind=name), control, mark.kind, name, "kind"))
    return asks


def _position_questions(rng: Random, shown: Shown) -> list[Ask]:
    asks: list[Ask] = []
    for kind in KINDS:
        row = _in_line(shown, kind)
        if len(row) < 2 or kind == "text" or (kind == "button" and _beside_icons(shown, row)):
            continue
        at = rng.randrange(min(len(row), len(ORDINALS)))
        place = "last" if at == len(row) - 1 and rng.random() < 0.5 else ORDINALS[at]
        name = KIND_NAMES[kind][0]
        instruction = rng.choice(HELD_OUT_POSITION_WORDINGS).format(place=place, kind=name)
        asks.append(Ask(instruction, row[at], kind, f"{place} {name}", "position"))
    return asks


def _icon_questions(rng: Random, shown: Shown) -> list[Ask]:
    """Icons drawn once, by one of their meanings that no other icon or text of the page has."""
    asks: list[Ask] = []
    for mark, control in shown.marked:
        if mark.kind != "icon" or shown.icons.count(mark.label) != 1:
            continue
        others = {word for name in shown.icons if name != mark.label for word in ICON_WORDS.get(name, (name,))}
        meanings = [word for word in ICON_WORDS[mark.label] if word not in others and not _found(shown, word)]
        if meanings:
            meaning = rng.choice(meanings)
            instruction = rng.choice(HELD_OUT_WORDINGS["icon"]).format(label=meaning)
            asks.append(Ask(instruction, control, "icon", meaning, "icon"))
    return asks


def _nothing_questions(rng: Random, shown: Shown) -> list[Ask]:
    asks: list[Ask] = []
    while len(asks) < MOST_NOTHING:
        chance = rng.random()
        if chance < 0.5:
            asks.append(_absent_label(rng, shown, BY_TEXT))
        elif chance < 0.7:
            asks.append(_absent_label(rng, shown, BY_LABEL))
        elif chance < 0.88:
            if (icon := _absent_icon(rng, shown)) is not None:
                asks.append(icon)
        else:
            asks += _absent_kinds(rng, shown)[: MOST_NOTHING - len(asks)]
    return asks


def _absent_label(rng: Random, shown: Shown, kinds: Sequence[Kind]) -> Ask:
    kind = rng.choice(kinds)
    pools = (texts.ABSENT, HELD_OUT_TEXTS, texts.GOODS, texts.CHAPTERS, texts.MENU_LINES,
             texts.PREFERENCES, texts.ENTRIES, texts.FORM_ACTIONS)  # fmt: skip
    while True:
        label = rng.choice(rng.choice(pools))
        if not any(_related(shown, word) for word in _words(label)):
            instruction = rng.choice(HELD_OUT_WORDINGS[kind]).format(label=label)
            return Ask(instruction, None, kind, label, "nothing")


def _absent_icon(rng: Random, shown: Shown) -> Ask | None:
    there = {word for name in shown.icons for word in ICON_WORDS.get(name, (name,))}
    names = [
        name
        for name in HELD_OUT_ICONS
        if name not in shown.icons
        and there.isdisjoint(ICON_WORDS[name])
        and not any(_related(shown, word) for meaning in ICON_WORDS[name] for word in _words(meaning))
    ]
    if not names:
        return None
    meaning = rng.choice(ICON_WORDS[rng.choice(names)])
    return Ask(rng.choice(HELD_OUT_WORDINGS["icon"]).format(label=meaning), None, "icon", meaning, "nothing")


def _absent_kinds(rng: Random, shown: Shown) -> list[Ask]:
    """A kind that the page lacks, or one more of a kind than it has."""
    there = {mark.kind for mark in shown.all_marks}
    lacking: list[Kind] = [kind for kind in ABSENT_KINDS if kind not in there]
    if lacking and rng.random() < 0.6:
        kind = rng.choice(lacking)
        name = KIND_NAMES[kind][0]
        return [Ask(rng.choice(HELD_OUT_KIND_WORDINGS).format(kind=name), None, kind, name, "nothing")]
    few: list[Kind] = [kind for kind in COUNTED if 2 <= len(_in_line(shown, kind)) < len(ORDINALS) - 1]
    if not few:
        return []
    kind = rng.choice(few)
    place, name = rng.choice(ORDINALS[len(_in_line(shown, kind)) :]), KIND_NAMES[kind][0]
    instruction = rng.choice(HELD_OUT_POSITION_WORDINGS).format(place=place, kind=name)
    return [Ask(instruction, None, kind, f"{place} {name}", "nothing")]


def _in_line(shown: Shown, kind: Kind) -> list[Control]:
    """All of this kind in view from left to right or from top to bottom; none unless they lie in one line."""
    found = [control for mark, control in shown.marked if mark.kind == kind]
    if len(found) != sum(mark.kind == kind for mark in shown.all_marks):
        return []
    if kind == "icon" and len(found) != len(shown.icons):
        return []
    middles = [(control.point[1], control.box[0]) for control in found]
    for axis, order in ((0, 0), (1, 1)):
        places = [middle[axis] for middle in middles]
        if places and max(places) - min(places) <= SAME_LINE_PX:
            return sorted(found, key=lambda control: control.box[order])
    return []


def _beside_icons(shown: Shown, row: Sequence[Control]) -> bool:
    """Whether icons that look like buttons stand among them."""
    return any(
        mark.kind == "icon" and any(abs(icon.point[1] - one.point[1]) < one.box[3] - one.box[1] for one in row)
        for mark, icon in shown.marked
    )


def _only(shown: Shown, label: str) -> bool:
    """Whether this label can be read once on the page: as the text of one mark and within no other text."""
    return (
        len(label) > 1
        and sum(mark.label.lower() == label.lower() for mark in shown.all_marks) == 1
        and sum(len(_spots(text, label)) for text in shown.texts) == 1
    )


def _found(shown: Shown, words: str) -> bool:
    return any(_spots(text, words) for text in shown.texts)


def _related(shown: Shown, word: str) -> bool:
    """Whether the page has this word or one that begins like it."""
    stem = word[: max(4, len(word) - 3)]
    return any(other.startswith(stem) for text in shown.texts for other in _words(text))


def _spots(text: str, words: str) -> list[str]:
    """Where words stand in a text, whatever their case, as whole words."""
    return re.findall(rf"(?<![a-z0-9]){re.escape(words.lower())}(?![a-z0-9])", text.lower())


def _words(text: str) -> list[str]:
    return [word for word in re.findall(r"[a-z0-9]+", text.lower()) if len(word) > 2]
