"""Monitors, by number or by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import EnvError
from .geometry import Region


@dataclass(frozen=True)
class Monitor:
    """One monitor: where it lies among all of them in OS points, and its name, "" where the system tells none."""

    region: Region
    name: str = ""

    def __str__(self) -> str:
        place = f"{self.region.width_px:g}x{self.region.height_px:g} at {self.region.left_px:g},{self.region.top_px:g}"
        return f"{self.name} ({place})" if self.name else place


def in_order(monitors: Iterable[Monitor]) -> list[Monitor]:
    """From left to right, then from top to bottom: systems list them in orders that change."""
    return sorted(monitors, key=lambda one: (one.region.left_px, one.region.top_px))


def choose(monitors: Sequence[Monitor], wanted: int | str) -> Monitor:
    """The monitor of this number, from 1 in their order, or of this name; EnvError says which there are."""
    for number, monitor in enumerate(in_order(monitors), 1):
        if wanted == number or (isinstance(wanted, str) and wanted == monitor.name):
            return monitor
    there = ", ".join(f"{number} {monitor}" for number, monitor in enumerate(in_order(monitors), 1))
    raise EnvError(f"there is no monitor {wanted!r}: choose 0 (all together) or one of {there}")


def x_monitors(connection: Any) -> list[Monitor]:
    """What RandR tells of the display of a python-xlib connection; empty where it has no RandR 1.5."""
    if not connection.has_extension("RANDR"):
        return []
    version = connection.xrandr_query_version()
    if (version.major_version, version.minor_version) < (1, 5):
        return []
    return [
        Monitor(
            Region(found.x, found.y, found.width_in_pixels, found.height_in_pixels),
            str(connection.get_atom_name(found.name)),
        )
        for found in connection.screen().root.xrandr_get_monitors().monitors
    ]
