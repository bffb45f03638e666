"""Memory: the peak of one piece of work in a process of its own, and what a token takes in the cache.

`python -m moonhand.tasks.model_bench.footprint JSON` is such a process; it prints one JSON object.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...model import ModelError
from ..errors import BadRequest, TaskError
from .bench import Bench, Effort, decodes, reads
from .ceilings import cache_bytes_per_token
from .measure import memory_bytes
from .peer import PeerText
from .rows import Row
from .subject import Request, build

PATIENCE_S = 600
PEER_EXPERTS = "grouped_mm"  # its default
WORKS = (("prompt", 2048), ("prompt", 8192), ("decode", 8192), ("vision", 4096))


@dataclass(frozen=True, kw_only=True)
class Errand:
    """What the process does: `work` is prompt, decode (tokens) or vision (patches); `side` ours or peer."""

    request: Request
    side: str
    work: str
    size: int


def memory_rows(bench: Bench, request: Request) -> list[Row]:
    """Peak memory above that of the loaded weights, and the weights; each in a process of its own."""
    rows: list[Row] = []
    weights_MiB: float | None = None
    longest = bench.subject.config.text.max_position_embeddings
    for work, size in WORKS:
        if work != "vision" and size + 4 > longest:
            continue
        ours = run_errand(Errand(request=request, side="ours", work=work, size=size))
        theirs = run_errand(Errand(request=request, side="peer", work=work, size=size)) if bench.has_peer else None
        weights_MiB = ours["loaded_MiB"]
        peer_MiB = None if theirs is None else theirs["peak_MiB"] - theirs["loaded_MiB"]
        ours_MiB = ours["peak_MiB"] - ours["loaded_MiB"]
        rows.append(
            Row(
                section="memory",
                work=f"peak above the weights, {work} of {size:,}",
                unit="MiB",
                ours=ours_MiB,
                peer=peer_MiB,
                peer_name=None if theirs is None else theirs["how"],
                ratio=None if peer_MiB is None else peer_MiB / max(ours_MiB, 1.0),
            )
        )
    if weights_MiB is not None:
        rows.append(Row(section="memory", work="process with the weights loaded", unit="MiB", ours=weights_MiB))
    cached = cache_bytes_per_token(bench.subject.model)
    rows.append(Row(section="memory", work="cache, each token", unit="bytes", ours=cached))
    return rows


def run_errand(errand: Errand) -> dict[str, Any]:
    """In a fresh process: `loaded_MiB`, `peak_MiB` and `how`. BadRequest where it does not survive."""
    command = [sys.executable, "-m", __name__, json.dumps(asdict(errand))]
    what = f"memory of {errand.side} {errand.work} of {errand.size}"
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise BadRequest(f"{what}: the process took more than {PATIENCE_S} s") from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise BadRequest(f"{what}: the process left with {done.returncode}: {last}")
    return json.loads(done.stdout.splitlines()[-1])


def carry_out(errand: Errand) -> dict[str, Any]:
    """Do the work here, and say what the process held before and at most. Without /proc both are 0."""
    subject = build(errand.request, with_plain=errand.side == "peer")
    bench = Bench(subject, effort=Effort(steps=2, with_peer=errand.side == "peer"))
    side = bench.ours if errand.side == "ours" else bench.peer
    tower = bench.our_vision if errand.side == "ours" else bench.peer_vision
    if side is None or tower is None:
        raise BadRequest("there is no peer to measure: install transformers")
    if isinstance(side, PeerText):
        side.use(PEER_EXPERTS)
    _forget_peak()
    loaded = memory_bytes("VmRSS") or 0
    if errand.work == "vision":
        rows = round(errand.size**0.5) // 2 * 2
        tower.encode(bench.pixels(rows * rows), [(rows, rows)])
    elif errand.work == "decode":
        decodes(bench.latents(1, errand.size), bench.ids(3, 1), side)()
    else:
        reads(bench.ids(errand.size), side)()
    peak = memory_bytes() or 0
    return {"loaded_MiB": loaded / 2**20, "peak_MiB": max(peak, loaded) / 2**20, "how": PEER_EXPERTS}


def _forget_peak() -> None:
    """Start VmHWM anew at what is held now; where that is not allowed the peak is that of building, too."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def main(arguments: list[str]) -> int:
    told = json.loads(arguments[0])
    try:
        print(json.dumps(carry_out(Errand(**(told | {"request": Request(**told["request"])})))))
    except (TaskError, ModelError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
