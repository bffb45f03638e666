"""What works on this machine, what is missing, and the command that mends it."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

OLDEST_PYTHON = (3, 11)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `mend` is a shell command, None where nothing needs mending."""

    name: str
    ok: bool
    needed: bool  # False: only some commands need it, `detail` says which
    detail: str
    mend: str | None = None


def examine(environ: Mapping[str, str], *, model: str = "nano") -> tuple[Finding, ...]:
    """Look at everything the commands need, in a few seconds; `environ` is the process's environment."""
    return (
        check_python(),
        check_torch(),
        check_chromium(environ),
        check_fonts(),
        check_model(model),
        check_decoding(),
        check_display(environ),
        check_program("Xvfb", needed_for="moonhand run --virtual", package="xvfb"),
        check_program("openbox", needed_for="moonhand run --virtual", package="openbox"),
        check_program("xclip", needed_for="typing other than ASCII on a desktop", package="xclip"),
    )


def works(findings: tuple[Finding, ...]) -> bool:
    """Whether everything that every run needs is there."""
    return all(finding.ok for finding in findings if finding.needed)


def findings_to_json(findings: tuple[Finding, ...]) -> dict[str, object]:
    """`{"ok": ..., "findings": [{"name", "ok", "needed", "detail", "mend"}, ...]}`"""
    return {"ok": works(findings), "findings": [asdict(finding) for finding in findings]}


def check_python() -> Finding:
    """The interpreter this runs in."""
    ok = sys.version_info >= OLDEST_PYTHON
    mend = None if ok else "sudo apt-get install python3 python3-venv  # 3.11 or newer"
    return Finding("python", ok, True, f"{platform.python_version()} on {platform.system()} {platform.machine()}", mend)


def check_torch() -> Finding:
    """PyTorch, the device it will use, and whether bf16 multiplies right there."""
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: a shared library of a CUDA build is missing
        return Finding(
            "torch", False, True, f"does not import: {error}", f"{sys.executable} -m pip install torch==2.13.0"
        )
    if torch.cuda.is_available():
        device = f"GPU {torch.cuda.get_device_name(0)}"
        half = torch.cuda.is_bf16_supported()
    else:
        device = f"CPU, {torch.get_num_threads()} threads"
        ones = torch.ones(8, 8, dtype=torch.bfloat16)
        half = bool((ones @ ones == 8).all())
    return Finding("torch", True, True, f"{torch.__version__}, {device}, bf16 {'works' if half else 'does not work'}")


def check_chromium(environ: Mapping[str, str]) -> Finding:
    """The Chromium a browser run would start."""
    from ..envs import EnvError, find_chromium

    mend = f"{sys.executable} -m playwright install --with-deps chromium  # or: sudo apt-get install chromium"
    try:
        path = find_chromium(environ.get("MOONHAND_CHROMIUM"))
    except EnvError as error:
        return Finding("chromium", False, True, str(error), mend)
    if path is None:
        return Finding("chromium", False, True, "not found on PATH, in MOONHAND_CHROMIUM or among Playwright's", mend)
    found = _first_line([path, "--version"])
    if found is None:
        return Finding("chromium", False, True, f"{path} does not start", mend)
    return Finding("chromium", True, True, f"{found} at {path}; Playwright {_installed('playwright')}")


def check_fonts() -> Finding:
    """Whether pages can show text: a machine without fonts renders boxes, or nothing."""
    family = _first_line(["fc-match", "sans-serif", "family"])
    if family is None:
        mend = "sudo apt-get install fontconfig fonts-dejavu-core"
        return Finding("fonts", False, False, "fontconfig has no sans-serif: pages may show boxes for letters", mend)
    return Finding("fonts", True, False, f"sans-serif is {family}")


def check_model(model: str) -> Finding:
    """Whether the weights are there and load."""
    from ..model import ModelError, load
    from ..model.counts import count_model

    start_s = time.perf_counter()
    try:
        engine = load(model)
    except (ModelError, OSError) as error:
        mend = "reinstall moonhand: its package carries the weights" if model == "nano" else None
        return Finding(f"model {model}", False, True, str(error), mend)
    parameters = count_model(engine.config).parameters
    took_s = time.perf_counter() - start_s
    return Finding(f"model {model}", True, True, f"{parameters:,} parameters, loaded in {took_s:.1f} s")


def check_decoding() -> Finding:
    """Whether replies are decoded by compiled code; without it by PyTorch, which is slower."""
    import torch

    if torch.cuda.is_available():
        ok = find_spec("triton") is not None
        detail = "by Triton kernels in CUDA graphs" if ok else "by PyTorch alone: triton is not installed"
        return Finding("decoding", ok, False, detail, None if ok else f"{sys.executable} -m pip install triton")
    from ..model.native_library import Unavailable, load_library

    library = load_library()
    if isinstance(library, Unavailable):
        return Finding("decoding", False, False, f"by PyTorch alone: {library.reason}", "sudo apt-get install gcc")
    return Finding("decoding", True, False, f"compiled by {library.compiler}, in {library.path.parent}")


def check_display(environ: Mapping[str, str]) -> Finding:
    """Whether a desktop run has an X display to look at."""
    display = environ.get("DISPLAY")
    if display:
        return Finding("display", True, False, f"DISPLAY={display}")
    if environ.get("WAYLAND_DISPLAY"):
        detail = "Wayland without X: moonhand run --desktop needs X11 or XWayland"
        return Finding("display", False, False, detail, "log in to an X11 session, or use --virtual 1280x800")
    detail = "DISPLAY is not set: moonhand run --desktop has no screen; --url and --virtual need none"
    return Finding("display", False, False, detail, "export DISPLAY=:0  # where an X server runs")


def check_program(name: str, *, needed_for: str, package: str) -> Finding:
    """Whether a program is on PATH that only some commands need."""
    path = shutil.which(name)
    if path is None:
        return Finding(name, False, False, f"not on PATH; needed for {needed_for}", f"sudo apt-get install {package}")
    return Finding(name, True, False, path)


def _first_line(command: list[str]) -> str | None:
    try:
        answer = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip().split("\n")[0].strip() or None


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(not installed)"
