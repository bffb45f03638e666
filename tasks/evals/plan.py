"""In which order a suite is asked, and what a worker is given at a time; pure.

Both depend on the suite and the model's processor alone, never on executors, workers or what is done already.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import TypeAlias

from ...envs import Size
from .sample import GroundingSample

CHUNK_SAMPLES = 8  # at most, and of a small suite so few that the last chunks still keep all workers busy
SHARES = 64

Chunk: TypeAlias = tuple[GroundingSample, ...]


def plan_chunks(
    samples: Sequence[GroundingSample], image_tokens: Callable[[Size], int], *, chunk_samples: int | None = None
) -> tuple[Chunk, ...]:
    """The samples in chunks: the largest pictures first, so that memory runs out at once or never, and the end is even.

    `chunk_samples` None: a sixty-fourth of the suite, 8 at most.
    Samples of one picture stand together, in suite order: whoever answers them encodes it once.
    """
    if chunk_samples is None:
        chunk_samples = min(CHUNK_SAMPLES, max(1, len(samples) // SHARES))
    order = sorted(
        range(len(samples)), key=lambda index: (-image_tokens(samples[index].size), str(samples[index].image), index)
    )
    ordered = [samples[index] for index in order]
    return tuple(tuple(ordered[at : at + chunk_samples]) for at in range(0, len(ordered), chunk_samples))


def still_to_do(chunks: Sequence[Chunk], done: Container[str]) -> tuple[Chunk, ...]:
    """The same chunks without the samples that have a row, in the same order."""
    left = (tuple(sample for sample in chunk if sample.id not in done) for chunk in chunks)
    return tuple(chunk for chunk in left if chunk)
