"""A person at the terminal who lets actions be performed: yes, edit, skip, zoom, quit."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TextIO

import numpy as np
from PIL import Image
from pydantic import ValidationError
from rich.console import Console
from rich.style import Style
from rich.text import Text

from ..agent import Decision, Instead, Mark, ParseError, Request, Skip, Stop, Yes, draw
from ..agent.dialects import DIALECTS, whole_canvas
from ..agent.look import crop, region_around
from ..agent.overlay import to_png
from ..envs import Action, Frame, Point, action_points, describe, in_words
from .console import typed_line, write_file

CELLS_WIDE, CELLS_HIGH = 60, 20  # of the picture of the place; a cell is two pixels, one above the other
HALF_BLOCK = "\u2580"
KEYS = "y / edit / skip / zoom / quit"
HOW_TO_EDIT = "x,y in px, another text, or an action such as click(x=0.5, y=0.25) in shares of the screenshot"
_PLACE = re.compile(r"\(?\s*(\d+(?:\.\d+)?)\s*(?:,\s*|\s+)(\d+(?:\.\d+)?)\s*\)?")
_CALL = re.compile(r"\s*[a-z_.]+\(.*\)\s*", re.DOTALL)


class Asker:
    """Puts each action before the person at the terminal. `paused` steps aside for as long as they think about it.

    A terminal of 24-bit colour shows the place; on others a picture of it is written to `picture`. The end of the
    input ends the run, and so does Ctrl-C.
    """

    def __init__(
        self,
        console: Console,
        picture: Path,
        paused: Callable[[], AbstractContextManager[None]],
        keyboard: TextIO | None = None,
    ) -> None:
        """`keyboard` is where answers come from; None: standard input."""
        self._console, self._picture, self._paused, self._keyboard = console, picture, paused, keyboard

    def __call__(self, request: Request) -> Decision:
        with self._paused():
            self._tell(request)
            while True:
                match self._line(f"{KEYS} > "):
                    case None | "q" | "quit":
                        return Stop()
                    case "y" | "yes":
                        return Yes()
                    case "z" | "zoom":
                        self._show(request, larger=True)
                    case "e" | "edit":
                        line = self._line(f"{HOW_TO_EDIT} > ")
                        if line is None:
                            return Stop()
                        if (decision := self._edited(request, line)) is not None:
                            return decision
                    case "s" | "skip":
                        return Skip()
                    case said:
                        word, _, rest = said.partition(" ")
                        if word in ("s", "skip"):
                            return Skip(rest)  # in words of their own, which the model is told
                        decision = self._edited(request, rest) if word in ("e", "edit") else None
                        if decision is not None:
                            return decision
                        if word not in ("e", "edit"):
                            self._say(f"{printable(said)!r} is none of {KEYS}")

    def _tell(self, request: Request) -> None:
        sure = "" if request.confidence is None else f", {request.confidence:.0%} sure"
        self._say(f"\n{request.index + 1}. {describe(request.action)}{sure}")
        said = [("looked for", request.instruction), ("thought", request.thought)]
        said += [
            (name, str(value)) for name, value in request.action if name in ("text", "url") and len(str(value)) > 40
        ]
        for name, words in said:
            if words:
                self._say(f"   {name}: {words}")
        if request.risks:
            self._say(f"   {in_words(request.risks)}", style="bold yellow")
        self._show(request)

    def _show(self, request: Request, *, larger: bool = False) -> None:
        points = action_points(request.action)
        if not points:
            return
        marks = [Mark(label="", x_px=point.x_px, y_px=point.y_px) for point in points]
        region = region_around(points[0], request.frame.size)
        place = crop(Frame(np.asarray(draw(request.frame, marks))), region)
        if self._console.is_terminal and self._console.color_system == "truecolor":
            wide, high = self._console.size
            cells = (wide - 1, max(CELLS_HIGH, high - 4)) if larger else (min(CELLS_WIDE, wide - 1), CELLS_HIGH)
            self._console.print(half_blocks(place, *cells))
        else:
            picture = Image.fromarray(place.pixels_HW3)
            factor = 4 if larger else 1
            write_file(self._picture, to_png(picture.resize((factor * picture.width, factor * picture.height))))
            self._say(f"   its place: {self._picture}")

    def _edited(self, request: Request, line: str) -> Decision | None:
        """Another action; None where the line makes none."""
        try:
            return Instead(edited(request, line))
        except (ParseError, ValidationError, ValueError) as error:
            first = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
            self._say(f"that is no action: {first}")
            return None

    def _line(self, prompt: str) -> str | None:
        """What is typed; None at the end of the input."""
        self._console.print(prompt, end="", markup=False, highlight=False)
        line = self._keyboard.readline() if self._keyboard else typed_line()
        return line.strip() if line else None

    def _say(self, words: str, style: str | None = None) -> None:
        self._console.print(printable(words), style=style, markup=False, highlight=False, soft_wrap=True)


def edited(request: Request, line: str) -> Action:
    """The action at another place, with another text, or another one. ParseError or ValueError for anything else."""
    action, size = request.action, request.frame.size
    fields = type(action).model_fields
    if (found := _PLACE.fullmatch(line)) and "x_px" in fields:
        point = Point(float(found[1]), float(found[2]))
        if not size.holds(point):
            raise ValueError(f"({point.x_px:g}, {point.y_px:g}) px lies outside the {size} px screenshot")
        return action.model_copy(update={"x_px": point.x_px, "y_px": point.y_px})
    if "text" in fields and line and not _CALL.fullmatch(line):
        return action.model_copy(update={"text": line})
    actions = DIALECTS["kimi"].read(line, whole_canvas(size)).actions
    if len(actions) != 1:
        raise ValueError(f"give one action, not {len(actions)}")
    return actions[0]


def half_blocks(frame: Frame, cells_wide: int, cells_high: int) -> Text:
    """A picture in coloured characters, each of them two pixels, at most so many cells wide and high."""
    share = min(cells_wide / frame.size.width_px, 2 * cells_high / frame.size.height_px)
    width, height = (max(1, round(side * share)) for side in (frame.size.width_px, frame.size.height_px))
    small = Image.fromarray(frame.pixels_HW3).resize((width, height + height % 2), Image.Resampling.BOX)
    pixels_HW3 = np.asarray(small).tolist()
    text = Text(no_wrap=True)
    for upper, lower in zip(pixels_HW3[::2], pixels_HW3[1::2], strict=True):
        for above, below in zip(upper, lower, strict=True):
            text.append(HALF_BLOCK, Style(color=_rgb(above), bgcolor=_rgb(below)))
        text.append("\n")
    text.rstrip()
    return text


def printable(words: str) -> str:
    """Without control characters: what a screen or a model wrote must not steer the terminal."""
    return "".join(char if char.isprintable() or char == "\n" else " " for char in words)


def _rgb(pixel: list[int]) -> str:
    return f"#{pixel[0]:02x}{pixel[1]:02x}{pixel[2]:02x}"
