"""One token at a time after 512, 2048 and 8192 tokens, and with the weights in each format, beside transformers.

    python tests/bench/bench_decode.py [--config small|kimi3|...] [--dtype D] [--device D] [--no-peer]

The last line is one JSON object.
"""

from bench_sections import run_sections

if __name__ == "__main__":
    run_sections(__doc__, "check", "decode", "formats")
