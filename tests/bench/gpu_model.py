"""Sections of `gpu.py` about the whole model: decode, prompts, pictures."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from gpu_bench import Bench
from moonhand.model.cuda_step import GraphStep, RoutedWeights
from moonhand.model.kimi_vl import KimiVL
from moonhand.model.kv_cache import LatentCache
from moonhand.model.quantize import quantize_model
from moonhand.model.runtime import Span, TextRuntime
from torch.nn.attention import SDPBackend, sdpa_kernel

if TYPE_CHECKING:
    from moonhand.model.kernels import Tiles


def step_bytes(bench: Bench, batch: int, context: int) -> float:
    """What one step must read: each matrix once, of the routed experts those that some row chose, and the latents."""
    config, step = bench.config.text, GraphStep(bench.model, max_rows=1)
    chosen = 1 - (1 - config.num_experts_per_tok / config.n_routed_experts) ** batch
    total = float(step.head.nbytes)
    for layer in step.layers:
        total += layer.qkv.nbytes + layer.kv_b.nbytes + layer.o.nbytes
        mlp = layer.mlp
        if isinstance(mlp, RoutedWeights):
            total += mlp.router.nbytes + chosen * (mlp.gate_up.nbytes + mlp.down.nbytes)
            mlp = mlp.shared
        if mlp is not None:
            total += mlp.gate_up.nbytes + mlp.down.nbytes
    width = config.kv_lora_rank + config.qk_rope_head_dim
    return total + batch * context * width * config.num_hidden_layers * torch.empty((), dtype=bench.dtype).itemsize


def decode(bench: Bench) -> None:
    """Greedy steps after a context of random latents: the graph, the choice and the embedding, one after the other."""
    ops_of = bench.require_kernels() if bench.is_cuda else None
    contexts = (16, 32) if bench.is_quick else (512, 4096, 16384)
    cases = [(1, context) for context in contexts] + [(batch, contexts[1]) for batch in (2, 4, 8, 32)]
    cases += [(64, contexts[0]), (64, contexts[1])]
    targets = {(1, contexts[1]): 500.0, (32, contexts[1]): 3600.0}
    best = bench.tiles
    variants: list[tuple[str, Tiles | None, bool, bool]] = [("default tiles", None, True, False)]
    if best is not None:
        variants.append(("tuned tiles", best, True, False))
    if not bench.is_quick:
        variants += [("one stream", best, False, False), ("dependent launches, one stream", best, False, True)]
        variants.append(("dependent launches", best, True, True))
    for label, tiles, forks, is_dependent in variants:
        ops = None if ops_of is None else ops_of(tiles, is_dependent=is_dependent)
        step = GraphStep(bench.model, max_rows=64, ops=ops, forks=forks)
        is_short = bench.is_quick or not label.endswith("tiles")
        for batch, context in cases[:2] if is_short else cases:
            decode_case(bench, step, batch, context, label, targets.get((batch, context)))


def decode_case(
    bench: Bench, step: GraphStep, batch: int, context: int, label: str, target: float | None = None
) -> None:
    config, steps = bench.config.text, 4 if bench.is_quick else 64
    cache = LatentCache(config, batch, context + 4 * steps + 8, bench.dtype, bench.device)
    for layer in cache.values:
        layer.normal_()
    rows = list(range(batch))
    for row in rows:
        cache.advance(row, range(context))
    embed = bench.model.language_model.model.embed_tokens
    ids = torch.zeros(batch, dtype=torch.int64, device=bench.device)

    def some() -> None:
        nonlocal ids
        for _ in range(steps):
            ids = step(embed(ids), cache, rows).argmax(-1)

    per_step = bench.time_ms(some, repeats=3) / steps
    limit = 1e3 / (step_bytes(bench, batch, context) / bench.copy_gb_s / 1e6)
    rate = 1e3 / per_step
    bench.add(
        f"decode batch {batch}, context {context}, {label}", batch * rate, "tok/s", target=target, share=rate / limit,
        note=f"{per_step:.3f} ms a step",
    )  # fmt: skip
    if label.endswith("tiles"):
        bench.rates[batch, context] = max(batch * rate, bench.rates.get((batch, context), 0.0))
    if not bool(torch.isfinite(step(embed(ids), cache, rows)).all()):
        raise ValueError("logits are not finite")


def whole_step(bench: Bench) -> None:
    """The graph against the runtime without it, over the same caches: three layers in fp32, and all in bf16."""
    text = replace(bench.config.text, num_hidden_layers=min(3, bench.config.text.num_hidden_layers))
    few = bench.build(replace(bench.config, text=text), torch.float32)
    for is_dependent in (False, True):
        ops = None if not bench.is_cuda else bench.require_kernels()(is_dependent=is_dependent)
        for forks in (True, False):
            step = GraphStep(few, max_rows=4, ops=ops, forks=forks)
            label = ("dependent launches, " if is_dependent else "") + ("two streams" if forks else "one stream")
            compare_steps(bench, few, step, f"fp32, 3 layers, {label}", 1e-4)
    del few, step
    compare_steps(bench, bench.model, GraphStep(bench.model, max_rows=4), "bf16, all layers (routers may flip)", None)


def compare_steps(bench: Bench, model: KimiVL, step: GraphStep, label: str, target: float | None) -> None:
    """The worst of three tokens, |step - runtime| / |runtime| of the logits, for one row and for three."""
    embed, runtime, config = model.language_model.model.embed_tokens, TextRuntime(model), model.config.text
    for rows in ([0], [2, 0, 1]):
        caches = [LatentCache(config, 3, 256, embed.weight.dtype, bench.device) for _ in range(2)]
        caches[0].values.normal_()
        caches[1].values.copy_(caches[0].values)
        for cache in caches:
            for row, count in enumerate((100, 20, 1)):
                cache.advance(row, range(count))
        errors: list[float] = []
        agreed: list[float] = []
        for token in range(3):
            x_BD = embed(torch.tensor(rows, device=bench.device) * 11 + token)
            ours, plain = step(x_BD, caches[0], rows), runtime.step(x_BD, caches[1], rows)
            errors.append(float((ours - plain).norm() / plain.norm()))
            agreed.append(float((ours.argmax(-1) == plain.argmax(-1)).float().mean()))
        worst = max(errors) if all(error == error for error in errors) else float("nan")
        note = f"{100 * min(agreed):.0f} % same first choice"
        if target is not None:
            note += ", ok" if worst < target else ", WRONG"
        bench.add(f"logits of {len(rows)} rows, {label}", worst, "rel.err", target=target, note=note)


def profile(bench: Bench) -> None:
    """Where a step's time goes."""
    ops = bench.require_kernels()(bench.tiles)
    step = GraphStep(bench.model, max_rows=1, ops=ops)
    cache = LatentCache(bench.config.text, 1, 4200, bench.dtype, bench.device)
    cache.advance(0, range(4096))
    x_BD = bench.noise(1, bench.config.text.hidden_size)
    for _ in range(3):
        step(x_BD, cache, [0])
    bench.wait()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profiler:
        for _ in range(5):
            step(x_BD, cache, [0])
        bench.wait()
    events: list[Any] = list(profiler.key_averages())
    for event in sorted(events, key=self_time, reverse=True)[:16]:
        bench.add(
            f"kernel {event.key[:48]}",
            event.self_device_time_total / 5e3,
            "ms/step",
            note=f"{event.count / 5:.0f} launches",
        )


def self_time(event: Any) -> float:
    return float(event.self_device_time_total)


def prefill(bench: Bench) -> None:
    """Whole prompts into an empty cache, to the last token's logits."""
    runtime, config = TextRuntime(bench.model), bench.config.text
    embed = bench.model.language_model.model.embed_tokens
    for count in (16,) if bench.is_quick else (512, 2048, 4096, 16384):
        x_LD = embed(torch.randint(0, config.vocab_size, (count,), device=bench.device))
        cache = LatentCache(config, 1, count, bench.dtype, bench.device)

        def work(x_LD: torch.Tensor = x_LD, cache: LatentCache = cache, count: int = count) -> None:
            cache.truncate(0, 0)
            runtime.prefill(x_LD, cache, [Span(0, count)], range(count))

        took_ms = bench.time_ms(work, repeats=5)
        bench.add(f"prefill {count} tokens", took_ms, "ms", note=f"{count / took_ms * 1e3:,.0f} tok/s")
        for chunk in () if bench.is_quick else (1024, 4096, 8192):
            if chunk <= count:
                runtime_of_chunk = TextRuntime(bench.model, chunk_tokens=chunk)

                def other(runtime: TextRuntime = runtime_of_chunk, x_LD: torch.Tensor = x_LD, cache: LatentCache = cache) -> None:  # fmt: skip  # noqa: E501
                    cache.truncate(0, 0)
                    runtime.prefill(x_LD, cache, [Span(0, len(x_LD))], range(len(x_LD)))

                bench.add(f"prefill {count} tokens, chunks of {chunk}", bench.time_ms(other, repeats=3), "ms")


def screenshots(bench: Bench) -> None:
    """From patches in host memory to the first token: tower, projector, a prompt of 60 tokens around, one choice."""
    model, config, runtime = bench.model, bench.config, TextRuntime(bench.model)
    text = torch.arange(60, device=bench.device)
    sizes = [((4, 6), None)] if bench.is_quick else [((48, 84), 40.0), ((78, 138), 110.0), ((128, 128), 160.0)]
    for (height, width), target in sizes:
        patches = torch.rand(height * width, 3, config.vision.patch_size, config.vision.patch_size).to(bench.dtype)
        if bench.is_cuda:
            patches = patches.pin_memory()
        kernel_h, kernel_w = config.vision.merge_kernel_size
        tokens = height * width // kernel_h // kernel_w
        media = torch.full((tokens,), config.media_placeholder_token_id, device=bench.device)
        ids_BL = torch.cat((text[:30], media, text[30:]))[None]
        cache = LatentCache(config.text, 1, ids_BL.shape[1], bench.dtype, bench.device)

        def see(patches: torch.Tensor = patches, grid: tuple[int, int] = (height, width)) -> torch.Tensor:
            return model.encode_images(patches.to(bench.device, non_blocking=True), [grid])

        def answer(
            ids_BL: torch.Tensor = ids_BL, cache: LatentCache = cache, see: Callable[[], torch.Tensor] = see
        ) -> int:
            x_LD = model.embed(ids_BL, see())[0]
            cache.truncate(0, 0)
            return int(runtime.prefill(x_LD, cache, [Span(0, len(x_LD))], range(len(x_LD))).argmax())

        name = f"{width * config.vision.patch_size}x{height * config.vision.patch_size}, {height * width} patches"
        bench.add(f"tower {name}", bench.time_ms(see, repeats=5), "ms")
        bench.add(f"to first token {name}", bench.time_ms(answer, repeats=5), "ms", target=target)


def with_backend(backend: SDPBackend, parts: list[torch.Tensor], scale: float) -> torch.Tensor:
    q, k, v = parts
    with sdpa_kernel(backend):
        return F.scaled_dot_product_attention(q, k, v, scale=scale)


def tower_attention(bench: Bench) -> None:
    """The kernels that could serve the tower: one picture, 16 heads of 72."""
    heads, width = bench.config.vision.num_attention_heads, bench.config.vision.head_dim
    for patches in (16,) if bench.is_quick else (4032, 10764, 16384):
        q, k, v = (bench.noise(1, heads, patches, width) for _ in range(3))
        contenders: dict[str, Callable[[], object]] = {
            "SDPA as it chooses": partial(F.scaled_dot_product_attention, q, k, v)
        }
        for backend in (SDPBackend.CUDNN_ATTENTION, SDPBackend.FLASH_ATTENTION) if bench.is_cuda else ():
            for padded in (width, 96, 128):
                parts = [F.pad(part, (0, padded - width)) for part in (q, k, v)]
                contenders[f"{backend.name} width {padded}"] = partial(with_backend, backend, parts, width**-0.5)
        if bench.is_cuda:
            varlen: Any = import_module("torch.nn.attention.varlen")
            ends = torch.tensor([0, patches], dtype=torch.int32, device=bench.device)
            flat = [part[0].transpose(0, 1).contiguous() for part in (q, k, v)]
            contenders["varlen_attn"] = partial(varlen.varlen_attn, *flat, ends, ends, patches, patches)
        for name, work in contenders.items():
            try:
                took_ms = bench.time_ms(work, repeats=7)
            except RuntimeError as error:
                print(f"  {name} at {patches}: {str(error).splitlines()[0][:150]}")
                continue
            rate = 4 * patches**2 * heads * width / took_ms / 1e9
            bench.add(f"attention of {patches} patches, {name}", took_ms, "ms", note=f"{rate:.0f} TFLOP/s")


def quantised(bench: Bench) -> None:
    """Decode with weights of 8 and 4 bits, quantised on the device; the last section, for it changes the model."""
    if bench.is_cuda:
        bench.require_kernels()
    for bits in (8, 4):
        bench.drop_model()
        started_s = time.perf_counter()
        quantize_model(bench.model, bits)
        bench.wait()
        bench.add(f"quantising to {bits} bits", time.perf_counter() - started_s, "s")
        step = GraphStep(bench.model, max_rows=8)
        for batch in (1,) if bench.is_quick else (1, 8):
            decode_case(bench, step, batch, 16 if bench.is_quick else 4096, f"{bits} bits")
    bench.drop_model()
