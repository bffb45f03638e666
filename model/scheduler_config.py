"""How many requests share a model, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass

CONTEXT_TOKENS = 8192  # of a row, where nothing else is said and the model takes so many


@dataclass(frozen=True, kw_only=True)
class SchedulerConfig:
    """How many requests are answered at a time, how many more may wait, and how long each may be.

    The cache takes `max_running * context_tokens` times what a token takes (`model inspect` says it).
    """

    max_running: int = 8  # up to 16 on a CPU, 64 on a GPU share a decode step; more take several
    max_waiting: int = 64
    context_tokens: int | None = None  # of a prompt and its reply; None: 8192, or what the model takes if that is less

    def __post_init__(self) -> None:
        if self.max_running < 1:
            raise ValueError(f"max_running must be >= 1, got {self.max_running}")
        if self.max_waiting < 0:
            raise ValueError(f"max_waiting must be >= 0, got {self.max_waiting}")
        if self.context_tokens is not None and self.context_tokens < 2:
            raise ValueError(f"context_tokens must be >= 2, got {self.context_tokens}")


@dataclass(frozen=True, kw_only=True)
class SchedulerCounts:
    """What a scheduler does now, and what it did since it was made."""

    running: int  # in a row: their prompts are read, or they get tokens
    reading: int  # of these, those without a token yet
    waiting: int
    finished: int  # with a whole reply
    cancelled: int
    failed: int
    refused: int  # because the queue was full
    prompt_tokens: int  # of all that left a row, cached or read
    cached_tokens: int
    generated_tokens: int
    images: int
    cached_images: int
    steps: int
    cache_bytes: int  # of the rows, when all are full
