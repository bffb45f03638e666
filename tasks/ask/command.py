"""`moonhand ask`: a question about files, answered on stdout as it is written."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Annotated

import typer

from ...model.seeds import LARGEST_SEED
from ..console import (
    STOPPED,
    DeviceFlag,
    DtypeFlag,
    JsonFlag,
    ModelChoice,
    ModelFlag,
    QuantizeFlag,
    people,
    print_json,
    somebody_at_stdin,
    typed_line,
    with_plain_errors,
)
from ..errors import BadRequest

FILES = "Pictures, PDFs (report.pdf:3-5), videos, texts; - reads stdin. Told apart by what is in them."


@with_plain_errors
def ask(
    question: Annotated[str, typer.Argument(help="What to answer.")],
    files: Annotated[list[str] | None, typer.Argument(metavar="FILE", help=FILES, show_default=False)] = None,
    model: ModelFlag = "nano",
    device: DeviceFlag = "auto",
    dtype: DtypeFlag = "auto",
    quantize: QuantizeFlag = None,
    pages: Annotated[
        str | None, typer.Option("--pages", metavar="1-4,7", help="Of every PDF that names none itself.")
    ] = None,
    dpi: Annotated[float, typer.Option("--dpi", help="How large pages are drawn: dots an inch.")] = 144,
    fps: Annotated[float | None, typer.Option("--fps", help="Frames a second of a video. (default: 1)")] = None,
    frames: Annotated[
        int | None,
        typer.Option("--frames", help="Frames of a video at most; without --fps evenly spread. (default: 32)"),
    ] = None,
    sample: Annotated[str, typer.Option("--sample", help="uniform, or scenes: the first frame of each.")] = "uniform",
    fit: Annotated[
        bool, typer.Option("--fit", help="Where it is too long, show fewer frames, then smaller pictures; say which.")
    ] = False,
    system: Annotated[str | None, typer.Option("--system", help="What the model is told before.")] = None,
    max_new_tokens: Annotated[
        int | None,
        typer.Option("--max-new-tokens", min=1, help="Of thought and answer. (default: by the model)"),
    ] = None,
    thinking_tokens: Annotated[
        int | None, typer.Option("--thinking-tokens", min=0, help="Of a thought at most; then it is ended.")
    ] = None,
    show_thinking: Annotated[
        bool, typer.Option("--thinking/--no-thinking", help="Show the thought, dimmed, on stderr.")
    ] = True,
    temperature: Annotated[
        float | None, typer.Option("--temperature", min=0, help="0 is greedy. (default: by the model)")
    ] = None,
    top_p: Annotated[float, typer.Option("--top-p", min=0, max=1, help="Of the likeliest tokens.")] = 1.0,
    seed: Annotated[int, typer.Option("--seed", min=0, max=LARGEST_SEED, help="Of what is drawn at random.")] = 0,
    schema: Annotated[
        Path | None, typer.Option("--schema", metavar="FILE.json", help="Answer as JSON of this schema.")
    ] = None,
    regex: Annotated[
        str | None, typer.Option("--regex", help="Answer what this matches from end to end (Rust's syntax).")
    ] = None,
    choice: Annotated[str | None, typer.Option("--choice", metavar="a,b,c", help="Answer one of these.")] = None,
    chat: Annotated[bool, typer.Option("--chat", help="Go on: a question a line, until Ctrl-D.")] = False,
    count: Annotated[bool, typer.Option("--count", help="Count the tokens, load no weights, and leave.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Answer a question about pictures, PDFs, videos and texts.

    The answer goes to stdout, all else to stderr. Exit code 1 where an answer with a form was cut off.
    """
    from ...model import Message
    from ...model.remote_address import is_remote
    from .asking import ONLY_GROUNDING, Asking, prepare, report
    from .files import Reading, open_inputs
    from .form import form_of
    from .sampling_times import Sampling
    from .talk import ask as ask_engine
    from .telling import Teller, outcome, warn_of
    from .telling import as_json as reply_json

    paths = files or []
    _check(question, paths, sample=sample, top_p=top_p, chat=chat, is_one=as_json or count)
    form = form_of(schema, regex, choice, is_remote=is_remote(model))
    rate = None if fps is None else _fraction(fps)
    frames_of = Sampling(fps=rate, frames=frames, at_scenes=sample == "scenes")
    asking = Asking(
        question=question,
        inputs=tuple(open_inputs(paths, Reading(pages=pages, dpi=dpi, sampling=frames_of))),
        frames_words=frames_of.words(),
        system=system,
        max_new_tokens=max_new_tokens,
        thinking_tokens=thinking_tokens,
        temperature=temperature,
        top_p=top_p,
        seed=seed,
        form=form,
    )
    is_somebody_there = somebody_at_stdin() and sys.stderr.isatty() and not as_json
    chosen = ModelChoice(model, device, dtype, quantize)
    prepared = prepare(asking, chosen, fit=fit, say=_say, confirm=_confirm if is_somebody_there else None)
    if count:
        about = "" if prepared.room.tokenizer is not None else "about "
        told = report(prepared) | {"prompt_tokens": prepared.prompt_tokens}
        if as_json:
            print_json(told)
        else:
            places = prepared.prompt_positions
            read = "" if places == prepared.prompt_tokens else f" ({prepared.prompt_tokens:,} without what is blank)"
            typer.echo(f"{about}{places:,} tokens of {prepared.room.limit:,}{read}")
        return
    if prepared.room.model in ONLY_GROUNDING:
        _say("nano was trained to point at things on screens alone: do not rely on what it says in words (--model DIR)")
    started_s = time.perf_counter()
    engine = prepared.engine or chosen.load()
    times_s = {"read_s": prepared.read_s, "load_s": time.perf_counter() - started_s}
    messages = list(prepared.messages)
    while True:
        teller = None if as_json else Teller("reading the question", show_thinking=show_thinking)
        try:
            said = ask_engine(engine, messages, prepared.sampling, teller)
        finally:
            if teller is not None:
                teller.close()
        code, problem = outcome(said, form, prepared.room.max_new_tokens)
        if as_json:
            print_json(reply_json(prepared, said, form, times_s))
        warn_of(problem)
        if code == STOPPED:
            people().print("stopped")
        if code or not chat or (following := _next_question()) is None:
            raise typer.Exit(code)
        messages += [Message("assistant", (said.text,)), Message("user", (following,))]


def _check(question: str, paths: Sequence[str], *, sample: str, top_p: float, chat: bool, is_one: bool) -> None:
    if not question.strip():
        raise BadRequest("the question is empty: say what to answer")
    if paths and paths[0] != "-" and not os.path.exists(paths[0]) and os.path.isfile(question):
        raise BadRequest(f"{question} is a file and {paths[0]!r} is none: the question comes first, then the files")
    if chat and is_one:
        raise BadRequest("--chat has many answers, --json and --count tell of one: give one of them")
    if chat and "-" in paths:
        raise BadRequest("--chat reads its questions from stdin, so - cannot be a file there")
    if sample not in ("uniform", "scenes"):
        raise BadRequest(f"--sample {sample!r} is not one of uniform, scenes")
    if top_p == 0:
        raise BadRequest("--top-p 0 leaves nothing to say: give more, at most 1")


def _fraction(fps: float) -> Fraction:
    if not math.isfinite(fps):
        raise BadRequest(f"--fps {fps} must be a number")
    return Fraction(str(fps))


def _next_question() -> str | None:
    """The next line that says something; None at the end of stdin."""
    while True:
        people().print("[bold]>[/bold] ", end="")
        line = typed_line()
        if not line:
            people().print()
            return None
        if line.strip():
            return line.strip()


def _say(told: str) -> None:
    people().print(told, style="dim", highlight=False, markup=False, soft_wrap=True)


def _confirm(asked: str) -> bool:
    return typer.confirm(asked, err=True)
