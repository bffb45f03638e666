"""A screen: what can be seen and touched.

Importing this package is cheap and needs no display: the environments themselves load at their first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .actions import (
    KINDS,
    UNTOUCHING,
    Action,
    AnswerDialog,
    AskUser,
    Back,
    Click,
    CloseTab,
    Drag,
    Extract,
    Finish,
    Forward,
    GetClipboard,
    KeyDown,
    KeyUp,
    MouseDown,
    MouseUp,
    Move,
    Navigate,
    NewTab,
    OpenApp,
    PressKeys,
    Refuse,
    Reload,
    Scroll,
    SelectOption,
    SetClipboard,
    SwitchTab,
    TypeText,
    Upload,
    Wait,
    Zoom,
    action_from_json,
    action_to_json,
)
from .dry_run import DryRunEnv
from .env import Change, Effect, Env, Frame, check_on_screen, require_kind
from .errors import (
    CannotStart,
    DialogOpen,
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
from .keys import MODIFIERS, NAMED_KEYS, Button, Modifier, key_name
from .origins import OriginRules
from .risk import RISK_WORDS, Risk, in_words, risks_of
from .secrets import SecretLookup, find_secret, names_secrets
from .shown_text import ReadableScreen, ShownPiece, ShownText
from .surroundings import NOTHING_KNOWN, Element, Surroundings
from .web_address import without_password
from .wording import action_points, describe

if TYPE_CHECKING:
    from .async_env import AsyncEnv
    from .browser import BrowserEnv
    from .browser_config import BrowserConfig, Surface
    from .chromium import INSTALL_CHROMIUM, find_chromium
    from .desktop import DesktopConfig, DesktopEnv
    from .display import VirtualDisplay
    from .replay import ReplayEnv

_LAZY = {
    "AsyncEnv": "async_env",
    "BrowserConfig": "browser_config",
    "Surface": "browser_config",
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
    "KINDS",
    "MODIFIERS",
    "NAMED_KEYS",
    "NOTHING_KNOWN",
    "RISK_WORDS",
    "UNTOUCHING",
    "Action",
    "AnswerDialog",
    "AskUser",
    "AsyncEnv",
    "Back",
    "BrowserConfig",
    "BrowserEnv",
    "Button",
    "CannotStart",
    "Change",
    "Click",
    "CloseTab",
    "DesktopConfig",
    "DesktopEnv",
    "DialogOpen",
    "Drag",
    "DryRunEnv",
    "Effect",
    "Element",
    "Env",
    "EnvError",
    "Extract",
    "Finish",
    "Forward",
    "Frame",
    "GetClipboard",
    "KeyDown",
    "KeyUp",
    "MissingTool",
    "Modifier",
    "MouseDown",
    "MouseUp",
    "Move",
    "Navigate",
    "NewTab",
    "NoBrowser",
    "NoDisplay",
    "OpenApp",
    "OriginRules",
    "PageGone",
    "Point",
    "PointOffScreen",
    "PressKeys",
    "ReadableScreen",
    "Refuse",
    "Region",
    "Reload",
    "ReplayEnv",
    "Risk",
    "Scroll",
    "SecretLookup",
    "SelectOption",
    "SetClipboard",
    "ShownPiece",
    "ShownText",
    "Size",
    "Surface",
    "Surroundings",
    "SwitchTab",
    "TypeText",
    "Unreachable",
    "UnsupportedAction",
    "Upload",
    "VirtualDisplay",
    "Wait",
    "Zoom",
    "action_from_json",
    "action_points",
    "action_to_json",
    "check_on_screen",
    "describe",
    "find_chromium",
    "find_secret",
    "in_words",
    "key_name",
    "names_secrets",
    "require_kind",
    "risks_of",
    "without_password",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_LAZY[name]}", __name__), name)
