"""A sheet of targets laid over a part of an X display: what is clicked there reaches nothing else, and is read back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

from Xlib import X

from .geometry import Region
from .windows import connect

Colour = tuple[int, int, int]  # red, green, blue


class Press(NamedTuple):
    """A press of the left button as the window got it, in px of the whole X screen."""

    x_px: int
    y_px: int


class TargetSheet:
    """A window above all others, without a frame, for as long as the `with` body lasts.

    `region` is where it lies on the X screen, `boxes` are the coloured rectangles on it, both in px of that screen.
    It takes neither the focus nor the keyboard. NoDisplay where the display does not answer.
    """

    def __init__(
        self, display: str | None, region: Region, boxes: Sequence[tuple[Region, Colour]], *, background: Colour
    ) -> None:
        self._name, self._region, self._boxes, self._background = display, region, boxes, background
        self._display: Any = None

    def __enter__(self) -> Self:
        self._display = connect(self._name)
        try:
            self._show()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """The window goes with its connection."""
        if self._display is not None:
            self._display.display.socket.close()
            self._display = None

    def take_presses(self) -> list[Press]:
        """What was pressed on it since the last call."""
        self._display.sync()  # all that the server sent before its answer is here
        presses: list[Press] = []
        while self._display.pending_events():
            event = self._display.next_event()
            if event.type == X.ButtonPress and event.detail == 1:
                presses.append(Press(event.root_x, event.root_y))
        return presses

    def _show(self) -> None:
        screen, region = self._display.screen(), self._region
        colormap = screen.default_colormap

        def pixel(colour: Colour) -> int:
            red, green, blue = (channel * 257 for channel in colour)
            return colormap.alloc_color(red, green, blue).pixel

        window = screen.root.create_window(
            *(round(side) for side in (region.left_px, region.top_px, region.width_px, region.height_px)),
            0,
            screen.root_depth,
            X.InputOutput,
            X.CopyFromParent,
            background_pixel=pixel(self._background),
            override_redirect=True,
            event_mask=X.ButtonPressMask | X.ExposureMask,
        )
        window.map()
        window.configure(stack_mode=X.Above)
        self._display.sync()
        for box, colour in self._boxes:
            left, top = round(box.left_px - region.left_px), round(box.top_px - region.top_px)
            brush = window.create_gc(foreground=pixel(colour))
            window.fill_rectangle(brush, left, top, round(box.width_px), round(box.height_px))
            brush.free()
        self._display.sync()
