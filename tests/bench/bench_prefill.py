"""Prompts of 512 and 2048 tokens read from nothing, and a screen up to the first token, beside transformers.

    python tests/bench/bench_prefill.py [--config small|kimi3|...] [--dtype D] [--device D] [--no-peer]

The last line is one JSON object.
"""

from bench_sections import run_sections

if __name__ == "__main__":
    run_sections(__doc__, "prefill", "frame")
