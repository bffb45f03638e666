"""How often a model points into the control it was asked for, on pages that training has never seen.

`python -m moonhand.tasks.nano_eval` renders the pages, asks one question a page, and prints the table of the model
card. What counts is the point read from the generated text, unrounded, inside the control's box, edges included.
"""

from __future__ import annotations

import json
import math
import statistics
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import groupby, islice
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from PIL import Image, ImageDraw, ImageFont
from rich import box as table_lines
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ..agent import Mark, Target, draw, locate
from ..agent.kimi import profile_of
from ..envs import EnvError, Frame
from ..model import ModelError, load
from .errors import BadRequest, TaskError
from .pages import SAMPLES, Sample, load_set, one_per_page, render_pages
from .vocabulary import WORDINGS, Kind

FIRST_SEED = 1_000_000  # of the 200 pages in the model card; nothing else may be measured or chosen on them
CAPTION_PX = 26
TABLE_WIDTH = 110  # characters
Locate = Callable[[Frame, str], Target]
Outcome = Literal["hit", "miss", "refused", "wrong format"]


@dataclass(frozen=True)
class Answer:
    """One question and where the model pointed."""

    sample: Sample
    target: Target
    counts: bool  # whether it is the one question that stands for its page

    @property
    def outcome(self) -> Outcome:
        """Every control asked for is on its page: a refusal is as wrong as a miss, and counted apart."""
        point = self.target.point
        if self.target.refused:
            return "refused"
        if point is None:
            return "wrong format"
        return "hit" if self.sample.box.contains(point) else "miss"


@dataclass(frozen=True, kw_only=True)
class Score:
    """Counts over some answers; `ci95` is the Wilson interval of the accuracy."""

    n: int
    correct: int
    refused: int
    wrong_format: int
    median_s: float

    @property
    def accuracy(self) -> float:
        return self.correct / self.n if self.n else 0.0

    @property
    def ci95(self) -> tuple[float, float]:
        return wilson(self.correct, self.n)

    def to_json(self) -> dict[str, Any]:
        return {
            "n": self.n,
            "correct": self.correct,
            "accuracy": self.accuracy,
            "ci95": list(self.ci95),
            "refused": self.refused,
            "wrong_format": self.wrong_format,
            "median_s": self.median_s,
        }


def evaluate(pages: Iterable[Sequence[Sample]], find: Locate, *, all_controls: bool) -> Iterator[Answer]:
    """Ask about every page: the one question that counts, or all of them."""
    for samples in pages:
        frame = Frame(samples[0].pixels_HW3)
        chosen = one_per_page(samples)
        for sample in samples if all_controls else (chosen,):
            yield Answer(sample, find(frame, sample.instruction), sample is chosen)


def score(answers: Sequence[Answer]) -> Score:
    outcomes = [answer.outcome for answer in answers]
    return Score(
        n=len(answers),
        correct=outcomes.count("hit"),
        refused=outcomes.count("refused"),
        wrong_format=outcomes.count("wrong format"),
        median_s=statistics.median(answer.target.model_s for answer in answers) if answers else 0.0,
    )


def wilson(correct: int, n: int) -> tuple[float, float]:
    """The 95 % Wilson score interval of a proportion; (0, 1) where nothing was asked."""
    if n == 0:
        return 0.0, 1.0
    z = 1.959964
    share = correct / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def by_kind(answers: Sequence[Answer]) -> dict[Kind, Score]:
    """A score for every kind of control that was asked for."""
    kinds = {answer.sample.kind for answer in answers}
    return {
        kind: score([answer for answer in answers if answer.sample.kind == kind]) for kind in WORDINGS if kind in kinds
    }


def tabulate(title: str, answers: Sequence[Answer]) -> Table:
    """The table of the model card: a line a kind of control, and one for all."""
    table = Table(title=title, box=table_lines.MARKDOWN, title_justify="left")
    table.add_column("control", no_wrap=True)
    for name in ("asked", "in the box", "accuracy", "95 % interval", "refused", "wrong format", "median s"):
        table.add_column(name, justify="right", no_wrap=True)
    rows: dict[str, Score] = {**by_kind(answers), "all": score(answers)}
    for name, line in rows.items():
        low, high = line.ci95
        table.add_row(
            name,
            str(line.n),
            str(line.correct),
            f"{line.accuracy:.1%}",
            f"{low:.1%} to {high:.1%}",
            str(line.refused),
            str(line.wrong_format),
            f"{line.median_s:.2f}",
            style="bold" if name == "all" else None,
        )
    return table


def draw_answer(answer: Answer) -> Image.Image:
    """The page with the box asked for (green where hit, red where not) and the point given; below it, the words."""
    sample, target = answer.sample, answer.target
    page = draw(Frame(sample.pixels_HW3), [Mark(label="", x_px=target.x_px, y_px=target.y_px)])
    box, outline = sample.box, "limegreen" if answer.outcome == "hit" else "red"
    left_px, top_px = box.left_px - 2, box.top_px - 2
    edges = (left_px, top_px, left_px + box.width_px + 4, top_px + box.height_px + 4)
    ImageDraw.Draw(page).rectangle(edges, outline=outline, width=2)
    picture = Image.new("RGB", (page.width, page.height + CAPTION_PX), "black")
    picture.paste(page)
    words = f"{answer.outcome}: {sample.instruction}  ->  {target.raw}"
    ImageDraw.Draw(picture).text((8, page.height + 4), words, outline, ImageFont.load_default(14))
    return picture


def report(answers: Sequence[Answer], manifest: dict[str, Any], *, all_controls: bool) -> dict[str, Any]:
    """Plain JSON values: the score of one question a page, of all questions where asked, and each answer."""
    counted = [answer for answer in answers if answer.counts]
    groups = {kind: line.to_json() for kind, line in by_kind(counted).items()}
    result: dict[str, Any] = {**score(counted).to_json(), "groups": groups}
    if all_controls:
        all_groups = {kind: line.to_json() for kind, line in by_kind(answers).items()}
        result["all_controls"] = {**score(answers).to_json(), "groups": all_groups}
    result["seeds"] = sorted({answer.sample.seed for answer in answers})
    result["model"] = manifest
    result["answers"] = [_answer_json(answer) for answer in answers]
    return result


def _answer_json(answer: Answer) -> dict[str, Any]:
    sample, target = answer.sample, answer.target
    return {
        "seed": sample.seed,
        "counts": answer.counts,
        "kind": sample.kind,
        "instruction": sample.instruction,
        "box": [sample.box.left_px, sample.box.top_px, sample.box.width_px, sample.box.height_px],
        "outcome": answer.outcome,
        "x_px": target.x_px,
        "y_px": target.y_px,
        "confidence": target.confidence,
        "raw": target.raw,
        "model_s": target.model_s,
    }


def command(
    model: Annotated[str, typer.Option(help="nano, or a checkpoint folder")] = "nano",
    pages: Annotated[int, typer.Option(min=1, help="how many pages")] = 200,
    seed: Annotated[int, typer.Option(help="seed of the first page")] = FIRST_SEED,
    all_controls: Annotated[bool, typer.Option("--all-controls", help="ask for every control of every page")] = False,
    page_set: Annotated[Path | None, typer.Option(help="pages rendered before, instead of seeds")] = None,
    picture_dir: Annotated[Path | None, typer.Option(help="write a picture of every answer there")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="print JSON instead of a table")] = False,
) -> None:
    """Measure how often the model points into the control it was asked for."""
    errors = Console(stderr=True)
    try:
        shown = render_pages(range(seed, seed + pages)) if page_set is None else _read_pages(page_set, pages)
        if picture_dir is not None:
            picture_dir.mkdir(parents=True, exist_ok=True)
        engine = load(model, device=device)
        with closing(shown):
            answers = _ask_all(
                evaluate(_counted(shown, pages, errors), partial(locate, engine), all_controls=all_controls),
                picture_dir,
            )
    except (TaskError, EnvError, ModelError) as error:
        errors.print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
    if as_json:
        manifest = {**engine.manifest(), "prompt_sha256": profile_of(engine).sha256}
        result = report(answers, manifest, all_controls=all_controls)
        json.dump(result, sys.stdout, indent=1)
        sys.stdout.write("\n")
        return
    console = Console()
    console.width = max(console.width, TABLE_WIDTH)  # the lines of the table are to be copied whole
    console.print(tabulate("One question a page", [answer for answer in answers if answer.counts]))
    if all_controls:
        console.print(tabulate("Every control of every page", answers))


def _read_pages(folder: Path, limit: int) -> Generator[list[Sample]]:
    if not (folder / SAMPLES).is_file():
        raise BadRequest(f"{folder} holds no {SAMPLES}: make the set with moonhand.tasks.pages.build_set")
    for _, samples in islice(groupby(load_set(folder), key=lambda sample: sample.seed), limit):
        yield list(samples)


def _counted(pages: Iterator[list[Sample]], total: int, console: Console) -> Iterator[list[Sample]]:
    columns = (TextColumn("pages"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        yield from progress.track(pages, total=total)


def _ask_all(answers: Iterable[Answer], picture_dir: Path | None) -> list[Answer]:
    done: list[Answer] = []
    for answer in answers:
        done.append(answer)
        if picture_dir is not None:
            name = f"{answer.outcome.replace(' ', '-')}-{answer.sample.seed}-{len(done):05d}.png"
            draw_answer(answer).save(picture_dir / name)
    return done


if __name__ == "__main__":
    typer.run(command)
