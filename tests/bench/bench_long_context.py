"""A prompt of 131,072 tokens on a small decoder, read in chunks: time, and peak memory against that of the weights.

    python tests/bench/bench_long_context.py [--tokens N] [--layers N] [--heads N] [--dtype D]

The decoder has the small preset's widths with fewer layers and heads, for attention's cost grows with the square of the
prompt. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace

import torch
from moonhand.model.engine import DTYPES
from moonhand.model.presets import preset
from moonhand.tasks.model_bench.bench import Bench, Effort
from moonhand.tasks.model_bench.growth import read_long
from moonhand.tasks.model_bench.subject import Subject, random_model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=131_072)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--heads", type=int, default=2)
    parser.add_argument("--dtype", choices=list(DTYPES), default="bfloat16")
    flags = parser.parse_args()
    config = preset("small")
    text = replace(
        config.text,
        num_hidden_layers=flags.layers,
        num_attention_heads=flags.heads,
        max_position_embeddings=max(config.text.max_position_embeddings, flags.tokens + 16),
    )
    dtype = DTYPES[flags.dtype]
    model = random_model(replace(config, text=text), dtype=dtype)
    cpu = torch.device("cpu")
    subject = Subject(name="long", model=model, dtype=dtype, device=cpu, quantize=None, plain={})
    found = read_long(Bench(subject, effort=Effort(steps=8, with_peer=False)), flags.tokens)
    print(f"{flags.tokens:,} tokens, {flags.layers} layers of {flags.heads} heads, {flags.dtype}")
    for name, value in found.items():
        print(f"  {name.replace('_', ' '):32} {value:,.1f}")
    print(
        json.dumps({"tokens": flags.tokens, "layers": flags.layers, "heads": flags.heads, "dtype": flags.dtype} | found)
    )


if __name__ == "__main__":
    main()
