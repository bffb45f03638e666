"""What is left out where a question is too long: frames of films first, then size; texts never."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from .inputs import Input, View
from .room import Room
from .sampling_times import thinned

FEWEST_FRAMES = 8  # of a film, before anything is shown smaller
SMALLEST_TOKENS = 64  # of a picture that is shown smaller: 224x224 px
STEP = 0.95  # by which sizes are tried
FILMS = ("video", "animation")

T = TypeVar("T")


def fitted(inputs: Sequence[Input], question: str, room: Room) -> list[Input] | None:
    """The most of these that fits: fewer frames of films, 8 of each at least, then all pictures smaller.

    None where even that is too much.
    """

    def fits(some: Sequence[Input]) -> bool:
        return room.over(some, question) <= 0

    most = max((len(each.views) for each in inputs if each.kind in FILMS), default=0)
    counts = range(most, min(most, FEWEST_FRAMES) - 1, -1)
    fewer = _first(counts, lambda keep: [with_frames(each, keep) for each in inputs], fits)
    if fewer is not None:
        return fewer
    fewest = [with_frames(each, FEWEST_FRAMES) for each in inputs]
    largest = max((room.tokens(view) for each in inputs for view in each.views), default=0)
    steps = math.ceil(math.log(max(1, largest / SMALLEST_TOKENS)) / -math.log(STEP))
    caps = [max(SMALLEST_TOKENS, int(largest * STEP**step)) for step in range(1, steps + 1)]
    return _first(caps, lambda cap: [within(each, cap, room) for each in fewest], fits)


def with_frames(given: Input, keep: int) -> Input:
    """So many frames of a film at most, evenly spread; anything else as it is."""
    if given.kind not in FILMS or len(given.views) <= keep:
        return given
    return replace(given, views=tuple(given.views[index] for index in thinned(len(given.views), keep)))


def within(given: Input, cap: int, room: Room) -> Input:
    """All views of an input smaller by the same share, so that none takes more than so many tokens."""
    scale = min((_scale(view, cap, room) for view in given.views), default=1.0)
    if scale == 1:
        return given
    views = tuple(_scaled(view, scale) for view in given.views)
    return replace(given, views=views, dpi=None if given.dpi is None else given.dpi * scale)


def dropped(before: Sequence[Input], after: Sequence[Input]) -> list[str]:
    """What became of each input that is shown otherwise, in words."""
    told: list[str] = []
    for old, new in zip(before, after, strict=True):
        if old.views == new.views:
            continue
        words: list[str] = []
        if len(new.views) < len(old.views):
            words.append(f"{len(new.views)} of its {len(old.views)} frames")
        if new.dpi is not None and old.dpi is not None:
            words.append(f"{new.dpi:.0f} instead of {old.dpi:.0f} dpi")
        elif (new.views[0].width_px, new.views[0].height_px) != (old.views[0].width_px, old.views[0].height_px):
            words.append(f"{_size(new.views[0])} instead of {_size(old.views[0])} px")
        told.append(f"{old.name} at {', '.join(words)}")
    return told


def _first(levels: Sequence[int], make: Callable[[int], T], fits: Callable[[T], bool]) -> T | None:
    """What the first level makes that fits, where whatever comes behind one that fits does so too."""
    low, high = 0, len(levels)
    while low < high:
        middle = (low + high) // 2
        if fits(make(levels[middle])):
            high = middle
        else:
            low = middle + 1
    return make(levels[low]) if low < len(levels) else None


def _scale(view: View, cap: int, room: Room) -> float:
    scale, tokens = 1.0, room.tokens(view)
    if tokens > cap:
        scale = room.seen_px(view)[0] / view.width_px * math.sqrt(cap / tokens)
    while tokens > cap and view.width_px * scale >= 1 and view.height_px * scale >= 1:
        tokens = room.tokens(_scaled(view, scale))
        scale *= 1.0 if tokens <= cap else 0.98
    return scale


def _scaled(view: View, scale: float) -> View:
    return replace(view, width_px=max(1, int(view.width_px * scale)), height_px=max(1, int(view.height_px * scale)))


def _size(view: View) -> str:
    return f"{view.width_px}x{view.height_px}"
