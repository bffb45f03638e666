"""Where a reply goes: the answer to stdout, its thought dimmed to stderr, or all of it as one JSON object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from ..console import OK, STOPPED, TASK_FAILED, people, warn
from .asking import Prepared, report
from .form import Form

if TYPE_CHECKING:
    from .talk import Part, Said


class Teller:
    """Prints the parts of one reply as they come; until the first, that it is being waited for. Close it."""

    def __init__(self, waiting: str, *, show_thinking: bool) -> None:
        self._show_thinking = show_thinking
        self._people = people()
        self._last: Part | None = None
        self._waiting = self._people.status(waiting)
        self._waiting.start()

    def __call__(self, part: Part, text: str) -> None:
        if part == "thinking" and not self._show_thinking:
            return
        self._waiting.stop()
        if part != self._last and self._last is not None:
            self._end_line()
        self._last = part
        if part == "answer":
            typer.echo(text, nl=False)
        else:
            self._people.print(text, style="dim", end="", highlight=False, markup=False, soft_wrap=True)

    def close(self) -> None:
        self._waiting.stop()
        self._end_line()

    def _end_line(self) -> None:
        if self._last == "answer":
            typer.echo()
        elif self._last == "thinking":
            self._people.print()


def outcome(said: Said, form: Form | None, max_new_tokens: int) -> tuple[int, str | None]:
    """The exit code, and what people should know of a reply that is not what was asked for."""
    if said.finish_reason == "stopped":
        return STOPPED, None
    if said.finish_reason == "length":
        what = "the answer" if said.thought_finished else "the thought"
        told = f"{what} was cut off after {max_new_tokens:,} tokens: give more with --max-new-tokens"
        return (TASK_FAILED if form is not None or not said.thought_finished else OK), told
    if form is not None:
        try:
            form.value(said.answer)
        except ValueError as error:
            return TASK_FAILED, f"the answer has another form than was asked for: {error}"
    return OK, None


def as_json(prepared: Prepared, said: Said, form: Form | None, times_s: dict[str, float]) -> dict[str, Any]:
    """The one object of `--json`."""
    sampling = prepared.sampling
    told: dict[str, Any] = {
        "answer": said.answer,
        "thinking": said.thinking,
        "finish_reason": said.finish_reason,
        "usage": said.usage(),
    }
    if form is not None and form.is_json:
        try:
            told["value"] = form.value(said.answer)
        except ValueError:
            told["value"] = None
    told |= report(prepared)
    told["sampling"] = {"temperature": sampling.temperature, "top_p": sampling.top_p, "seed": sampling.seed}
    timings = {**times_s, **said.timings}
    return told | {"timings": {name: round(seconds, 4) for name, seconds in timings.items()}}


def warn_of(problem: str | None) -> None:
    if problem is not None:
        warn(problem)
