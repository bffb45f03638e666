"""Sheets of targets, on a page or over a monitor: what is drawn, found again in a picture, and touched."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, Protocol
from urllib.parse import quote

import numpy as np

from ..envs import Point, Region, Size

if TYPE_CHECKING:
    from ..envs import BrowserEnv
    from ..envs.env import Pixels
    from ..envs.target_sheet import TargetSheet

GREEN, BLUE = 0x50, 0xA0  # of every target; its red is its number
BACKGROUND = (0xEE, 0xEE, 0xEE)
LARGEST_SIDE = 20

# From an X display events take their own way to a page: one may come after what we ask.
TAKE_JS = """
new Promise((resolve) => {
    const end = performance.now() + 500;
    const look = () => touches.length || performance.now() > end ? resolve(touches.splice(0)) : setTimeout(look, 1);
    look();
})
"""


class Grid(NamedTuple):
    """How many targets there are."""

    columns: int
    rows: int

    def __str__(self) -> str:
        return f"{self.columns * self.rows} targets"


class Touch(NamedTuple):
    """A place that was touched, as the screen itself tells it."""

    x_px: float  # of the picture: where the pixel begins
    y_px: float
    target: int | None  # what was hit


class Sheet(Protocol):
    """Targets on a screen: where they were put, and what touched them, in px of the picture.

    `size` is the picture's, `grain_px` the side of the pointer's pixel.
    """

    @property
    def size(self) -> Size: ...
    @property
    def grain_px(self) -> float: ...
    def boxes_px(self) -> Sequence[Region]: ...
    def take_touches(self) -> list[Touch]: ...  # since the last call, after a short wait where there are none yet


def target_boxes(region: Region, grid: Grid) -> list[Region]:
    """Squares from edge to edge and corner to corner of a region, on whole px."""
    side = int(min(region.width_px / grid.columns / 2, region.height_px / grid.rows / 2, LARGEST_SIDE))

    def along(start_px: float, length_px: float, at: int, count: int) -> int:
        return round(start_px + (length_px - side) * at / (count - 1))

    return [
        Region(
            along(region.left_px, region.width_px, column, grid.columns),
            along(region.top_px, region.height_px, row, grid.rows),
            side,
            side,
        )
        for row in range(grid.rows)
        for column in range(grid.columns)
    ]


def find_targets(pixels_HW3: Pixels) -> dict[int, Region]:
    """The targets a picture shows, by number, in px of it."""
    ys, xs = np.nonzero((pixels_HW3[..., 1] == GREEN) & (pixels_HW3[..., 2] == BLUE))
    numbers = pixels_HW3[ys, xs, 0]
    found: dict[int, Region] = {}
    for number in np.unique(numbers):
        own_xs, own_ys = xs[numbers == number], ys[numbers == number]
        left, top = int(own_xs.min()), int(own_ys.min())
        found[int(number)] = Region(left, top, int(own_xs.max()) + 1 - left, int(own_ys.max()) + 1 - top)
    return found


class PageSheet:
    """The page of `page_url`, of the same grid, that is open in an environment: it notes every trusted press."""

    def __init__(self, env: BrowserEnv, grid: Grid) -> None:
        self._env, self._grid = env, grid

    @property
    def size(self) -> Size:
        config = self._env.config
        return Size(
            *(int(side * config.device_scale) for side in (config.viewport.width_px, config.viewport.height_px))
        )

    @property
    def grain_px(self) -> float:
        config = self._env.config
        return 1.0 if config.surface == "kiosk" else config.device_scale

    def boxes_px(self) -> Sequence[Region]:
        config, scale = self._env.config, self._env.config.device_scale
        boxes = _page_boxes(config.viewport, self._grid)
        return [Region(*(side * scale for side in (b.left_px, b.top_px, b.width_px, b.height_px))) for b in boxes]

    def take_touches(self) -> list[Touch]:
        scale = self._env.config.device_scale
        return [Touch(x * scale, y * scale, number) for x, y, number in self._env.evaluate(TAKE_JS)]


def page_url(viewport: Size, grid: Grid) -> str:
    """A page with targets, for a viewport of this size in CSS px."""
    shown = "".join(
        f"<i id={number} style='left:{box.left_px}px;top:{box.top_px}px;background:rgb({number},{GREEN},{BLUE})'></i>"
        for number, box in enumerate(_page_boxes(viewport, grid))
    )
    side = _page_boxes(viewport, grid)[0].width_px
    style = f"html{{background:rgb{BACKGROUND};overflow:hidden}}i{{position:fixed;width:{side}px;height:{side}px}}"
    script = """
        const touches = [];
        addEventListener("pointerdown", (event) => {
            const number = event.target.id ? Number(event.target.id) : null;
            if (event.isTrusted) touches.push([event.clientX, event.clientY, number]);
        }, true);"""
    return "data:text/html," + quote(f"<!doctype html><style>{style}</style>{shown}<script>{script}</script>")


def _page_boxes(viewport: Size, grid: Grid) -> list[Region]:
    return target_boxes(Region(0, 0, viewport.width_px, viewport.height_px), grid)


class DesktopSheet:
    """A sheet over one monitor. `region` is where that lies on the X screen, in px."""

    def __init__(self, sheet: TargetSheet, region: Region, boxes: Sequence[Region]) -> None:
        self._sheet, self._region, self._boxes = sheet, region, boxes

    @property
    def size(self) -> Size:
        return Size(int(self._region.width_px), int(self._region.height_px))

    @property
    def grain_px(self) -> float:
        return 1.0

    def boxes_px(self) -> Sequence[Region]:
        left_px, top_px = self._region.left_px, self._region.top_px
        return [Region(b.left_px - left_px, b.top_px - top_px, b.width_px, b.height_px) for b in self._boxes]

    def take_touches(self) -> list[Touch]:
        left_px, top_px = self._region.left_px, self._region.top_px
        return [
            Touch(x_px - left_px, y_px - top_px, self._number(x_px, y_px)) for x_px, y_px in self._sheet.take_presses()
        ]

    def _number(self, x_px: int, y_px: int) -> int | None:
        middle = Point(x_px + 0.5, y_px + 0.5)  # of that pixel
        return next((number for number, box in enumerate(self._boxes) if box.contains(middle)), None)


@contextmanager
def desktop_sheet(display: str | None, region: Region, grid: Grid) -> Generator[DesktopSheet]:
    """Targets over a part of an X screen, given in its px, for as long as the block runs."""
    from ..envs.target_sheet import TargetSheet

    boxes = target_boxes(region, grid)
    coloured = [(box, (number, GREEN, BLUE)) for number, box in enumerate(boxes)]
    with TargetSheet(display, region, coloured, background=BACKGROUND) as sheet:
        yield DesktopSheet(sheet, region, boxes)
