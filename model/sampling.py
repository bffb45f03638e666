"""How the next token is chosen from the logits: greedy, or temperature and top-p with a seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .seeds import LARGEST_SEED, SMALLEST_SEED

if TYPE_CHECKING:
    from .grammar import Grammar


@dataclass(frozen=True, kw_only=True)
class SamplingConfig:
    """How a reply is drawn and when it ends. Temperature 0 is greedy; `stop_ids` None is the family's own stops.

    `watch_ids` are tokens whose probability is wanted at every step, whether they are chosen or not, and behind them
    the tokens that the texts of `watch` begin with. `top_logprobs` is how many of the likeliest tokens are told at each
    step. A reply ends before the first of the texts in `stop`, thought or answer.

    The answer follows `grammar`. Where the checkpoint `thinks`, a thought may come before it, written freely; without
    that the grammar holds from the first token. `thinking_tokens` is the most tokens of a thought: then its end is
    written for the model (0: it opens none).
    """

    temperature: float = 0.0
    top_p: float = 1.0
    max_new_tokens: int = 256
    seed: int = 0
    stop_ids: frozenset[int] | None = None
    watch_ids: tuple[int, ...] = ()
    watch: tuple[str, ...] = ()
    top_logprobs: int = 0
    stop: tuple[str, ...] = ()
    grammar: Grammar | None = None
    thinks: bool | None = None  # None: where a `thinking_tokens` is given
    thinking_tokens: int | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise ValueError(f"temperature must be a number >= 0, got {self.temperature}")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must lie in (0, 1], got {self.top_p}")
        if self.max_new_tokens < 1:
            raise ValueError(f"max_new_tokens must be >= 1, got {self.max_new_tokens}")
        if not SMALLEST_SEED <= self.seed <= LARGEST_SEED:
            raise ValueError(f"seed must lie in [{SMALLEST_SEED}, {LARGEST_SEED}], got {self.seed}")
        if self.top_logprobs < 0:
            raise ValueError(f"top_logprobs must be >= 0, got {self.top_logprobs}")
        if isinstance(self.stop, str) or not all(self.stop):
            raise ValueError(f"stop is a tuple of texts, none of them empty, got {self.stop!r}")
        if isinstance(self.watch, str) or not all(self.watch):
            raise ValueError(f"watch is a tuple of texts, none of them empty, got {self.watch!r}")
        if self.thinking_tokens is not None and self.thinking_tokens < 0:
            raise ValueError(f"thinking_tokens must be >= 0, got {self.thinking_tokens}")

    @property
    def may_think(self) -> bool:
        """Whether a reply may begin with a thought."""
        if self.thinking_tokens == 0 and self.grammar is not None:
            return False
        return self.thinking_tokens is not None if self.thinks is None else self.thinks


def choose(
    logits_NV: Tensor,
    configs: Sequence[SamplingConfig],
    generators: Sequence[torch.Generator],
    *,
    penalty_NV: Tensor | None = None,
    given: Sequence[int | None] | None = None,
) -> list[tuple[int, float]]:
    """For each row the next id and its log-probability under the model's own distribution (temperature 1, no cut).

    Each row has its own config; where its logits are not finite, the log-probability is NaN. Nothing is chosen where
    `penalty_NV` is -inf, and temperature and top-p are those of the others; the log-probability knows nothing of it. A
    row whose id is `given` draws nothing. Draws are made on the CPU, each row with its own CPU generator, so a seed
    means the same on every device and in any company.
    """
    given = given or [None] * len(logits_NV)
    logprobs_NV = logits_NV.float().log_softmax(-1)
    ranked_NV = logprobs_NV if penalty_NV is None else _add(logprobs_NV, penalty_NV)
    ids = [
        told if told is not None else -1 if config.temperature > 0 else int(best)
        for told, config, best in zip(given, configs, ranked_NV.argmax(-1).tolist(), strict=True)
    ]
    drawing = [row for row, token in enumerate(ids) if token < 0]
    for row, ranked_V in zip(drawing, ranked_NV[drawing].cpu() if drawing else (), strict=True):
        ids[row] = _draw(ranked_V, configs[row], generators[row])
    ids_N1 = torch.tensor(ids, device=logits_NV.device)[:, None]
    logprobs_N: list[float] = logprobs_NV.gather(-1, ids_N1.clamp(0))[:, 0].tolist()
    return [
        (token, logprob if token >= 0 and math.isfinite(logprob) else math.nan)
        for token, logprob in zip(ids, logprobs_N, strict=True)
    ]


def likeliest(logits_V: Tensor, total: Tensor, count: int) -> tuple[tuple[int, float], ...]:
    """The ids of so many tokens, best first, and their log-probabilities, `total` being the logits' logsumexp in fp32.

    Fewer where the vocabulary is smaller; a token that no reply may hold (-inf) is none of them.
    """
    best_K, ids_K = logits_V.topk(min(count, len(logits_V)))
    logprobs_K: list[float] = (best_K.float() - total).tolist()
    ids: list[int] = ids_K.tolist()
    return tuple((token, logprob) for token, logprob in zip(ids, logprobs_K, strict=True) if logprob > -math.inf)


def penalties(words_NW: npt.NDArray[np.int32], vocab_size: int, device: torch.device) -> Tensor:
    """Masks of 32 bits a word as what they add to logits: fp32 [N, V], 0 or -inf. On CUDA nothing waits for it."""
    if device.type == "cpu":
        bits_NV = np.unpackbits(words_NW.view(np.uint8), axis=1, bitorder="little")[:, :vocab_size]
        return torch.from_numpy(((bits_NV.astype(np.int32) - 1) & _MINUS_INFINITY).view(np.float32))
    return penalties_there(torch.from_numpy(words_NW).pin_memory().to(device, non_blocking=True), vocab_size)


def penalties_there(words_NW: Tensor, vocab_size: int) -> Tensor:
    """The same of int32 words on any device."""
    bits_NWB = (words_NW[:, :, None] >> torch.arange(32, dtype=torch.int32, device=words_NW.device)) & 1
    return ((bits_NWB.flatten(1)[:, :vocab_size] - 1) & _MINUS_INFINITY).view(torch.float32)


_MINUS_INFINITY = -0x800000  # the bits of -inf in fp32; those of 0.0 are zeros. Branches would cost ten times as much


def _add(logprobs_NV: Tensor, penalty_NV: Tensor) -> Tensor:
    """On a CPU with one thread: where others are busy, two that wait for each other take 8 ms instead of 0.05."""
    if logprobs_NV.device.type == "cpu":
        return torch.from_numpy(logprobs_NV.numpy() + penalty_NV.numpy())
    return logprobs_NV + penalty_NV


def _draw(ranked_V: Tensor, config: SamplingConfig, generator: torch.Generator) -> int:
    """A token; -1 where the numbers are not finite."""
    probabilities_V = (ranked_V / config.temperature).softmax(-1)
    if not bool(probabilities_V.isfinite().all()):
        return -1
    return int(torch.multinomial(_keep_top(probabilities_V, config.top_p), 1, generator=generator))


def _keep_top(probabilities_V: Tensor, top_p: float) -> Tensor:
    """Zero all but the likeliest tokens that together reach `top_p`; the likeliest always stays."""
    if top_p == 1:
        return probabilities_V
    sorted_V, order_V = probabilities_V.sort(descending=True)
    reached_before_V = sorted_V.cumsum(-1) - sorted_V
    return torch.zeros_like(probabilities_V).scatter(-1, order_V, sorted_V * (reached_before_V < top_p))
