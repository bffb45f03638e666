"""Images through the tower: beside transformers, a dense block-diagonal mask, and one attention call an image.

    python tests/bench/bench_vision.py [--config small|kimi3|...] [--dtype D] [--device D] [--no-peer]

The last line is one JSON object.
"""

from bench_sections import run_sections

if __name__ == "__main__":
    run_sections(__doc__, "vision")
