"""Cost against growth: what a longer context, a longer prompt and a larger picture cost in time and memory, drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import isqrt
from pathlib import Path
from time import perf_counter

from ..chart import Line, Panel, draw_chart
from .bench import Bench, decodes, reads
from .ceilings import cache_bytes_per_token
from .footprint import Errand, run_errand
from .measure import Call, interleave, memory_bytes
from .rows import Row, timed_row
from .subject import Request
from .vision_rows import encodes

CONTEXTS = (128, 512, 2048, 8192, 32768)
PROMPTS = (128, 512, 2048, 4096, 8192)
PATCHES = (1024, 2304, 4096, 9216, 16384)
PATIENCE_S = 2.5  # a peer's step, prompt or picture that took longer is its last
STEPS = 2  # of decode in a sample
PEER_EXPERTS = "grouped_mm"  # transformers' default, along the whole curve


def growth_rows(bench: Bench, request: Request, *, with_memory: bool = True) -> list[Row]:
    """Milliseconds, and MiB above the weights, of ours and the peer; the peer stops where it takes too long."""
    latents = partial(bench.latents, 1)
    ids_KB = bench.ids(STEPS + 1, 1)
    if bench.peer is not None:
        bench.peer.use(PEER_EXPERTS)

    def step(context: int, is_ours: bool) -> Call | None:
        side = bench.ours if is_ours else bench.peer
        return None if side is None else decodes(latents(context), ids_KB, side)

    def prompt(tokens: int, is_ours: bool) -> Call | None:
        side = bench.ours if is_ours else bench.peer
        return None if side is None else reads(bench.ids(tokens), side)

    def picture(patches: int, is_ours: bool) -> Call | None:
        side = bench.our_vision if is_ours else bench.peer_vision
        rows = isqrt(patches)
        return None if side is None else encodes(bench.pixels(patches), [(rows, rows)], side)

    longest = bench.subject.config.text.max_position_embeddings
    contexts = [context for context in CONTEXTS if context + bench.effort.steps + 2 <= longest]
    prompts = [tokens for tokens in PROMPTS if tokens <= longest]
    rows = [
        *_curve("growth: a token after", contexts, step),
        *_curve("growth: a prompt of", prompts, prompt),
        *_curve("growth: a picture of", PATCHES, picture),
    ]
    if with_memory:
        for work, sizes in (("decode", contexts), ("prompt", prompts), ("vision", PATCHES)):
            rows += _memory_curve(request, work, sizes, has_peer=bench.has_peer)
    return rows


def draw_growth(rows: Sequence[Row], folder: Path) -> list[Path]:
    """`speed_time.png` and `speed_memory.png` of these rows, on logarithmic scales; returns those that were drawn."""
    drawn: list[Path] = []
    for unit, name in (("ms", "speed_time.png"), ("MiB", "speed_memory.png")):
        sections = list(dict.fromkeys(row.section for row in rows if row.unit == unit))
        panels = [_panel([row for row in rows if row.section == section and row.unit == unit]) for section in sections]
        if panels:
            folder.mkdir(parents=True, exist_ok=True)
            draw_chart(panels, folder / name)
            drawn.append(folder / name)
    return drawn


def _panel(rows: Sequence[Row]) -> Panel:
    counts = [float(row.work.split()[0].replace(",", "")) for row in rows]
    of = " ".join(rows[0].work.split()[1:])
    peers = [(x, row.peer) for x, row in zip(counts, rows, strict=True) if row.peer is not None]
    lines = [
        Line(
            name="moonhand",
            points=[(x, row.ours) for x, row in zip(counts, rows, strict=True)],
            colour=0,
            has_dots=True,
        )
    ]
    if peers:
        lines.append(Line(name="transformers", points=peers, colour=1, has_dots=True))
    title = f"{rows[0].section.removeprefix('growth: ')} so many {of}: {rows[0].unit}"
    return Panel(title=title, lines=lines, is_log_x=True, is_log_y=True)


def _curve(section: str, sizes: Sequence[int], make: Callable[[int, bool], Call | None]) -> list[Row]:
    """One row a size, each measured in turns while the peer still keeps up."""
    rows: list[Row] = []
    peer_keeps_up = True
    of = "patches" if "picture" in section else "tokens"
    for size in sizes:
        ours, theirs = make(size, True), make(size, False) if peer_keeps_up else None
        contenders = {name: call for name, call in (("ours", ours), ("peer", theirs)) if call is not None}
        paired = interleave(contenders, rounds=5, budget_s=4.0)
        peer_keeps_up = "peer" in paired.samples and paired.samples["peer"].median_s < PATIENCE_S
        name = PEER_EXPERTS if "peer" in contenders else None
        rows.append(timed_row(section, f"{size:,} {of}", "ms", paired, peer_name=name))
    return rows


def _memory_curve(request: Request, work: str, sizes: Sequence[int], *, has_peer: bool) -> list[Row]:
    rows: list[Row] = []
    of = "patches" if work == "vision" else "tokens"
    section = {"decode": "growth: a token after", "prompt": "growth: a prompt of", "vision": "growth: a picture of"}[
        work
    ]
    for size in sizes:
        found: dict[str, float] = {}
        for side in ("ours", "peer") if has_peer else ("ours",):
            told = run_errand(Errand(request=request, side=side, work=work, size=size))
            found[side] = max(told["peak_MiB"] - told["loaded_MiB"], 0.1)
        peer = found.get("peer")
        rows.append(
            Row(
                section=section,
                work=f"{size:,} {of}",
                unit="MiB",
                ours=found["ours"],
                peer=peer,
                peer_name=None if peer is None else PEER_EXPERTS,
                ratio=None if peer is None else peer / found["ours"],
            )
        )
    return rows


def read_long(bench: Bench, tokens: int) -> dict[str, float]:
    """One long prompt by our runtime, in chunks, and steps after it: milliseconds, and MiB of this process.

    `peak_MiB` is the most held while it was read and `before_MiB` what was held before, weights and all.
    """
    before = memory_bytes("VmRSS") or 0
    started_s = perf_counter()
    reads(bench.ids(tokens), bench.ours)()
    prompt_s = perf_counter() - started_s
    peak = memory_bytes() or 0
    steps = bench.effort.steps
    step_s = decodes(bench.latents(1, tokens - steps - 2), bench.ids(steps + 1, 1), bench.ours)()
    cache = tokens * cache_bytes_per_token(bench.subject.model)
    return {
        "prompt_ms": prompt_s * 1e3,
        "step_ms": (step_s or 0.0) * 1e3,
        "before_MiB": before / 2**20,
        "peak_MiB": peak / 2**20,
        "cache_MiB": cache / 2**20,
    }
