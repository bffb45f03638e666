"""Which seeds there are: what torch and an OpenAI-compatible server both take. No torch is imported."""

from __future__ import annotations

LARGEST_SEED = 2**63 - 1
SMALLEST_SEED = -(2**63)


def later_seed(seed: int, count: int) -> int:
    """The seed of a later draw of those that begin with `seed`; behind the largest comes 0."""
    return seed + count if seed + count <= LARGEST_SEED else (seed + count) % (LARGEST_SEED + 1)
