"""What a replay does on pages that have changed: 12 pages x 7 changes x 3 modes.

    python tests/replay_table.py [--pages form,menu] [--changes moved] [--modes exact] [--out FILE.json]

Each page keeps by itself what every click hit (window.hits). A cell is "done" right, "healed" right, "stopped" with
nothing but right clicks before, or "WRONG": a click hit something that the recorded run did not hit, or was missed.
"needless": a stop though the page was unchanged. The last line is one JSON object; a wrong click leaves with 1.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from moonhand.agent import Reply, Step, Target, Trajectory, locate, read_trajectory, run_to_end
from moonhand.agent.dialects import Parsed
from moonhand.agent.replay import Mode, ReplayConfig, read_report, replay_to_end
from moonhand.envs import Action, BrowserConfig, BrowserEnv, Click, Finish, Frame, Navigate, Scroll, Size, TypeText
from moonhand.tasks.demo import serve_folder

FOLDER = Path(__file__).parent / "replay_pages"
VIEWPORT = Size(480, 440)
MODES: tuple[Mode, ...] = ("exact", "anchored", "reground")
CHANGES = ("unchanged", "moved", "restyled", "renamed", "delayed", "covered", "removed")
VERDICTS = ("done", "healed", "stopped", "needless", "WRONG")
TARGET = "click [data-target]"
PAGES: dict[str, tuple[str, ...]] = {  # what is done on each; a click names what it is for by CSS
    "form": ("click #name", "type Ada Lovelace", "click #email", "type ada@fernway.example", TARGET),
    "table": (TARGET,),
    "menu": ("click #open", TARGET),
    "dialog": ("click #open", TARGET),
    "cards": (TARGET,),
    "tabs": ("click #open", TARGET),
    "canvas": (TARGET,),
    "rows": (TARGET,),
    "toolbar": (TARGET,),
    "shadow": (TARGET,),
    "scrolled": ("scroll 20", TARGET),
    "iframe": (TARGET,),
}
WORDS = {  # what a model is told to find, where it is not the name of what lies there
    "table": "click Pay", "cards": "click Buy", "rows": "click Delete", "canvas": "click Start",
}  # fmt: skip


class PagePolicy:
    """Does the steps of a page, whose places the page tells when it comes to them."""

    def __init__(self, env: BrowserEnv, name: str) -> None:
        self._env, self._name = env, name

    def reply(self, goal: str, frame: Frame, history: Sequence[Step]) -> Reply:
        steps = PAGES[self._name]
        if len(history) == len(steps):
            return Reply(text="", actions=(Finish(),))
        verb, _, rest = steps[len(history)].partition(" ")
        instruction = WORDS.get(self._name) if rest == "[data-target]" else None
        return Reply(text="", actions=(self._action(verb, rest),), instruction=instruction)

    def read(self, reply: Reply, frame: Frame) -> Parsed:
        return Parsed(reply.actions or ())

    def manifest(self) -> dict[str, Any]:
        return {"kind": "page"}

    def _action(self, verb: str, rest: str) -> Action:
        if verb == "click":
            x_px, y_px = self._env.evaluate(f"place({json.dumps(rest)})")
            return Click(x_px=x_px, y_px=y_px)
        return TypeText(text=rest) if verb == "type" else Scroll(dy=float(rest))


@contextmanager
def opened() -> Generator[tuple[BrowserEnv, str]]:
    """A browser for all cells, and where the pages are."""
    with (
        serve_folder(FOLDER) as address,
        BrowserEnv(BrowserConfig(url=f"{address}/form.html", viewport=VIEWPORT, settle_s=0.6)) as env,
    ):
        yield env, address


def record(env: BrowserEnv, address: str, name: str, folder: Path) -> list[str]:
    """Do it once, and what was hit."""
    load(env, address, name, "unchanged")
    with Trajectory(folder, goal=name) as trajectory:
        result = run_to_end(env, PagePolicy(env, name), name, trajectory)
    assert result.status == "finished", result
    return hits(env)


def replayed(
    env: BrowserEnv,
    address: str,
    name: str,
    change: str,
    mode: Mode,
    recorded: Path,
    out: Path,
    how: ReplayConfig | None = None,
) -> list[str]:
    """Do it again on the changed page, and what was hit."""
    load(env, address, name, change)
    config = replace(how or ReplayConfig(), mode=mode, speed=1000.0 if mode == "exact" else None)
    with Trajectory(out, goal=name, source="replay") as trajectory:
        replay_to_end(
            read_trajectory(recorded), env, trajectory, config, locate=ask_nano if mode == "reground" else None
        )
    return hits(env)


def judge(out: Path, hit: list[str], right: list[str], change: str) -> tuple[str, str]:
    """The verdict of a cell, and what the replay said of it."""
    result, report = read_trajectory(out).result, read_report(out)
    assert result is not None
    kinds = sorted({step["kind"] for step in report["steps"] if step["kind"]})
    hows = sorted({step["how"] for step in report["steps"] if step["verdict"] == "healed"})
    said = result.error or "+".join((*kinds, *hows))
    if hit != right[: len(hit)] or (result.status == "finished" and hit != right):
        return "WRONG", f"{said}: {hit} for {right}"
    if result.status == "finished":
        return ("healed" if hows else "done"), said
    return ("needless" if change == "unchanged" else "stopped"), said


def load(env: BrowserEnv, address: str, name: str, change: str) -> None:
    env.perform(Navigate(url=f"{address}/{name}.html?vary={change}"))
    deadline_s = time.monotonic() + 10
    while env.evaluate("document.documentElement.dataset.ready") != "yes" and time.monotonic() < deadline_s:
        time.sleep(0.02)


def hits(env: BrowserEnv) -> list[str]:
    return cast(list[str], env.evaluate("hits"))


def ask_nano(frame: Frame, words: str) -> Target:
    return locate(nano(), frame, words)


@cache
def nano() -> Any:
    from moonhand.model import load as load_model

    return load_model("nano")


def main() -> None:
    parser = argparse.ArgumentParser(description="What a replay does on pages that have changed.")
    parser.add_argument("--pages", default=",".join(PAGES))
    parser.add_argument("--changes", default=",".join(CHANGES))
    parser.add_argument("--modes", default=",".join(MODES))
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    counts: dict[str, dict[str, Counter[str]]] = {}
    cells: list[dict[str, Any]] = []
    with opened() as (env, address), TemporaryDirectory() as scratch:
        for name in arguments.pages.split(","):
            recorded = Path(scratch) / name
            right = record(env, address, name, recorded)
            for change in arguments.changes.split(","):
                for mode in arguments.modes.split(","):
                    out = Path(scratch) / f"{name}-{change}-{mode}"
                    start_s = time.monotonic()
                    hit = replayed(env, address, name, change, mode, recorded, out)
                    verdict, said = judge(out, hit, right, change)
                    counts.setdefault(change, {}).setdefault(mode, Counter())[verdict] += 1
                    cells.append({"page": name, "change": change, "mode": mode, "verdict": verdict, "said": said})
                    took_s = time.monotonic() - start_s
                    print(
                        f"{name:9} {change:9} {mode:9} {verdict:8} {took_s:5.1f} s  {said}", file=sys.stderr, flush=True
                    )
    show(counts)
    wrong = sum(cell["verdict"] == "WRONG" for cell in cells)
    told = {"table": "replay", "wrong_clicks": wrong, "counts": counts, "cells": cells}
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(told, indent=2), encoding="utf-8")
    print(json.dumps({name: value for name, value in told.items() if name != "cells"}))
    raise SystemExit(1 if wrong else 0)


def show(counts: dict[str, dict[str, Counter[str]]]) -> None:
    modes = [mode for mode in MODES if any(mode in by_mode for by_mode in counts.values())]
    print("| change | " + " | ".join(f"{mode}: {' / '.join(VERDICTS)}" for mode in modes) + " |")
    print("|---|" + "---|" * len(modes))
    for change, by_mode in counts.items():
        row = (" / ".join(str(by_mode[mode][verdict]) for verdict in VERDICTS) for mode in modes)
        print(f"| {change} | " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
