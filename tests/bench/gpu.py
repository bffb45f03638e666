"""Every figure a CUDA device owes us, in one run: kernels against their plain twins, tiles, decode, prefill, pictures.

    python tests/bench/gpu.py [--only SECTION,..] [--skip SECTION,..] [--out FOLDER] [--quick --device cpu]

Random bf16 weights of Kimi-VL-A3B's sizes are made on the device (33 GB); nothing is read or downloaded. A section
that fails is reported and the rest go on. The tables also go to FOLDER as text and JSON, named by date; the last line
that is printed is a short form of the JSON. `--quick` runs a tiny model, few repeats, on any device: it proves the
script and measures nothing.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from gpu_bench import ROOT, Bench, Row, Skipped, line_of, tiny
from gpu_kernels import ceilings, parity, tiles
from gpu_model import decode, prefill, profile, quantised, screenshots, tower_attention, whole_step
from gpu_peer import peer, peer_compiled
from moonhand.model.config import load_config

SECTIONS: dict[str, Callable[[Bench], None]] = {
    "ceilings": ceilings,
    "parity": parity,
    "whole_step": whole_step,
    "tiles": tiles,
    "decode": decode,
    "profile": profile,
    "prefill": prefill,
    "screenshots": screenshots,
    "tower_attention": tower_attention,
    "peer": peer,
    "quantised": quantised,
    "peer_compiled": peer_compiled,
}
BY_NAME_ONLY = {"peer_compiled"}  # minutes of compiling


def device_of(bench: Bench) -> dict[str, Any]:
    found: dict[str, Any] = {
        "device": torch.cuda.get_device_name() if bench.is_cuda else platform.machine(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "cuda": torch.version.cuda,
    }
    if bench.is_cuda:
        found["cudnn"] = torch.backends.cudnn.version()
        found["memory_GiB"] = round(torch.cuda.get_device_properties(0).total_memory / 2**30, 1)
    for name in ("triton", "transformers"):
        if find_spec(name) is not None and (bench.is_cuda or name in sys.modules):
            found[name] = __import__(name).__version__
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--only", default="", help=f"sections, with commas between: {', '.join(SECTIONS)}")
    parser.add_argument("--skip", default="")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--quick", action="store_true", help="a tiny model: proves the script, measures nothing")
    parser.add_argument("--budget-s", type=float, default=460.0, help="no section starts after so many seconds")
    options = parser.parse_args()
    asked = [name for name in options.only.split(",") if name] or [
        name for name in SECTIONS if name not in BY_NAME_ONLY
    ]
    left_out = [name for name in options.skip.split(",") if name]
    unknown = sorted({*asked, *left_out} - set(SECTIONS))
    if unknown:
        parser.error(f"no section {', '.join(unknown)}: there are {', '.join(SECTIONS)}")
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        parser.error("torch sees no CUDA device; --quick --device cpu proves the script without one")
    if options.quick and options.device == "cpu":
        torch.set_num_threads(1)  # tiny tensors gain nothing from more
    config = load_config(ROOT / "tests" / "golden" / "kimi_vl_instruct")
    bench = Bench(torch.device(options.device), options.quick, tiny(config) if options.quick else config)
    started_s = time.perf_counter()
    done: dict[str, Any] = {}
    left = [name for name in SECTIONS if name in asked and name not in left_out]
    while left:
        name = left.pop(0)
        done[name] = run_section(bench, name, started_s + options.budget_s)
        if left and "failed" in done[name] and not is_alive(bench):
            print("the device's context is lost: the other sections run in a new process", flush=True)
            done |= in_new_process(left, options.budget_s - (time.perf_counter() - started_s))
            break
    told = {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "took_s": round(time.perf_counter() - started_s, 1),
        "quick": options.quick,
        **device_of(bench),
        "sections": done,
    }
    write(told, options.out)
    print(json.dumps(summary(told)))


def summary(told: dict[str, Any]) -> dict[str, Any]:
    """The whole without rows but those that have a target, and of parity's the wrong ones: short enough for a log."""
    sections: dict[str, Any] = {}
    for name, section in told["sections"].items():
        rows = {row["name"]: row["value"] for row in section["rows"] if row["target"] is not None}
        wrong = [row["name"] for row in section["rows"] if "WRONG" in row["note"]]
        rest = {key: value for key, value in section.items() if key != "rows"}
        sections[name] = rest | ({"wrong": wrong} if name in ("parity", "whole_step") else {"values": rows})
    return told | {"sections": sections}


def is_alive(bench: Bench) -> bool:
    """Whether the device still answers: after an illegal access nothing of this process does."""
    try:
        bench.wait()
    except RuntimeError:
        return False
    return True


def in_new_process(sections: Sequence[str], budget_s: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--only", ",".join(sections), "--out", folder, "--budget-s", str(budget_s)]
        subprocess.run(command, check=False)
        return {
            name: told
            for path in Path(folder).glob("*.json")
            for name, told in json.loads(path.read_text(encoding="utf-8"))["sections"].items()
        }


def run_section(bench: Bench, name: str, deadline_s: float) -> dict[str, Any]:
    """Its rows, and what went wrong if something did."""
    print(f"\n== {name}", flush=True)
    if time.perf_counter() > deadline_s:
        print("not started: the time is spent")
        return {"skipped": "the time was spent", "rows": []}
    bench.rows = []
    told: dict[str, Any] = {}
    started_s = time.perf_counter()
    if bench.is_cuda:
        torch.cuda.reset_peak_memory_stats()
    try:
        with torch.no_grad():
            SECTIONS[name](bench)
    except Skipped as reason:
        told["skipped"] = str(reason)
        print(f"skipped: {reason}")
    except Exception as error:  # the next section may still run: this run may be the only one on this machine
        told["failed"] = f"{type(error).__name__}: {error}"
        traceback.print_exc(limit=-6, file=sys.stdout)
    if bench.is_cuda:
        told["peak_GiB"] = round(torch.cuda.max_memory_allocated() / 2**30, 2)
    told["took_s"] = round(time.perf_counter() - started_s, 1)
    print(f"-- {name}: {told}", flush=True)
    return told | {"rows": [asdict(row) for row in bench.rows]}


def write(told: dict[str, Any], folder: Path) -> None:
    """`gpu-DATE.json` and `gpu-DATE.txt`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"gpu-{told['started'].replace(':', '')[:17]}"
    path.with_suffix(".json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    lines = [f"{key}: {value}" for key, value in told.items() if key != "sections"]
    for name, section in told["sections"].items():
        lines += ["", f"== {name}: " + ", ".join(f"{key} {value}" for key, value in section.items() if key != "rows")]
        lines += [line_of(Row(**row)) for row in section["rows"]]
    path.with_suffix(".txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
