"""Scripts played in one real page, with a model that points at the middle of whatever it is shown."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from moonhand.agent import Step, Trajectory
from moonhand.envs import BrowserConfig, BrowserEnv, Navigate, Size
from moonhand.model import Answering, load
from moonhand.tasks.scripts import load_script
from moonhand.tasks.scripts.cache import Cache, cache_folder
from moonhand.tasks.scripts.carry_out import Told, carry_out_script
from moonhand.tasks.scripts.hands import HandsConfig
from moonhand.tasks.scripts.known import first_values
from moonhand.tasks.scripts.lazy_engine import LazyEngine
from moonhand.tasks.scripts.outcome import ScriptOutcome, StepResult
from moonhand.tasks.scripts.runner import RunnerConfig
from moonhand.tasks.scripts.values import Value

VIEWPORT = Size(300, 200)


@pytest.fixture(scope="session")
def middle(middle_checkpoint: Path) -> Answering:
    return load(middle_checkpoint)


@pytest.fixture(scope="module")
def env(chromium: str) -> Generator[BrowserEnv]:
    with BrowserEnv(BrowserConfig(url="about:blank", viewport=VIEWPORT, executable=chromium)) as opened:
        yield opened


@dataclass
class Player:
    """Plays scripts written in `folder`; each run is a new trajectory there."""

    env: BrowserEnv
    folder: Path
    load: Callable[[], Answering]
    warnings: list[str] = field(default_factory=list[str])
    num_runs: int = 0

    def __call__(
        self,
        script: str | Path,
        values: Mapping[str, Value] | None = None,
        *,
        cache: bool = True,
        heard: Callable[[StepResult], None] | None = None,
        load: Callable[[], Answering] | None = None,
        sure: float | None = None,
    ) -> ScriptOutcome:
        path = script if isinstance(script, Path) else self.folder / "script.yaml"
        if isinstance(script, str):
            path.write_text(script)
        told = load_script(path)
        self.num_runs += 1
        if told.url is not None:
            self.env.perform(Navigate(url=told.url))

        def step(step: Step, how: Any) -> None: ...

        with Trajectory(self.folder / f"run{self.num_runs}", goal="script") as trajectory:
            return carry_out_script(
                told,
                first_values(told, values or {}),
                self.env,
                LazyEngine(load or self.load),
                trajectory,
                hands=HandsConfig(),
                runner=RunnerConfig(sure=sure),
                cache=Cache(cache_folder(path)) if cache else None,
                url=told.url,
                pages={},
                told=Told(step=step, result=heard or (lambda result: None), warning=self.warnings.append),
            )


@pytest.fixture
def play(env: BrowserEnv, middle: Answering, tmp_path: Path) -> Player:
    return Player(env, tmp_path, lambda: middle)


def failing_load() -> Answering:
    """For runs that must not need a model."""
    raise AssertionError("the model was loaded")


@pytest.fixture
def no_model() -> Callable[[], Answering]:
    return failing_load
