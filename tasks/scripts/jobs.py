"""Scripts made ready to be run: their variables, their screens, and all that can be checked before work starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..console import ModelChoice
from ..errors import BadRequest, BadScript
from ..script_flags import ScriptFlags
from .cache import Cache, cache_folder
from .hands import words_of
from .known import first_values
from .lazy_engine import LazyEngine
from .tree import Act, Do, Expect, Script
from .values import NoValue, Value, fill

if TYPE_CHECKING:
    from ...agent import PromptProfile
    from ..open_screen import ScreenChoice
    from ..run_command import HowToRun

ScreenOf = Callable[[Script, Path], "ScreenChoice"]  # of a script, and the folder of its trajectory


@dataclass(frozen=True, kw_only=True)
class Job:
    """A script that was checked, and what it needs."""

    script: Script
    values: Mapping[str, Value]
    choice: ScreenChoice
    folder: Path
    cache: Cache | None
    sure: float | None = None  # of all its steps, in place of what the script says


def make_jobs(
    scripts: Sequence[Script],
    given: Mapping[str, Value],
    screen_of: ScreenOf,
    flags: ScriptFlags,
    out: Path | None,
    how: HowToRun,
) -> list[Job]:
    """What each script needs. BadScript or BadRequest for what is wrong with its variables or its screen."""
    from ...agent import new_run_folder

    root = out or new_run_folder("runs")
    jobs: list[Job] = []
    for number, script in enumerate(scripts):
        values = first_values(script, given)
        folder = root if len(scripts) == 1 else root / f"{number + 1:02}_{script.path.stem}"
        script = replace(script, url=None if script.url is None else _filled_url(script, values))
        choice = screen_of(script, folder)
        if not how.dry_run and choice.url is None and choice.attach is None and _asks_page(script):
            raise BadRequest(
                f"{script.path}: the script has checks, and only a page can answer them: run it with --url"
            )
        if (folder / "run.json").exists():
            raise BadRequest(f"{folder} already holds a run: choose another folder")
        caches = flags.caches and not how.dry_run
        cache = Cache(cache_folder(script.path), reads=not flags.refresh) if caches else None
        jobs.append(Job(script=script, values=values, choice=choice, folder=folder, cache=cache, sure=flags.sure))
    return jobs


def check_places(flags: ScriptFlags, picture: Path | None, how: HowToRun) -> None:
    """BadRequest for a file that cannot be written, and for flags that do not go together."""
    from ..pictures import check_writable
    from .page import check_report

    if picture is not None:
        check_writable(picture)
    if flags.junit is not None:
        check_writable(flags.junit, suffix=".xml")
    if flags.report is not None:
        check_report(flags.report)
    if how.step and (how.dry_run or how.approve is not None):
        raise BadRequest("--step asks before every action: leave out --approve and --dry-run")


def _filled_url(script: Script, values: Mapping[str, Value]) -> str:
    try:
        return fill(script.url or "", values)
    except NoValue as error:
        raise BadScript(str(script.path), 1, 1, f"url: {error}") from error


def _asks_page(script: Script) -> bool:
    """Whether it asks JavaScript of a page."""
    expects = [node.deed.condition for node in script.nodes if isinstance(node.deed, Expect)]
    return bool(script.checks) or any(condition.js is not None for condition in expects)


def needs_model(job: Job) -> bool:
    """Whether it surely does: nothing was found before, or there is a goal that is not made of plain steps."""
    if any(isinstance(node.deed, Do) and not node.deed.acts for node in job.script.nodes):
        return True
    is_looking = any(isinstance(node.deed, Act) and words_of(node.deed.step) for node in job.script.nodes)
    return is_looking and (job.cache is None or not len(job.cache))


def goal_of(job: Job) -> str:
    """What it does to the screen, a line each."""
    from ...agent import describe_step

    return "\n".join(describe_step(step) for step in job.script.acts) or job.script.name


def policy_of(job: Job, engine: LazyEngine, model: ModelChoice, profile: PromptProfile | None) -> dict[str, Any]:
    """What a reader must know to believe the run. A script without branches is told as plain steps are."""
    from ...agent import KimiPolicy

    script = job.script
    about = {"script": {"name": script.name, "file": str(script.path), "sha256": script.sha256}}
    if not engine.is_loaded:
        return {"kind": "script", "model": {"model": model.name}} | about
    is_plain = all(isinstance(node.deed, Act) for node in script.nodes)
    told = dict(KimiPolicy(engine, profile=profile, steps=script.acts).manifest())
    if not is_plain:
        told = {name: value for name, value in told.items() if name != "steps"} | {"kind": "script"}
    return told | about
