"""The doctor's look at the machine itself: interpreter, system, disk, secrets, typefaces."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from .finding import Finding

OLDEST_PYTHON = (3, 11)
LEAST_FREE_BYTES = 1_000_000_000  # of the disk that runs are written to

SCRIPTS: dict[str, tuple[str, str]] = {  # script -> a character of it, the Debian package that draws it
    "Latin": ("41", "fonts-dejavu-core"),
    "Greek": ("3b1", "fonts-dejavu-core"),
    "Cyrillic": ("434", "fonts-dejavu-core"),
    "Hebrew": ("5d0", "fonts-noto-core"),
    "Arabic": ("627", "fonts-noto-core"),
    "Devanagari": ("915", "fonts-noto-core"),
    "Thai": ("e01", "fonts-noto-core"),
    "Chinese": ("6f22", "fonts-noto-cjk"),
    "Japanese": ("3042", "fonts-noto-cjk"),
    "Korean": ("ac00", "fonts-noto-cjk"),
    "emoji": ("1f680", "fonts-noto-color-emoji"),
}
UNTESTED = {  # system -> what it asks of a person
    "Darwin": (
        "macOS: untested; a desktop run needs Accessibility and Screen Recording for your terminal, under System "
        "Settings > Privacy & Security",
        "open 'x-apple.systempreferences:com.apple.preference.security?Privacy_Accessibility'",
    ),
    "Windows": (
        "Windows: untested; programs that run as administrator can be touched only from a terminal that does too",
        "powershell Start-Process powershell -Verb RunAs",
    ),
}


def check_python() -> Finding:
    """The interpreter this runs in."""
    ok = sys.version_info >= OLDEST_PYTHON
    mend = None if ok else "sudo apt-get install python3 python3-venv  # 3.11 or newer"
    detail = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return Finding("machine", "python", ok, True, detail, mend)


def check_system(system: str = platform.system()) -> Finding:
    """Whether anybody has tried this on such a system."""
    if system == "Linux":
        return Finding("machine", "system", True, False, "Linux: desktops on X11, pages everywhere")
    detail, mend = UNTESTED.get(system, (f"{system}: untested", "moonhand run --url URL  # pages may work"))
    return Finding("machine", "system", False, False, detail, mend)


def check_disk(folder: Path | None = None) -> Finding:
    """Room for what runs write."""
    folder = folder or Path.cwd()
    free = shutil.disk_usage(folder).free
    detail = f"{free / 1e9:,.1f} GB free in {folder}, where runs are written; a 16B checkpoint takes 33 GB"
    mend = None if free >= LEAST_FREE_BYTES else "moonhand run --out DIR  # on a disk with more room"
    return Finding("machine", "disk", free >= LEAST_FREE_BYTES, False, detail, mend)


def check_keyring(environ: Mapping[str, str]) -> Finding:
    """Where {{secret:NAME}} can come from."""
    given = sum(name.startswith("MOONHAND_SECRET_") for name in environ)
    from_environment = f"{given} in the environment"
    if find_spec("keyring") is None:
        mend = f"{sys.executable} -m pip install keyring  # or: export MOONHAND_SECRET_NAME=..."
        return Finding("machine", "secrets", False, False, f"{from_environment}; keyring is not installed", mend)
    import keyring  # pyright: ignore[reportMissingImports]  # an extra

    backend = keyring.get_keyring()
    usable = float(backend.priority) > 0
    name = f"{type(backend).__module__}".rpartition(".")[2]
    detail = f"{from_environment}; " + (f"keyring: {name}" if usable else "no keyring is running")
    mend = None if usable else "export MOONHAND_SECRET_NAME=...  # or log in to a session with a keyring"
    return Finding("machine", "secrets", usable, False, detail, mend)


def check_fonts() -> Finding:
    """Which scripts pages can show: without a typeface for one they show boxes."""
    if shutil.which("fc-list") is None:
        mend = "sudo apt-get install fontconfig fonts-dejavu-core"
        detail = "fontconfig is not installed: nobody can tell which scripts pages would show as boxes"
        return Finding("page", "fonts", False, False, detail, mend)
    boxes = [script for script, (code, _) in SCRIPTS.items() if first_line(["fc-list", f":charset={code}"]) is None]
    family = first_line(["fc-match", "sans-serif", "family"]) or "missing"
    if not boxes:
        return Finding("page", "fonts", True, False, f"sans-serif is {family}; {', '.join(SCRIPTS)} all have one")
    packages = dict.fromkeys(SCRIPTS[script][1] for script in boxes)
    detail = f"sans-serif is {family}; pages show boxes for {', '.join(boxes)}"
    return Finding("page", "fonts", False, False, detail, f"sudo apt-get install {' '.join(packages)}")


def first_line(command: list[str]) -> str | None:
    """The first line a program prints; None where it fails, hangs or prints nothing."""
    try:
        answer = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=5, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip().split("\n")[0].strip() or None
