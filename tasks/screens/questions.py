"""Questions about a drawn screen that have exactly one answer, or none at all: then nothing they name is there.

A control is asked for by its text, by its kind, by the label it belongs to, by where it stands, by what its icon means;
a share of the questions names what is absent, another asks to read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from random import Random

from ..vocabulary import (
    ICON_WORDS,
    KIND_NAMES,
    KIND_WORDINGS,
    LIST_WORDINGS,
    ORDINALS,
    POSITION_WORDINGS,
    READ_WORD_WORDINGS,
    READ_WORDINGS,
    RELATION_WORDINGS,
    ROW_WORDINGS,
    TABLE_WORDINGS,
    TRAIN_WORDINGS,
    UNDER_WORDINGS,
    WORDINGS,
    Kind,
)
from . import texts
from .samples import Control, Question, Screen

LONGEST_READ = 24  # characters
LONGEST_LIST = 5  # texts
LISTED_KINDS: tuple[Kind, ...] = ("button", "link", "tab", "radio")

# Kinds that look like what they are called: only these are asked for by kind or counted.
PLAIN_KINDS: tuple[Kind, ...] = ("button", "field", "checkbox", "radio", "switch", "tab", "icon", "slider", "select")
COUNTED_KINDS: tuple[Kind, ...] = (*PLAIN_KINDS, "link")
LABELLED_KINDS: tuple[Kind, ...] = ("field", "select", "slider", "checkbox", "radio", "switch")
OTHER_KINDS: tuple[Kind, ...] = ("button", "link", "text", "option")
READABLE: tuple[Kind, ...] = ("button", "link", "tab", "menu", "option", "cell", "text")
ABSENT_TEXTS: tuple[tuple[Kind, texts.Maker, float], ...] = (
    ("button", texts.button_text, 5), ("link", texts.link_text, 5), ("field", texts.field_label, 4),
    ("checkbox", texts.switch_text, 3), ("radio", texts.choice_text, 2), ("switch", texts.switch_text, 2),
    ("tab", texts.tab_text, 2), ("menu", texts.menu_text, 1), ("option", texts.entry_text, 3),
    ("option", texts.place_text, 2), ("slider", texts.field_label, 1), ("select", texts.field_label, 2),
    ("cell", texts.cell_text, 4), ("text", texts.headline, 4), ("text", texts.any_text, 6),
    ("text", texts.oddity_text, 6),
)  # fmt: skip


def questions(rng: Random, screen: Screen, count: int, refuse_share: float = 0.12, read_share: float = 0.08
              ) -> list[Question]:  # fmt: skip
    """So many questions about a screen, fewer where it has little to ask about; none of them is asked twice."""
    known = _Known(screen)
    asked: dict[str, Question] = {}
    for _ in range(count * 3):
        if len(asked) == count:
            break
        chance = rng.random()
        if chance < refuse_share:
            question = _about_nothing(rng, known)
        elif chance < refuse_share + read_share:
            question = _to_read(rng, known)
        else:
            asker = rng.choices(ASKERS, ASKER_WEIGHTS)[0]
            question = asker(rng, known)
        if question is not None:
            asked.setdefault(question.instruction.lower(), question)
    return list(asked.values())


class _Known:
    """A screen with what its questions look up."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self.controls = screen.controls
        self.height_px, self.width_px = screen.pixels_HW3.shape[:2]
        self.written = _plain(" ".join(word.text for word in screen.words))
        self.labels = Counter(_key(c) for c in self.controls if c.kind != "icon")
        self.icons = Counter(c.label for c in self.controls if c.kind == "icon")
        self.by_kind: dict[Kind, list[Control]] = {}
        for control in self.controls:
            self.by_kind.setdefault(control.kind, []).append(control)
        self.named = [c for c in self.controls if c.kind != "icon" and self.is_named(c)]

    def says(self, text: str) -> int:
        """How often the words of a text stand on the screen in a row."""
        return self.written.count(_plain(text))

    def is_named(self, control: Control) -> bool:
        """Whether its label means this control and no other: plain text must not be repeated at all."""
        if self.labels[_key(control)] > 1:
            return False
        return control.kind != "text" or self.says(control.label) <= 1


def _plain(text: str) -> str:
    """Words between spaces, lower case, without the marks that labels gain."""
    return " " + " ".join(word.strip(":*.,;\"'!?()") or word for word in text.lower().split()) + " "


def _key(control: Control) -> str:
    return _plain(control.label)


def _by_text(rng: Random, known: _Known) -> Question | None:
    if not known.named:
        return None
    control = rng.choice(known.named)
    chance = rng.random()
    if chance < 0.25:
        wording = "{label}"
    elif chance < 0.35 and control.kind in WORDINGS:
        wording = rng.choice(WORDINGS[control.kind])
    elif chance < 0.39:  # a right label under a wrong kind still names its control
        other: Kind = rng.choice(OTHER_KINDS)
        wording = rng.choice(TRAIN_WORDINGS[other])
    else:
        wording = rng.choice(TRAIN_WORDINGS[control.kind])
    if wording == "{label}" and _plain(control.label) in _icon_words(known):
        wording = 'the text "{label}"'
    return Question(wording.format(label=_retyped(rng, control.label)), control, "text")


def _retyped(rng: Random, label: str) -> str:
    """A label as somebody might type it: as it stands, now and then in lower case or without its last mark."""
    chance = rng.random()
    if chance < 0.1:
        return label.lower()
    if chance < 0.14:
        return label.rstrip(".:!?") or label
    return label


def _icon_words(known: _Known) -> set[str]:
    return {_plain(word) for name in known.icons for word in ICON_WORDS[name]}


def _by_icon(rng: Random, known: _Known) -> Question | None:
    once = [c for c in known.by_kind.get("icon", ()) if known.icons[c.label] == 1]
    if not once:
        return None
    control = rng.choice(once)
    word = rng.choice(ICON_WORDS[control.label])
    wording = rng.choice(TRAIN_WORDINGS["icon"])
    if "icon" not in wording and (known.says(word) or rng.random() < 0.5):
        wording = "the {label} icon"
    return Question(wording.format(label=word), control, "icon")


def _by_kind(rng: Random, known: _Known) -> Question | None:
    single = [group[0] for kind, group in known.by_kind.items() if kind in PLAIN_KINDS and len(group) == 1]
    if not single:
        return None
    control = rng.choice(single)
    kind = rng.choice(KIND_NAMES[control.kind])
    return Question(rng.choice(KIND_WORDINGS).format(kind=kind), control, "kind")


def _by_position(rng: Random, known: _Known) -> Question | None:
    groups: list[tuple[Kind, list[Control]]] = [
        (kind, group) for kind, group in known.by_kind.items() if kind in COUNTED_KINDS and len(group) > 1
    ]
    if not groups:
        return None
    kind, group = rng.choice(groups)
    places = _places(rng, group)
    if not places:
        return None
    place, control = rng.choice(places)
    name = rng.choice(KIND_NAMES[kind])
    return Question(rng.choice(POSITION_WORDINGS).format(place=place, kind=name), control, "position")


def _places(rng: Random, group: list[Control]) -> list[tuple[str, Control]]:
    """Names of places that mean one of the group: counted where all are in one row or column, else at its edges."""
    down = sorted(group, key=lambda c: c.point[1])
    across = sorted(group, key=lambda c: c.point[0])
    found: list[tuple[str, Control]] = []
    in_column = all(b.box[1] >= a.box[3] - 2 for a, b in pairwise(down))
    in_row = all(b.box[0] >= a.box[2] - 2 for a, b in pairwise(across)) and (down[-1].point[1] - down[0].point[1] < 12)
    if in_column or in_row:
        order = down if in_column else across
        found += [(ORDINALS[index], control) for index, control in enumerate(order[: len(ORDINALS)])]
        found.append(("last", order[-1]))
    edges = (("top", down, 1), ("bottom", down[::-1], 1), ("leftmost", across, 0), ("rightmost", across[::-1], 0))
    for name, order, axis in edges:
        if abs(order[0].point[axis] - order[1].point[axis]) > 14:
            found.append((name, order[0]))
    corners = (("top left", down[0], across[0]), ("top right", down[0], across[-1]),
               ("bottom left", down[-1], across[0]), ("bottom right", down[-1], across[-1]))  # fmt: skip
    found += [(name, one) for name, one, other in corners if one is other and _is_corner(name, one, group)]
    return found


def _is_corner(name: str, control: Control, group: list[Control]) -> bool:
    """Whether no other of the group is as far out in either direction."""
    x_px, y_px = control.point
    others = [c.point for c in group if c is not control]
    high = all(y > y_px + 8 for _, y in others) if "top" in name else all(y < y_px - 8 for _, y in others)
    side = all(x > x_px + 8 for x, _ in others) if "left" in name else all(x < x_px - 8 for x, _ in others)
    return high and side


@dataclass(frozen=True)
class _Direction:
    words: tuple[str, ...]
    gap_px: Callable[[Control, Control], float]  # from the named one to the other, negative where it is not that way
    aligned: Callable[[Control, Control], bool]


def _in_line(one: Control, other: Control) -> bool:
    """Whether two stand at one height."""
    shared_px = min(one.box[3], other.box[3]) - max(one.box[1], other.box[1])
    return shared_px > 0.6 * min(one.box[3] - one.box[1], other.box[3] - other.box[1])


def _in_stack(one: Control, other: Control) -> bool:
    """Whether two stand one above the other."""
    shared_px = min(one.box[2], other.box[2]) - max(one.box[0], other.box[0])
    return shared_px > 0.5 * min(one.box[2] - one.box[0], other.box[2] - other.box[0])


DIRECTIONS: tuple[_Direction, ...] = (
    _Direction(("right of", "to the right of", "after"), lambda a, b: b.box[0] - a.box[2], _in_line),
    _Direction(("left of", "to the left of", "before"), lambda a, b: a.box[0] - b.box[2], _in_line),
    _Direction(("below", "under"), lambda a, b: b.box[1] - a.box[3], _in_stack),
    _Direction(("above", "over"), lambda a, b: a.box[1] - b.box[3], _in_stack),
)


def _by_label(rng: Random, known: _Known) -> Question | None:
    """By the label that belongs to a control, by a neighbour with a name, or by its place in a table or among cards."""
    chance = rng.random()
    if chance < 0.2 and (question := _repeated(rng, known)):
        return question
    if chance < 0.35 and (question := _in_table(rng, known)):
        return question
    own = [c for c in known.named if c.kind in LABELLED_KINDS]
    if own and rng.random() < 0.5:
        control = rng.choice(own)
        return _related(rng, control.kind, _own_relation(rng, control), control.label, control)
    anchors = [c for c in known.named if c.kind not in ("field", "select", "slider", "switch")]
    if not anchors:
        return None
    anchor, direction = rng.choice(anchors), rng.choice(DIRECTIONS)
    near = _beyond(direction, anchor, known.controls)
    if not near or near[0][1].kind not in (*PLAIN_KINDS, "link", "cell", "text"):
        return None
    gap_px, control = near[0]
    same = [gap for gap, other in near[1:] if other.kind == control.kind]
    if gap_px > 160 or (same and same[0] < gap_px + 6):
        return None
    if any(direction.aligned(control, other) and gap < gap_px + 3 for gap, other in near[1:]):
        return None
    return _related(rng, control.kind, rng.choice(direction.words), anchor.label, control)


def _beyond(direction: _Direction, anchor: Control, others: Iterable[Control]) -> list[tuple[float, Control]]:
    """What lies in a direction from a control and in line with it, the nearest first, with the gaps in px."""
    found = [
        (gap_px, other)
        for other in others
        if other is not anchor
        and (gap_px := direction.gap_px(anchor, other)) >= -2
        and direction.aligned(anchor, other)
    ]
    return sorted(found, key=lambda pair: pair[0])


def _repeated(rng: Random, known: _Known) -> Question | None:
    """A label that stands several times, told apart by what is in its row or above it."""
    several = [c for c in known.controls if c.kind in ("link", "button") and known.labels[_key(c)] > 1]
    if not several or not known.named:
        return None
    control = rng.choice(several)
    alike = [c for c in several if _key(c) == _key(control)]
    row = [c for c in known.named if _in_line(c, control)]
    if row and not any(_in_line(other, control) for other in alike if other is not control):
        anchor = rng.choice(row)
        wording = rng.choice(ROW_WORDINGS)
    else:
        above = [c for _, c in _beyond(DIRECTIONS[3], control, known.named)[:2]]
        if not above:
            return None
        anchor = rng.choice(above)
        if _beyond(DIRECTIONS[2], anchor, alike)[0][1] is not control:
            return None
        wording = rng.choice(UNDER_WORDINGS)
    return Question(wording.format(label=control.label, other=anchor.label), control, "label")


def _in_table(rng: Random, known: _Known) -> Question | None:
    """A cell by the name of its column and another cell of its row."""
    cells = known.by_kind.get("cell", [])
    if len(cells) < 4:
        return None
    control = rng.choice(cells)
    heads = [c for _, c in _beyond(DIRECTIONS[3], control, known.by_kind.get("text", [])) if c in known.named]
    rows = [c for c in cells if c is not control and _in_line(c, control) and c in known.named]
    if not heads or not rows:
        return None
    head, row = heads[0], rng.choice(rows)
    between = [c for _, c in _beyond(DIRECTIONS[3], control, known.controls) if c.point[1] > head.point[1]]
    beside = [c for c in cells if _in_line(c, row) and _in_stack(c, head)]
    if beside != [control] or any(c.kind != "cell" for c in between):
        return None
    wording = rng.choice(TABLE_WORDINGS)
    return Question(wording.format(column=head.label, row=row.label), control, "label")


def _own_relation(rng: Random, control: Control) -> str:
    if len(control.parts) < 2:
        return (
            rng.choice(("next to", "of", "for", "beside")) if control.kind in ("checkbox", "radio", "switch") else "for"
        )
    label, box = control.parts[0], control.box
    if label[3] <= box[1] + 2:
        return rng.choice(("below", "under", "for", "of"))
    return rng.choice(("next to", "right of", "beside", "for", "of"))


def _related(rng: Random, kind: Kind, relation: str, label: str, control: Control) -> Question:
    name, wording = rng.choice(KIND_NAMES[kind]), rng.choice(RELATION_WORDINGS)
    return Question(wording.format(kind=name, relation=relation, label=label), control, "label")


def _about_nothing(rng: Random, known: _Known) -> Question | None:
    """Name a text, an icon or a kind of control that the screen does not have."""
    chance = rng.random()
    if chance < 0.16:
        return _absent_icon(rng, known)
    if chance < 0.22:
        absent: list[Kind] = [kind for kind in PLAIN_KINDS if kind not in known.by_kind]
        if not absent:
            return None
        name = rng.choice(KIND_NAMES[rng.choice(absent)])
        if rng.random() < 0.5:
            return Question(rng.choice(KIND_WORDINGS).format(kind=name), None, "nothing")
        place = rng.choice((*ORDINALS[:3], "last", "top left", "rightmost"))
        return Question(rng.choice(POSITION_WORDINGS).format(place=place, kind=name), None, "nothing")
    kind, maker, _ = rng.choices(ABSENT_TEXTS, [weight for _, _, weight in ABSENT_TEXTS])[0]
    text = maker(rng)
    if chance < 0.5 and known.named:
        near = rng.choice(known.named)
        kind, text = near.kind, _changed(rng, near.label, text)
    if not _is_absent(known, text):
        return None
    wording = "{label}" if rng.random() < 0.25 else rng.choice(TRAIN_WORDINGS[kind])
    if rng.random() < 0.1:
        return Question(rng.choice(RELATION_WORDINGS).format(
            kind=rng.choice(KIND_NAMES[kind]), relation=rng.choice(("next to", "below", "right of")), label=text
        ), None, "nothing")  # fmt: skip
    return Question(wording.format(label=_retyped(rng, text)), None, "nothing")


def _is_absent(known: _Known, text: str) -> bool:
    """Whether neither the words of a text nor an icon with that meaning are there."""
    plain = _plain(text)
    if plain in _icon_words(known) or not texts.allowed(text):
        return False
    return plain not in known.written and plain.replace(" ", "") not in known.written.replace(" ", "")


def _absent_icon(rng: Random, known: _Known) -> Question | None:
    name = rng.choice([name for name in ICON_WORDS if name not in known.icons])
    word = rng.choice(ICON_WORDS[name])
    wording = rng.choice(TRAIN_WORDINGS["icon"])
    if known.says(word) and "icon" not in wording:
        return None
    return Question(wording.format(label=word), None, "nothing")


def _changed(rng: Random, label: str, other: str) -> str:
    """A label that is nearly one on the screen: a word exchanged or gone, or a figure."""
    parts = label.split()
    place = rng.randrange(len(parts))
    if digits := [index for index, character in enumerate(label) if character.isdigit()]:
        at = rng.choice(digits)
        return label[:at] + rng.choice([d for d in "0123456789" if d != label[at]]) + label[at + 1 :]
    if len(parts) == 1:
        return f"{label} {other.split()[0].lower()}"
    parts[place] = rng.choice(other.split())
    return " ".join(parts)


def _to_list(rng: Random, known: _Known) -> Question | None:
    """Ask for the texts of all controls of a kind, as they are read: row by row, from the left."""
    kinds: list[Kind] = [kind for kind in LISTED_KINDS if 2 <= len(known.by_kind.get(kind, ())) <= LONGEST_LIST]
    if not kinds:
        return None
    kind: Kind = rng.choice(kinds)
    row_px = min(control.box[3] - control.box[1] for control in known.by_kind[kind])
    in_order = sorted(known.by_kind[kind], key=lambda c: (round((c.box[1] + c.box[3]) / 2 / row_px), c.box[0]))
    if any(not c.label or "," in c.label or len(c.label) > LONGEST_READ for c in in_order):
        return None
    instruction = rng.choice(LIST_WORDINGS).format(kind=rng.choice(KIND_NAMES[kind]))
    return Question(instruction, None, "list", ", ".join(control.label for control in in_order))


def _to_read(rng: Random, known: _Known) -> Question | None:
    """Ask what stands at a place, a whole label or one word of it, or for a list."""
    if rng.random() < 0.15:
        return _to_list(rng, known)
    if rng.random() < 0.4 and known.screen.words:
        word = rng.choice(known.screen.words)
        if len(word.text) > LONGEST_READ:
            return None
        x_px, y_px = (word.box[0] + word.box[2]) / 2, (word.box[1] + word.box[3]) / 2
        return _reading(rng, known, READ_WORD_WORDINGS, x_px, y_px, word.text)
    readable = [c for c in known.controls if c.kind in READABLE and len(c.label) <= LONGEST_READ]
    if not readable:
        return None
    control = rng.choice(readable)
    return _reading(rng, known, READ_WORDINGS, *control.point, control.label)


def _reading(
    rng: Random, known: _Known, wordings: tuple[str, ...], x_px: float, y_px: float, text: str
) -> Question | None:
    x, y = x_px / known.width_px, y_px / known.height_px
    if not (0 <= x < 0.9995 and 0 <= y < 0.9995):
        return None
    return Question(rng.choice(wordings).format(x=f"{x:.3f}", y=f"{y:.3f}"), None, "read", text)


# How often each sort is asked where the screen allows it.
ASKERS: tuple[Callable[[Random, _Known], Question | None], ...] = (
    _by_text,
    _by_icon,
    _by_label,
    _by_position,
    _by_kind,
)
ASKER_WEIGHTS: tuple[int, ...] = (48, 14, 11, 8, 4)
