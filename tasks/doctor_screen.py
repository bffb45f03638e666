"""The doctor's look at screens, each by trying: a page, a kiosk, this machine's desktop, a virtual one."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from ..envs import EnvError, Size
from .finding import Finding

MEND_CHROMIUM = "sudo apt-get install chromium"
MEND_VIRTUAL = "sudo apt-get install xvfb openbox xclip"
SMALL = Size(400, 300)


def check_chromium(environ: Mapping[str, str]) -> Finding:
    """The Chromium a browser run would start: started, shown a page, looked at."""
    from ..envs import find_chromium

    mend = f"{sys.executable} -m playwright install --with-deps chromium  # or: {MEND_CHROMIUM}"
    path = find_chromium(environ.get("MOONHAND_CHROMIUM"))
    if path is None:
        detail = "not found on PATH, in MOONHAND_CHROMIUM or among Playwright's"
        return Finding("page", "chromium", False, True, detail, mend)
    try:
        detail = _try_page("headless", path)
    except EnvError as error:
        return Finding("page", "chromium", False, True, f"{path} does not start: {error}", mend)
    return Finding("page", "chromium", True, True, f"{detail}; {path}; Playwright {_installed('playwright')}")


def check_kiosk(environ: Mapping[str, str]) -> Finding:
    """The fastest surface: a Chromium that fills an X display of its own."""
    from ..envs import find_chromium

    path = find_chromium(environ.get("MOONHAND_CHROMIUM"), headless=False)
    missing = [name for name, found in (("chromium", path), ("xvfb", shutil.which("Xvfb"))) if not found]
    if missing:
        detail = f"--surface kiosk needs {' and '.join(missing)}"
        return Finding("page", "kiosk", False, False, detail, f"sudo apt-get install {' '.join(missing)}")
    try:
        detail = _try_page("kiosk", path)
    except EnvError as error:
        return Finding("page", "kiosk", False, False, str(error), f"sudo apt-get install --reinstall {MEND_VIRTUAL}")
    return Finding("page", "kiosk", True, False, detail)


def check_display(environ: Mapping[str, str]) -> Finding:
    """Whether a desktop run has an X display to look at."""
    from ..envs.capture import check_display as monitors_of

    display = environ.get("DISPLAY")
    wayland = environ.get("WAYLAND_DISPLAY") or environ.get("XDG_SESSION_TYPE") == "wayland"
    if not display:
        if wayland:
            detail = "a Wayland session: no program may see or touch it; --url and --virtual work all the same"
            mend = "moonhand run --virtual 1280x800 ...  # or log out and choose a session 'on Xorg'"
            return Finding("desktop", "display", False, False, detail, mend)
        if sys.platform != "linux":
            return Finding("desktop", "display", True, False, "the system's own")
        detail = "DISPLAY is not set: moonhand run --desktop has no screen; --url and --virtual need none"
        return Finding("desktop", "display", False, False, detail, "export DISPLAY=:0  # where an X server runs")
    try:
        monitors = monitors_of(display)
    except EnvError as error:
        mend = "moonhand run --virtual 1280x800 ...  # or export DISPLAY=:N of a session on Xorg"
        return Finding("desktop", "display", False, False, f"DISPLAY={display}: {error}", mend)
    shown = "; ".join(f"{number} {monitor}" for number, monitor in enumerate(monitors, 1))
    return Finding("desktop", "display", True, False, f"DISPLAY={display}, X11; {shown or 'monitors are not told'}")


def check_capture(display: str) -> Finding:
    """A picture of this machine's desktop, now."""
    from ..envs.capture import ScreenCapture

    try:
        with ScreenCapture(display=display) as capture:
            capture.observe()
            start_s = time.perf_counter()
            frame = capture.observe()
            took_s = time.perf_counter() - start_s
    except EnvError as error:
        return Finding("desktop", "capture", False, False, str(error), "moonhand run --virtual 1280x800 ...")
    pixels_HW3 = frame.pixels_HW3
    if (pixels_HW3 == pixels_HW3[0, 0]).all():
        colour = "black" if not pixels_HW3.any() else "of one colour"
        detail = f"{frame.size} px, but all {colour}: the screen is locked, asleep or empty"
        return Finding("desktop", "capture", False, False, detail, f"DISPLAY={display} xset s reset dpms force on")
    return Finding("desktop", "capture", True, False, f"{frame.size} px in {took_s * 1000:.1f} ms")


def check_input(display: str) -> Finding:
    """The pointer of this machine's desktop, moved by one px and back."""
    from ..envs.x_probes import pointer_follows

    try:
        follows = pointer_follows(display)
    except EnvError as error:
        return Finding("desktop", "input", False, False, str(error), "moonhand run --virtual 1280x800 ...")
    detail = "the pointer went one px aside and back" if follows else "the pointer does not go where it is sent"
    mend = None if follows else "moonhand run --virtual 1280x800 ...  # something else holds this one"
    return Finding("desktop", "input", follows, False, detail, mend)


def check_virtual_display() -> Finding:
    """Xvfb and openbox, for `--virtual`: started, looked at, touched."""
    from ..envs import VirtualDisplay
    from ..envs.x_probes import shift_goes_down
    from .calibrate import calibrate_desktop
    from .target_sheets import Grid

    name, grid = "virtual display", Grid(3, 2)
    missing = [program for program in ("Xvfb", "openbox") if shutil.which(program) is None]
    if missing:
        detail = f"moonhand run --virtual needs {' and '.join(missing)}"
        mend = f"sudo apt-get install {' '.join(missing).lower()}"
        return Finding("desktop", name, False, False, detail, mend)
    try:
        start_s = time.perf_counter()
        with VirtualDisplay(SMALL, wm=True) as screen:
            started_s = time.perf_counter() - start_s
            found, frame = calibrate_desktop(name, display=screen.display, grid=grid)
            keys = shift_goes_down(screen.display)
    except EnvError as error:
        return Finding("desktop", name, False, False, str(error), f"sudo apt-get install --reinstall {MEND_VIRTUAL}")
    if not (found.is_exact and keys):
        detail = f"seen {len(found.hits) - found.num_unseen} of {grid}, missed {found.num_missed}, keys: {keys}"
        return Finding("desktop", name, False, False, detail, "moonhand doctor --calibrate")
    detail = f"ready in {started_s:.2f} s, seen in {frame.capture_s * 1000:.1f} ms, clicked 0 px off, keys work"
    return Finding("desktop", name, True, False, detail)


def check_clipboard() -> Finding:
    """The program that keeps and brings back the clipboard, for text that a keyboard has no keys for."""
    if sys.platform != "linux":
        return Finding("desktop", "clipboard", True, False, "the system's own")
    path = shutil.which("xclip")
    if path is None:
        detail = "xclip is not on PATH; needed to read and write the clipboard, and to bring it back after a paste"
        return Finding("desktop", "clipboard", False, False, detail, "sudo apt-get install xclip")
    return Finding("desktop", "clipboard", True, False, path)


def check_xlib() -> Finding:
    """Two packages install a folder Xlib; whichever came last is the one that is imported."""
    if sys.platform != "linux":
        return Finding("desktop", "python-xlib", True, False, "needed on Linux alone")
    from ..envs.x_probes import xlib_version

    mend = f"{sys.executable} -m pip install --force-reinstall --no-deps 'python-xlib>=0.33'"
    try:
        found = xlib_version()
    except ImportError as error:
        return Finding("desktop", "python-xlib", False, False, f"does not import: {error}", mend)
    shown = ".".join(map(str, found))
    other = _installed("python3-xlib")
    detail = f"{shown}; python3-xlib {other} has the same folder" if other[0].isdigit() else shown
    ok = found >= (0, 33)
    if not ok:
        detail += ": too old, it was installed over python-xlib"
    return Finding("desktop", "python-xlib", ok, False, detail, None if ok else mend)


def _try_page(surface: str, chromium: str | None) -> str:
    """Start, show, look, close; what there is to tell. EnvError where that fails."""
    from ..envs import BrowserConfig, BrowserEnv

    start_s = time.perf_counter()
    config = BrowserConfig(
        url="data:text/html,<body style='background:teal'>",
        viewport=SMALL,
        surface="kiosk" if surface == "kiosk" else "headless",
        executable=chromium,
    )
    with BrowserEnv(config) as env:
        ready_s = time.perf_counter() - start_s
        frame = env.observe()
        told = str(env.evaluate("navigator.userAgent.match(/Chrome.([0-9]+)/)[1]"))
        colour = tuple(int(value) for value in frame.pixels_HW3[SMALL.height_px // 2, SMALL.width_px // 2])
    if colour != (0, 128, 128):
        raise EnvError(f"a teal page came out as {colour}: try another Chromium with MOONHAND_CHROMIUM")
    # Playwright starts it so; as root it could not be started otherwise.
    return f"version {told}, ready in {ready_s:.1f} s, seen in {frame.capture_s * 1000:.1f} ms, without a sandbox"


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(not installed)"
