"""What a person's hands do, as recorders tell it: one event each, before anybody makes actions of them.

Times are of `time.monotonic()`, places in px of the screen's frames. `view` says which tab it was; a desktop has one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from .env import Frame
from .keys import Button, Modifier
from .surroundings import Surroundings

Transition = Literal["typed", "link", "back", "forward", "reload"]


@dataclass(frozen=True, kw_only=True)
class _Event:
    at_s: float
    surroundings: Surroundings | None = None  # of its place, or of what had the focus, right before
    view: int = 0


@dataclass(frozen=True, kw_only=True)
class _AtPlace(_Event):
    x_px: float
    y_px: float
    modifiers: tuple[Modifier, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PointerDown(_AtPlace):
    """`list_id` names the list of options that it is on, in whatever part of it: closed, or one of its options."""

    button: Button = "left"
    list_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class PointerUp(_AtPlace):
    button: Button = "left"
    list_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class PointerMoved(_AtPlace):
    pass


@dataclass(frozen=True, kw_only=True)
class WheelTurned(_AtPlace):
    dx: float = 0.0
    dy: float = 0.0
    unit: Literal["notch", "px"] = "notch"


@dataclass(frozen=True, kw_only=True)
class KeyPressed(_Event):
    """A key, named as in PressKeys, went down or repeated by itself; `text` is what it typed, "" where it did not.

    `modifiers` are held with it; a modifier key itself is one too.
    """

    key: str
    text: str = ""
    modifiers: tuple[Modifier, ...] = ()
    list_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class KeyReleased(_Event):
    key: str


@dataclass(frozen=True, kw_only=True)
class TextArrived(_Event):
    """Text that no key tells of: composed by an input method, pasted, or put in place of what a field held."""

    text: str
    how: Literal["typed", "pasted", "replaced"] = "typed"


@dataclass(frozen=True, kw_only=True)
class SecretTyped(_Event):
    """Something changed in the field of a password. What, nobody is told; `clear`: it had held something before."""

    name: str
    clear: bool = False


@dataclass(frozen=True, kw_only=True)
class OptionChosen(_AtPlace):
    """A list, or a field that takes one value out of many, got another value. The place is the middle of it."""

    option: str
    list_id: str


@dataclass(frozen=True, kw_only=True)
class FilesChosen(_Event):
    paths: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Navigated(_Event):
    """Another page came up in the tab: typed into the address bar, led to by the page, or `steps` back or forward."""

    url: str
    how: Transition
    steps: int = 1


@dataclass(frozen=True, kw_only=True)
class TabOpened(_Event):
    """`by_page`: by the page itself, as a link does."""

    url: str = ""
    by_page: bool = False


@dataclass(frozen=True, kw_only=True)
class TabSwitched(_Event):
    index: int


@dataclass(frozen=True, kw_only=True)
class TabClosed(_Event):
    index: int


@dataclass(frozen=True, kw_only=True)
class DialogAnswered(_Event):
    accept: bool
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class ScreenChanged(_Event):
    """Something on the screen is not as it was at the look before."""


RawEvent = (
    PointerDown
    | PointerUp
    | PointerMoved
    | WheelTurned
    | KeyPressed
    | KeyReleased
    | TextArrived
    | SecretTyped
    | OptionChosen
    | FilesChosen
    | Navigated
    | TabOpened
    | TabSwitched
    | TabClosed
    | DialogAnswered
    | ScreenChanged
)


class Look(NamedTuple):
    """A frame, and when its capture began and ended."""

    frame: Frame
    began_s: float
    ended_s: float
    view: int = 0


class Heard(NamedTuple):
    """What a recorder brings: what happened since it was asked last, in order, and what was seen meanwhile."""

    events: tuple[RawEvent, ...] = ()
    looks: tuple[Look, ...] = ()
    is_loading: bool = False  # the page in front is still to come
    is_over: bool = False  # the person closed what was recorded, or pressed the stopping keys
