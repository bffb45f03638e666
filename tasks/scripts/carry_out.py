"""One script on one open screen, from its first step to what is kept of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ...agent import AgentError, RunResult, Step, Trajectory, TrajectoryError
from ...agent.trajectory.disk import write_atomically
from ...envs import EnvError, Finish
from ...model import ModelError
from ..finite import finite
from ..run import check_page, stops_until_heard
from .cache import Cache
from .failures import Ended, StepFailed
from .hands import Hands, HandsConfig, How
from .lazy_engine import LazyEngine
from .memory import Memory
from .outcome import CacheUse, CheckResult, ScriptOutcome, StepResult
from .runner import Runner, RunnerConfig
from .tree import Script
from .values import Value

FILE = "script.json"  # in the trajectory's folder: what came of each step


@dataclass(frozen=True, kw_only=True)
class Told:
    """Who hears of a run while it goes on."""

    step: Callable[[Step, How | None], None]  # of the trajectory
    result: Callable[[StepResult], None]  # of the script
    warning: Callable[[str], None]


def carry_out_script(
    script: Script,
    values: Mapping[str, Value],
    env: Any,
    engine: LazyEngine,
    trajectory: Trajectory,
    *,
    hands: HandsConfig,
    runner: RunnerConfig,
    cache: Cache | None,
    url: str | None,
    pages: Mapping[str, str],
    told: Told,
) -> ScriptOutcome:
    """Carry it out, ask its checks, and keep what was found for the next run where it went well.

    Ctrl-C becomes an outcome with status `stopped`, and what the screen, the model or the disk raise its `trouble`:
    the trajectory has its result in any case, and `script.json` beside it what came of each step.
    """
    start_s, started_at_s, calls = time.monotonic(), time.time(), engine.num_calls
    memory = None if cache is None else Memory(env, cache, pages)
    doing = Hands(env, engine, memory, trajectory, hands, told.step)
    run = Runner(script, doing, runner, told.result)
    checks: tuple[CheckResult, ...] = ()
    trouble: Exception | None = None
    try:
        with stops_until_heard():
            run.run(values)
            checks = check_page(env, script.checks) if script.checks and not hands.is_dry else ()
            doing.record(Finish(), None, env.observe())
        result = _finish(trajectory, run, checks, is_dry=hands.is_dry)
    except KeyboardInterrupt:
        result = trajectory.result or trajectory.finish("stopped")
    except Ended as end:
        result = trajectory.finish(end.status, answer=end.answer)
    except StepFailed as failure:
        result = trajectory.finish(failure.status, success=False, error=_where(run, failure))
    except (EnvError, ModelError, AgentError) as error:
        trouble = error
        result = trajectory.result or _finish_broken(trajectory, error)
    num_kept = 0
    if memory is not None and result.status == "finished" and result.success is not False and not hands.is_dry:
        try:
            num_kept = memory.keep(run=trajectory.path.name, url=url)
        except (OSError, TrajectoryError) as error:
            told.warning(f"what was found is not kept for the next run: {error}")
    outcome = ScriptOutcome(
        script=script,
        result=result,
        steps=tuple(run.results),
        checks=checks,
        variables=dict(run.variables),
        cache=CacheUse(
            folder=None if cache is None else cache.folder,
            num_found=doing.num_steps["cache"],
            num_asked=doing.num_steps["model"],
            num_calls=engine.num_calls - calls,
            num_kept=num_kept,
        ),
        took_s=time.monotonic() - start_s,
        started_at_s=started_at_s,
        trouble=trouble,
    )
    about = outcome.to_json() | {"model": engine.manifest() if engine.is_loaded and outcome.cache.num_calls else None}
    with suppress(OSError):
        write_atomically(trajectory.path / FILE, json.dumps(finite(about), indent=1, allow_nan=False).encode())
    return outcome


def _finish(trajectory: Trajectory, run: Runner, checks: tuple[CheckResult, ...], *, is_dry: bool) -> RunResult:
    if is_dry:
        return trajectory.finish("dry_run")
    if run.failures:
        return trajectory.finish("failed", success=False, error="; ".join(run.failures))
    is_checked = bool(checks or run.num_expected)
    return trajectory.finish("finished", success=all(check.ok for check in checks) if is_checked else None)


def _finish_broken(trajectory: Trajectory, error: Exception) -> RunResult:
    said = f"{type(error).__name__}: {error}"
    with suppress(TrajectoryError):  # a full disk cannot take the result either
        return trajectory.finish("error", error=said)
    return RunResult(status="error", success=None, steps=trajectory.num_steps, path=trajectory.path, error=said)


def _where(run: Runner, failure: StepFailed) -> str:
    """The failure with its place: that of the innermost step that failed."""
    failed = [each for each in run.results if each.status == "failed" and each.error == failure.said]
    return f"{failed[-1].spot}: {failure.said}" if failed else failure.said
