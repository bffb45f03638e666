"""Which screen a command looks at, as its flags say it, and that screen opened."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..envs import Env, Region, Size
from .console import why_not_writable
from .errors import BadRequest

if TYPE_CHECKING:
    from ..envs import BrowserConfig, DesktopConfig

DEFAULT_VIEWPORT = Size(1280, 720)


@dataclass(frozen=True, kw_only=True)
class ScreenChoice:
    """Which screen is looked at: exactly one of a page, this machine's desktop, and a virtual display."""

    url: str | None = None
    desktop: bool = False
    virtual: Size | None = None
    start: str | None = None  # command of the program to start on a virtual display
    monitor: str = "1"  # of a desktop: its number or name
    region: str | None = None  # of a desktop: X,Y,WIDTHxHEIGHT in OS points
    window: str | None = None  # of a desktop: a part of its title
    viewport: Size = DEFAULT_VIEWPORT  # CSS px, of a page
    scale: float = 1.0  # device px per CSS px, of a page
    surface: Literal["headless", "window", "kiosk"] = "headless"
    chromium: str | None = None
    attach: str | None = None
    user_data: Path | None = None
    storage_state: Path | None = None
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    grant: tuple[str, ...] = ()
    http_auth: str | None = None  # USER:PASSWORD
    downloads: Path | None = None
    dialogs: Literal["dismiss", "accept", "ask"] = "dismiss"

    def __post_init__(self) -> None:
        chosen = (self.url is not None or self.attach is not None) + self.desktop + (self.virtual is not None)
        if chosen != 1:
            raise BadRequest(
                f"choose one screen: --url URL, --desktop or --virtual 1280x800; got {chosen or 'none'} of them"
            )
        if self.attach is not None and (self.user_data, self.storage_state, self.surface) != (None, None, "headless"):
            raise BadRequest(
                "--attach works in a browser as it is: leave out --user-data, --storage-state and --surface"
            )
        for flag, folder in (("--user-data", self.user_data), ("--downloads", self.downloads)):
            if folder is not None:
                check_folder(flag, folder.expanduser())
        if self.storage_state is not None and not self.storage_state.is_file():
            raise BadRequest(f"--storage-state: there is no file {self.storage_state}: save_storage_state writes one")
        if self.start is not None and self.virtual is None:
            raise BadRequest("--start needs a display of its own: add --virtual 1280x800")
        if self.url is not None or self.attach is not None:
            self.browser_config()  # says now what is wrong with it
        if self.desktop:
            self.desktop_config()
        elif (self.monitor, self.region, self.window) != ("1", None, None):
            raise BadRequest("--monitor, --region and --window choose a part of the desktop: give --desktop alone")

    def browser_config(self) -> BrowserConfig:
        """Of a page."""
        from ..envs import BrowserConfig, OriginRules

        user, colon, password = (self.http_auth or "").partition(":")
        if self.http_auth and not (user and colon):
            raise BadRequest("--http-auth is USER:PASSWORD, such as me:{{secret:shop}}")
        try:
            return BrowserConfig(
                url=self.url or "",
                viewport=self.viewport,
                device_scale=self.scale,
                surface=self.surface,
                executable=self.chromium,
                attach=self.attach,
                user_data=self.user_data,
                storage_state=self.storage_state,
                rules=OriginRules(self.allow, self.deny),
                permissions=self.grant,
                http_auth=(user, password) if self.http_auth else None,
                downloads=self.downloads,
                dialogs=self.dialogs,
            )
        except ValueError as error:
            raise BadRequest(str(error)) from error

    def desktop_config(self) -> DesktopConfig:
        """Of this machine's desktop. BadRequest where a flag says no part of one."""
        from ..envs import DesktopConfig

        is_number = self.monitor.removeprefix("-").isdecimal()
        try:
            return DesktopConfig(
                monitor=int(self.monitor) if is_number else self.monitor,
                region=None if self.region is None else _region_of(self.region),
                window=self.window,
            )
        except ValueError as error:
            raise BadRequest(f"--monitor, --region or --window: {error}") from error


@contextmanager
def open_screen(choice: ScreenChoice) -> Generator[Env]:
    """The chosen screen, open for as long as the block runs."""
    with ExitStack() as stack:
        if choice.url is not None or choice.attach is not None:
            from ..envs import BrowserEnv

            yield stack.enter_context(BrowserEnv(choice.browser_config()))
            return
        from ..envs import DesktopConfig, DesktopEnv

        if choice.virtual is None:
            yield stack.enter_context(DesktopEnv(choice.desktop_config()))
            return
        from ..envs import CannotStart, VirtualDisplay
        from ..envs.started import started

        display = stack.enter_context(VirtualDisplay(choice.virtual, wm=True))
        env = stack.enter_context(DesktopEnv(DesktopConfig(display=display.display)))
        if choice.start is not None:
            try:
                stack.enter_context(started(choice.start, env, display.environ()))
            except CannotStart as error:
                raise BadRequest(f"--start {error}") from error
        yield env


def check_folder(flag: str, folder: Path) -> None:
    """BadRequest unless it is a folder that can be written to, or can be made."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise BadRequest(f"{flag} {folder}: {there} is a file: name a folder")
    if (why := why_not_writable(there)) is not None:
        raise BadRequest(f"{flag} {folder}: {there} cannot be written to ({why}): name another folder")


def _region_of(text: str) -> Region:
    """'100,50,800x600' as a region; left and top may lie below 0, where a monitor does."""
    sides = re.fullmatch(r"(-?\d+),(-?\d+),(\d+)x(\d+)", text)
    if sides is None:
        raise ValueError(f"a region is X,Y,WIDTHxHEIGHT such as 100,50,800x600, got {text!r}")
    return Region(*map(int, sides.groups()))
