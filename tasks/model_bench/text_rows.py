"""The decoder's rows: decode over context, over batch and over weight formats; prompts; and that both sides agree."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch

from ...model.quantize import BITS
from .bench import Bench, decodes, reads
from .ceilings import bytes_per_step, prefill_flops
from .rows import Row, timed_row
from .subject import Subject, in_format, random_model

CONTEXTS = (512, 2048, 8192)
BATCHES = (1, 2, 4, 8, 16, 32)
PROMPTS = (512, 2048)


def decode_row(bench: Bench, context: int, batch: int = 1, section: str = "decode") -> Row:
    """Tokens a second, all sequences together, each `context` tokens long."""
    latents_NBSC = bench.latents(batch, context)
    ids_KB = bench.ids(bench.effort.steps + 1, batch)
    paired, best = bench.compare(partial(decodes, latents_NBSC, ids_KB), tokens=batch)
    num_bytes = bytes_per_step(bench.subject.model, context, batch)
    of = f"{batch} sequences of" if batch > 1 else "at"
    return timed_row(
        section,
        f"decode {of} {context:,}",
        "tok/s",
        paired,
        per_call=batch,
        peer_name=best,
        limit=bench.reading(num_bytes),
        note=f"{num_bytes / 1e6:,.0f} MB a step",
    )


def decode_rows(bench: Bench) -> list[Row]:
    room = bench.effort.steps + 2
    return [decode_row(bench, context) for context in CONTEXTS if context + room <= _longest(bench)]


def batch_rows(bench: Bench, context: int = 512) -> list[Row]:
    """The same context for more and more sequences; each note says how far throughput grew from the first row's."""
    rows = [decode_row(bench, context, batch, section="batch") for batch in BATCHES]
    first = rows[0].ours
    return [replace(row, note=f"{row.ours / first:.2f}x of one; {row.note}") for row in rows]


def prefill_row(bench: Bench, tokens: int) -> Row:
    """Tokens a second of a prompt read from nothing."""
    paired, best = bench.compare(partial(reads, bench.ids(tokens)), tokens=tokens)
    return timed_row(
        "prefill",
        f"prompt of {tokens:,}",
        "tok/s",
        paired,
        per_call=tokens,
        peer_name=best,
        limit=bench.computing(prefill_flops(bench.subject.config, tokens)),
    )


def prefill_rows(bench: Bench) -> list[Row]:
    return [prefill_row(bench, tokens) for tokens in PROMPTS if tokens <= _longest(bench)]


def format_rows(bench: Bench, context: int = 512) -> list[Row]:
    """Decode with the weights in each format; the peer has them plain. Of a plain subject only."""
    if bench.subject.quantize is not None:
        return []
    benches = {str(bench.subject.dtype).removeprefix("torch."): bench}
    benches |= {kind: Bench(in_format(bench.subject, kind), bench.ceilings, bench.effort) for kind in BITS}
    rows = {kind: decode_row(each, context, section="formats") for kind, each in benches.items()}
    return [replace(row, work=f"{row.work}, {kind}") for kind, row in rows.items()]


def check_rows(bench: Bench, tokens: int = 48) -> list[Row]:
    """Whether both sides compute the same: how far their logits lie apart, relative to the logits.

    In the dtype that is measured, where two near ties may choose other experts, and on random weights in fp32.
    """
    rows = [_agreement(bench, tokens, "dtype measured")] if bench.subject.quantize is None else []
    config = bench.subject.config
    fewer = replace(config, text=replace(config.text, num_hidden_layers=min(2, config.text.num_hidden_layers)))
    model = random_model(fewer, dtype=torch.float32, device=bench.subject.device)
    exact = Subject(
        name=bench.subject.name,
        model=model,
        dtype=torch.float32,
        device=bench.subject.device,
        quantize=None,
        plain=dict(model.state_dict()),
    )
    return [*rows, _agreement(Bench(exact, effort=bench.effort), tokens, f"{fewer.text.num_hidden_layers} layers")]


def _agreement(bench: Bench, tokens: int, which: str) -> Row:
    """The larger of two differences: after a prompt, and after a step behind given latents."""
    differences: list[float] = []
    if bench.peer is not None:
        bench.peer.use("eager")
        ids_L, latents_NBSC = bench.ids(tokens), bench.latents(2, tokens)
        sides = (bench.ours, bench.peer)
        pairs = [[side.read(ids_L).float() for side in sides]]
        for side in sides:
            side.fill(latents_NBSC)
        pairs.append([side.step(ids_L[:2]).float() for side in sides])
        differences = [float((ours - theirs).norm() / theirs.norm()) for ours, theirs in pairs]
    name = str(bench.subject.dtype).removeprefix("torch.")
    return Row(
        section="check",
        work=f"logits of both sides, {name}, {which}",
        unit="relative difference",
        ours=max(differences, default=float("nan")),
        peer_name="eager" if differences else None,
    )


def _longest(bench: Bench) -> int:
    return bench.subject.config.text.max_position_embeddings
