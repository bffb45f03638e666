"""moonhand-nano: its architecture, its curriculum, and the command that trains it.

`python -m moonhand.tasks.training.nano` draws screens in worker processes, trains, and writes a checkpoint folder in
the published layout. It resumes where it stopped.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from statistics import mean
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ...model.config import ImageConfig, KimiVLConfig, TextConfig, VisionConfig
from ...model.dense import DenseObjective
from ...model.engine import device_for
from ...model.kimi_vl import KimiVL
from ...model.losses import Vocabulary, initialise
from ...model.packing import BLANK_LEVELS
from ...model.tokenizer import NUM_SPECIAL, Tokenizer
from ...model.train import BEST_FILE, Judge, TrainConfig, Trainer, load_batches, train
from ...model.weights import round_to_bf16, save_checkpoint
from ..vocabulary import KINDS
from .curves import draw_curves
from .interrupt import until_interrupted
from .nano_data import CHARACTERS, Mix, NanoBatches, Source, Stage

STEPS = 6000
HELD_OUT_BATCHES = 6


def curriculum(steps: int, small_folders: Sequence[Path] = (), large_folders: Sequence[Path] = ()) -> tuple[Stage, ...]:
    """Small windows alone for the first quarter, then small and large ones; folders of samples take about a third."""
    forms, screens = Source(share=0.4, draw="forms"), Source(share=0.3, draw="screens")
    large_screens = Source(share=0.65, draw="screens", min_px=(560, 440), max_px=(1280, 800))
    small = Mix(share=0.45, screens=20, image_tokens=144, questions=14,
                sources=(forms, screens, *_folders(0.3, small_folders)))  # fmt: skip
    large = Mix(share=0.55, screens=16, image_tokens=176, questions=16,
                sources=(large_screens, *_folders(0.35, large_folders)))  # fmt: skip
    return (Stage(until_step=steps // 4, mixes=(small,)), Stage(until_step=steps, mixes=(small, large)))


def _folders(share: float, folders: Sequence[Path]) -> tuple[Source, ...]:
    return tuple(Source(share=share / len(folders), draw=folder) for folder in folders)


def nano_config(num_base_tokens: int) -> KimiVLConfig:
    """A Kimi-VL in miniature; the special slots follow the base tokens as in the family."""
    vocab_size = num_base_tokens + NUM_SPECIAL
    return KimiVLConfig(
        text=TextConfig(
            vocab_size=vocab_size, hidden_size=320, num_hidden_layers=5, num_attention_heads=5,
            intermediate_size=1024, moe_intermediate_size=288, n_routed_experts=8, num_experts_per_tok=2,
            n_shared_experts=1, first_k_dense_replace=2, routed_scaling_factor=1.5, kv_lora_rank=128,
            qk_nope_head_dim=32, qk_rope_head_dim=32, v_head_dim=64, rope_theta=10000.0,
            max_position_embeddings=8192, bos_token_id=num_base_tokens, eos_token_id=num_base_tokens + 1,
            pad_token_id=vocab_size - 1,
        ),
        vision=VisionConfig(
            patch_size=14, hidden_size=320, num_hidden_layers=6, num_attention_heads=5, intermediate_size=1280,
            init_pos_emb_height=64, init_pos_emb_width=64,
        ),
        image=ImageConfig(in_token_limit=6144, patch_size=14, blank_levels=BLANK_LEVELS),
        media_placeholder_token_id=num_base_tokens + 21,
    )  # fmt: skip


def training_vocabulary(tokenizer: Tokenizer) -> Vocabulary:
    return Vocabulary(number_ids=tuple(tokenizer.encode(f"{n:03d}")[-1] for n in range(1000)))


app = typer.Typer(add_completion=False, help=__doc__)


@app.command("train")
def train_command(
    out: Annotated[Path, typer.Option(help="Folder for checkpoints, the curve and the finished model")] = Path(
        "runs/nano"
    ),
    steps: Annotated[int, typer.Option(min=8, help="Total steps; the learning rate falls to 0 there")] = STEPS,
    small: Annotated[list[Path] | None, typer.Option(help="Folder of samples of small screens, repeatable")] = None,
    large: Annotated[list[Path] | None, typer.Option(help="Folder of samples of large screens, repeatable")] = None,
    seed: int = 0,
    workers: int = 1,
    device: str = "auto",
    muon_lr: float = 0.01,
    adam_lr: float = 8e-4,
    decay_share: float = 0.25,
) -> None:
    """Train moonhand-nano, or go on from OUT/checkpoint.pt."""
    out.mkdir(parents=True, exist_ok=True)
    vocabulary_file = out / "tiktoken.model"
    vocabulary_file.write_bytes((resources.files("moonhand.model") / "nano" / "tiktoken.model").read_bytes())
    tokenizer = Tokenizer.load(out)
    config = nano_config(tokenizer.num_base)
    model = KimiVL(config)
    vocabulary = training_vocabulary(tokenizer)
    initialise(model, vocabulary, seed)
    model.to(device_for(device))
    objective = DenseObjective(model, vocabulary, num_characters=len(CHARACTERS), num_kinds=len(KINDS), seed=seed)
    trainer = Trainer(
        model,
        objective,
        TrainConfig(total_steps=steps, muon_lr=muon_lr, adam_lr=adam_lr, decay_share=decay_share, seed=seed),
    )
    if (out / "checkpoint.pt").exists():
        trainer.resume(out / "checkpoint.pt")
    typer.echo(f"{sum(p.numel() for p in model.parameters()):,} parameters, {tokenizer.num_base} base tokens, "
               f"from step {trainer.step} of {steps} on {trainer.device}", err=True)  # fmt: skip
    batches = NanoBatches(out, config, curriculum(steps, small or (), large or ()), seed)
    loader = load_batches(batches, start=trainer.step, workers=workers)
    begin = time.perf_counter()
    held_out = NanoBatches(out, config, curriculum(steps), seed + 1)
    judge = Judge(measure=lambda: _measure(objective, held_out), figure="near_acc", every=max(1, steps // 20))
    with until_interrupted() as stop:
        for step, figures in _with_progress(train(trainer, loader, out, stop=stop, judge=judge), trainer.step, steps):
            if step % 25 == 0:
                shown = " ".join(f"{k} {v:.3f}" for k, v in figures.items())
                typer.echo(f"{time.perf_counter() - begin:7.0f} s  step {step}  {shown}")
    draw_curves(out / "curve.jsonl", out / "curves.png", title="moonhand-nano")
    if trainer.step >= steps and (out / BEST_FILE).exists():
        trainer.resume(out / BEST_FILE)
    export(model, out, out / "model")


def _measure(objective: DenseObjective, source: NanoBatches) -> dict[str, float]:
    """Means over the last batches of a curriculum with another seed, which nothing is learned from."""
    parts = [objective(source[len(source) - number]).parts for number in range(1, HELD_OUT_BATCHES + 1)]
    names = set[str]().union(*parts)
    return {name: mean(each[name] for each in parts if name in each) for name in sorted(names)}


def export(model: KimiVL, tokenizer_folder: Path, folder: Path) -> None:
    """Write weights (bf16, the selection biases fp32), both configs and the vocabulary in the published layout."""
    rounded = round_to_bf16(copy.deepcopy(model).cpu())
    folder.mkdir(parents=True, exist_ok=True)
    save_checkpoint(rounded, folder)
    (folder / "tiktoken.model").write_bytes((tokenizer_folder / "tiktoken.model").read_bytes())


def _with_progress(
    steps: Iterator[tuple[int, dict[str, float]]], start: int, total: int
) -> Iterator[tuple[int, dict[str, float]]]:
    columns = (TextColumn("step"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(),
               TextColumn("{task.description}"))  # fmt: skip
    with Progress(*columns) as progress:
        task = progress.add_task("", total=total, completed=start)
        for step, figures in steps:
            shown = f"reads {figures.get('character_acc', 0):.2f} points {figures.get('near_acc', 0):.2f}"
            progress.update(task, completed=step, description=shown)
            yield step, figures


if __name__ == "__main__":
    app()
