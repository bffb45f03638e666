"""What a replay costs a step: everything but acting and waiting until the page is still.

    python tests/bench/bench_replay.py [--rounds N] [--steps N]

A page of a form and 20 buttons that change nothing else; 20 recorded steps, replayed anchored and exact (at full
speed), with no model. `still` is the page as it was; `caret` has a place that changes by itself all the time. The last
line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from moonhand.agent import ScriptedPolicy, Trajectory, read_trajectory, run_to_end
from moonhand.agent.loop import RunConfig
from moonhand.agent.replay import ReplayConfig, read_report, replay_to_end
from moonhand.envs import Action, BrowserConfig, BrowserEnv, Click, Navigate, Size, TypeText

BUDGET_MS = 60.0
PAGE = """<!doctype html><title>Desk</title><style>body { font: 15px sans-serif; margin: 20px }
main { display: grid; grid-template-columns: repeat(5, 1fr); gap: 14px; margin-top: 20px } button { padding: 12px }
</style><h2>Desk</h2><label>Note <input id=note></label><i id=tick></i><main>%s</main>
<p>Rest of the page, with some words on it, as pages have.</p><script>%s
for (const each of document.querySelectorAll("button"))
  each.onclick = () => { each.style.background = "#cfe" }</script>"""
CHANGES = {"still": "", "ticking": "setInterval(() => { tick.textContent = Date.now() % 100000 }, 200)"}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=20)
    arguments = parser.parse_args()
    results: dict[str, Any] = {}
    with TemporaryDirectory() as scratch:
        for size in (Size(480, 440), Size(1280, 720)):
            for change in CHANGES:
                found = measure(Path(scratch) / f"{size}-{change}", change, size, arguments.rounds, arguments.steps)
                for mode, figures in found.items():
                    results[f"{size} {change} {mode}"] = figures
                    print(f"{size} {change:8} {mode:9} {figures}")
    worst_ms = max(figures["median_ms"] for name, figures in results.items() if "still" in name)
    machine = {"cpu": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    print(
        json.dumps({"bench": "replay", "budget_ms": BUDGET_MS, "worst_still_ms": worst_ms, **machine, "runs": results})
    )


def measure(folder: Path, change: str, size: Size, rounds: int, num_steps: int) -> dict[str, dict[str, float]]:
    """Of each mode, ms a step: median, the 95 % point, and the median of the rounds' totals over their steps."""
    folder.mkdir()
    buttons = "".join(f"<button>Item {number}</button>" for number in range(20))
    (folder / "page.html").write_text(PAGE % (buttons, CHANGES[change]))
    url = (folder / "page.html").as_uri()
    with BrowserEnv(BrowserConfig(url=url, viewport=size)) as env:
        actions = list(actions_on(env, num_steps))
        with Trajectory(folder / "recorded", goal="") as trajectory:
            run_to_end(env, ScriptedPolicy(actions), "", trajectory, RunConfig(max_steps=num_steps + 1))
        recorded = read_trajectory(folder / "recorded")
        found: dict[str, dict[str, float]] = {}
        for config in (ReplayConfig(mode="anchored"), ReplayConfig(mode="exact", speed=1e6)):
            each_ms: list[float] = []
            for number in range(rounds + 1):  # the first one warms up
                env.perform(Navigate(url=url))
                out = folder / f"{config.mode}-{number}"
                with Trajectory(out, goal="", source="replay") as trajectory:
                    result = replay_to_end(recorded, env, trajectory, replace(config))
                assert result.status == "finished", result.error
                assert result.steps == num_steps, result
                if number:
                    each_ms += [step["overhead_s"] * 1000 for step in read_report(out)["steps"]]
            each_ms.sort()
            found[config.mode] = {
                "median_ms": round(statistics.median(each_ms), 1),
                "p95_ms": round(each_ms[int(len(each_ms) * 0.95)], 1),
                "mean_ms": round(statistics.fmean(each_ms), 1),
            }
        return found


def actions_on(env: BrowserEnv, num_steps: int) -> Iterator[Action]:
    """The note typed, then the buttons one after another."""
    env.observe()
    places = env.evaluate(
        "[note, ...document.querySelectorAll('button')].map((one) => { const box = one.getBoundingClientRect();"
        " return [box.left + box.width / 2, box.top + box.height / 2] })"
    )
    yield Click(x_px=places[0][0], y_px=places[0][1])
    yield TypeText(text="as yesterday")
    for number in range(num_steps - 2):
        x_px, y_px = places[1 + number % (len(places) - 1)]
        yield Click(x_px=x_px, y_px=y_px)


if __name__ == "__main__":
    main()
