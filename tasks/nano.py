"""moonhand-nano: its architecture, its small vocabulary, the data it sees, and the command that trains it.

`python -m moonhand.tasks.nano` draws screens in worker processes, trains, and writes a checkpoint folder in the
published layout. It resumes where it stopped.
"""

from __future__ import annotations

import copy
import random
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ..model.config import ImageConfig, KimiVLConfig, TextConfig, VisionConfig
from ..model.kimi_vl import KimiVL
from ..model.losses import Vocabulary, initialise
from ..model.packing import Batch, LabelledScreen, Region, pack
from ..model.tokenizer import NUM_SPECIAL, Tokenizer, write_tiktoken_model
from ..model.train import TrainConfig, Trainer, load_batches, train
from ..model.weights import round_to_bf16, save_checkpoint
from .synthetic import BRANDS, PROSE, TYPED, Screen, draw_screen, questions
from .vocabulary import BUTTONS, CHECKBOXES, FIELDS, HEADINGS, LINKS, TABS, WORDINGS, Kind

CHARACTERS = "".join(chr(code) for code in range(33, 127))
KINDS: tuple[Kind, ...] = ("button", "link", "field", "checkbox")


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Part of the curriculum: up to `until_step`, batches of one of `sizes` (width, height px).

    Without questions the tower learns alone.
    """

    until_step: int
    sizes: tuple[tuple[int, int], ...]
    screens: int
    questions: int


SMALL = ((336, 252), (308, 280), (364, 224), (300, 240))
WINDOWS = ((448, 336), (420, 364), (400, 320), (480, 400), (380, 420), (460, 420), (360, 340), (470, 440))
STAGES: tuple[Stage, ...] = (
    Stage(until_step=500, sizes=SMALL, screens=20, questions=0),
    Stage(until_step=850, sizes=SMALL, screens=16, questions=16),
    Stage(until_step=1600, sizes=WINDOWS, screens=10, questions=14),
)


def vocabulary_words() -> list[str]:
    """Every word that a training screen can show, without the punctuation that labels gain."""
    labels = (*BUTTONS, *LINKS, *FIELDS, *CHECKBOXES, *HEADINGS, *TABS, *PROSE, *TYPED, *BRANDS)
    return sorted({word for label in labels for word in map(bare_word, label.split()) if word})


def bare_word(word: str) -> str:
    return word.rstrip(":*")


def vocabulary_tokens() -> list[bytes]:
    """Base tokens by rank: all bytes, the numbers of two and three digits, words with and without a space before."""
    tokens = [bytes([value]) for value in range(256)]
    tokens += [f"{n:02d}".encode() for n in range(100)] + [f"{n:03d}".encode() for n in range(1000)]
    texts = [*vocabulary_words(), "system", "You are a helpful assistant", "user", "image", "assistant"]
    texts += ["click", "refuse", "x", "y", "()", *(w for group in WORDINGS.values() for w in group)]
    texts += ["press", "open", "check", "input", "type", "into", "select", "find", "button", "link", "field", "box"]
    pieces: list[str] = []
    for text in texts:
        for word in re.findall(r"[A-Za-z]+|[^\sA-Za-z0-9]+", text.replace("{label}", "")):
            pieces += [word, " " + word]
    pieces += ["(x"]
    seen = set(tokens)
    for piece in dict.fromkeys(pieces):
        if (token := piece.encode()) not in seen:
            tokens.append(token)
    return tokens


def nano_config(num_base_tokens: int) -> KimiVLConfig:
    """A Kimi-VL in miniature; the special slots follow the base tokens as in the family."""
    vocab_size = num_base_tokens + NUM_SPECIAL
    return KimiVLConfig(
        text=TextConfig(
            vocab_size=vocab_size, hidden_size=320, num_hidden_layers=4, num_attention_heads=5,
            intermediate_size=1024, moe_intermediate_size=288, n_routed_experts=8, num_experts_per_tok=2,
            n_shared_experts=1, first_k_dense_replace=1, routed_scaling_factor=1.5, kv_lora_rank=128,
            qk_nope_head_dim=32, qk_rope_head_dim=32, v_head_dim=64, rope_theta=10000.0,
            max_position_embeddings=8192, bos_token_id=num_base_tokens, eos_token_id=num_base_tokens + 1,
            pad_token_id=vocab_size - 1,
        ),
        vision=VisionConfig(
            patch_size=14, hidden_size=320, num_hidden_layers=6, num_attention_heads=5, intermediate_size=1280,
            init_pos_emb_height=32, init_pos_emb_width=32,
        ),
        image=ImageConfig(in_token_limit=4096, patch_size=14),
        media_placeholder_token_id=num_base_tokens + 21,
    )  # fmt: skip


def word_classes() -> dict[str, int]:
    return {word: index for index, word in enumerate(vocabulary_words())}


def training_vocabulary(tokenizer: Tokenizer) -> Vocabulary:
    def single(text: str) -> int:
        return tokenizer.encode(text)[-1]

    return Vocabulary(
        number_ids=tuple(single(f"{n:03d}") for n in range(1000)),
        word_ids=tuple(single(" " + word) for word in vocabulary_words()),
    )


def labelled(screen: Screen, rng: random.Random, num_questions: int, classes: dict[str, int]) -> LabelledScreen:
    """A drawn screen in the form that training packs."""
    index = {id(control): number for number, control in enumerate(screen.controls)}
    return LabelledScreen(
        pixels_HW3=screen.pixels_HW3,
        words=tuple((classes[word], w.box) for w in screen.words if (word := bare_word(w.text)) and word in classes),
        characters=tuple(
            (CHARACTERS.index(character), (left, w.box[1], right, w.box[3]))
            for w in screen.words
            for character, (left, right) in zip(w.text, pairwise(w.edges_px), strict=True)
        ),
        regions=tuple(Region(KINDS.index(c.kind), c.point, c.parts) for c in screen.controls),
        questions=tuple(
            (q.instruction, None if q.control is None else index[id(q.control)])
            for q in questions(rng, screen, num_questions)
        ),
    )


class NanoBatches:
    """Batch number i of the curriculum, the same whenever and wherever it is drawn."""

    def __init__(self, tokenizer_folder: Path, config: KimiVLConfig, stages: Sequence[Stage], seed: int) -> None:
        self.tokenizer_folder = tokenizer_folder
        self.config = config
        self.stages = tuple(stages)
        self.seed = seed
        self.tokenizer: Tokenizer | None = None  # made in the worker: it does not travel between processes

    def __len__(self) -> int:
        return self.stages[-1].until_step

    def __getitem__(self, index: int) -> Batch:
        if self.tokenizer is None:
            self.tokenizer = Tokenizer.load(self.tokenizer_folder)
        stage = next(s for s in self.stages if index < s.until_step)
        rng = random.Random(f"{self.seed}-{index}")
        classes = word_classes()
        width_px, height_px = rng.choice(stage.sizes)
        screens: list[LabelledScreen] = []
        while len(screens) < stage.screens:
            sample = labelled(draw_screen(rng, width_px, height_px), rng, stage.questions, classes)
            if len(sample.questions) >= stage.questions * 0.7 and sample.words:
                screens.append(sample)
        return pack(screens, self.tokenizer, self.config, num_words=len(classes))


app = typer.Typer(add_completion=False, help=__doc__)


@app.command("train")
def train_command(
    out: Annotated[Path, typer.Option(help="Folder for checkpoints, the curve and the finished model")] = Path(
        "runs/nano"
    ),
    steps: Annotated[int, typer.Option(help="Total steps; the learning rate falls to 0 there")] = STAGES[-1].until_step,
    seed: int = 0,
    workers: int = 1,
    device: str = "auto",
    stages: Annotated[str, typer.Option(help="The stages' last steps, such as 500,850,1600")] = "",
    muon_lr: float = 0.01,
    adam_lr: float = 8e-4,
    decay_share: float = 0.25,
    tower_steps: Annotated[int, typer.Option(help="From this step on only the decoder learns")] = 10**9,
) -> None:
    """Train moonhand-nano, or go on from OUT/checkpoint.pt."""
    plan = list(STAGES)
    if stages:
        plan = [replace(s, until_step=int(until)) for until, s in zip(stages.split(","), STAGES, strict=True)]
    if steps > plan[-1].until_step:
        plan[-1] = replace(plan[-1], until_step=steps)
    out.mkdir(parents=True, exist_ok=True)
    tokens = vocabulary_tokens()
    write_tiktoken_model(tokens, out / "tiktoken.model")
    tokenizer = Tokenizer.load(out)
    config = nano_config(len(tokens))
    model = KimiVL(config)
    vocabulary = training_vocabulary(tokenizer)
    initialise(model, vocabulary, seed)
    trainer = Trainer(
        model,
        vocabulary,
        TrainConfig(
            total_steps=steps,
            muon_lr=muon_lr,
            adam_lr=adam_lr,
            decay_share=decay_share,
            tower_steps=tower_steps,
            seed=seed,
        ),
        num_characters=len(CHARACTERS),
        num_words=len(vocabulary.word_ids),
        num_kinds=len(KINDS),
        device=device,
    )
    if (out / "checkpoint.pt").exists():
        trainer.resume(out / "checkpoint.pt")
    typer.echo(f"{sum(p.numel() for p in model.parameters()):,} parameters, {len(tokens)} base tokens, "
               f"from step {trainer.step} of {steps} on {trainer.device}", err=True)  # fmt: skip
    batches = NanoBatches(out, config, plan, seed)
    loader = load_batches(batches, start=trainer.step, workers=workers)
    begin = time.perf_counter()
    for step, figures in _with_progress(train(trainer, loader, out), trainer.step, steps):
        if step % 25 == 0:
            shown = " ".join(f"{k} {v:.3f}" for k, v in figures.items())
            typer.echo(f"{time.perf_counter() - begin:7.0f} s  step {step}  {shown}")
    export(model, out, out / "model")


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
            shown = f"reads {figures['character_acc']:.2f} points {figures.get('near_acc', 0):.2f}"
            progress.update(task, completed=step, description=shown)
            yield step, figures


if __name__ == "__main__":
    app()
