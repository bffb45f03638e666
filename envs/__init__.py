"""A screen: what can be seen and touched.

Importing this package is cheap and needs no display: the environments themselves load at their first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .actions import (
    MODIFIERS,
    NAMED_KEYS,
    Action,
    Back,
    Button,
    Click,
    Drag,
    Finish,
    Modifier,
    Move,
    Navigate,
    PressKeys,
    Refuse,
    Scroll,
    TypeText,
    Wait,
    action_from_json,
    action_points,
    action_to_json,
    describe,
)
from .env import Effect, Env, Frame, check_on_screen
from .errors import (
    EnvError,
    MissingTool,
    NoBrowser,
    NoDisplay,
    PageGone,
    PointOffScreen,
    Unreachable,
    UnsupportedAction,
)
from .geometry import Point, Region, Size

if TYPE_CHECKING:
    from .browser import BrowserConfig, BrowserEnv
    from .chromium import INSTALL_CHROMIUM, find_chromium
    from .desktop import DesktopConfig, DesktopEnv
    from .display import VirtualDisplay
    from .replay import ReplayEnv

_LAZY = {
    "BrowserConfig": "browser",
    "BrowserEnv": "browser",
    "INSTALL_CHROMIUM": "chromium",
    "find_chromium": "chromium",
    "DesktopConfig": "desktop",
    "DesktopEnv": "desktop",
    "VirtualDisplay": "display",
    "ReplayEnv": "replay",
}

__all__ = [
    "INSTALL_CHROMIUM",
    "MODIFIERS",
    "NAMED_KEYS",
    "Action",
    "Back",
    "BrowserConfig",
    "BrowserEnv",
    "Button",
    "Click",
    "DesktopConfig",
    "DesktopEnv",
    "Drag",
    "Effect",
    "Env",
    "EnvError",
    "Finish",
    "Frame",
    "MissingTool",
    "Modifier",
    "Move",
    "Navigate",
    "NoBrowser",
    "NoDisplay",
    "PageGone",
    "Point",
    "PointOffScreen",
    "PressKeys",
    "Refuse",
    "Region",
    "ReplayEnv",
    "Scroll",
    "Size",
    "TypeText",
    "Unreachable",
    "UnsupportedAction",
    "VirtualDisplay",
    "Wait",
    "action_from_json",
    "action_points",
    "action_to_json",
    "check_on_screen",
    "describe",
    "find_chromium",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_LAZY[name]}", __name__), name)
