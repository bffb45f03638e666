"""A subject with both sides of the comparison, and how long to measure: what every section works on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from time import perf_counter

import torch
from torch import Tensor

from ...model.engine import decode_step
from ...model.runtime import TextRuntime
from .ceilings import Ceilings, wait
from .measure import Call, Paired, ours_and_best
from .peer import EXPERTS_IMPLEMENTATIONS, PeerText, PeerVision, copies_too_much, peer_version
from .sides import OurText, OurVision, TextSide
from .subject import Subject

SEED = 7


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How long each row may take; a row has at least three rounds whatever they cost."""

    rounds: int = 11
    budget_s: float = 8.0
    steps: int = 8  # decode steps a sample
    with_peer: bool = True


class Bench:
    """Sides are made when first asked for; the peer's share our tensors, so they cost no memory."""

    def __init__(self, subject: Subject, ceilings: Ceilings | None = None, effort: Effort | None = None) -> None:
        self.subject = subject
        self.ceilings = ceilings
        self.effort = effort or Effort()
        self.has_peer = self.effort.with_peer and bool(subject.plain) and peer_version() is not None

    @cached_property
    def ours(self) -> OurText:
        model = self.subject.model
        return OurText(model, TextRuntime(model, decode_step(model)), room=self.effort.steps + 2)

    @cached_property
    def our_vision(self) -> OurVision:
        return OurVision(self.subject.model)

    @cached_property
    def peer(self) -> PeerText | None:
        return PeerText(self.subject.config, self.subject.plain) if self.has_peer else None

    @cached_property
    def peer_vision(self) -> PeerVision | None:
        return PeerVision(self.subject.config, self.subject.plain) if self.has_peer else None

    def ids(self, *shape: int) -> Tensor:
        """Random tokens, the same for both sides."""
        generator = torch.Generator().manual_seed(SEED)
        limit = min(self.subject.config.text.vocab_size, self.subject.config.media_placeholder_token_id)
        return torch.randint(0, limit, shape, generator=generator).to(self.subject.device)

    def latents(self, batch: int, context: int) -> Tensor:
        """Random latents of `batch` sequences, as both sides' caches take them."""
        text = self.subject.config.text
        shape = (text.num_hidden_layers, batch, context, text.kv_lora_rank + text.qk_rope_head_dim)
        generator = torch.Generator().manual_seed(SEED)
        return torch.randn(shape, generator=generator, dtype=self.subject.dtype).to(self.subject.device)

    def pixels(self, num_patches: int) -> Tensor:
        """Random patches, [P, 3, p, p] from -1 to 1."""
        size = self.subject.config.vision.patch_size
        values = torch.rand(num_patches, 3, size, size, generator=torch.Generator().manual_seed(SEED)) * 2 - 1
        return values.to(device=self.subject.device, dtype=self.subject.dtype)

    def compare(self, call: Callable[[TextSide], Call], tokens: int) -> tuple[Paired, str | None]:
        """A piece of work of `tokens` tokens a pass done by ours and, in turns, by the peer's fastest way."""
        others = {} if self.peer is None else self.ways(self.peer, call(self.peer), tokens)
        return self.race(call(self.ours), others)

    def ways(self, peer: PeerText, call: Call, tokens: int) -> dict[str, Call]:
        """The peer's call with each of its ways to run the experts, but for one that would copy too many weights."""
        config, itemsize = self.subject.config.text, self.subject.dtype.itemsize
        return {
            experts: partial(_using, peer, experts, call)
            for experts in EXPERTS_IMPLEMENTATIONS
            if not copies_too_much(config, experts, tokens, itemsize)
        }

    def race(self, ours: Call, others: dict[str, Call]) -> tuple[Paired, str | None]:
        return ours_and_best(ours, others, rounds=self.effort.rounds, budget_s=self.effort.budget_s)

    def reading(self, num_bytes: int) -> tuple[str, float] | None:
        """The limit of work that reads so much."""
        return None if self.ceilings is None else ("reading", num_bytes / self.ceilings.read_bytes_s)

    def computing(self, flops: float) -> tuple[str, float] | None:
        return None if self.ceilings is None else ("computing", flops / self.ceilings.flops_s)


def reads(ids_L: Tensor, side: TextSide) -> Call:
    """Reading this prompt."""

    def call() -> None:
        side.read(ids_L)
        wait(ids_L.device)

    return call


def decodes(latents_NBSC: Tensor, ids_KB: Tensor, side: TextSide) -> Call:
    """Steps after these latents; a sample is the mean of all steps but the first, which warms up."""
    side.fill(latents_NBSC)

    def call() -> float:
        side.rewind()
        timer = Timer(ids_KB.device)
        for number, ids_B in enumerate(ids_KB):
            if number == 1:
                timer.start()
            side.step(ids_B).argmax(-1)
        return timer.stop() / (len(ids_KB) - 1)

    return call


class Timer:
    """A stop watch that waits for the device."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._started_s = 0.0

    def start(self) -> None:
        wait(self._device)
        self._started_s = perf_counter()

    def stop(self) -> float:
        wait(self._device)
        return perf_counter() - self._started_s


def _using(peer: PeerText, experts: str, call: Call) -> float | None:
    """The call, with the peer running its experts that way."""
    peer.use(experts)
    return call()
