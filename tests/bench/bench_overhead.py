"""What a step costs around the model: act, wait until the page is still, and look, as an array of pixels.

    python tests/bench/bench_overhead.py [--rounds N] [--only WORDS]

Headless and kiosk beside Playwright's click and screenshot, with a fixed sleep of 0.5 s in between and with none, in
one run, on a page of gradients and words. On the still page a click changes nothing; on the other it changes a word.
Contenders take turns. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from statistics import median
from typing import Any

import numpy as np
from moonhand.envs import BrowserConfig, BrowserEnv, Click, Size, Surface, find_chromium
from moonhand.tasks.model_bench.measure import Paired, interleave
from PIL import Image
from playwright.sync_api import Page, sync_playwright

HD, FULL_HD = Size(1280, 720), Size(1920, 1080)
OURS: dict[str, tuple[Surface, Size]] = {
    "headless 1280x720": ("headless", HD),
    "kiosk 1280x720": ("kiosk", HD),
    "kiosk 1920x1080": ("kiosk", FULL_HD),
}
SLEPT, AT_ONCE = "playwright, 0.5 s of sleep, 1280x720", "playwright at once 1280x720"
PLACE = (200, 100)
PAGE = """<!doctype html><body style="margin: 0; font: 15px sans-serif; background: #eef">
<button id=b style="position: absolute; left: 100px; top: 60px; width: 200px; height: 80px">0</button>
<div style="display: grid; grid-template-columns: repeat(6, 1fr); gap: 8px; padding: 160px 8px 8px">%s</div>
<script>%s</script>"""
CARD = """<div style="height: 110px; padding: 8px; border-radius: 8px;
  background: linear-gradient(%ddeg, hsl(%d 60%% 80%%), hsl(%d 60%% 95%%))">
Account %d<br>Balance of %d on the day it was last looked at</div>"""
CHANGES = {"still": "", "changing": "b.onclick = () => { b.textContent = +b.textContent + 1 }"}
BUDGET_S = 60.0  # a page
Parts = dict[str, list[tuple[float, float, float]]]  # act, settle, look in s


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--only", default="", help="of the pages the one with this name")
    arguments = parser.parse_args()
    cards = "".join(CARD % (7 * n, 11 * n % 360, 13 * n % 360, n, 7919 * n) for n in range(60))
    results: dict[str, Any] = {}
    for name, script in CHANGES.items():
        if arguments.only in name:
            results[name] = measure(f"data:text/html,{PAGE % (cards, script)}".replace("#", "%23"), arguments.rounds)
            show(name, results[name])
    print(json.dumps({"bench": "overhead", "pages": results}))


def measure(url: str, rounds: int) -> dict[str, Any]:
    parts: Parts = {name: [] for name in OURS}
    with ExitStack() as stack:
        calls = {name: ours(stack, url, *how, parts[name]) for name, how in OURS.items()}
        playwright = stack.enter_context(sync_playwright())
        browser = stack.enter_context(playwright.chromium.launch(executable_path=find_chromium()))
        page = browser.new_page(viewport={"width": HD.width_px, "height": HD.height_px})
        page.goto(url)
        calls |= {SLEPT: peer(page, 0.5), AT_ONCE: peer(page, 0.0)}
        paired = interleave(calls, rounds=rounds, warmup=2, budget_s=BUDGET_S)
    return {
        "contenders": {name: told(paired, parts.get(name, []), name) for name in calls},
        "others_cores": paired.others_cores,
    }


def ours(
    stack: ExitStack, url: str, surface: Surface, size: Size, parts: list[tuple[float, float, float]]
) -> Callable[[], float]:
    env = stack.enter_context(BrowserEnv(BrowserConfig(url=url, viewport=size, surface=surface)))
    env.observe()

    def step() -> float:
        started_s = time.perf_counter()
        effect = env.perform(Click(x_px=PLACE[0], y_px=PLACE[1]))
        performed_s = time.perf_counter()
        assert env.observe().pixels_HW3.shape[2] == 3
        ended_s = time.perf_counter()
        parts.append((effect.act_s, effect.settle_s, effect.capture_s + ended_s - performed_s))
        return ended_s - started_s

    return step


def peer(page: Page, sleep_s: float) -> Callable[[], float]:
    def step() -> float:
        started_s = time.perf_counter()
        page.mouse.click(*PLACE)
        if sleep_s:
            time.sleep(sleep_s)
        with Image.open(io.BytesIO(page.screenshot())) as image:
            assert np.asarray(image.convert("RGB")).shape[2] == 3
        return time.perf_counter() - started_s

    return step


def told(paired: Paired, parts: list[tuple[float, float, float]], name: str) -> dict[str, Any]:
    samples = paired.samples[name]
    result: dict[str, Any] = {"median_ms": ms(samples.median_s), "p90_ms": ms(samples.p90_s)}
    if parts:
        timed = parts[-len(samples.seconds) :]
        for number, part in enumerate(("act_ms", "settle_ms", "look_ms")):
            result[part] = ms(median(each[number] for each in timed))
        result["times_as_fast_as_slept"] = round(paired.ratio(name, SLEPT), 2)
        result["times_as_fast_as_at_once"] = round(paired.ratio(name, AT_ONCE), 2)
    return result


def show(name: str, result: dict[str, Any]) -> None:
    print(f"{name} page; {result['others_cores']} cores used by others")
    for contender, figures in result["contenders"].items():
        print(f"  {contender:40}", "  ".join(f"{key} {value:g}" for key, value in figures.items()))


def ms(seconds: float) -> float:
    return round(1000 * seconds, 1)


if __name__ == "__main__":
    main()
