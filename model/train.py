"""The training loop: schedule, optimisers, experts' balance, checkpoints that resume exactly."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from .kimi_vl import KimiVL
from .losses import LossWeights, TrainingHeads, Vocabulary, compute_losses
from .moe import Router
from .optim import Muon
from .packing import Batch


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How long and how fast: rates rise over `warmup_steps`, hold, and fall to 0 over the last `decay_share`."""

    total_steps: int
    muon_lr: float = 0.02
    adam_lr: float = 2e-3
    weight_decay: float = 0.01
    warmup_steps: int = 60
    decay_share: float = 0.3
    grad_clip: float = 1.0
    tower_steps: int = 10**9  # from this step on the tower stays as it is
    balance_rate: float = 1e-3  # step of the router's selection bias towards an even load
    checkpoint_every: int = 50
    seed: int = 0

    def rate(self, step: int) -> float:
        """Share of the full learning rate at a step."""
        decay_start = self.total_steps * (1 - self.decay_share)
        falling = (self.total_steps - step) / max(1.0, self.total_steps - decay_start)
        return max(0.0, min(1.0, (step + 1) / self.warmup_steps, falling))


class Trainer:
    """Model, heads, optimisers and the step count; saves and resumes exactly."""

    def __init__(
        self,
        model: KimiVL,
        vocabulary: Vocabulary,
        config: TrainConfig,
        *,
        num_characters: int,
        num_words: int,
        num_kinds: int,
        device: str = "auto",
        weights: LossWeights | None = None,
    ) -> None:
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        torch.manual_seed(config.seed)
        self.model = model.to(device).train()
        self.heads = TrainingHeads(model, num_characters=num_characters, num_words=num_words, num_kinds=num_kinds).to(
            device
        )
        self.vocabulary = vocabulary
        self.config = config
        self.weights = weights or LossWeights()
        self.device = torch.device(device)
        self.step = 0
        muon, adam, slow = _groups(model)
        self.optimisers: tuple[torch.optim.Optimizer, ...] = (
            Muon(muon, lr=config.muon_lr, weight_decay=config.weight_decay),
            torch.optim.AdamW(
                [{"params": [*adam, *self.heads.parameters()]}, {"params": slow}],
                lr=config.adam_lr, betas=(0.9, 0.95), weight_decay=0.0,
            ),
        )  # fmt: skip
        self._loads: dict[str, Tensor] = {}
        self._routers: dict[str, Router] = {}
        for name, module in model.named_modules():
            if isinstance(module, Router):
                self._routers[name] = module
                module.register_forward_hook(self._count_load(name))

    def train_step(self, batch: Batch) -> dict[str, float]:
        """One optimiser step; returns the loss's parts and the experts' load (busiest over mean)."""
        rate = self.config.rate(self.step)
        for optimiser, full in zip(self.optimisers, (self.config.muon_lr, self.config.adam_lr), strict=True):
            for group in optimiser.param_groups:
                group["lr"] = full * rate
        weights = replace(self.weights, freeze_tower=self.step >= self.config.tower_steps)
        losses = compute_losses(self.model, self.heads, self.vocabulary, batch, weights, self.device)
        losses.total.backward()
        nn.utils.clip_grad_norm_([*self.model.parameters(), *self.heads.parameters()], self.config.grad_clip)
        for optimiser in self.optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        self.step += 1
        return losses.parts | {"load": self._balance()}

    def _count_load(self, name: str) -> Callable[..., None]:
        def count(_module: nn.Module, _inputs: object, output: tuple[Tensor, Tensor]) -> None:
            self._loads[name] = torch.bincount(output[1].flatten(), minlength=self._routers[name].weight.shape[0])

        return count

    @torch.no_grad()
    def _balance(self) -> float:
        """Raise the selection bias of idle experts and lower that of busy ones (DeepSeek-V3, section 2.1.2)."""
        worst = 1.0
        for name, counts in self._loads.items():
            router, load = self._routers[name], counts.float()
            router.e_score_correction_bias.add_((load.mean() - load).sign(), alpha=self.config.balance_rate)
            worst = max(worst, float(load.max() / load.mean()))
        self._loads.clear()
        return worst

    def save(self, path: Path) -> None:
        """Everything needed to go on as if nothing had happened; replaces the file in one step."""
        state = {
            "model": self.model.state_dict(),
            "heads": self.heads.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "step": self.step,
            "config": asdict(self.config),
        }
        temporary = path.with_suffix(".tmp")
        torch.save(state, temporary)
        os.replace(temporary, path)

    def resume(self, path: Path) -> None:
        """Load what `save` wrote; the schedule is this trainer's own, so that a run can be prolonged."""
        state: dict[str, Any] = torch.load(path, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.heads.load_state_dict(state["heads"])
        for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        self.step = state["step"]


class BatchSource(Protocol):
    """Batches by number, each the same whenever and wherever it is made."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> Batch: ...


def load_batches(source: BatchSource, *, start: int, workers: int) -> Iterable[Batch]:
    """Batches from `start` to the end of the source, made ahead in worker processes (0: here, when asked for)."""
    return DataLoader(
        cast("Dataset[Batch]", source),
        batch_size=None,
        sampler=range(start, len(source)),
        num_workers=workers,
        prefetch_factor=4 if workers else None,
    )


def train(trainer: Trainer, batches: Iterable[Batch], folder: Path) -> Iterator[tuple[int, dict[str, float]]]:
    """Run until the batches end; yields each step's figures, appends them to `curve.jsonl`, saves checkpoints."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "curve.jsonl").open("a", encoding="utf-8") as curve:
        for batch in batches:
            start = time.perf_counter()
            figures = trainer.train_step(batch)
            figures["step_s"] = time.perf_counter() - start
            if not all(map(math.isfinite, figures.values())):
                raise FloatingPointError(f"a loss is not finite at step {trainer.step}, lower the rates: {figures}")
            curve.write(json.dumps({"step": trainer.step, **{k: round(v, 5) for k, v in figures.items()}}) + "\n")
            curve.flush()
            if trainer.step % trainer.config.checkpoint_every == 0:
                trainer.save(folder / "checkpoint.pt")
            yield trainer.step, figures
    trainer.save(folder / "checkpoint.pt")


def _groups(model: KimiVL) -> tuple[list[nn.Parameter], list[nn.Parameter], list[nn.Parameter]]:
    """Parameters for Muon (hidden matrices), AdamW, and AdamW's second group (norms and biases)."""
    muon: list[nn.Parameter] = []
    adam: list[nn.Parameter] = []
    small: list[nn.Parameter] = []
    tables = ("embed_tokens", "lm_head", "pos_emb", "patch_embed.proj", "mlp.gate.weight")
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        if parameter.ndim < 2:
            small.append(parameter)
        elif any(table in name for table in tables):
            adam.append(parameter)
        else:
            muon.append(parameter)
    return muon, adam, small
