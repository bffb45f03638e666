"""A checkpoint learns from recorded runs: what is asked for, the plan that is known to fit, and the work."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..errors import BadRequest

if TYPE_CHECKING:
    from ...agent import PromptProfile
    from ...model import KimiVLConfig
    from .recorded import Lesson, LessonBatches

LARGE = 500_000_000  # parameters; above, an adapter learns, and activations are made twice instead of kept
LARGE_RANK = 16
FULL_LR, ADAPTER_LR = 1e-4, 2e-4  # of AdamW
MUON_RATIO = 10  # Muon's rate over AdamW's
MOST_STEPS, MOST_EPOCHS = 10**9, 10**6
SETTINGS_FILE, RESULT_FILE, PICTURE_FILE = "train.json", "result.json", "curves.png"
MAY_CHANGE = ("steps", "judge_every", "versions")  # between a run and its resumption

Watch = Callable[[Iterator[tuple[int, dict[str, float]]], int, int], Iterator[tuple[int, dict[str, float]]]]


@dataclass(frozen=True, kw_only=True)
class TrainRequest:
    """What is to be learned, by which checkpoint, and how."""

    runs: tuple[Path, ...]
    out: Path
    model: str = "nano"
    steps: int | None = None  # None: so many that each lesson comes `epochs` times
    epochs: float = 3.0
    batch: int = 8  # lessons a step
    at_once: int = 1  # of them in one pass
    lora_rank: int | None = None  # 0: all weights; None: by the checkpoint's size
    lr: float | None = None  # None: what suits the way of training
    held_out: float = 0.1  # share of the runs
    judge_every: int | None = None  # steps; None: ten times a run
    profile: str | None = None
    dialect: str = "kimi"
    with_failed: bool = False
    seed: int = 0
    workers: int = 1
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.batch < 1 or self.at_once < 1 or self.batch % self.at_once:
            raise BadRequest(f"--batch {self.batch} must be a whole multiple of --at-once {self.at_once}")
        if not 0 <= self.held_out < 1:
            raise BadRequest(f"--held-out is a share from 0 to under 1, got {self.held_out}")
        if self.steps is not None and not 1 <= self.steps <= MOST_STEPS:
            raise BadRequest(f"--steps must lie in [1, {MOST_STEPS:,}], got {self.steps}")
        if not 0 < self.epochs <= MOST_EPOCHS:
            raise BadRequest(f"--epochs must be > 0 and at most {MOST_EPOCHS:,}, got {self.epochs}")
        if self.lora_rank is not None and self.lora_rank < 0:
            raise BadRequest(f"--lora-rank must be >= 1, or 0 for all weights, got {self.lora_rank}")
        if self.lr is not None and not 0 < self.lr < math.inf:
            raise BadRequest(f"--lr must be a number > 0, got {self.lr}")


@dataclass(frozen=True, kw_only=True)
class TrainPlan:
    """A request that was looked into: nothing is trained yet, and what could be known to go wrong does not."""

    request: TrainRequest
    folder: Path  # of the checkpoint
    name: str
    config: KimiVLConfig
    profile: PromptProfile
    learned: tuple[Lesson, ...]
    held_out: tuple[Lesson, ...]
    left_out: Mapping[str, int]
    longest_tokens: int  # prompt and reply
    num_steps: int
    rank: int  # 0: all weights
    large: bool

    @property
    def method(self) -> str:
        return f"an adapter of rank {self.rank}" if self.rank else "all weights"

    @property
    def lr(self) -> float:
        return self.request.lr or (ADAPTER_LR if self.rank else FULL_LR)

    def settings(self) -> dict[str, Any]:
        """What decides every number of the run, as JSON values."""
        from ...agent.trajectory import versions

        told = hashlib.sha256()
        for lesson in (*self.learned, *self.held_out):
            told.update(repr((lesson.frame.sha256, lesson.goal, lesson.instruction, lesson.reply)).encode())
        return {
            "model": str(self.folder.resolve()),
            "lessons": len(self.learned),
            "held_out_lessons": len(self.held_out),
            "lessons_sha256": told.hexdigest(),
            "left_out": dict(self.left_out),
            "profile_sha256": self.profile.sha256,
            "dialect": self.request.dialect,
            "lora_rank": self.rank,
            "lr": self.lr,
            "batch": self.request.batch,
            "at_once": self.request.at_once,
            "seed": self.request.seed,
            "steps": self.num_steps,
            "judge_every": self.judge_every,
            "versions": versions(),
        }

    @property
    def judge_every(self) -> int:
        return self.request.judge_every or max(1, self.num_steps // 10)


@dataclass(frozen=True, kw_only=True)
class TrainOutcome:
    """How it ended. `held_out` are the last figures on lessons not learned from, empty where there are none."""

    status: Literal["finished", "stopped"]
    step: int
    steps: int
    method: str
    figures: Mapping[str, float]  # of the last step
    held_out: Mapping[str, float]
    expert_load: Mapping[str, list[float]]  # share of the tokens by router and expert
    model: Path | None  # the checkpoint written; None where training was stopped
    adapter: Path | None
    picture: Path | None

    def to_json(self) -> dict[str, Any]:
        return {name: str(value) if isinstance(value, Path) else value for name, value in asdict(self).items()}


def make_plan(request: TrainRequest) -> TrainPlan:
    """Look at whatever can be wrong before work starts. BadRequest, TrajectoryError or ModelError says what is."""
    from ...agent import named_profile, profile_for
    from ...model import Tokenizer, load_config
    from ...model.counts import count_model
    from ...model.engine import checkpoint_folder, device_for
    from ...model.memory import available_bytes
    from ...model.tuning import training_bytes
    from .recorded import check_lessons, find_runs, read_lessons

    folder = checkpoint_folder(request.model)
    config, tokenizer = load_config(folder), Tokenizer.load(folder)
    name = "nano" if request.model == "nano" else folder.resolve().name
    device = device_for(request.device)
    try:
        profile = (
            named_profile(request.profile)
            if request.profile
            else profile_for(name, in_token_limit=config.image.in_token_limit, vocab_size=config.text.vocab_size)
        )
    except ValueError as error:
        raise BadRequest(str(error)) from error
    runs = find_runs(request.runs)
    lessons = read_lessons(runs, profile, dialect=request.dialect, with_failed=request.with_failed)
    longest = check_lessons((each for run in lessons.by_run for each in run), profile, tokenizer, config)
    counts = count_model(config)
    large = counts.parameters > LARGE
    rank = (LARGE_RANK if large else 0) if request.lora_rank is None else request.lora_rank
    needed, free = training_bytes(counts, all_weights=not rank), available_bytes(device)
    if free is not None and needed > free:
        instead = "take a smaller checkpoint or a larger machine" if rank else f"try --lora-rank {LARGE_RANK}"
        raise BadRequest(
            f"to train {'an adapter for' if rank else 'all weights of'} {folder} takes at least {needed / 1e9:,.1f} GB "
            f"of memory, and {free / 1e9:,.1f} GB are free on {device}: {instead}"
        )
    learned, held_out = lessons.split(request.held_out, request.seed)
    return TrainPlan(
        request=request,
        folder=folder,
        name=name,
        config=config,
        profile=profile,
        learned=learned,
        held_out=held_out,
        left_out=dict(lessons.left_out),
        longest_tokens=longest,
        num_steps=request.steps or math.ceil(request.epochs * len(learned) / request.batch),
        rank=rank,
        large=large,
    )


def carry_out(plan: TrainPlan, *, watch: Watch | None = None, stop: Callable[[], bool] = lambda: False) -> TrainOutcome:
    """Train, or go on where the folder's checkpoint is; write the model as it was at its best held-out loss.

    `watch` sees every step go by. BadRequest where the folder holds another run.
    """
    from ...model.engine import device_for
    from ...model.expert_load import watch_experts
    from ...model.lora import Adapter, LoraConfig
    from ...model.replies import ReplyObjective, measure
    from ...model.train import BEST_FILE, CHECKPOINT_FILE, CURVE_FILE, Judge, TrainConfig, Trainer
    from ...model.train import load_batches, train  # isort: skip
    from ...model.tuning import load_to_train, product_dtype, save_tuned
    from .curves import draw_curves

    request, out = plan.request, plan.request.out
    _claim(out, plan.settings())
    device = device_for(request.device)
    model = load_to_train(plan.folder, device, all_weights=not plan.rank)
    adapter = None
    if plan.rank:
        adapter = Adapter(model, LoraConfig(rank=plan.rank, alpha=2.0 * plan.rank), seed=request.seed)
    objective = ReplyObjective(model, adapter, dtype=product_dtype(device), recompute=plan.large)
    accumulate = request.batch // request.at_once
    trainer = Trainer(
        model,
        objective,
        TrainConfig(
            total_steps=plan.num_steps,
            muon_lr=MUON_RATIO * plan.lr,
            adam_lr=plan.lr,
            warmup_steps=max(1, min(60, plan.num_steps // 10)),
            accumulate=accumulate,
            balance_rate=0.0,
            seed=request.seed,
        ),
    )
    if (out / CHECKPOINT_FILE).exists():
        trainer.resume(out / CHECKPOINT_FILE)
    judge = None
    if plan.held_out:
        held_out = _batches(plan, held_out=True)
        judge = Judge(
            measure=lambda: measure(objective, load_batches(held_out, start=0, workers=0)),
            figure="loss",
            every=plan.judge_every,
            higher_is_better=False,
        )
    batches = load_batches(_batches(plan, held_out=False), start=trainer.step * accumulate, workers=request.workers)
    steps = train(trainer, batches, out, judge=judge, stop=stop)
    figures: dict[str, float] = {}
    judged: dict[str, float] = {}
    try:
        with watch_experts(model) as load:
            for _, figures in steps if watch is None else watch(steps, trainer.step, plan.num_steps):
                judged = {name: value for name, value in figures.items() if name.startswith("held_")} or judged
    except FloatingPointError as error:
        raise BadRequest(f"{error}; take an --lr below {plan.lr:g} and another --out") from error
    reached = trainer.step
    finished = reached >= plan.num_steps
    tuned = out / f"{plan.name}-tuned"
    if finished:
        if judge is not None and (out / BEST_FILE).exists():  # none where --steps was lowered before the first look
            trainer.resume(out / BEST_FILE)
        if adapter is not None:
            adapter.save(out / "adapter", base=str(plan.folder))
            adapter.merge()
        save_tuned(model, plan.folder, tuned)
    drawn = None
    if (out / CURVE_FILE).stat().st_size:
        drawn = out / PICTURE_FILE
        draw_curves(out / CURVE_FILE, drawn, title=plan.name)
    outcome = TrainOutcome(
        status="finished" if finished else "stopped",
        step=reached,
        steps=plan.num_steps,
        method=plan.method,
        figures=figures,
        held_out=judged,
        expert_load=load.shares(),
        model=tuned if finished else None,
        adapter=out / "adapter" if finished and adapter is not None else None,
        picture=drawn,
    )
    (out / RESULT_FILE).write_text(json.dumps(outcome.to_json(), indent=2) + "\n", encoding="utf-8")
    return outcome


def _batches(plan: TrainPlan, *, held_out: bool) -> LessonBatches:
    from .recorded import LessonBatches

    lessons, request = plan.held_out if held_out else plan.learned, plan.request
    passes = plan.num_steps * (request.batch // request.at_once)
    return LessonBatches(
        lessons,
        plan.profile,
        plan.config,
        plan.folder,
        size=request.at_once,
        num_batches=-(-len(lessons) // request.at_once) if held_out else passes,
        seed=None if held_out else request.seed,
    )


def _claim(out: Path, settings: Mapping[str, Any]) -> None:
    """Write the settings into the folder, or find the same ones there. BadRequest names the first that differs."""
    path = out / SETTINGS_FILE
    try:
        out.mkdir(parents=True, exist_ok=True)
        if path.exists():
            before: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            for name, value in settings.items():
                if name not in MAY_CHANGE and before.get(name) != value:
                    raise BadRequest(
                        f"{out} holds a run with {name} {before.get(name)!r}, now it is {value!r}: give the same "
                        "arguments to go on, or another --out"
                    )
        path.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    except (OSError, ValueError) as error:
        raise BadRequest(f"{path} cannot be used: {error}; choose another --out") from error
