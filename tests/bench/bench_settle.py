"""How long is waited after a click until the page is looked at, and whether what the click set going shows by then.

    python tests/bench/bench_settle.py [--rounds N] [--only WORDS]

Ours beside a fixed sleep of 0.5 s, Playwright's "networkidle" and no wait at all, on nine kinds of page in headless
Chromium, in one run; contenders take turns. A sample is the click and the wait, without the look; before each the page
rests, as it does while a model thinks. Then the same for pixels on a virtual display of 1920x1080: a comparison of two
looks, and the wait on a still screen. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from statistics import median
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
from moonhand.envs import Size, VirtualDisplay, find_chromium
from moonhand.envs.capture import ScreenCapture
from moonhand.envs.change import changed_tiles
from moonhand.envs.page_settle import PageSettler
from moonhand.envs.settle import find_moving, settle_pixels
from moonhand.tasks.model_bench.measure import interleave
from playwright.sync_api import Browser, Page, sync_playwright
from playwright.sync_api import Error as PlaywrightError

OURS, LIMIT_S, SLEEP_S, REST_S, BUDGET_S = "ours", 2.0, 0.5, 0.15, 30.0
LATE_S = 0.8  # everything has come by then
QUIET_S = 0.1  # of pixels
DONE, LATER = "click.onclick = done", "click.onclick = () => fetch('/words?delay_s=0.3').then(done)"
SPINNER = "<div style='width: 50px; height: 50px; background: teal; animation: turn 1s linear infinite'></div>"
HEAD = """<!doctype html><style>body { margin: 0 } #click { width: 200px; height: 100px }
@keyframes turn { to { rotate: 1turn } }</style><button id=click>go</button><p id=out>-</p>%s<script>
const done = () => { out.textContent = "done" }, reset = () => { out.textContent = "-"; click.style = "" };
%s</script>"""
PAGES: dict[str, tuple[str, str]] = {
    "static": ("", DONE),
    "infinite CSS spinner": (SPINNER, DONE),
    "400 ms CSS transition": (
        "",
        "click.onclick = () => { click.style = 'transition: margin .4s; margin: 0 300px' };"
        "click.ontransitionend = () => { if (click.style.margin) done() }",
    ),
    "timer of 300 ms": ("", "click.onclick = () => setTimeout(done, 300)"),
    "fetch of 300 ms": ("", LATER),
    "spinner + fetch of 300 ms": (SPINNER, LATER),
    "navigation to a 300 ms page": ("", "click.onclick = () => { location.href = '/arrived?delay_s=0.3' }"),
    "rAF clock": (
        "<p id=clock>",
        f"{DONE}; (function tick() {{ clock.textContent = performance.now(); requestAnimationFrame(tick) }})()",
    ),
    "click, then page, then timer": ("", "click.onclick = () => { location.href = '/later?delay_s=0.1' }"),
}
OTHERS = {
    "/arrived": "<p id=out>done</p>",
    "/later": "<p id=out>-</p><script>setTimeout(() => { out.textContent = 'done' }, 200)</script>",
    "/words": "words",
}
Wait = Callable[[Page], object]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--only", default="", help="of the pages those with these words in their names")
    arguments = parser.parse_args()
    pages: dict[str, Any] = {}
    with serving() as base, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium())
        for number, name in enumerate(PAGES):
            if arguments.only in name:
                pages[name] = measure(browser, f"{base}/{number}", arguments.rounds)
                show(name, pages[name])
        browser.close()
    pixels = measure_pixels(arguments.rounds)
    print("pixels of 1920x1080:", ", ".join(f"{name} {value:.1f}" for name, value in pixels.items()))
    print(json.dumps({"bench": "settle", "pages": pages, "pixels": pixels}))


def measure(browser: Browser, url: str, rounds: int) -> dict[str, Any]:
    settler = PageSettler(wraps=True, scale=1.0)
    watched, plain = (browser.new_context(viewport={"width": 1280, "height": 720}) for _ in range(2))
    settler.install(watched)
    mine, theirs = watched.new_page(), plain.new_page()
    reached: dict[str, list[bool]] = {}
    begun_s: list[float] = []

    def call(name: str, page: Page, wait: Wait) -> Callable[[], float]:
        def timed() -> float:
            if page.url != url:
                page.goto(url)
                page.wait_for_load_state("networkidle")
            page.evaluate("reset()")
            page.wait_for_timeout(REST_S * 1000)
            start_s = time.perf_counter()
            if page is mine:
                settler.begin(page)
                begun_s.append(time.perf_counter() - start_s)
            page.mouse.click(100, 50)
            wait(page)
            took_s = time.perf_counter() - start_s
            reached.setdefault(name, []).append(has_come(page))
            if not reached[name][-1]:
                page.wait_for_timeout(LATE_S * 1000)  # what comes now is not of the next sample
            if page is mine:
                settler.wait(lambda: page, 0)  # from here on it rests
            return took_s

        return timed

    contenders = {
        OURS: call(OURS, mine, lambda page: settler.wait(lambda: page, LIMIT_S)),
        "sleep": call("sleep", theirs, lambda page: page.wait_for_timeout(SLEEP_S * 1000)),
        "networkidle": call("networkidle", theirs, lambda page: page.wait_for_load_state("networkidle")),
        "none": call("none", theirs, lambda page: None),
    }
    paired = interleave(contenders, rounds=rounds, warmup=1, budget_s=BUDGET_S)
    watched.close()
    plain.close()
    told: dict[str, Any] = {"others_cores": paired.others_cores, "begin_ms": round(median(begun_s) * 1000, 1)}
    for name, samples in paired.samples.items():
        low, high = samples.p10_s * 1000, samples.p90_s * 1000
        told[name] = {
            "median_ms": round(samples.median_s * 1000), "p10_ms": round(low), "p90_ms": round(high),
            "reached": sum(reached[name]), "of": len(reached[name]), "ratio": round(paired.ratio(OURS, name), 2),
        }  # fmt: skip
    return told


def has_come(page: Page) -> bool:
    try:
        return page.evaluate("document.getElementById('out').textContent") == "done"
    except PlaywrightError:  # it navigates just now
        return False


def show(name: str, told: dict[str, Any]) -> None:
    cells = [
        f"{who} {one['median_ms']:.0f} ms {one['reached']}/{one['of']}"
        + ("" if who == OURS else f" (x{one['ratio']:.1f})")
        for who, one in told.items()
        if isinstance(one, dict)
    ]
    print(
        f"{name}: {', '.join(cells)}; begin {told['begin_ms']:.1f} ms; others' cores {told['others_cores']}", flush=True
    )


def measure_pixels(rounds: int) -> dict[str, float]:
    """Medians in ms."""
    before_HW3 = np.random.default_rng(0).integers(0, 256, (1080, 1920, 3), np.uint8)
    same_HW3, button_HW3, all_HW3 = before_HW3.copy(), before_HW3.copy(), np.bitwise_not(before_HW3)
    button_HW3[500:540, 700:800] = 0
    calls: dict[str, Callable[[], object]] = {
        "compare_same": lambda: changed_tiles(before_HW3, same_HW3),
        "compare_button": lambda: changed_tiles(before_HW3, button_HW3),
        "compare_all": lambda: changed_tiles(before_HW3, all_HW3),
    }
    with VirtualDisplay(Size(1920, 1080)) as screen, ScreenCapture(display=screen.display) as capture:
        seen_HW3 = capture.grab()
        calls["baseline"] = lambda: find_moving(capture.grab, seen_HW3)
        calls["still"] = lambda: settle_pixels(capture.grab, quiet_s=QUIET_S, limit_s=LIMIT_S)
        paired = interleave({name: ignoring(call) for name, call in calls.items()}, rounds=rounds)
    return {name: round(samples.median_s * 1000, 2) for name, samples in paired.samples.items()}


def ignoring(call: Callable[[], object]) -> Callable[[], None]:
    def called() -> None:
        call()

    return called


@contextmanager
def serving() -> Generator[str]:
    bodies = OTHERS | {f"/{number}": HEAD % page for number, page in enumerate(PAGES.values())}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            time.sleep(float(parse_qs(address.query).get("delay_s", ["0"])[0]))
            body = bodies.get(address.path, "").encode()
            with suppress(OSError):  # whoever asked has gone on
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    main()
