"""What every export shares: which steps it has, what is told of those it has not, and texts safe to put into code."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...agent import Recording, Step, StoredFrame, TrajectoryError
from ...agent.trajectory import FRAMES_FOLDER
from ...agent.trajectory.missing import missing_in_words
from ...envs import Action, Element, describe
from ..console import why_not_writable
from ..errors import BadRequest

SCRIPTS_IMPORT = frozenset({"playwright", "pyautogui", "pyperclip", "pytest"})  # besides the standard library
IMAGES_FOLDER = "images"  # beside the file that names what is in it
UNDONE = ("skip", "stop", "nobody")  # decisions after which nothing was performed


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What an export wrote. `left_out` has a line for each step that is not in it, and why."""

    files: tuple[Path, ...]
    num_steps: int
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()  # of several runs: those that could not be exported at all


@dataclass(frozen=True)
class Done:
    """A step whose action was performed."""

    step: Step
    action: Action

    @property
    def element(self) -> Element | None:
        known = self.step.surroundings
        return None if known is None else known.element

    @property
    def url(self) -> str | None:
        return None if self.step.surroundings is None else self.step.surroundings.url

    @property
    def title(self) -> str | None:
        return None if self.step.surroundings is None else self.step.surroundings.title


@dataclass
class Told:
    """Collects what could not be exported."""

    left_out: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])
    problems: list[str] = field(default_factory=list[str])
    undone: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    """For each step that `done_steps` has not: its index, and a comment that no script has yet."""

    def leave_out(self, step: Step, why: str) -> str:
        """The line, for a comment at the place of the step."""
        what = "its reply" if step.action is None else one_line(describe(step.action))
        line = f"step {step.index + 1} ({what}): {one_line(why)}"
        self.left_out.append(line)
        return line

    def comments_before(self, index: int | None) -> list[str]:
        """Of the steps that were not done, each once: those before this one, or all others."""
        here = [(at, line) for at, line in self.undone if index is None or at < index]
        self.undone = [each for each in self.undone if each not in here]
        return [line for _, line in sorted(here)]

    def note(self, words: str) -> None:
        if words not in self.notes:
            self.notes.append(words)


def done_steps(recording: Recording, told: Told) -> list[Done]:
    """The steps that did something, in order. BadRequest where there is none."""
    done: list[Done] = []
    told.undone += [(missing.start, f"# damaged: {missing_in_words(missing)}") for missing in recording.missing]
    for step in recording.steps:
        why = _why_undone(step)
        if why is not None:
            told.undone.append((step.index, f"# left out: {told.leave_out(step, why)}"))
        elif step.action is not None:
            done.append(Done(step, step.action))
    if not done:
        raise nothing_in([recording], "step that was performed")
    return done


def _why_undone(step: Step) -> str | None:
    if step.action is None:
        return f"it could not be read: {step.error}"
    if step.error is not None:
        return f"it failed: {step.error}"
    return "it was not approved" if step.decision in UNDONE else None


def done_of_each(recordings: Sequence[Recording], told: Told) -> Iterator[tuple[Recording, list[Done]]]:
    """Each run with its steps that did something. Of several, one without is told and passed over; BadRequest where
    none has any.
    """
    had = False
    for recording in recordings:
        try:
            done = done_steps(recording, told)
        except BadRequest as error:
            if len(recordings) == 1:
                raise
            told.problems.append(f"{error}; it was left out")
            continue
        had = True
        yield recording, done
    if not had:
        raise nothing_in(recordings, "step that was performed")


def check_steps(recordings: Sequence[Recording]) -> None:
    """BadRequest where no run holds any step, performed or not."""
    if not any(recording.steps for recording in recordings):
        raise nothing_in(recordings, "step")


def nothing_in(recordings: Sequence[Recording], what: str, why: str = "") -> BadRequest:
    """The error where none of the runs holds such a step."""
    holds = f"{recordings[0].path} holds no" if len(recordings) == 1 else "none of the runs holds a"
    return BadRequest(f"{holds} {what}: there is nothing to export" + (f" ({why})" if why else ""))


def only_one(recordings: Sequence[Recording], name: str) -> Recording:
    """BadRequest for several: most formats hold one run."""
    if len(recordings) != 1:
        raise BadRequest(f"{name} holds one run, and there are {len(recordings)}: name the folder of one")
    return recordings[0]


def was_on_desktop(recording: Recording) -> bool:
    """Whether it was recorded on a desktop rather than in a page."""
    env = recording.run.get("env")
    if isinstance(env, dict) and env.get("desktop") is not None:
        return bool(env["desktop"])
    pages = any(step.surroundings is not None and step.surroundings.url for step in recording.steps)
    return not pages and any(step.before.origin_pt != (0.0, 0.0) for step in recording.steps)


def start_url(recording: Recording, done: Sequence[Done]) -> str | None:
    """Where the run began: what the screen told, else what it was asked to open. None where nobody knows."""
    first = next((one.url for one in done if one.url), None)
    if first is not None and not first.startswith("about:"):
        return first
    env = recording.run.get("env")
    asked = env.get("url") if isinstance(env, dict) else None
    return asked if isinstance(asked, str) and asked else first


def started_at_s(step: Step) -> float:
    """When its action began, on one clock for the whole run; imported runs may have none (0)."""
    return step.started_mono_s or step.started_at_s


def one_line(text: str, limit: int = 160) -> str:
    """Any text as one line of printable ASCII, for comments and messages: what a page says ends nothing."""
    words = " ".join(text.split())
    words = words if len(words) <= limit else words[: limit - 3] + "..."
    return "".join(letter if " " <= letter <= "~" else "?" for letter in words)


def python_text(text: str) -> str:
    """A text as a Python literal in ASCII."""
    return ascii(text)


def check_out(out: Path, *, folder: bool = False) -> None:
    """BadRequest, before any work, where the export cannot be written."""
    if folder:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise BadRequest(f"{out} is there already: name a new or empty folder")
        parent = out if out.exists() else out.parent
    else:
        if out.is_dir():
            raise BadRequest(f"{out} is a folder: name a file")
        parent = out.parent
    if not parent.is_dir():
        raise BadRequest(f"{out} cannot be written: create its folder first, with mkdir -p {parent}")
    if why := why_not_writable(parent):
        raise BadRequest(f"{out} cannot be written: the folder {parent} takes no new file ({why})")
    if (parent / FRAMES_FOLDER).is_dir() and (parent / "run.json").is_file():
        raise BadRequest(f"{out} lies inside a recorded run: name a place outside of it")


def check_script_name(out: Path, *, prefix: str) -> None:
    """BadRequest for a script that hides a module from itself and its neighbours; proposes a name with the prefix."""
    if out.stem in SCRIPTS_IMPORT or out.stem in sys.stdlib_module_names:
        raise BadRequest(
            f"{out}: a script of this name hides the module {out.stem}, which scripts import; "
            f"name the file {prefix}{out.name}"
        )


def write_text(out: Path, text: str) -> Path:
    """BadRequest where the disk does not take it."""
    try:
        out.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise BadRequest(f"{out} cannot be written into {out.parent}: {error.strerror}") from error
    return out


def copy_images(frames: Iterable[StoredFrame], out: Path) -> dict[str, str]:
    """Put the pictures into `images/` beside the file; hash to the path that the file should name.

    What is missing or damaged is not in the answer. BadRequest where the disk is full.
    """
    named: dict[str, str] = {}
    folder = out.parent / IMAGES_FOLDER
    for stored in frames:
        if stored.sha256 in named:
            continue
        try:
            png = stored.read().to_png()  # whatever way it is stored
        except TrajectoryError:
            continue
        try:
            folder.mkdir(exist_ok=True)
            (folder / f"{stored.sha256}.png").write_bytes(png)
        except OSError as error:
            raise BadRequest(f"{folder} cannot be written: {error.strerror}") from error
        named[stored.sha256] = f"{IMAGES_FOLDER}/{stored.sha256}.png"
    return named
