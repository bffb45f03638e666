"""The section of `gpu.py` about transformers' DeepseekV3 of the same sizes."""

from __future__ import annotations

import time
from importlib.util import find_spec
from typing import Any

import torch
from gpu_bench import Bench, Skipped


def peer(bench: Bench) -> None:
    """transformers' DeepseekV3 of the same sizes, greedy steps over its static cache, as many as ours."""
    if find_spec("transformers") is None:
        raise Skipped("transformers is not installed")
    model, published = build(bench)
    steps = 2 if bench.is_quick else 16
    contexts = (8,) if bench.is_quick else (512, 4096)
    cases = [(1, context, "batched_mm") for context in contexts]
    cases += [(2 if bench.is_quick else 64, contexts[0], way) for way in ("grouped_mm", "batched_mm")]
    for batch, context, way in cases:
        try:
            per_step, prefill_ms = peer_case(bench, model, published, batch, context, way, steps)
        except (RuntimeError, ValueError, TypeError) as error:
            print(f"  transformers batch {batch}, context {context}, {way}: {str(error).splitlines()[0][:200]}")
            continue
        rate = batch * 1e3 / per_step
        note = f"{per_step:.2f} ms a step; its prefill {prefill_ms:.0f} ms"
        if (batch, context) in bench.rates:
            note += f"; ours is {bench.rates[batch, context] / rate:.1f} times as fast"
        bench.add(f"transformers batch {batch}, context {context}, {way}", rate, "tok/s", note=note)


def peer_case(
    bench: Bench, model: Any, published: Any, batch: int, context: int, way: str, steps: int,
    step_model: Any = None,
) -> tuple[float, float]:  # fmt: skip
    """Milliseconds of a step, and of the prefill before."""
    from transformers import StaticCache

    ids = torch.randint(0, bench.config.text.vocab_size, (batch, context), device=bench.device)
    cache = StaticCache(config=published, max_cache_len=context + 4 * steps)
    model.set_experts_implementation("grouped_mm")  # the other copies weights for every token
    bench.wait()
    started_s = time.perf_counter()
    out = model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
    bench.wait()
    prefill_ms = 1e3 * (time.perf_counter() - started_s)
    model.set_experts_implementation(way)
    token = out.logits[:, -1:].argmax(-1)

    def some() -> None:
        nonlocal token
        for _ in range(steps):
            out = (step_model or model)(input_ids=token, past_key_values=cache, use_cache=True, logits_to_keep=1)
            token = out.logits[:, -1:].argmax(-1)

    return bench.time_ms(some, repeats=2) / steps, prefill_ms


def peer_compiled(bench: Bench) -> None:
    """The same with the step compiled into a CUDA graph, batch 1."""
    if find_spec("transformers") is None or not bench.is_cuda:
        raise Skipped("needs CUDA and transformers")
    model, published = build(bench)
    started_s = time.perf_counter()
    compiled = torch.compile(model, mode="reduce-overhead", dynamic=False)
    per_step, _ = peer_case(bench, model, published, 1, 512, "batched_mm", 16, compiled)
    bench.add(
        "transformers compiled, batch 1, context 512, batched_mm", 1e3 / per_step, "tok/s",
        note=f"{per_step:.2f} ms a step; all of it took {time.perf_counter() - started_s:.0f} s",
    )  # fmt: skip


def build(bench: Bench) -> tuple[Any, Any]:
    """Random weights on the device, in the place of ours, and the config."""
    import transformers

    config = bench.config.text
    sizes = {
        name: getattr(config, name)
        for name in (
            "vocab_size", "hidden_size", "intermediate_size", "moe_intermediate_size", "num_hidden_layers",
            "num_attention_heads", "n_shared_experts", "n_routed_experts", "routed_scaling_factor", "kv_lora_rank",
            "qk_rope_head_dim", "v_head_dim", "qk_nope_head_dim", "num_experts_per_tok", "first_k_dense_replace",
            "norm_topk_prob", "max_position_embeddings", "rms_norm_eps",
        )
    }  # fmt: skip
    published = transformers.DeepseekV3Config(
        **sizes, num_key_value_heads=config.num_attention_heads, q_lora_rank=None, n_group=1, topk_group=1,
        rope_parameters={"rope_type": "default", "rope_theta": config.rope_theta},
    )  # fmt: skip
    bench.drop_model()
    with torch.device(bench.device):
        model = transformers.AutoModelForCausalLM.from_config(published, dtype=bench.dtype, attn_implementation="sdpa")
    return model.eval().to(bench.device), published
