"""What a replay takes from a recording of the screen it was made on: a file that may come from anybody.

A page, sizes and settings are taken. What starts a program, opens a file or a profile, or hands out a right or a
password is not: the flags that would repeat it are told.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, cast, get_args
from urllib.parse import urlsplit

from .approving import printable
from .errors import BadRequest

if TYPE_CHECKING:
    from ..agent import ApprovePolicy, Recording
    from .open_screen import ScreenChoice

SCREENS = ("url", "desktop", "virtual", "attach")
OF_A_SCREEN = (*SCREENS, "start", "monitor", "region", "window")  # goes with it where another is chosen
NEVER_KEPT = ("chromium", "start", "attach", "user_data", "storage_state", "grant", "http_auth")


def screen_of(recorded: Mapping[str, Any], flags: Mapping[str, Any], *, asks: bool = False) -> ScreenChoice:
    """The screen that was recorded, with what flags say in its place. BadRequest where it is not known.

    What must not be visited stays so. With `asks` somebody is asked before the site is left: that is not for the
    recorded allow-list to say.
    """
    from .open_screen import ScreenChoice

    given = {name: value for name, value in flags.items() if value is not None}
    known = {field.name for field in fields(ScreenChoice)} - {"downloads", *NEVER_KEPT, *(["allow"] if asks else [])}
    try:
        kept = {name: _kept(name, value) for name, value in recorded.items() if name in known and value is not None}
        if any(screen in given for screen in SCREENS):
            kept = {name: value for name, value in kept.items() if name not in OF_A_SCREEN}
        if "deny" in given:
            given["deny"] = tuple(dict.fromkeys((*kept.get("deny", ()), *given["deny"])))
        if any((given | kept).get(screen) for screen in SCREENS):
            return ScreenChoice(**cast(Any, kept | given))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BadRequest(f"the screen that the recording tells of cannot be understood: {error}") from error
    repeat = left_out(recorded, flags)
    said = f"it was made with {repeat}: give that again, or" if repeat else "the recording does not say which screen:"
    raise BadRequest(f"{said} give --url, --desktop or --virtual")


def with_a_page(recording: Recording, flags: Mapping[str, Any]) -> Mapping[str, Any]:
    """The recorded screen; of an import that does not tell it, the page of its first step. BadRequest where no step
    tells one either.
    """
    from ..envs import Navigate

    recorded: Mapping[str, Any] = recording.run.get("env") or {}
    imported: object = recording.run.get("imported_from")
    if not imported or any(recorded.get(name) or flags.get(name) is not None for name in SCREENS):
        return recorded
    for step in recording.steps:
        told = None if step.surroundings is None else step.surroundings.url
        page = step.action.url if isinstance(step.action, Navigate) else told
        if page:
            return {**recorded, "url": page}
    made_by = cast(Mapping[str, Any], imported).get("format") if isinstance(imported, Mapping) else None
    origin = f" from {made_by}" if made_by else ""
    raise BadRequest(
        f"the import{origin} does not say where it was done: give --url URL for the page, --desktop or --virtual WxH"
    )


def left_out(recorded: Mapping[str, Any], flags: Mapping[str, Any], *, asks: bool = False) -> str:
    """The flags, as they are typed, for what was recorded, is never taken from a file, and was not given."""
    given = {name for name, value in flags.items() if value is not None}
    names = (*NEVER_KEPT, *(["allow"] if asks else []))
    if given & set(SCREENS):
        names = tuple(name for name in names if name not in OF_A_SCREEN)
    if given & {"desktop", "virtual"}:
        names = ()
    words: list[str] = []
    for name in names:
        value = recorded.get(name)
        if name in given or not value:
            continue
        for one in cast(Sequence[object], value) if isinstance(value, list | tuple) else (value,):
            words += (f"--{name.replace('_', '-')}", shlex.quote(printable(str(one))))
    return " ".join(words)


def approval_of(recording: Recording) -> ApprovePolicy:
    """What the recorded run asked a person about. Runs that do not tell it: "sensitive" where somebody was asked."""
    from ..agent import ApprovePolicy

    config: object = recording.run.get("config")
    told = cast(Mapping[str, Any], config).get("approve") if isinstance(config, Mapping) else None
    if told in get_args(ApprovePolicy):
        return cast(Any, told)
    return "sensitive" if any(step.decision is not None for step in recording.steps) else "never"


def moved_pages(recorded: Mapping[str, Any], url: str | None) -> dict[str, str]:
    """What a page opened elsewhere than recorded stands for: its origin, and the page itself."""
    was = recorded.get("url")
    if not isinstance(was, str) or url is None or was == url:
        return {}
    from ..agent.replay.kin import page_of

    old, new = urlsplit(was), urlsplit(url)
    moved = {page_of(was, {}): page_of(url, {})}
    if old.scheme in ("http", "https") and new.scheme in ("http", "https"):
        moved[f"{old.scheme}://{old.netloc}"] = f"{new.scheme}://{new.netloc}"
    return moved


def _kept(name: str, value: Any) -> Any:
    """A value of `run.json` as a ScreenChoice has it."""
    from ..envs import Size

    if name in ("viewport", "virtual"):
        return Size(int(value["width_px"]), int(value["height_px"]))
    return tuple(map(str, value)) if name in ("allow", "deny") else value
