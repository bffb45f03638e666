"""A whole bench run: its sections in order, and the result for people and for programs."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from ...model import ModelError
from ..errors import BadRequest
from .bench import Bench, Effort
from .ceilings import Ceilings, measure_ceilings
from .footprint import memory_rows
from .frame_rows import frame_rows
from .growth import growth_rows
from .measure import load_average
from .peer import peer_version
from .rows import Row
from .subject import Request, build
from .text_rows import batch_rows, check_rows, decode_rows, format_rows, prefill_rows
from .vision_rows import vision_rows

DEFAULT_SECTIONS = ("check", "decode", "formats", "batch", "prefill", "vision", "frame", "memory")
SECTIONS = (*DEFAULT_SECTIONS, "growth")  # growth takes minutes


@dataclass(frozen=True, kw_only=True)
class Result:
    """What was measured, on what, and how busy the machine was otherwise."""

    request: Request
    dtype: str
    quantize: str | None  # as asked for, or as the folder is
    device: str
    rows: Sequence[Row]
    ceilings: Ceilings
    load_before: tuple[float, float, float] | None
    load_after: tuple[float, float, float] | None
    started: str
    failures: Mapping[str, str] = field(default_factory=dict[str, str])  # sections that could not be measured, and why
    machine: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def others_cores(self) -> float | None:
        """The most cores that other processes used during any row."""
        used = [row.paired.others_cores for row in self.rows if row.paired is not None]
        known = [cores for cores in used if cores is not None]
        return max(known, default=None)

    def to_json(self) -> dict[str, Any]:
        return {
            "format": 1,
            "started": self.started,
            "request": asdict(self.request),
            "dtype": self.dtype,
            "quantize": self.quantize,
            "device": self.device,
            "machine": dict(self.machine),
            "ceilings": self.ceilings.to_json(),
            "load_before": self.load_before,
            "load_after": self.load_after,
            "others_cores_at_most": None if self.others_cores is None else round(self.others_cores, 3),
            "rows": [row.to_json() for row in self.rows],
            "failures": dict(self.failures),
        }


def check_sections(names: Sequence[str]) -> tuple[str, ...]:
    """In the order they run. BadRequest for one that is not there."""
    unknown = [name for name in names if name not in SECTIONS]
    if unknown:
        raise BadRequest(f"--only {','.join(unknown)}: the sections are {', '.join(SECTIONS)}")
    return tuple(name for name in SECTIONS if name in names)


def measure(
    request: Request,
    sections: Sequence[str] = DEFAULT_SECTIONS,
    *,
    effort: Effort | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Result:
    """Build the model and measure. `say` hears the name of each section as it begins.

    A section that runs out of memory or fails otherwise is told among the `failures`; the others' rows stay.
    """
    wanted = check_sections(sections)
    started, load_before = datetime.now(UTC).isoformat(timespec="seconds"), load_average()
    say("building")
    subject = build(request, with_plain=effort is None or effort.with_peer)
    say("what the machine can do")
    ceilings = measure_ceilings(subject.dtype, subject.device)
    bench = Bench(subject, ceilings, effort)
    rows: list[Row] = []
    failures: dict[str, str] = {}
    for section in wanted:
        say(section)
        try:
            rows += _section(section, bench, request)
        except (ModelError, RuntimeError, MemoryError, OSError) as error:
            failures[section] = f"{type(error).__name__}: {error}"
    return Result(
        request=request,
        dtype=str(subject.dtype).removeprefix("torch."),
        quantize=subject.quantize,
        device=str(subject.device),
        rows=rows,
        ceilings=ceilings,
        load_before=load_before,
        load_after=load_average(),
        started=started,
        failures=failures,
        machine=describe_machine(subject.device),
    )


def describe_machine(device: torch.device) -> dict[str, Any]:
    return {
        "name": torch.cuda.get_device_name(device) if device.type == "cuda" else _cpu_name(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "moonhand": version("moonhand"),
        "transformers": peer_version(),
    }


def _section(name: str, bench: Bench, request: Request) -> list[Row]:
    match name:
        case "check":
            return check_rows(bench) if bench.has_peer else []
        case "decode":
            return decode_rows(bench)
        case "formats":
            return format_rows(bench)
        case "batch":
            return batch_rows(bench)
        case "prefill":
            return prefill_rows(bench)
        case "vision":
            return vision_rows(bench)
        case "frame":
            return frame_rows(bench)
        case "memory":
            return memory_rows(bench, request)
        case "growth":
            return growth_rows(bench, request)
        case _:
            raise BadRequest(f"there is no section {name!r}")


def _cpu_name() -> str:
    """As the system calls it, with what it has for small numbers."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next(_values(lines, "model name"), platform.machine()) + _features(lines)


def _features(lines: Sequence[str]) -> str:
    flags = next(_values(lines, "flags"), "").split()
    known = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16") if flag in flags]
    return f" ({', '.join(known)})" if known else ""


def _values(lines: Sequence[str], key: str) -> Iterator[str]:
    return (line.split(":", 1)[1].strip() for line in lines if line.split(":", 1)[0].strip() == key)
