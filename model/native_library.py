"""Compiles `decode.c` with the machine's own compiler, once, and loads it. Without a compiler torch does the work."""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import platformdirs
import torch

SOURCES = (
    "decode.c",
    "decode_attention.h",
    "decode_bytes.h",
    "decode_dot.h",
    "decode_experts.h",
    "decode_keys.h",
    "decode_rows.h",
    "decode_state.h",
    "decode_tiles.h",
    "decode_tools.h",
)
COMPILERS = ("cc", "gcc", "clang")
# No -ffast-math: at load it would turn off denormals for the whole process, and infinities are meant.
OPTIMISE = ("-O3", "-fno-math-errno", "-fno-trapping-math", "-fno-signed-zeros", "-fassociative-math")
BUILD = (*OPTIMISE, "-ffp-contract=fast", "-std=gnu11", "-fPIC", "-shared")
NATIVE = ("-march=native",)
BUILD_LIMIT_S = 60.0


@dataclass(frozen=True, eq=False)
class Library:
    """The loaded code, where it lies and what made it."""

    functions: ctypes.CDLL
    path: Path
    compiler: str


@dataclass(frozen=True)
class Unavailable:
    """Why there is no native code here; `cache_dir` where it is that this folder cannot be written."""

    reason: str
    cache_dir: Path | None = None


def load_library(cache_dir: Path | None = None, *, target: Sequence[str] = NATIVE) -> Library | Unavailable:
    """The native code: from `cache_dir` (None: the user's cache folder), or compiled into it, which takes seconds.

    `target` are the compiler's flags that name the processor. Processes may do this at the same time.
    """
    openmp = _openmp_of_torch()
    if openmp is None:
        return Unavailable("torch has loaded no OpenMP library whose threads the native code could share")
    folder = cache_dir or Path(platformdirs.user_cache_dir("moonhand")) / "native"
    reasons: list[str] = []
    for compiler in _compilers():
        try:
            path = folder / f"decode-{_fingerprint(compiler, target, openmp)}.so"
            if path.exists():
                try:
                    return Library(ctypes.CDLL(str(path)), path, compiler)
                except OSError:  # a damaged file is made anew
                    path.unlink(missing_ok=True)
            try:
                unfinished = _unfinished(path)
            except OSError as error:
                return Unavailable(f"the cache folder {folder} cannot be written: {error.strerror}", folder)
            _build(compiler, target, openmp, unfinished, path)
            return Library(ctypes.CDLL(str(path)), path, compiler)
        except subprocess.TimeoutExpired:
            reasons.append(f"{compiler} took more than {BUILD_LIMIT_S:.0f} s")
        except subprocess.CalledProcessError as error:
            lines = str(error.stderr).strip().splitlines() or [f"exit status {error.returncode}"]
            reasons.append(f"{compiler} failed: {lines[0]}")
        except OSError as error:
            reasons.append(f"{compiler}: {error}")
    return Unavailable("; ".join(reasons) or f"no C compiler on PATH (looked for {', '.join(COMPILERS)})")


def _compilers() -> Iterator[str]:
    """Each compiler there is, once, whatever its names."""
    seen: set[str] = set()
    for name in COMPILERS:
        found = shutil.which(name)
        if found is not None and os.path.realpath(found) not in seen:
            seen.add(os.path.realpath(found))
            yield found


def _openmp_of_torch() -> Path | None:
    """The library whose threads torch uses: the code must share them, not wake as many again."""
    try:
        loaded = Path("/proc/self/maps").read_text()
    except OSError:
        return None
    found = sorted(set(re.findall(r"(/\S*/lib(?:gomp|iomp5|omp)[-.\w]*\.so[.\d]*)$", loaded, re.MULTILINE)))
    of_torch = [path for path in found if Path(torch.__file__).parent.parent in Path(path).parents]
    return Path((of_torch or found)[0]) if found else None


def _fingerprint(compiler: str, target: Sequence[str], openmp: Path) -> str:
    """Of all that the result depends on."""
    version = subprocess.run([compiler, "--version"], capture_output=True, check=True, text=True, timeout=BUILD_LIMIT_S)
    try:
        cpu = Path("/proc/cpuinfo").read_text()
    except OSError:
        cpu = ""
    features = sorted(set(re.findall(r"^(?:model name|flags|Features|CPU part)\s*:.*$", cpu, re.MULTILINE)))
    parts = [version.stdout, *BUILD, *target, str(openmp), *features]
    digest = hashlib.sha256("\0".join(parts).encode())
    for name in SOURCES:
        digest.update((Path(__file__).parent / name).read_bytes())
    return digest.hexdigest()[:20]


def _unfinished(path: Path) -> str:
    """An empty file beside it: whoever sees `path` is to see all of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, unfinished = tempfile.mkstemp(suffix=".so", dir=path.parent)
    os.close(handle)
    return unfinished


def _build(compiler: str, target: Sequence[str], openmp: Path, unfinished: str, path: Path) -> None:
    source = str(Path(__file__).parent / SOURCES[0])
    try:
        subprocess.run(
            [compiler, *BUILD, *target, source, "-o", unfinished, str(openmp), "-lm"],
            capture_output=True, check=True, text=True, timeout=BUILD_LIMIT_S,
        )  # fmt: skip
        Path(unfinished).replace(path)
    finally:
        Path(unfinished).unlink(missing_ok=True)
