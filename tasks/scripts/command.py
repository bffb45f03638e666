"""`moonhand run` for scripts: everything checked, each carried out on a fresh page, and all of it told."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from ..console import (
    OK,
    STOPPED,
    TASK_FAILED,
    ModelChoice,
    people,
    plain_errors,
    print_json,
    somebody_at_stdin,
    write_file,
)
from ..errors import BadRequest, BadScript
from ..script_flags import ScriptFlags
from .carry_out import Told, carry_out_script
from .hands import HandsConfig
from .jobs import Job, ScreenOf, check_places, goal_of, make_jobs, needs_model, policy_of
from .known import check_given, first_values
from .lazy_engine import LazyEngine
from .outcome import CacheUse, ScriptOutcome
from .runner import RunnerConfig
from .suite import load_scripts, script_files, with_tags
from .telling import Teller
from .tree import Do, Script
from .values import Value, given_values

if TYPE_CHECKING:
    from ...agent import ApprovePolicy, PromptProfile
    from ...model import Answering
    from ..run_command import HowToRun


def run_scripts(
    names: Sequence[str],
    screen_of: ScreenOf,
    model: ModelChoice,
    how: HowToRun,
    flags: ScriptFlags,
    *,
    out: Path | None,
    picture: Path | None,
    as_json: bool,
) -> NoReturn:
    """Check all that can be checked, carry the scripts out, report, and leave."""
    scripts = with_tags(load_scripts(script_files(names)), flags.tags)
    given = given_values(flags.var, flags.vars)
    check_given(scripts, [pair.partition("=")[0].strip() for pair in flags.var])
    if flags.check:
        _only_check(scripts, given, as_json)
    run_loaded(scripts, given, screen_of, model, how, flags, out=out, picture=picture, as_json=as_json)


def run_loaded(
    scripts: Sequence[Script],
    given: Mapping[str, Value],
    screen_of: ScreenOf,
    model: ModelChoice,
    how: HowToRun,
    flags: ScriptFlags,
    *,
    out: Path | None = None,
    picture: Path | None = None,
    as_json: bool = False,
    draws: bool = False,
) -> NoReturn:
    """The same for scripts that were read. `draws`: a picture of the run is kept beside it."""
    from ...agent import find_profile

    if picture is not None and len(scripts) > 1:
        raise BadRequest("--picture is of one run: leave it out, and see --report")
    jobs = make_jobs(scripts, given, screen_of, flags, out, how)
    check_places(flags, picture, how)
    profile = None if how.profile is None else find_profile(how.profile)
    teller = Teller(people(), is_alone=len(jobs) == 1)

    def load() -> Answering:
        with teller.aside():
            return model.load()

    engine = LazyEngine(load)
    if any(needs_model(job) for job in jobs):
        _load(engine, profile, jobs)
    outcomes: list[ScriptOutcome] = []
    is_stopped = False
    try:
        for job in jobs:
            outcomes.append(_carry_out(job, engine, model, profile, how, teller))
            is_stopped = outcomes[-1].result is not None and outcomes[-1].result.status == "stopped"
            if is_stopped:
                break
    except KeyboardInterrupt:  # while a screen was opened
        is_stopped = True
    not_run = [job.script for job in jobs[len(outcomes) :]]
    drawn = _draw(outcomes, picture, how, draws=draws)
    _write(outcomes, not_run, flags)
    if len(jobs) == 1 and outcomes:
        _leave_one(outcomes[0], teller, drawn, as_json)
    teller.summary(outcomes, not_run)
    num_passed = sum(outcome.is_passed for outcome in outcomes)
    if as_json:
        told = [outcome.to_json() for outcome in outcomes]
        counts = {"passed": num_passed, "failed": len(outcomes) - num_passed, "not_run": len(not_run)}
        print_json({"scripts": told} | counts)
    raise typer.Exit(STOPPED if is_stopped else OK if num_passed == len(jobs) else TASK_FAILED)


def _only_check(scripts: Sequence[Script], given: Mapping[str, Value], as_json: bool) -> NoReturn:
    problems: list[BadScript] = []
    for script in scripts:
        try:
            first_values(script, given, is_run=False)
        except BadScript as error:
            problems.append(error)
    if problems:
        problems[0].args = ("\n".join(map(str, problems)),)
        raise problems[0]
    told = [
        {"name": script.name, "file": str(script.path), "steps": sum(1 for _ in script.nodes)} for script in scripts
    ]
    if as_json:
        print_json({"scripts": told})
    for each in told:
        people().print(f"ok: {each['file']}, {each['steps']} steps", highlight=False, markup=False, soft_wrap=True)
    raise typer.Exit(OK)


def _load(engine: LazyEngine, profile: PromptProfile | None, jobs: Sequence[Job]) -> None:
    """The model; BadScript for a goal that it cannot plan for."""
    from ...agent.kimi import profile_of

    asked = profile or profile_of(engine.engine)
    if asked.plans:
        return
    for job in jobs:
        for node in job.script.nodes:
            if isinstance(node.deed, Do) and not node.deed.acts:
                spot = node.spot
                said = f"{asked.name} does not plan, and {node.deed.goal!r} is not made of plain steps"
                raise BadScript(spot.file, spot.line, spot.column, f"{said}: write those, or choose another --model")


def _carry_out(
    job: Job, engine: LazyEngine, model: ModelChoice, profile: PromptProfile | None, how: HowToRun, teller: Teller
) -> ScriptOutcome:
    """The script, as often as it may be tried; what keeps the screen from opening is an outcome too."""
    from ...envs import EnvError

    for number in range(1, job.script.retries + 2):
        folder = job.folder if number == 1 else job.folder.with_name(f"{job.folder.name}_try{number}")
        started_at_s, start_s = time.time(), time.monotonic()
        try:
            outcome = _carry_out_once(replace(job, folder=folder), engine, model, profile, how, teller)
        except EnvError as error:
            outcome = ScriptOutcome(
                script=job.script,
                result=None,
                variables={},
                cache=CacheUse(folder=None if job.cache is None else job.cache.folder),
                took_s=time.monotonic() - start_s,
                started_at_s=started_at_s,
                trouble=error,
            )
        outcome = replace(outcome, num_tries=number)
        status = None if outcome.result is None else outcome.result.status
        if outcome.is_passed or status in ("stopped", "needs_user") or number > job.script.retries:
            return outcome
        teller.say(f"try {number} of {job.script.retries + 1}: {outcome.error}")
    raise AssertionError("the last try is given back")


def _carry_out_once(
    job: Job, engine: LazyEngine, model: ModelChoice, profile: PromptProfile | None, how: HowToRun, teller: Teller
) -> ScriptOutcome:
    from ...agent import Approval, Trajectory
    from ...envs import DryRunEnv
    from ..approving import Asker
    from ..kept_screen import moved_pages
    from ..open_screen import open_screen
    from ..run_command import DEFAULT_MAX_STEPS, screen_told
    from ..viewer.live import watched

    asks_about, asks_planned = how.policy(plans=False), how.policy(plans=True)
    url = job.choice.url
    pages = moved_pages({"url": job.cache.url}, url) if job.cache is not None else {}
    with open_screen(job.choice) as env:
        trajectory = Trajectory(
            job.folder,
            goal=goal_of(job),
            policy=policy_of(job, engine, model, profile),
            config={"approve": asks_about, "max_steps": how.max_steps, "keep_going": how.keep_going},
            env=screen_told(job.choice),
        )
        with (
            trajectory,
            teller.table(job.script) as table,
            watched(job.folder, lambda step: None, people(), is_wanted=how.watch, opens=how.opens) as watch,
        ):
            is_somebody_there = somebody_at_stdin() and not how.dry_run
            asker = Asker(people(), job.folder / "place.png", table.paused)

            def approval(policy: ApprovePolicy) -> Approval:
                return Approval(policy, asker if is_somebody_there or how.step else None)

            def step(one: Any, found: Any) -> None:
                table.add(one, "cache" if found == "cache" else None)
                watch(one)

            return carry_out_script(
                job.script,
                job.values,
                DryRunEnv(env) if how.dry_run else env,
                engine,
                trajectory,
                hands=HandsConfig(
                    profile=profile,
                    approve=approval(asks_about),
                    max_steps=how.max_steps,
                    stop_when_stuck=not how.keep_going,
                    is_dry=how.dry_run,
                ),
                runner=RunnerConfig(
                    goal_steps=how.max_steps or DEFAULT_MAX_STEPS,
                    approve=approval(asks_planned),
                    ask=table.ask if is_somebody_there else None,
                    sure=job.sure,
                ),
                cache=job.cache,
                url=url,
                pages=pages,
                told=Told(step=step, result=teller.result, warning=teller.say),
            )


def _draw(outcomes: Sequence[ScriptOutcome], picture: Path | None, how: HowToRun, *, draws: bool) -> Path | None:
    """The picture of the only run, where there is to be one."""
    from ...agent.overlay import to_png
    from ..run import picture_of_dry_run, picture_of_run

    if len(outcomes) != 1 or outcomes[0].result is None or not outcomes[0].result.steps:
        return None
    folder = outcomes[0].result.path
    drawn = picture or (folder / "run.png" if draws or how.dry_run else None)
    if drawn is not None and outcomes[0].trouble is None:
        write_file(drawn, to_png(picture_of_dry_run(folder) if how.dry_run else picture_of_run(folder)))
        return drawn
    return None


def _write(outcomes: Sequence[ScriptOutcome], not_run: Sequence[Script], flags: ScriptFlags) -> None:
    from .junit import junit_xml
    from .page import write_report

    if flags.junit is not None:
        write_file(flags.junit, junit_xml(outcomes, not_run))
    if flags.report is not None:
        write_report(flags.report, outcomes, not_run)


def _leave_one(outcome: ScriptOutcome, teller: Teller, drawn: Path | None, as_json: bool) -> NoReturn:
    from ..run_command import exit_code

    if as_json:
        print_json({"error": outcome.error} if outcome.result is None else outcome.to_json())
    teller.outcome(outcome, drawn)
    if outcome.trouble is not None:
        with plain_errors():  # in JSON, the result says how it ended
            raise outcome.trouble
    assert outcome.result is not None
    raise typer.Exit(exit_code(outcome.result))
