"""A screen that can be seen and touched: the protocol, what it shows and what it answers."""

from __future__ import annotations

import hashlib
import io
import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .actions import UNTOUCHING, Action
from .errors import PointOffScreen, UnsupportedAction
from .geometry import Size
from .risk import Risk
from .surroundings import Surroundings
from .wording import action_points, describe

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Frame:
    """What the screen showed at one moment, at native resolution.

    `pixels_HW3` is uint8 RGB [height, width, 3], read-only here (the array passed in keeps its own flags);
    another shape or dtype is a ValueError. `scale` is screenshot px per CSS px or OS point, `origin_pt` the place of
    its left top corner among all monitors in OS points: (0, 0) for a page.
    """

    pixels_HW3: Pixels
    scale: float = 1.0
    captured_at_s: float = field(default_factory=time.time)  # seconds since the epoch
    capture_s: float = 0.0  # how long the capture took
    origin_pt: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        pixels: NDArray[Any] = self.pixels_HW3
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
            raise ValueError(f"a frame needs uint8 pixels [height, width, 3], got {pixels.dtype} {pixels.shape}")
        if self.scale <= 0:
            raise ValueError(f"scale must be > 0, got {self.scale}")
        contiguous: Pixels = np.ascontiguousarray(pixels).view()
        contiguous.flags.writeable = False
        object.__setattr__(self, "pixels_HW3", contiguous)

    @property
    def size(self) -> Size:
        height_px, width_px, _ = self.pixels_HW3.shape
        return Size(width_px, height_px)

    @cached_property
    def sha256(self) -> str:
        """Hex digest of size and pixels: equal for two frames exactly when they look the same."""
        digest = hashlib.sha256(str(self.size).encode())
        digest.update(self.pixels_HW3.data)
        return digest.hexdigest()

    def differs_from(self, other: Frame) -> bool:
        """Whether any pixel, or the size, is another one."""
        return not np.array_equal(self.pixels_HW3, other.pixels_HW3)

    def to_png(self) -> bytes:
        """The pixels as a lossless RGB PNG (fast compression)."""
        buffer = io.BytesIO()
        Image.fromarray(self.pixels_HW3).save(buffer, format="PNG", compress_level=1)
        return buffer.getvalue()


Change = Literal["changed_near", "changed_far", "no_change", "still_moving"]


@dataclass(frozen=True)
class Effect:
    """What performing an action did."""

    performed: bool  # False where there was nothing to do
    detail: str  # in words, with what happened on the side: a dialog, a new tab
    changed: bool | None  # the screen differs from the last frame observed (`change` says where); None: nobody looked
    act_s: float = 0.0
    settle_s: float = 0.0
    capture_s: float = 0.0  # of the look that `change` comes from
    change: Change | None = None  # where it changed, seen from the place acted on; None where nobody looked
    answer: str | None = None  # what the action was asked to bring: the text on the clipboard, an answer
    waited_for: tuple[str, ...] = ()  # what kept the screen from being still: "navigation", "requests", "changes", ...
    num_moving: int = 0  # places that never stop (a caret, a spinner, a video) and were not waited for


class Done(NamedTuple):
    """What an environment's hands tell of an action."""

    performed: bool = True  # False where there was nothing to do
    answer: str | None = None
    notes: tuple[str, ...] = ()  # what happened on the side, in words


class Env(Protocol):
    """A screen that can be seen and touched.

    `kinds` are the actions it can do, by their `type`. `perform` raises PointOffScreen, or UnsupportedAction for any
    other kind, before touching anything, and other EnvErrors when the screen itself fails. What is in UNTOUCHING is
    always accepted and does nothing. `risks` is what a person would want to be asked about before the action is
    performed, as far as the screen can tell; `surroundings` what lies at its place, for the record: quickly, without
    secrets, and empty for a screen that does not tell. `close` may be called twice.
    """

    @property
    def kinds(self) -> frozenset[str]: ...
    def observe(self) -> Frame: ...
    def perform(self, action: Action) -> Effect: ...
    def risks(self, action: Action) -> frozenset[Risk]: ...
    def surroundings(self, action: Action) -> Surroundings: ...
    def close(self) -> None: ...


def check_on_screen(action: Action, size: Size) -> None:
    """Raise PointOffScreen unless every point of the action lies on a pixel of a screenshot of this size."""
    for point in action_points(action):
        if not size.holds(point):
            raise PointOffScreen(
                f"{describe(action)}: ({point.x_px:g}, {point.y_px:g}) px lies outside the {size} px screenshot; "
                "give px of the last observed frame, from 0 to just under its width and height"
            )


def require_kind(action: Action, kinds: frozenset[str]) -> None:
    """Raise UnsupportedAction unless an environment that can do `kinds` can do this."""
    if action.type not in kinds and action.type not in UNTOUCHING:
        raise UnsupportedAction(f"{describe(action)}: this screen cannot do that; it can do {', '.join(sorted(kinds))}")


def nothing_to_do(action: Action) -> Effect:
    """The effect of an action that touches nothing."""
    return Effect(performed=False, detail=describe(action), changed=False, change="no_change")
