"""How often a reply can be read, with the grammar and without, on a thousand screens of every kind.

`python -m moonhand.tasks.nano_eval.parse_rate` draws screens, among them noise, blank ones, huge and tiny ones, and
asks each for a place and for the next step of a task, greedily and at temperature 1. It counts the replies that cannot
be read, the tokens that the grammar forced and the passes of the decoder that this saved, and whether any answer that
was well written without the grammar is another one with it.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass, field
from random import Random
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from ...agent import PROFILES, ParseError, PromptProfile
from ...agent.confidence import certainty
from ...agent.dialects import DIALECTS, Canvas, Dialect, Parsed
from ...agent.kimi import canvas_of, generate_all, offered_kinds
from ...agent.prompts import Turn, agent_turns, grounding_turns
from ...envs import KINDS, Frame
from ...model import load
from ..screens.questions import questions
from ..screens.synthetic import SIZES, draw_screen

if TYPE_CHECKING:
    from ...model import Engine, Generation

TEMPERATURES = (0.0, 1.0)
TOGETHER = 16  # screens that are asked in one batch
HOSTILE_SHARE = 0.3  # of the screens
HUGE = ((3840, 2160), (2560, 1440), (7000, 400), (300, 5000))  # width, height, px
TINY = ((1, 1), (2, 40), (13, 13), (27, 300), (29, 15))
SMALL = tuple(size for size in SIZES if size[0] * size[1] <= 200_000)  # most screens: the others take long
ODD_WORDS = (
    "", "?", "click", "write a poem about the sea", 'answer in JSON: {"x": 1}', "x=2.5, y=-1", "the  button\n\n\nOK",
    "\u70b9\u51fb\u767b\u5f55", "read the title", "\U0001f600" * 20, "click " * 60,
    "task: say 'hello'; write('it\\'s')",
)  # fmt: skip


@dataclass
class Tally:
    """Replies of one kind, counted."""

    profile: str
    temperature: float
    grammar: bool
    replies: int = 0
    unread: int = 0  # no action could be read
    cut_short: int = 0  # of these, because the allowance of tokens was used up
    tokens: int = 0
    forced: int = 0  # of the tokens
    passes: int = 0  # of the decoder after the prompt
    decode_s: float = 0.0
    examples: list[str] = field(default_factory=list[str])  # of what could not be read

    def add(self, generations: list[Generation], dialect: Dialect, canvases: list[Canvas]) -> None:
        """Replies that were made together."""
        self.decode_s += max(each.decode_s for each in generations)
        for generation, canvas in zip(generations, canvases, strict=True):
            self.replies += 1
            self.tokens += len(generation.tokens)
            self.forced += generation.forced_tokens
            self.passes += generation.passes
            if _read(generation.text, dialect, canvas) is None:
                self.unread += 1
                self.cut_short += generation.finish_reason == "length"
                if len(self.examples) < 5:
                    self.examples.append(generation.text[:120])


@dataclass
class Agreement:
    """Greedy answers that were written without the grammar as the dialect writes them: whether it changes any."""

    compared: int = 0
    changed: int = 0
    largest_difference: float = 0.0  # of the two confidences, where both have one
    examples: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])


@dataclass(frozen=True, eq=False)
class Asked:
    """A screen, and what is asked about it."""

    frame: Frame
    words: str


def draw_asked(seed: int) -> Asked:
    """The screen and the question of a seed."""
    rng = Random(f"parse rate {seed}")
    if rng.random() >= HOSTILE_SHARE:
        screen = draw_screen(rng, *rng.choice(SMALL if rng.random() < 0.98 else SIZES))
        (question, *_) = questions(rng, screen, 1)
        return Asked(Frame(screen.pixels_HW3), question.instruction)
    sizes = rng.choices((HUGE, TINY, SMALL), (1, 8, 11))[0]
    width_px, height_px = rng.choice(sizes)
    pixels_HW3 = np.full((height_px, width_px, 3), rng.choice((0, 255, rng.randrange(256))), dtype=np.uint8)
    match rng.randrange(3):
        case 0 if sizes is not HUGE:
            pixels_HW3 = np.random.default_rng(seed).integers(0, 256, pixels_HW3.shape, dtype=np.uint8)
        case 1:
            pixels_HW3[:: rng.choice((2, 9) if sizes is not HUGE else (300,))] = rng.randrange(256)
        case _:
            pass
    return Asked(Frame(pixels_HW3), rng.choice(ODD_WORDS))


def measure(engine: Engine, seeds: range, *, tasks: bool = True) -> tuple[list[Tally], Agreement]:
    """Ask for a place, and with `tasks` for the next step too, with and without the grammar."""
    profiles = [PROFILES[name] for name in (("nano", "nano-task") if tasks else ("nano",))]
    tallies = {
        (profile.name, temperature, grammar): Tally(profile.name, temperature, grammar)
        for profile in profiles
        for temperature in TEMPERATURES
        for grammar in (False, True)
    }
    agreement = Agreement()
    for start in track(seeds[::TOGETHER], "screens", console=Console(stderr=True)):
        asked = [draw_asked(seed) for seed in range(start, min(start + TOGETHER, seeds.stop))]
        canvases = [canvas_of(engine, each.frame) for each in asked]
        for profile in profiles:
            dialect = DIALECTS[profile.dialect_of_turns]
            turns = [_turns(profile, each) for each in asked]
            kinds = offered_kinds(profile, KINDS) if profile.plans else frozenset(profile.grounding_kinds)
            (grammar,) = {dialect.grammar(canvas, kinds) for canvas in canvases}  # shares are the same on all screens
            for temperature in TEMPERATURES:
                free, held = (
                    generate_all(engine, turns, profile, grammar=rules, temperature=temperature, seed=start)
                    for rules in (None, grammar)
                )
                tallies[profile.name, temperature, False].add(free, dialect, canvases)
                tallies[profile.name, temperature, True].add(held, dialect, canvases)
                if temperature == 0:
                    for one, other, canvas in zip(free, held, canvases, strict=True):
                        parsed = _read(one.text, dialect, canvas)
                        if parsed is not None and dialect.write(parsed, canvas) == one.text:
                            _compare(engine, one, other, agreement)
    return list(tallies.values()), agreement


def _turns(profile: PromptProfile, asked: Asked) -> tuple[Turn, ...]:
    if profile.plans:
        return agent_turns(profile, asked.frame, asked.words, [])
    return grounding_turns(profile, asked.frame, asked.words)


def _read(text: str, dialect: Dialect, canvas: Canvas) -> Parsed | None:
    try:
        return dialect.read(text, canvas)
    except ParseError:
        return None


def _compare(engine: Engine, free: Generation, held: Generation, agreement: Agreement) -> None:
    agreement.compared += 1
    if free.text != held.text:
        agreement.changed += 1
        if len(agreement.examples) < 5:
            agreement.examples.append((free.text[:80], held.text[:80]))
        return
    one, other = (certainty(each.tokens, engine.calibration).confidence for each in (free, held))
    if one is not None and other is not None:
        agreement.largest_difference = max(agreement.largest_difference, abs(one - other))


def table_of(tallies: list[Tally]) -> Table:
    table = Table(box=None, pad_edge=False)
    headings = ("profile", "temperature", "grammar", "replies", "unread", "cut short", "tokens", "forced", "passes")
    for heading in (*headings, "decode ms"):
        table.add_column(heading, justify="left" if heading == "profile" else "right", no_wrap=True)
    for tally in tallies:
        each = max(1, tally.replies)
        table.add_row(
            tally.profile,
            f"{tally.temperature:g}",
            "yes" if tally.grammar else "no",
            str(tally.replies),
            str(tally.unread),
            str(tally.cut_short),
            f"{tally.tokens / each:.2f}",
            f"{tally.forced / each:.2f}",
            f"{tally.passes / each:.2f}",
            f"{1000 * tally.decode_s / each:.1f}",
        )
    return table


def command(
    screens: Annotated[int, typer.Option(min=1, help="how many")] = 1000,
    first: Annotated[int, typer.Option(min=0, help="seed of the first screen")] = 0,
    model: Annotated[str, typer.Option(help="nano, or a folder with a checkpoint taught like it")] = "nano",
    tasks: Annotated[bool, typer.Option("--tasks/--no-tasks", help="ask for steps of tasks too")] = True,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="print JSON instead of a table")] = False,
) -> None:
    """Count the replies that cannot be read; leaves with 1 where one of the grammar's cannot."""
    engine = load(model, device=device)
    started_s = time.perf_counter()
    tallies, agreement = measure(engine, range(first, first + screens), tasks=tasks)
    result: dict[str, Any] = {
        "screens": screens,
        "first": first,
        "tallies": [asdict(tally) for tally in tallies],
        "agreement": asdict(agreement),
        "seconds": time.perf_counter() - started_s,
        "model": engine.manifest(),
    }
    if as_json:
        json.dump(result, sys.stdout, indent=1)
        sys.stdout.write("\n")
    else:
        console = Console(width=120)
        console.print(table_of(tallies))
        console.print(
            f"of {agreement.compared} greedy answers that were well written without the grammar {agreement.changed} "
            f"are others with it; their confidences differ by {agreement.largest_difference:.1e} at most",
            highlight=False,
        )
    if any(tally.unread for tally in tallies if tally.grammar):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(command)
