"""Decode of 1 to 32 sequences at once, beside transformers: how throughput grows with the batch.

    python tests/bench/bench_batch.py [--config small|kimi3|...] [--dtype D] [--device D] [--no-peer]

The last line is one JSON object.
"""

from bench_sections import run_sections

if __name__ == "__main__":
    run_sections(__doc__, "batch")
