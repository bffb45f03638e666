"""What a step of an agent is worth beside what people did, by the rules of AgentNetBench.

The rules are those of OpenCUA's evaluation/agentnetbench/eval.py. Actions are told apart by pyautogui's names, without
regard to case; points are shares of the screenshot, 0..1. For one option, a list of true actions:
- nothing true, or nothing predicted: 0;
- the first of both is `terminate`: 1 for the same status, else 0; and 0 where only the prediction's is;
- the type of the first predicted action must be among the true types, else 0;
- then action by action, by its place: another type than the true one, or none, is 0; what is left over is ignored;
- click, doubleClick, rightClick, tripleClick, moveTo, dragTo: 1 in any of the true boxes, edges included, else 1 up to
  NEAR from the true point, and beyond it exp(-120 * (distance - NEAR));
- write: 1 - edit distance / length of the longer, in small letters, without white space at the ends; from 0.8 on 1,
  below it that share of 0.8;
- press, hotkey: 1 for the same set of keys, else 0; scroll: 1, whatever its direction and amount;
- a type without a rule (hscroll, middleClick, wait, ...) that is met is left out of the mean;
- the score of an option is the mean over the true types of the mean over the actions of each.
A step gets the best of its options. `write` and a lone Enter after it are one action, on both sides.

Ours: keys are compared by their one name (return is enter, cmd is meta), and a chord of one key is `press`, of more
`hotkey`, on both sides, for our actions do not tell the two apart.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from ...envs import key_name

NEAR: Final = 0.01 * math.sqrt(2)  # shares of the screenshot
STEEPNESS: Final = 120.0
ALIKE: Final = 0.8
ENTER: Final = frozenset(("enter",))
AT_POINT: Final = frozenset(("click", "doubleclick", "rightclick", "tripleclick", "moveto", "dragto"))

Pair = tuple[float, float]
Box = tuple[float, float, float, float]  # left, top, width, height: shares of the screenshot


@dataclass(frozen=True, kw_only=True)
class Call:
    """One action by pyautogui's name, with what its type has: a point, a text, keys, or a status."""

    type: str
    point: Pair | None = None
    text: str = ""
    keys: tuple[str, ...] = ()
    status: str = ""
    boxes: tuple[Box, ...] = ()  # of a true action: where a point is as good as the true one

    @property
    def kind(self) -> str:
        """The type as it is compared."""
        small = self.type.lower()
        if small in ("press", "hotkey"):
            return "press" if len(key_set(self.keys)) <= 1 else "hotkey"
        return small

    @property
    def needs_point(self) -> bool:
        return self.kind in AT_POINT


@dataclass(frozen=True)
class OptionScore:
    """What an option came to, and what each of its true types did, by their names in small letters."""

    total: float
    types: dict[str, float]


def score_step(options: Sequence[Sequence[Call]], predicted: Sequence[Call]) -> tuple[OptionScore, int]:
    """The best option's score and which it is; of equal ones the first. ValueError where there is no option."""
    if not options:
        raise ValueError("a step needs at least one list of true actions")
    scores = [score_option(option, predicted) for option in options]
    best = max(range(len(scores)), key=lambda at: (scores[at].total, -at))
    return scores[best], best


def score_option(true: Sequence[Call], predicted: Sequence[Call]) -> OptionScore:
    true, predicted = merged(true), merged(predicted)
    nothing = OptionScore(0.0, {call.type.lower(): 0.0 for call in true})
    if not true or not predicted:
        return nothing
    if true[0].kind == "terminate":
        is_same = predicted[0].kind == "terminate" and predicted[0].status == true[0].status
        return OptionScore(float(is_same), {"terminate": float(is_same)})
    if predicted[0].kind not in {call.kind for call in true}:
        return nothing
    worths: dict[str, list[float]] = {}
    for at, call in enumerate(true):
        is_met = at < len(predicted) and predicted[at].kind == call.kind
        worth = score_call(call, predicted[at]) if is_met else 0.0
        worths.setdefault(call.type.lower(), []).extend(() if worth is None else (worth,))
    counts = Counter(call.type.lower() for call in true)
    types = {type_: sum(found) / counts[type_] for type_, found in worths.items() if found}
    return OptionScore(sum(types.values()) / len(types) if types else 0.0, types)


def score_call(true: Call, predicted: Call) -> float | None:
    """Of two actions of one type; None where there is no rule for it."""
    if true.needs_point:
        if predicted.point is None or true.point is None:
            return 0.0
        if any(_holds(box, predicted.point) for box in true.boxes):
            return 1.0
        return near(math.dist(predicted.point, true.point))
    match true.kind:
        case "write":
            return alike(true.text, predicted.text)
        case "press" | "hotkey":
            return float(key_set(true.keys) == key_set(predicted.keys))
        case "scroll":
            return 1.0
        case _:
            return None


def near(distance: float) -> float:
    """What a point outside all boxes is worth, by its distance in shares of the screenshot."""
    return 1.0 if distance <= NEAR else math.exp(-STEEPNESS * (distance - NEAR))


def alike(true: str, predicted: str) -> float:
    """What a text is worth."""
    a, b = true.lower().strip(), predicted.lower().strip()
    longest = max(len(a), len(b))
    share = 1.0 if not longest else 1.0 - edit_distance(a, b) / longest
    return 1.0 if share >= ALIKE else share / ALIKE


def edit_distance(a: str, b: str) -> int:
    """The fewest letters to put in, take out or exchange (Levenshtein)."""
    before = list(range(len(b) + 1))
    for row, letter in enumerate(a, start=1):
        now = [row]
        for column, other in enumerate(b, start=1):
            now.append(min(before[column] + 1, now[-1] + 1, before[column - 1] + (letter != other)))
        before = now
    return before[-1]


def merged(calls: Sequence[Call]) -> tuple[Call, ...]:
    """With each `write` and a lone Enter after it as one."""
    found: list[Call] = []
    at = 0
    while at < len(calls):
        call, after = calls[at], calls[at + 1 : at + 2]
        if call.kind == "write" and after and after[0].kind == "press" and key_set(after[0].keys) == ENTER:
            call = replace(call, text=call.text + "\n")
            at += 1
        found.append(call)
        at += 1
    return tuple(found)


def key_set(keys: Sequence[str]) -> frozenset[str]:
    """The keys by their one name, letters small; a name that we do not know in small letters."""
    return frozenset(_key(key) for key in keys)


def _key(key: str) -> str:
    try:
        return key_name(key).lower()
    except ValueError:
        return key.lower()


def _holds(box: Box, point: Pair) -> bool:
    left, top, width, height = box
    x, y = point
    return left <= x <= left + width and top <= y <= top + height
