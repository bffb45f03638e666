"""Diagrams as SVG text: axes, a grid, and marks that the page's style sheet colours. All text in them is escaped."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

WIDTH, HEIGHT = 400, 250  # in the diagram's own units; a page scales it
LEFT, RIGHT, TOP, BOTTOM = 46, 14, 12, 56


@dataclass(frozen=True)
class Tick:
    """A labelled place of a scale; `note` is a second, fainter line below the label."""

    at: float
    label: str
    note: str = ""


@dataclass(kw_only=True)
class Plot:
    """One diagram that marks are added to, in the units of its scales; what lies outside them is clamped."""

    x_range: tuple[float, float]
    y_range: tuple[float, float] = (0.0, 1.0)
    x_ticks: Sequence[Tick] = ()
    y_ticks: Sequence[Tick] = ()
    x_title: str = ""
    title: str = ""  # for those who hear the page
    is_log_x: bool = False
    width: int = WIDTH
    height: int = HEIGHT
    _marks: list[str] = field(default_factory=list[str])

    def x(self, value: float) -> float:
        low, high = (self._scaled(end) for end in self.x_range)
        share = (self._scaled(value) - low) / (high - low)
        return round(LEFT + min(1.0, max(0.0, share)) * (self.width - LEFT - RIGHT), 2)

    def y(self, value: float) -> float:
        low, high = self.y_range
        share = (value - low) / (high - low)
        return round(self.height - BOTTOM - min(1.0, max(0.0, share)) * (self.height - TOP - BOTTOM), 2)

    def line(self, points: Sequence[tuple[float, float]], kind: str = "curve") -> None:
        self._marks.append(f'<polyline class="{kind}" points="{self._points(points)}"/>')

    def area(self, points: Sequence[tuple[float, float]], kind: str = "band") -> None:
        self._marks.append(f'<polygon class="{kind}" points="{self._points(points)}"/>')

    def whisker(self, x: float, low: float, high: float, said: str = "") -> None:
        """An interval: an upright line with ends."""
        at, top, bottom = self.x(x), self.y(high), self.y(low)
        path = f"M{at - 4} {top}h8M{at} {top}V{bottom}M{at - 4} {bottom}h8"
        self._marks.append(f'<path class="whisker" d="{path}">{_told(said)}</path>')

    def across(self, y: float, low: float, high: float) -> None:
        """An interval in x."""
        at, left, right = self.y(y), self.x(low), self.x(high)
        self._marks.append(f'<path class="whisker" d="M{left} {at - 4}v8M{left} {at}H{right}M{right} {at - 4}v8"/>')

    def dot(self, x: float, y: float, said: str = "", *, kind: str = "dot", radius: float = 4.5) -> None:
        self._marks.append(
            f'<circle class="{kind}" cx="{self.x(x)}" cy="{self.y(y)}" r="{radius}">{_told(said)}</circle>'
        )

    def bar(
        self, left: float, right: float, top: float, said: str = "", *, kind: str = "bar", gap: float = 1.0
    ) -> None:
        """From the bottom of the diagram up to `top`."""
        x0, x1, y0 = self.x(left) + gap / 2, self.x(right) - gap / 2, self.y(top)
        size = f'width="{max(0.5, round(x1 - x0, 2))}" height="{max(0.0, round(self.height - BOTTOM - y0, 2))}"'
        self._marks.append(f'<rect class="{kind}" x="{round(x0, 2)}" y="{y0}" {size}>{_told(said)}</rect>')

    def words(self, x: float, y: float, text: str, *, anchor: str = "start", up: float = 0, right: float = 0) -> None:
        at = f'x="{self.x(x) + right}" y="{self.y(y) - up}"'
        self._marks.append(f'<text class="said" {at} text-anchor="{anchor}">{escape(text)}</text>')

    def svg(self) -> str:
        """The diagram; its marks in the order in which they were added, above the grid."""
        name = escape(self.title, quote=True)
        dense = " dense" if sum(len(tick.label) for tick in self.x_ticks) > 30 else ""
        opening = f'<svg class="plot{dense}" viewBox="0 0 {self.width} {self.height}" role="img" aria-label="{name}">'
        return "".join((opening, *self._axes(), *self._marks, "</svg>"))

    def _axes(self) -> list[str]:
        left, right, bottom = LEFT, self.width - RIGHT, self.height - BOTTOM
        found = [
            f'<path class="grid" d="M{left} {self.y(tick.at)}H{right}"/>'
            f'<text class="tick" x="{left - 7}" y="{self.y(tick.at) + 4}" text-anchor="end">{escape(tick.label)}</text>'
            for tick in self.y_ticks
        ]
        for tick in self.x_ticks:
            at = self.x(tick.at)
            found.append(
                f'<text class="tick" x="{at}" y="{bottom + 19}" text-anchor="middle">{escape(tick.label)}</text>'
            )
            if tick.note:
                found.append(
                    f'<text class="note" x="{at}" y="{bottom + 33}" text-anchor="middle">{escape(tick.note)}</text>'
                )
        found.append(f'<path class="axis" d="M{left} {bottom}H{right}"/>')
        middle = (left + right) / 2
        title = escape(self.x_title)
        found.append(f'<text class="title" x="{middle}" y="{self.height - 3}" text-anchor="middle">{title}</text>')
        return found

    def _points(self, points: Sequence[tuple[float, float]]) -> str:
        return " ".join(f"{self.x(x)},{self.y(y)}" for x, y in points)

    def _scaled(self, value: float) -> float:
        return math.log10(max(value, 1e-9)) if self.is_log_x else value


def percent_ticks(low: float = 0.0, high: float = 1.0) -> list[Tick]:
    """Of a scale of shares: seven at most and the two ends, at round percentages."""
    step = next(step for step in (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 1.0) if (high - low) / step <= 7.01)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [Tick(n * step, f"{n * step * 100:.0f} %") for n in range(first, last + 1)]


def round_ticks(high: float, count: int = 5, unit: str = "") -> list[Tick]:
    """Round numbers from 0 to `high`."""
    if high <= 0:
        return [Tick(0, f"0{unit}")]
    rough = high / count
    base = 10.0 ** math.floor(math.log10(rough))
    step = next(base * n for n in (1, 2, 5, 10) if base * n >= rough * 0.999)
    return [Tick(n * step, f"{n * step:,.6g}{unit}") for n in range(math.floor(high / step + 1e-9) + 1)]


def _told(said: str) -> str:
    return f"<title>{escape(said)}</title>" if said else ""
