"""What pages hand out as files: kept in a folder, or cancelled."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from playwright.sync_api import BrowserContext, Download
from playwright.sync_api import Error as PlaywrightError

CLOSE_WAIT_S = 3.0  # for what is still running at the end
LONGEST_NAME = 120
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)  # by Windows


class Downloads:
    """Keeps every download of a context in `folder`, under a name of its own, and tells `note` where and how large.

    Without a folder it cancels them, and says so. `mask` takes out of their names what must not be known. The work is
    done whenever Playwright runs.
    """

    def __init__(
        self, context: BrowserContext, folder: Path | None, note: Callable[[str], None], mask: Callable[[str], str]
    ) -> None:
        self._context, self._note, self._mask = context, note, mask
        self._folder = None if folder is None else folder.expanduser()
        self._running: dict[Download, str] = {}
        context.on("download", self._meet)

    def wait(self, limit_s: float) -> None:
        """Until none is running, or for `limit_s`; tells of those that still are."""
        deadline_s = time.monotonic() + limit_s
        while self._running and self._context.pages and time.monotonic() < deadline_s:
            self._context.pages[-1].wait_for_timeout(20)
        for name in self._running.values():
            self._note(f"{name} is still downloading")

    def close(self) -> None:
        """Wait a little for what is still running, and give up the rest."""
        with suppress(PlaywrightError):
            self.wait(CLOSE_WAIT_S)
            for download in tuple(self._running):
                download.cancel()

    def _meet(self, download: Download) -> None:
        name = safe_name(self._mask(download.suggested_filename))
        if self._folder is None:
            with suppress(PlaywrightError):
                download.cancel()
            self._note(f"the download of {name} was cancelled, for no folder is given for downloads (--downloads DIR)")
            return
        path: Path | None = None
        self._running[download] = name
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            path = claim(self._folder, name)
            download.save_as(path)
            self._note(f"downloaded {path} ({path.stat().st_size} bytes)")
        except (PlaywrightError, OSError) as error:
            if path is not None:
                path.unlink(missing_ok=True)
            reason = error.message.partition("\n")[0] if isinstance(error, PlaywrightError) else str(error)
            self._note(f"the download of {name} failed ({reason})")
        finally:
            del self._running[download]


def safe_name(suggested: str) -> str:
    """A name that stays in its folder, is no hidden file and is good on every system."""
    name = re.sub(r'[\x00-\x1f\x7f<>:"/\\|?*]', "_", suggested).strip(". ")
    if not name or _RESERVED.fullmatch(name):
        name = f"download_{name}".rstrip("_")
    stem, dot, suffix = name.rpartition(".")
    if not dot or len(suffix) > 10:
        return name[:LONGEST_NAME]
    return f"{stem[: LONGEST_NAME - len(suffix) - 1]}.{suffix}"


def claim(folder: Path, name: str) -> Path:
    """A path in the folder that was free, and now holds an empty file: NAME, else NAME (1) and so on."""
    stem, dot, suffix = name.rpartition(".")
    number = 0
    while True:
        numbered = name if number == 0 else f"{stem} ({number}).{suffix}" if dot else f"{name} ({number})"
        try:
            (folder / numbered).touch(exist_ok=False)
        except FileExistsError:
            number += 1
        else:
            return folder / numbered
