"""What a program opens to work with: a page, this machine's desktop, or an X display of its own."""

from __future__ import annotations

import shlex
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ..envs import Env, OriginRules, SecretLookup, Size, find_secret, without_password
from ..envs.geometry import parse_size
from .screen import RUNS, Screen

if TYPE_CHECKING:
    from ..envs import Surface
    from ..model import Answering

NANO_VIEWPORT = Size(480, 440)  # the windows in which nano is at its best
VIEWPORT = Size(1280, 720)


def default_viewport(model: str | Path | Answering) -> Size:
    """How large a page is shown, CSS px, to a model given by its name, its folder or itself."""
    name = str(getattr(model, "name", model))
    return NANO_VIEWPORT if name == "nano" or name.endswith("#nano") else VIEWPORT


def browser(
    url: str = "",
    *,
    model: str | Path | Answering = "nano",
    sure: float = 0.0,
    viewport: Size | tuple[int, int] | str | None = None,
    device_scale: float = 1.0,
    surface: Surface = "headless",
    executable: str | None = None,
    attach: str | None = None,
    user_data: str | Path | None = None,
    storage_state: str | Path | None = None,
    allow: Sequence[str] = (),
    deny: Sequence[str] = (),
    downloads: str | Path | None = None,
    secrets: SecretLookup = find_secret,
    out: str | Path = RUNS,
    record: bool | str | Path = False,
) -> Screen:
    """A page in a Chromium of its own, or with `attach` in one that runs already, opened by `with`.

        with browser("https://shop.example") as screen:
            screen.click("Sign up")

    `viewport` is width and height in CSS px, (800, 600) or "800x600"; None takes what suits the model
    (`default_viewport`). `allow` and `deny` are patterns of OriginRules, `secrets` gives the value of each
    {{secret:NAME}}; `record` keeps a trajectory of all that is clicked and typed and `sure` is the least confidence to
    act on, as in Screen; the rest is as in BrowserConfig.
    """
    size = default_viewport(model) if viewport is None else _size(viewport)

    def open_page() -> AbstractContextManager[Env]:
        from ..envs import BrowserConfig, BrowserEnv

        return BrowserEnv(
            BrowserConfig(
                url=url,
                viewport=size,
                device_scale=device_scale,
                surface=surface,
                executable=executable,
                attach=attach,
                user_data=None if user_data is None else Path(user_data),
                storage_state=None if storage_state is None else Path(storage_state),
                rules=OriginRules(tuple(allow), tuple(deny)),
                downloads=None if downloads is None else Path(downloads),
                secrets=secrets,
            )
        )

    told = {
        "url": None if attach is not None and not url else without_password(url or "about:blank"),
        "viewport": asdict(size),
        "scale": device_scale,
        "surface": surface,
        "attach": None if attach is None else without_password(attach),
        "user_data": None if user_data is None else str(user_data),
        "storage_state": None if storage_state is None else str(storage_state),
        "allow": list(allow),
        "deny": list(deny),
    }
    return Screen(open_page, model=model, sure=sure, out=out, record=record, told=told)


def desktop(
    *,
    model: str | Path | Answering = "nano",
    sure: float = 0.0,
    monitor: int | str = 1,
    out: str | Path = RUNS,
    record: bool | str | Path = False,
) -> Screen:
    """One monitor of this machine's desktop, opened by `with`. `sure` and `record` are as in Screen."""

    def open_desktop() -> AbstractContextManager[Env]:
        from ..envs import DesktopConfig, DesktopEnv

        return DesktopEnv(DesktopConfig(monitor=monitor))

    told = {"desktop": True, "monitor": str(monitor)}
    return Screen(open_desktop, model=model, sure=sure, out=out, record=record, told=told)


def virtual_display(
    size: Size | tuple[int, int] | str = (1280, 720),
    *,
    start: str | Sequence[str] | None = None,
    model: str | Path | Answering = "nano",
    sure: float = 0.0,
    secrets: SecretLookup = find_secret,
    out: str | Path = RUNS,
    record: bool | str | Path = False,
) -> Screen:
    """An X display of its own with a window manager and nothing else on it, opened by `with`; nobody's mouse moves.

        with virtual_display((800, 600), start="xterm -e top") as screen:
            screen.press("q")

    `size` is width and height in px, (800, 600) or "800x600". `start` is a program with its arguments, as one line or
    as a list: the screen is open once the program has shown something, and the program ends with it. NoDisplay where
    there can be none (it needs Linux, Xvfb and openbox), CannotStart where the program does not start or shows nothing.
    `sure` and `record` are as in Screen.
    """
    px = _size(size)

    @contextmanager
    def open_display() -> Generator[Env]:
        from ..envs import DesktopConfig, DesktopEnv, VirtualDisplay
        from ..envs.started import started

        with ExitStack() as stack:
            display = stack.enter_context(VirtualDisplay(px, wm=True))
            env = stack.enter_context(DesktopEnv(DesktopConfig(display=display.display, secrets=secrets)))
            if start is not None:
                stack.enter_context(started(start, env, display.environ()))
            yield env

    program = start if start is None or isinstance(start, str) else shlex.join(map(str, start))
    told = {"virtual": asdict(px), "start": program}
    return Screen(open_display, model=model, sure=sure, out=out, record=record, told=told)


def _size(given: Size | tuple[int, int] | str) -> Size:
    """ValueError for what is none."""
    if isinstance(given, Size):
        return given
    return parse_size(given) if isinstance(given, str) else Size(*given)
