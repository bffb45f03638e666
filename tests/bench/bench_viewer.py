"""A page of 200 steps: how large, how long to write, how long until its first frame shows, how long a key takes.

    python tests/bench/bench_viewer.py [--steps 200] [--repeats 10] [--strict]

Two runs of 1280x720 px screens drawn by `tasks/screens`: "usual", where every fifth step comes to a new screen and the
others change a part of one, and "all new", where no picture has anything of the one before. With --strict it fails
unless both pages are below 30 MB and show their first frame within 2 s.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from moonhand.agent import Step, Trajectory, read_trajectory
from moonhand.envs import Click, Effect, Frame, TypeText, find_chromium
from moonhand.tasks.screens.synthetic import draw_screen
from moonhand.tasks.viewer import write_page
from playwright.sync_api import Browser, sync_playwright

SIZE_PX = (1280, 720)
LARGEST_MB, LONGEST_S = 30, 2.0


def frames(steps: int, *, all_new: bool) -> Iterator[Frame]:
    """One more than there are steps."""
    rng = Random(f"viewer {all_new}")
    pixels_HW3 = draw_screen(rng, *SIZE_PX).pixels_HW3
    for number in range(steps + 1):
        if all_new or number % 5 == 0:
            pixels_HW3 = draw_screen(rng, *SIZE_PX).pixels_HW3
        else:  # a part of another screen opens over this one, as a menu or a typed text does
            part_HW3 = draw_screen(rng, 320, 220).pixels_HW3
            pixels_HW3 = np.array(pixels_HW3)
            left, top = rng.randrange(SIZE_PX[0] - 320), rng.randrange(SIZE_PX[1] - 220)
            pixels_HW3[top : top + 220, left : left + 320] = part_HW3
        yield Frame(pixels_HW3)


def write_run(folder: Path, steps: int, *, all_new: bool) -> Path:
    """A trajectory with everything that a step may have, and the pictures above."""
    rng = Random(7)
    with Trajectory(folder, goal=f"look at {steps} screens") as trajectory:
        seen = frames(steps, all_new=all_new)
        before = trajectory.store(next(seen))
        for index, frame in enumerate(seen):
            after = trajectory.store(frame)
            x_px, y_px = rng.uniform(20, SIZE_PX[0] - 20), rng.uniform(20, SIZE_PX[1] - 20)
            action = TypeText(text=f"words {index}") if index % 3 == 2 else Click(x_px=x_px, y_px=y_px)
            trajectory.append(
                Step(
                    index=index,
                    turn=index,
                    before=before,
                    after=after,
                    action=action,
                    instruction=f"the control number {index}",
                    reply=f"click(x={x_px / SIZE_PX[0]:.3f}, y={y_px / SIZE_PX[1]:.3f})",
                    thought="It is in the part that just opened. " * 6,
                    confidence=rng.random(),
                    effect=Effect(True, "done", True, act_s=rng.random() / 10, settle_s=0.05, change="changed_near"),
                    model_s=rng.random(),
                    started_at_s=time.time(),
                )
            )
            before = after
        trajectory.finish("finished", success=True)
    return folder


def measure(browser: Browser, page_file: Path, repeats: int) -> dict[str, Any]:
    """Medians of opening times (until the first frame is painted) and of key presses (until the next frame is)."""
    shown_s: list[float] = []
    for _ in range(repeats):
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(page_file.as_uri(), wait_until="commit")
        page.wait_for_selector("html[data-shown-ms]", state="attached")
        shown_s.append(float(page.evaluate("document.documentElement.dataset.shownMs")) / 1000)
        page.close()
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(page_file.as_uri())
    page.wait_for_selector("html[data-shown-ms]", state="attached")
    step_s: list[float] = page.evaluate(STEP_THROUGH, 60)
    jump_s: list[float] = page.evaluate(JUMP, 20)
    page.close()
    return {
        "shown_s": round(statistics.median(shown_s), 3),
        "shown_most_s": round(max(shown_s), 3),
        "step_ms": round(1000 * statistics.median(step_s), 1),
        "step_p95_ms": round(1000 * sorted(step_s)[int(0.95 * len(step_s))], 1),
        "jump_ms": round(1000 * statistics.median(jump_s), 1),
    }


WAIT_FOR_FRAME = """
const turned = async (act) => {
  const from = performance.now();
  act();
  const number = () => document.querySelector("[aria-current] .caption b").textContent;
  while (document.querySelector(".view").dataset.step !== number()) await new Promise(requestAnimationFrame);
  return (performance.now() - from) / 1000;
};
"""
STEP_THROUGH = (
    "async (count) => {"
    + WAIT_FOR_FRAME
    + """
  const times = [];
  for (let at = 0; at < count; at++) {
    times.push(await turned(() => document.dispatchEvent(new KeyboardEvent("keydown", { key: "j" }))));
  }
  return times;
}"""
)
JUMP = (
    "async (count) => {"
    + WAIT_FOR_FRAME
    + """
  const cells = document.querySelectorAll(".cell");
  const times = [];
  for (let at = 0; at < count; at++) times.push(await turned(() => cells[(at * 67) % cells.length].click()));
  return times;
}"""
)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--strict", action="store_true")
    asked = parser.parse_args()
    rows: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as root, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium())
        for name in ("usual", "all new"):
            recording = read_trajectory(write_run(Path(root) / name, asked.steps, all_new=name == "all new"))
            start_s = time.perf_counter()
            written = write_page(recording, Path(root) / f"{name}.html")
            row = {
                "steps": written.num_steps,
                "pictures": written.num_pictures,
                "lossy": written.num_lossy,
                "MB": round(written.num_bytes / 1e6, 2),
                "frames_MB": round(sum(path.stat().st_size for path in (Path(root) / name).rglob("*.png")) / 1e6, 2),
                "write_s": round(time.perf_counter() - start_s, 1),
            }
            rows[name] = row | measure(browser, written.path, asked.repeats)
            print(f"{name:8} {rows[name]}", file=sys.stderr)
        rows["chromium"] = browser.version
        browser.close()
    print(json.dumps(rows))
    if asked.strict:
        for name in ("usual", "all new"):
            assert rows[name]["MB"] < LARGEST_MB, rows[name]
            assert rows[name]["shown_s"] < LONGEST_S, rows[name]


if __name__ == "__main__":
    main()
