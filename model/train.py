"""The training loop: schedule, optimisers, experts' balance, checkpoints that resume exactly.

What is minimised is an argument: an `Objective`, and batches of the kind it takes.
"""

from __future__ import annotations

import json
import math
import os
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from .kimi_vl import KimiVL
from .losses import Losses
from .moe import Router
from .optim import Muon
from .weights import FP32_SUFFIX

Example = TypeVar("Example")
ExampleIn = TypeVar("ExampleIn", contravariant=True)
ExampleOut = TypeVar("ExampleOut", covariant=True)

CHECKPOINT_FILE, BEST_FILE, CURVE_FILE = "checkpoint.pt", "best.pt", "curve.jsonl"


class Objective(Protocol[ExampleIn]):
    """What a step minimises on a model of its own choice.

    Its parameters (heads, an adapter) are learned beside the model's and are part of a checkpoint.
    """

    def __call__(self, batch: ExampleIn) -> Losses: ...
    def parameters(self) -> Iterable[nn.Parameter]: ...
    def state_dict(self) -> Mapping[str, Any]: ...
    def load_state_dict(self, state: Mapping[str, Any]) -> object: ...


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
    accumulate: int = 1  # batches a step, each counting alike
    tower_steps: int = 10**9  # from this step on the tower stays as it is
    balance_rate: float = 1e-3  # step of the router's selection bias towards an even load; 0 leaves it alone
    checkpoint_every: int = 50
    seed: int = 0

    def __post_init__(self) -> None:
        if self.total_steps < 1 or self.accumulate < 1 or self.checkpoint_every < 1 or self.warmup_steps < 1:
            raise ValueError(f"steps and batches a step must be >= 1, got {asdict(self)}")

    def rate(self, step: int) -> float:
        """Share of the full learning rate at a step."""
        decay_start = self.total_steps * (1 - self.decay_share)
        falling = (self.total_steps - step) / max(1.0, self.total_steps - decay_start)
        return max(0.0, min(1.0, (step + 1) / self.warmup_steps, falling))


@dataclass(frozen=True, kw_only=True)
class Judge:
    """Held-out figures, measured every so many steps; the checkpoint with the best `figure` is kept."""

    measure: Callable[[], Mapping[str, float]]
    figure: str
    every: int
    higher_is_better: bool = True


class Trainer(Generic[Example]):
    """Model, objective, optimisers and the step count; saves and resumes exactly.

    The model stands on its device already; what of it requires gradients now is what is learned and saved.
    """

    def __init__(self, model: KimiVL, objective: Objective[Example], config: TrainConfig) -> None:
        self.model = model.train()
        self.objective = objective
        self.config = config
        self.device = next(model.parameters()).device
        self.step = 0
        self.best: float | None = None
        muon, adam, small = _groups(model)
        own = [*objective.parameters()]
        self._learned = [*muon, *adam, *small, *own]
        self._kept = {
            name
            for name, parameter in model.named_parameters()
            if parameter.requires_grad or (config.balance_rate and name.endswith(FP32_SUFFIX))
        }
        self.optimisers: list[tuple[torch.optim.Optimizer, float]] = []  # each with its full learning rate
        if muon:
            muon_lr = config.muon_lr
            self.optimisers.append((Muon(muon, lr=muon_lr, weight_decay=config.weight_decay), muon_lr))
        if rest := [{"params": group} for group in ([*adam, *own], small) if group]:
            adamw = torch.optim.AdamW(rest, lr=config.adam_lr, betas=(0.9, 0.95), weight_decay=0.0)
            self.optimisers.append((adamw, config.adam_lr))
        self._loads: dict[str, Tensor] = {}  # tokens by expert, of the step in flight
        self._routers: dict[str, Router] = {}
        for name, module in model.named_modules():
            if isinstance(module, Router):
                self._routers[name] = module
                module.register_forward_hook(self._count_load(name))

    def train_step(self, batches: Sequence[Example]) -> dict[str, float]:
        """One optimiser step over the batches; the loss's parts (means) and the experts' load (busiest over mean)."""
        rate = self.config.rate(self.step)
        for optimiser, full in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = full * rate
        if self.step >= self.config.tower_steps:
            self.model.vision_tower.requires_grad_(False)
        figures: dict[str, list[float]] = defaultdict(list)
        for batch in batches:
            losses = self.objective(batch)
            (losses.total / len(batches)).backward()
            for name, value in losses.parts.items():
                figures[name].append(value)
        nn.utils.clip_grad_norm_(self._learned, self.config.grad_clip)
        for optimiser, _ in self.optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        self.step += 1
        return {name: sum(values) / len(values) for name, values in figures.items()} | {"load": self._balance()}

    def judge(self, judge: Judge) -> tuple[dict[str, float], bool]:
        """The held-out figures, named `held_*`, and whether they are the best so far.

        FloatingPointError where the one that decides is not finite.
        """
        self.model.eval()
        with torch.no_grad():
            figures = judge.measure()
        self.model.train()
        value = figures[judge.figure]
        if not math.isfinite(value):
            raise FloatingPointError(f"held out, {judge.figure} is {value} at step {self.step}, lower the rates")
        better = self.best is None or (value > self.best if judge.higher_is_better else value < self.best)
        if better:
            self.best = value
        return {f"held_{name}": value for name, value in figures.items()}, better

    def _count_load(self, name: str) -> Callable[..., None]:
        def count(_module: nn.Module, _inputs: object, output: tuple[Tensor, Tensor]) -> None:
            if torch.is_grad_enabled():
                counts = torch.bincount(output[1].flatten(), minlength=self._routers[name].weight.shape[0])
                self._loads[name] = self._loads[name] + counts if name in self._loads else counts

        return count

    @torch.no_grad()
    def _balance(self) -> float:
        """Raise the selection bias of idle experts and lower that of busy ones (DeepSeek-V3, section 2.1.2)."""
        worst = 1.0
        for name, counts in self._loads.items():
            router, load = self._routers[name], counts.float()
            if self.config.balance_rate:
                router.e_score_correction_bias.add_((load.mean() - load).sign(), alpha=self.config.balance_rate)
            worst = max(worst, float(load.max() / load.mean()))
        self._loads.clear()
        return worst

    def save(self, path: Path) -> None:
        """Everything needed to go on as if nothing had happened; replaces the file in one step.

        FloatingPointError where a weight that is learned is not finite: nobody could go on from there.
        """
        if not all(bool(parameter.isfinite().all()) for parameter in self._learned):
            raise FloatingPointError(f"weights are not finite at step {self.step}, lower the rates")
        state = {
            "model": {name: value for name, value in self.model.state_dict().items() if name in self._kept},
            "objective": self.objective.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser, _ in self.optimisers],
            "step": self.step,
            "best": self.best,
            "config": asdict(self.config),
        }
        temporary = path.with_suffix(".tmp")
        torch.save(state, temporary)
        os.replace(temporary, path)

    def resume(self, path: Path) -> None:
        """Load what `save` wrote; the schedule is this trainer's own, so that a run can be prolonged.

        ValueError where the checkpoint lacks something that this trainer learns.
        """
        state: dict[str, Any] = torch.load(path, map_location=self.device, weights_only=True)
        if absent := self._kept - set(state["model"]):
            raise ValueError(f"{path} is of another model or another way to train it: it lacks {sorted(absent)[:3]}")
        self.model.load_state_dict(state["model"], strict=False)
        self.objective.load_state_dict(state["objective"])
        for (optimiser, _), saved in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        self.step, self.best = state["step"], state["best"]


class BatchSource(Protocol[ExampleOut]):
    """Batches by number, each the same whenever and wherever it is made."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> ExampleOut: ...


def load_batches(source: BatchSource[Example], *, start: int, workers: int) -> Iterable[Example]:
    """Batches from `start` to the end of the source, made ahead in worker processes (0: here, when asked for).

    Ctrl-C is left to the process that trains, so that it can end a step and save.
    """
    return DataLoader(
        cast("Dataset[Example]", source),
        batch_size=None,
        sampler=range(start, len(source)),
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        worker_init_fn=_leave_interrupts,
    )


def train(
    trainer: Trainer[Example],
    batches: Iterable[Example],
    folder: Path,
    *,
    judge: Judge | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[int, dict[str, float]]]:
    """Run until the batches end or `stop` says so; yields each step's figures, appends them to `curve.jsonl`.

    `checkpoint.pt` is saved every so many steps and at the end, `best.pt` whenever the judge's figure is the best yet.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = trainer.config
    with (folder / CURVE_FILE).open("a", encoding="utf-8") as curve:
        for group in _grouped(batches, config.accumulate):
            start = time.perf_counter()
            figures = trainer.train_step(group)
            figures["step_s"] = time.perf_counter() - start
            if not all(map(math.isfinite, figures.values())):
                raise FloatingPointError(f"a loss is not finite at step {trainer.step}, lower the rates: {figures}")
            if judge is not None and (trainer.step % judge.every == 0 or trainer.step == config.total_steps):
                held_out, best = trainer.judge(judge)
                figures |= held_out
                if best:
                    trainer.save(folder / BEST_FILE)
            curve.write(json.dumps({"step": trainer.step, **{k: round(v, 5) for k, v in figures.items()}}) + "\n")
            curve.flush()
            if trainer.step % config.checkpoint_every == 0:
                trainer.save(folder / CHECKPOINT_FILE)
            yield trainer.step, figures
            if stop():
                break
    trainer.save(folder / CHECKPOINT_FILE)


def _grouped(batches: Iterable[Example], size: int) -> Iterator[list[Example]]:
    """Lists of `size` batches; the last may be shorter."""
    group: list[Example] = []
    for batch in batches:
        group.append(batch)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


def _leave_interrupts(_worker: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


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
