"""`moonhand eval run`: ask a model for every sample of a suite, and go on where an earlier run ended."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ...envs import MissingTool
from ...model.seeds import LARGEST_SEED
from ..console import (
    STOPPED,
    DeviceFlag,
    DtypeFlag,
    JsonFlag,
    ModelFlag,
    ProfileFlag,
    QuantizeFlag,
    people,
    plain_errors,
    print_json,
)
from ..errors import BadRequest
from ..training.interrupt import until_interrupted
from .check_command import BoxesFlag

if TYPE_CHECKING:
    from .asker import AskerSource
    from .executors.answered import Executor, Limits
    from .prediction import Failure
    from .runner import Check, Ended
    from .sample import Suite

Again = Literal["crashed", "timed_out", "both"]
ExecutorName = Literal["inline", "processes", "ray"]
REQUESTS = 16  # under way at once at a server, unless --workers says otherwise


def run_eval(
    suite: Annotated[str, typer.Argument(metavar="SUITE", help="A name of `moonhand eval list`.")],
    data: Annotated[Path, typer.Option("--data", metavar="DIR", help="The folder with the suite's files.")],
    model: ModelFlag = "nano",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where the run goes. (default: runs/eval/SUITE-MODEL)")
    ] = None,
    executor: Annotated[
        ExecutorName, typer.Option("--executor", help="Who asks: this process, worker processes, or a Ray cluster.")
    ] = "inline",
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, help="How many. (default: one a GPU or CPU; of requests to a server 16)"),
    ] = None,
    ray: Annotated[
        str | None, typer.Option("--ray", metavar="ADDRESS", help="A Ray cluster that is there, such as auto.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Ask the first N samples that can be asked.")
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", min=0, max=LARGEST_SEED, help="Of replies that are drawn at random.")
    ] = 0,
    threads: Annotated[
        int, typer.Option("--threads", min=1, help="CPU threads of one worker; another number, other last digits.")
    ] = 1,
    device: DeviceFlag = "auto",
    dtype: DtypeFlag = "auto",
    quantize: QuantizeFlag = None,
    profile: ProfileFlag = None,
    zoom: Annotated[
        bool, typer.Option("--zoom", help="Where the model is not sure, look again at parts in native resolution.")
    ] = False,
    patch_limit: Annotated[
        int | None, typer.Option("--patch-limit", min=1, help="Of a picture. (default: the checkpoint's own)")
    ] = None,
    timeout_s: Annotated[
        float | None, typer.Option("--timeout-s", help="A sample that takes longer is asked again. (default: no limit)")
    ] = None,
    retries: Annotated[
        int, typer.Option("--retries", min=0, help="How often after a time-out or a crash, until that is its row.")
    ] = 1,
    boxes: BoxesFlag = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave broken rows out; they count as wrong.")] = False,
    again: Annotated[
        Again | None, typer.Option("--again", help="Forget the rows that failed so, and ask for them anew.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget what is in the folder.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Ask a model for every sample of a suite; the same command goes on after any interruption."""
    from ...agent import ZoomConfig, find_profile
    from .executors.answered import Limits
    from .manifest import manifest_of
    from .progress import RunProgress
    from .run_folder import RunFolder
    from .runner import checker, folder_for, run_suite
    from .suites.open import open_suite

    with plain_errors(as_json):
        if timeout_s is not None and not timeout_s > 0:
            raise BadRequest(f"--timeout-s {timeout_s:g}: give seconds above 0")
        if ray is not None and executor != "ray":
            raise BadRequest("--ray names a cluster: give --executor ray too")
        choice = _Choice(
            executor=executor, workers=workers, ray=ray, limits=Limits(timeout_s=timeout_s, retries=retries)
        )
        opened = open_suite(suite, data.absolute(), skip_bad=skip_bad, boxes=boxes).first(limit)
        asked_as = None if profile is None else find_profile(profile)
        source = _source(
            model,
            choice,
            profile=asked_as,
            zoom=ZoomConfig() if zoom else None,
            seed=seed,
            threads=threads,
            device=device,
            dtype=dtype,
            quantize=quantize,
            patch_limit=patch_limit,
        )
        manifest = manifest_of(opened, source, limit=limit)
        place = out or folder_for(opened.name, str(manifest["model"]["name"]))
        on_gpu = manifest["model"].get("device") == "cuda"
        with RunFolder(place, manifest, fresh=fresh, again=_failures(again)) as folder:
            worker = choice.open(source, checker(manifest), on_gpu=on_gpu)
            with until_interrupted() as stop, RunProgress(None if as_json else people()) as watch:
                ended = _unless_broken_off(
                    lambda: run_suite(opened, source, worker, folder, manifest, stop=stop, watch=watch)
                )
            num_done = len(folder.predictions)
        _say(ended, opened, place, num_done, as_json=as_json)


@dataclass(frozen=True, kw_only=True)
class _Choice:
    """How the samples reach the model."""

    executor: ExecutorName
    workers: int | None
    ray: str | None
    limits: Limits

    def open(self, source: AskerSource, check: Check, *, on_gpu: bool) -> Executor:
        """Nothing is started yet."""
        from .executors.inline import InlineExecutor
        from .executors.pool import PoolExecutor
        from .executors.processes import ProcessForce
        from .executors.threads import ThreadForce

        if self.executor == "inline" and source.in_flight is None:
            return InlineExecutor(source, self.limits, check)
        if source.in_flight is not None:
            return PoolExecutor(lambda: ThreadForce(source, source.in_flight or 1), self.limits, check)
        if self.executor == "processes":
            size = self.workers or _places(source.threads, on_gpu=on_gpu)
            return PoolExecutor(lambda: ProcessForce(source, size), self.limits, check)
        from .executors.ray import RayForce

        return PoolExecutor(lambda: RayForce(source, self.workers, address=self.ray, on_gpu=on_gpu), self.limits, check)


def _source(
    name: str, choice: _Choice, *, threads: int, device: str, dtype: str, quantize: str | None, **how: Any
) -> AskerSource:
    from ...model.remote_address import is_remote
    from .executors.ray import NO_RAY

    if not is_remote(name):
        from .engine_source import EngineSource

        if choice.executor == "inline" and choice.workers not in (None, 1):
            raise BadRequest("--executor inline is one worker: give --executor processes for more")
        if choice.executor == "ray" and find_spec("ray") is None:
            raise MissingTool(NO_RAY)
        elsewhere = choice.ray is not None
        return EngineSource(
            model=name if name == "nano" else str(Path(name).absolute()),  # workers may run in another folder
            threads=threads,
            device=device,
            dtype=dtype,
            quantize=quantize,
            elsewhere=elsewhere,
            **how,
        )
    from .remote_source import RemoteSource

    if choice.executor != "inline":
        raise BadRequest(
            f"{name} answers elsewhere: leave --executor out; --workers says how many requests are sent at once"
        )
    if (device, dtype, quantize, how.pop("patch_limit")) != ("auto", "auto", None, None):
        raise BadRequest(
            "--device, --dtype, --quantize and --patch-limit are for a model of this machine, not one behind a server"
        )
    return RemoteSource(model=name, requests=choice.workers or REQUESTS, **how)


def _places(threads: int, *, on_gpu: bool) -> int:
    """Workers that this machine has room for."""
    import os

    from ...model.planned import num_devices

    return max(1, num_devices() if on_gpu else (os.cpu_count() or 1) // threads)


def _unless_broken_off(run: Callable[[], Ended]) -> Ended | None:
    """None after a second Ctrl-C, or a signal that ends the program: what was written is there all the same."""
    with suppress(KeyboardInterrupt):
        return run()
    return None


def _failures(again: Again | None) -> tuple[Failure, ...]:
    from .prediction import Failure

    return {
        None: (),
        "crashed": (Failure.CRASHED,),
        "timed_out": (Failure.TIMED_OUT,),
        "both": (Failure.CRASHED, Failure.TIMED_OUT),
    }[again]


def to_go_on(words: Sequence[str]) -> list[str]:
    """A command without what has been forgotten already."""
    kept: list[str] = []
    for word, before in zip(words, ("", *words), strict=False):
        if word not in ("--fresh", "--again") and before != "--again" and not word.startswith("--again="):
            kept.append(word)
    return kept


def _say(ended: Ended | None, suite: Suite, place: Path, num_done: int, *, as_json: bool) -> None:
    """The result, or how to go on and exit code 130."""
    if ended is None or ended.result is None:
        again = shlex.join(("moonhand", *to_go_on(sys.argv[1:])))
        people().print(
            f"stopped: {num_done} of {len(suite.samples)} rows are in {place}; to go on: {again}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
        if as_json:
            print_json({"stopped": True, "done": num_done, "total": len(suite.samples), "out": str(place)})
        raise typer.Exit(STOPPED)
    result = ended.result
    if as_json:
        print_json({"out": str(place), "asked": ended.num_asked, **result.to_json()})
        return
    low, high = result.ci95
    people().print(
        f"{suite.name}: {result.correct} of {result.n} right, {result.accuracy:.1%} (95 % interval {low:.1%} to "
        f"{high:.1%}); the run is in {place}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
