"""Sections of `gpu.py` about the device and single kernels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from gpu_bench import Bench
from moonhand.model.attention import RMSNorm
from moonhand.model.cuda_step import GraphStep, LayerWeights, RoutedWeights
from moonhand.model.decode_ops import Places, PlainOps, Shared, Weight
from moonhand.model.quantized_weight import quantize_weight

if TYPE_CHECKING:
    from moonhand.model.kernels import KernelOps, Tile

PARITY = 1e-2  # of bf16 results, |kernel - plain| / |plain|


def ceilings(bench: Bench) -> None:
    """What the device can do: a copy counts bytes read and written, the product runs on random data."""
    size = 1 << (20 if bench.is_quick else 32)
    source = torch.empty(size, dtype=torch.uint8, device=bench.device).random_()
    copied = torch.empty_like(source)
    bench.copy_gb_s = 2 * size / bench.time_ms(lambda: copied.copy_(source)) / 1e6
    bench.add("copy, read + written", bench.copy_gb_s, "GB/s")
    side = 256 if bench.is_quick else 8192
    a, b = bench.noise(side, side), bench.noise(side, side)
    bench.matmul_tflop_s = 2 * side**3 / bench.time_ms(lambda: a @ b) / 1e9
    bench.add(f"matrix product {side}^3", bench.matmul_tflop_s, "TFLOP/s")


def parity(bench: Bench) -> None:
    """Each kernel at the model's own sizes; |kernel - plain| / |plain| over the whole result."""
    kernels, plain, config = bench.require_kernels()(), PlainOps(), bench.config.text
    width, inner, experts = config.hidden_size, config.moe_intermediate_size, config.n_routed_experts
    qkv = config.num_attention_heads * config.qk_head_dim + config.kv_lora_rank + config.qk_rope_head_dim
    norm = RMSNorm(width, 1e-5).to(bench.device, bench.dtype).requires_grad_(False)
    matrices = {
        "qkv": bench.noise(qkv, width) / width**0.5,
        "gate_up": bench.noise(experts, 2 * inner, width) / width**0.5,
        "down": bench.noise(experts, width, inner) / inner**0.5,
        "shared": bench.noise(width, config.n_shared_experts * inner) / inner**0.5,
    }
    for bits in (16, 8, 4):
        weights: dict[str, Weight] = {
            name: matrix if bits == 16 else quantize_weight(matrix, bits) for name, matrix in matrices.items()
        }
        for rows in (1, 2, 4, 8, 64):
            x, hidden = bench.noise(rows, width), bench.noise(rows, config.n_shared_experts * inner)
            label = f"{bits} bits, {rows} rows"
            pairs = [
                (f"linear {label}", [ops.linear(x, weights["qkv"], norm=norm) for ops in (kernels, plain)]),
                (
                    f"residual {label}",
                    [ops.linear(hidden, weights["shared"], residual_BN=x) for ops in (kernels, plain)],
                ),
                (f"swiglu {label}", [ops.swiglu(x, weights["gate_up"][0]) for ops in (kernels, plain)]),
            ]
            logits = torch.randn(rows, experts, device=bench.device)
            bias = 0.1 * torch.randn(experts, device=bench.device)
            routed = [ops.route(logits, bias, config) for ops in (kernels, plain)]
            bench.add(f"route {label}: other choices", float((routed[0][1] != routed[1][1]).sum()), "ids", target=0.0)
            pairs.append((f"route {label}", [weight for weight, _ in routed]))
            shared = Shared(hidden, weights["shared"])
            pairs.append(
                (
                    f"experts {label}",
                    [
                        ops.experts(x, *routed[1], weights["gate_up"], weights["down"], shared, x)
                        for ops in (kernels, plain)
                    ],
                )
            )
            for name, (kernel, twin) in pairs:
                report_parity(bench, name, kernel, twin)
    for rows, length, splits in ((1, 1, 4), (1, 4095, 32), (4, 700, 16), (8, 16000, 64), (1, 40000, 128)):
        attention_parity(bench, kernels, plain, rows, length, splits)


def attention_parity(bench: Bench, kernels: KernelOps, plain: PlainOps, rows: int, length: int, splits: int) -> None:
    config = bench.config.text
    qkv = config.num_attention_heads * config.qk_head_dim + config.kv_lora_rank + config.qk_rope_head_dim
    kv_b = bench.noise(config.num_attention_heads * (config.qk_nope_head_dim + config.v_head_dim), config.kv_lora_rank)
    kv_b /= config.kv_lora_rank**0.5
    norm, x = bench.noise(config.kv_lora_rank), bench.noise(rows, qkv)
    values = [bench.noise(rows, length + 1, config.kv_lora_rank + config.qk_rope_head_dim)]
    values.append(values[0].clone())
    angles = torch.rand(rows, config.qk_rope_head_dim // 2, device=bench.device) * 6
    numbers = torch.arange(rows, dtype=torch.int32, device=bench.device)
    places = Places(numbers, length - numbers * (length // (2 * rows)), angles.cos(), angles.sin(), splits)
    results = [
        ops.attend(x, kv_b, norm, part, places, config) for ops, part in zip((kernels, plain), values, strict=True)
    ]
    report_parity(bench, f"attention {rows} rows, {length} latents, {splits} stretches", *results)
    report_parity(bench, f"cache of {rows} rows, {length} latents", *values)


def report_parity(bench: Bench, name: str, kernel: torch.Tensor, plain: torch.Tensor) -> None:
    error = float((kernel.float() - plain.float()).norm() / plain.float().norm())
    bench.add(name, error, "rel.err", target=PARITY, note="ok" if error < PARITY else "WRONG")  # NaN is wrong


def tiles(bench: Bench) -> None:
    """Each kernel with some tiles, over all layers so that weights come from memory; the fastest serve `decode`."""
    ops_of = bench.require_kernels()
    from moonhand.model.kernels import Tile, Tiles

    best = Tiles()
    layers = GraphStep(bench.model, max_rows=1).layers
    one = [Tile(n, k, s, w) for n, k, s, w in (
        (4, 1024, 1, 4), (8, 512, 1, 4), (8, 1024, 1, 4), (16, 256, 1, 4), (16, 512, 1, 4), (8, 2048, 1, 8),
        (4, 2048, 1, 4), (4, 2048, 1, 8), (2, 2048, 1, 4), (2, 2048, 1, 8), (8, 512, 4, 4), (16, 256, 4, 4),
        (8, 256, 5, 2),
    )]  # fmt: skip
    few = [Tile(n, k, s, w) for n, k, s, w in (
        (16, 256, 4, 2), (16, 256, 4, 4), (32, 128, 4, 4), (32, 256, 4, 4), (64, 128, 4, 4), (32, 128, 5, 2),
        (64, 64, 5, 4), (16, 512, 3, 4),
    )]  # fmt: skip
    stretches = [Tile(s, 0, stages, w) for s, stages, w in ((16, 2, 4), (32, 2, 4), (32, 3, 4), (32, 2, 8), (64, 2, 4))]
    cases = {
        "linear_one": (1, one), "swiglu_one": (1, one), "route_gate_up": (1, one), "route_down": (1, one),
        "attend": (1, stretches), "linear_few": (8, few), "swiglu_few": (8, few), "grouped_gate_up": (64, few),
        "grouped_down": (64, few),
    }  # fmt: skip
    for name, (rows, candidates) in cases.items():
        default = cast("Tile", getattr(best, name))
        timed: dict[Tile, float] = {}
        moved = 0
        for tile in dict.fromkeys((default, *candidates)):
            work, moved = tile_work(bench, ops_of(replace(best, **{name: tile})), layers, name, rows)
            try:
                timed[tile] = bench.time_graph_ms(work)
            except Exception as error:  # too much shared memory, or a compiler's own failure: not a candidate
                print(f"  {name} {tile}: {type(error).__name__}: {str(error)[:120]}")
                torch.cuda.synchronize()
                continue
            print(f"  {name} {tile}: {timed[tile]:.3f} ms, {moved / timed[tile] / 1e6:,.0f} GB/s")
        fastest = min(timed, key=lambda tile: timed[tile])
        best = replace(best, **{name: fastest})
        share = moved / timed[fastest] / 1e6 / bench.copy_gb_s
        bench.add(
            f"{name}, {rows} rows, all layers", timed[fastest], "ms", share=share,
            note=f"{fastest.block_n}, {fastest.block_k}, {fastest.stages}, {fastest.warps}; "
            + (f"default {timed[default]:.3f} ms" if default in timed else "the default fails"),
        )  # fmt: skip
    for rows in (1, 8):
        given, ours = bench.noise(rows, bench.config.text.hidden_size), ops_of(best)
        weights = [layer.qkv for layer in layers if isinstance(layer.qkv, torch.Tensor)]
        contenders: dict[str, Callable[[torch.Tensor, torch.Tensor], object]] = {
            "cuBLAS": F.linear,
            "kernel": ours.linear,
        }
        for name, linear in contenders.items():

            def all_layers(
                linear: Callable[[torch.Tensor, torch.Tensor], object] = linear,
                given: torch.Tensor = given,
                weights: list[torch.Tensor] = weights,
            ) -> None:
                for weight in weights:
                    linear(given, weight)

            bench.add(f"{name} qkv, {rows} rows, all layers", bench.time_graph_ms(all_layers), "ms")
    bench.tiles = best
    for chosen in fields(best):
        print(f"    {chosen.name}: Tile = {getattr(best, chosen.name)}".replace("block_n=", "").replace("block_k=", ""))


def tile_work(
    bench: Bench, ops: KernelOps, layers: Sequence[LayerWeights], name: str, rows: int
) -> tuple[Callable[[], object], int]:
    """A pass over all layers that uses the named kernel, and the bytes of weights and latents it reads."""
    config = bench.config.text
    x, norm = bench.noise(rows, config.hidden_size), layers[0].input_norm
    routed = [layer.mlp for layer in layers if isinstance(layer.mlp, RoutedWeights)]
    shared = [mlp.shared for mlp in routed if mlp.shared is not None]
    if name.startswith("linear"):
        return lambda: [ops.linear(x, layer.qkv, norm=norm) for layer in layers], sum(
            layer.qkv.nbytes for layer in layers
        )
    if name.startswith("swiglu"):
        return lambda: [ops.swiglu(x, mlp.gate_up) for mlp in shared], sum(mlp.gate_up.nbytes for mlp in shared)
    if name == "attend":
        length = 4096
        values = bench.noise(len(layers), 1, length, config.kv_lora_rank + config.qk_rope_head_dim)
        qkv = bench.noise(1, layers[0].qkv.shape[0])
        angles = torch.rand(1, config.qk_rope_head_dim // 2, device=bench.device)
        numbers = torch.zeros(2, 1, dtype=torch.int32, device=bench.device)
        numbers[1] = length - 1
        places = Places(numbers[0], numbers[1], angles.cos(), angles.sin(), 32)
        work = lambda: [  # noqa: E731
            ops.attend(qkv, layer.kv_b, layer.latent_norm, part, places, config)
            for layer, part in zip(layers, values, strict=True)
        ]
        return work, values.nbytes + sum(layer.kv_b.nbytes for layer in layers)
    weights, ids = PlainOps().route(
        torch.randn(rows, config.n_routed_experts, device=bench.device), layers[0].latent_norm.new_zeros(1), config
    )
    used = len(ids.unique()) / config.n_routed_experts
    moved = sum(int(used * (mlp.gate_up.nbytes + mlp.down.nbytes)) for mlp in routed)
    return lambda: [ops.experts(x, weights, ids, mlp.gate_up, mlp.down, None, x) for mlp in routed], moved
