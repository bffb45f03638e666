"""Thousands of mixed actions in Chromium and on an X display: does anything grow?

    .venv/bin/python tests/soak/soak.py [--browser 2000] [--desktop 1000] [--minutes 10] [--out runs/soak]

Leaves with 1 where something grew, failed or stayed behind, with 2 where the time was over before the actions were.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from moonhand.envs import (
    Action,
    AnswerDialog,
    Back,
    BrowserConfig,
    BrowserEnv,
    Click,
    CloseTab,
    DesktopConfig,
    DesktopEnv,
    Drag,
    Env,
    EnvError,
    Forward,
    GetClipboard,
    KeyDown,
    KeyUp,
    MissingTool,
    Move,
    Navigate,
    NewTab,
    NoBrowser,
    NoDisplay,
    PageGone,
    Point,
    PointOffScreen,
    PressKeys,
    Reload,
    Scroll,
    SelectOption,
    SetClipboard,
    Size,
    SwitchTab,
    TypeText,
    UnsupportedAction,
    Upload,
    VirtualDisplay,
    Wait,
)
from moonhand.tasks.chart import Line, Panel, draw_chart
from watching import Growth, Sample, adopt_orphans, judge, own_displays, sample, stale_files, wait_until_alone

VIEWPORT = Size(640, 480)
BROKEN = (NoBrowser, NoDisplay, PageGone, MissingTool)  # whatever else an action is refused for is part of the game
EVERY = 40  # actions from sample to sample
REOPENED_SHARE = 0.25  # of the actions, done in environments that are opened again and again
TEXTS = ("Ada", "caf\u00e9 \u6f22\u5b57 \U0001f600", 'a < b & "c"', "long " * 12)
# How much each value may grow from the first to the last sample. A page that scrolls, types and navigates makes
# Chromium's heaps rise and fall by tens of MiB; a leak of one frame (0.9 MB) in ten actions is 180.
OPEN_LIMITS = {
    "own_mib": 24.0, "tree_mib": 90.0, "processes": 1.5, "threads": 1.5, "tree_threads": 12.0, "descriptors": 3.0,
    "temp_files": 6.0,
}  # fmt: skip
CLOSED_LIMITS = {"own_mib": 24.0, "processes": 0.5, "threads": 0.5, "descriptors": 0.5, "temp_files": 0.5}

PAGE = """<!doctype html><title>soak</title><style>body { margin: 0; height: 3000px } * { font-size: 14px }
.at { position: absolute; width: 130px; height: 34px; box-sizing: border-box }</style>
<button class=at style="left:10px;top:10px" onclick="this.dataset.n = (+this.dataset.n || 0) + 1;
 this.textContent = this.dataset.n">Count</button>
<input class=at style="left:150px;top:10px"><textarea class=at style="left:290px;top:10px;height:80px"></textarea>
<select class=at style="left:430px;top:10px"><option>One<option>Two<option>Three</select>
<input type=file class=at style="left:10px;top:60px;width:260px">
<button class=at style="left:10px;top:110px" onclick="alert('hello')">Alert</button>
<button class=at style="left:150px;top:110px" onclick="this.textContent = confirm('sure?')">Confirm</button>
<button class=at style="left:290px;top:110px" onclick="this.textContent = prompt('name?')">Prompt</button>
<a class=at style="left:430px;top:110px" target=_blank href="about:blank">Tab</a>
<canvas class=at style="left:10px;top:200px;width:560px;height:220px;background:#def" width=560 height=220
 onpointermove="if (event.buttons) this.getContext('2d').fillRect(event.offsetX, event.offsetY, 4, 4)"></canvas>"""

WINDOW = """
import tkinter
root = tkinter.Tk()
root.attributes("-fullscreen", True)
field = tkinter.Entry(root, insertontime=0); field.place(x=20, y=20, width=400, height=40)
pad = tkinter.Text(root); pad.place(x=20, y=80, width=400, height=200)
pad.insert("end", "line\\n" * 100)
box = tkinter.Canvas(root, background="#3366cc"); box.place(x=20, y=300, width=400, height=150)
dot = box.create_rectangle(0, 0, 5, 5)
box.bind("<B1-Motion>", lambda event: box.coords(dot, event.x, event.y, event.x + 5, event.y + 5))
def trim(*_):  # what is typed for minutes must not be the leak
    if len(field.get()) > 200: field.delete(0, "end")
    if float(pad.index("end")) > 200: pad.delete("150.0", "end")
    root.after(200, trim)
trim(); root.update(); field.focus_force(); root.mainloop()
"""


def browser_action(dice: random.Random, page: str, files: Sequence[str]) -> Action:
    """One of many kinds, at a place where the page has something for it, mostly."""
    anywhere = Point(dice.randrange(VIEWPORT.width_px), dice.randrange(VIEWPORT.height_px))
    over = [Point(dice.randrange(20, 560), dice.randrange(210, 410)) for _ in range(3)]
    kinds: list[tuple[int, Callable[[], Action]]] = [
        (12, lambda: Click(x_px=75, y_px=27, count=dice.choice((1, 1, 2)))),
        (6, lambda: Click(x_px=anywhere.x_px, y_px=anywhere.y_px, button=dice.choice(("left", "left", "right")))),
        (6, lambda: Click(x_px=200, y_px=27)),
        (12, lambda: TypeText(text=dice.choice(TEXTS), clear=dice.random() < 0.5)),
        (8, lambda: PressKeys(keys=dice.choice((("ctrl", "a"), ("tab",), ("backspace",), ("escape",), ("end",))))),
        (3, lambda: KeyDown(key="shift")),
        (3, lambda: KeyUp(key="shift")),
        (8, lambda: Scroll(dy=dice.choice((-3, -1, 1, 3)), x_px=anywhere.x_px, y_px=anywhere.y_px)),
        (5, lambda: Drag(path=tuple(over))),
        (4, lambda: Move(x_px=anywhere.x_px, y_px=anywhere.y_px)),
        (5, lambda: SelectOption(x_px=495, y_px=27, option=dice.choice(("One", "Two", "Three")))),
        (5, lambda: Click(x_px=dice.choice((75, 215, 355)), y_px=127)),  # dialogs
        (3, lambda: AnswerDialog(accept=dice.random() < 0.5, text="me")),
        (3, lambda: Upload(x_px=100, y_px=77, paths=(dice.choice(files),))),
        (5, lambda: Navigate(url=page)),
        (2, Reload),
        (3, Back),
        (2, Forward),
        (2, lambda: NewTab(url=page)),
        (2, lambda: Click(x_px=495, y_px=127)),  # a tab
        (3, lambda: SwitchTab(index=dice.choice((0, 1)))),
        (4, CloseTab),
        (2, lambda: SetClipboard(text=dice.choice(TEXTS))),
        (2, GetClipboard),
        (2, lambda: Wait(seconds_s=0.1)),
    ]
    return dice.choices([make for _, make in kinds], [weight for weight, _ in kinds])[0]()


def desktop_action(dice: random.Random) -> Action:
    places = [Point(dice.randrange(30, 410), dice.randrange(310, 440)) for _ in range(3)]
    kinds: list[tuple[int, Callable[[], Action]]] = [
        (10, lambda: Click(x_px=200, y_px=dice.choice((40, 180, 380)), count=dice.choice((1, 2)))),
        (12, lambda: TypeText(text=dice.choice(TEXTS[:3]))),
        (
            8,
            lambda: PressKeys(
                keys=dice.choice((("ctrl", "a"), ("backspace",), ("end",), ("home",), ("shift", "left")))
            ),
        ),
        (3, lambda: KeyDown(key="shift")),
        (3, lambda: KeyUp(key="shift")),
        (8, lambda: Scroll(dy=dice.choice((-3, 3)), x_px=200, y_px=180)),
        (6, lambda: Drag(path=tuple(places))),
        (6, lambda: Move(x_px=places[0].x_px, y_px=places[0].y_px)),
        (2, lambda: SetClipboard(text=dice.choice(TEXTS))),
        (2, GetClipboard),
        (2, lambda: Wait(seconds_s=0.1)),
    ]
    return dice.choices([make for _, make in kinds], [weight for weight, _ in kinds])[0]()


@contextmanager
def desktop_with_a_window() -> Generator[DesktopEnv]:
    with ExitStack() as stack:
        screen = stack.enter_context(VirtualDisplay(VIEWPORT, wm=True))
        window = subprocess.Popen([sys.executable, "-c", WINDOW], env=screen.environ())
        stack.callback(window.wait)
        stack.callback(window.terminate)
        yield stack.enter_context(DesktopEnv(DesktopConfig(display=screen.display)))


class Soak:
    """Performs actions, one after the other, until their number or the time is reached."""

    def __init__(self, temp: Path, deadline_s: float, leak: str | None) -> None:
        self.temp, self.deadline_s, self._leak = temp, deadline_s, leak
        self.num_done = 0
        self.kinds: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.displays: set[str] = set()  # that were ours
        self._kept: list[Any] = []

    @property
    def is_over(self) -> bool:
        return time.monotonic() > self.deadline_s

    def act(self, env: Env, action: Action) -> None:
        """Look, and do it. What cannot be done here and now is counted; a screen that is gone is an error."""
        self.num_done += 1
        self.kinds[action.type] += 1
        if self.num_done % 5 == 1:
            self.displays |= own_displays()
        frame = env.observe()
        try:
            env.perform(action)
        except BROKEN:
            raise
        except (UnsupportedAction, PointOffScreen, EnvError) as error:
            self.refused[f"{action.type}: {type(error).__name__}"] += 1
        match self._leak:  # on purpose, to see the judge find it
            case "memory":
                if self.num_done % 4 == 0:
                    self._kept.append(frame.pixels_HW3.copy())
            case "descriptors":
                if self.num_done % 50 == 0:
                    self._kept.append(Path(__file__).open())  # noqa: SIM115 - it is to stay open
            case "files":
                if self.num_done % 20 == 0:
                    self._kept.append(tempfile.mkstemp()[1])
            case _:
                pass

    def sample(self) -> Sample:
        gc.collect()
        return sample(self.num_done, self.temp)


def soak_browser(soak: Soak, num_actions: int, dice: random.Random, page: str) -> tuple[list[Sample], list[Sample]]:
    """Samples of one browser that stays open, and after each of those that are opened and closed."""
    files = [page.removeprefix("file://")]
    config = BrowserConfig(url=page, viewport=VIEWPORT, settle_s=1.0)
    opened: list[Sample] = []
    with BrowserEnv(config) as env:
        while soak.num_done < num_actions * (1 - REOPENED_SHARE) and not soak.is_over:
            for _ in range(EVERY):
                soak.act(env, browser_action(dice, page, files))
            _tidy(env, page)
            opened.append(soak.sample())
    closed: list[Sample] = []
    num_times = 30
    for number in range(num_times):
        if soak.is_over:
            break
        surface = "kiosk" if number % 3 == 2 else "headless"
        with BrowserEnv(BrowserConfig(url=page, viewport=VIEWPORT, settle_s=1.0, surface=surface)) as env:
            while soak.num_done < num_actions * (1 - REOPENED_SHARE * (1 - (number + 1) / num_times)):
                soak.act(env, browser_action(dice, page, files))
        wait_until_alone(set())
        closed.append(soak.sample())
    return opened, closed


def _tidy(env: BrowserEnv, page: str) -> None:
    """The same state at every sample: nothing held, one tab, the first page."""
    env.perform(KeyUp(key="shift"))
    for _ in range(30):
        try:
            env.perform(SwitchTab(index=1))
            env.perform(CloseTab())
        except UnsupportedAction:
            break
    env.perform(Navigate(url=page))


def soak_desktop(soak: Soak, num_actions: int, dice: random.Random) -> tuple[list[Sample], list[Sample]]:
    opened: list[Sample] = []
    with desktop_with_a_window() as env:
        while soak.num_done < num_actions * (1 - REOPENED_SHARE) and not soak.is_over:
            for _ in range(EVERY):
                soak.act(env, desktop_action(dice))
            opened.append(soak.sample())
    closed: list[Sample] = []
    num_times = 20
    for number in range(num_times):
        if soak.is_over:
            break
        with desktop_with_a_window() as env:
            while soak.num_done < num_actions * (1 - REOPENED_SHARE * (1 - (number + 1) / num_times)):
                soak.act(env, desktop_action(dice))
        wait_until_alone(set())
        closed.append(soak.sample())
    return opened, closed


def run_part(part: str, num_actions: int, seed: int, minutes: float, leak: str | None, out: Path) -> dict[str, Any]:
    """One kind of screen in this process; what was found, as JSON."""
    adopt_orphans()
    with tempfile.TemporaryDirectory() as folder:
        temp = Path(folder, "t")
        temp.mkdir()
        os.environ["TMPDIR"] = tempfile.tempdir = str(temp)  # of our programs, too
        page = Path(folder, "page.html")
        page.write_text(PAGE)
        soak = Soak(temp, time.monotonic() + 60 * minutes, leak)
        started_s = time.monotonic()
        dice = random.Random(seed)
        if part == "browser":
            opened, closed = soak_browser(soak, num_actions, dice, page.as_uri())
        else:
            opened, closed = soak_desktop(soak, num_actions, dice)
        left = sorted(wait_until_alone(set()).values())
        took_s = time.monotonic() - started_s
        tempfile.tempdir = None
    growths = [(name, growth) for name, growth in _growths(opened, closed)]
    show(part, growths, soak, took_s)
    for name, samples in (("open", opened), ("reopened", closed)):
        if samples:
            draw(samples, f"{part}, {name}", out / f"{part}-{name}.png")
    return {
        "part": part,
        "actions": soak.num_done,
        "of": num_actions,
        "seconds": round(took_s, 1),
        "kinds": dict(soak.kinds.most_common()),
        "refused": dict(soak.refused.most_common()),
        "reopened": len(closed),
        "growth": [{"while": name, **asdict(growth), "is_leak": growth.is_leak} for name, growth in growths],
        "left_processes": left,
        "stale_files": stale_files(soak.displays),
    }


def _growths(opened: list[Sample], closed: list[Sample]) -> Generator[tuple[str, Growth]]:
    for name, samples, limits in (("open", opened, OPEN_LIMITS), ("reopened", closed, CLOSED_LIMITS)):
        if len(samples) >= 6:
            yield from ((name, growth) for growth in judge(samples, limits))


def show(part: str, growths: Sequence[tuple[str, Growth]], soak: Soak, took_s: float) -> None:
    print(f"\n{part}: {soak.num_done:,} actions of {len(soak.kinds)} kinds in {took_s:.0f} s")
    print(f"{'while':<10}{'value':<14}{'first':>10}{'last':>10}{'growth':>10}{'limit':>8}")
    for name, growth in growths:
        verdict = "  LEAK" if growth.is_leak else ""
        print(
            f"{name:<10}{growth.name:<14}{growth.first:>10.1f}{growth.last:>10.1f}{growth.growth:>+10.1f}"
            f"{growth.limit:>8.1f}{verdict}"
        )


def draw(samples: Sequence[Sample], title: str, out: Path) -> None:
    def line(name: str, colour: int) -> Line:
        points = [(float(each.num_actions), float(getattr(each, name))) for each in samples]
        return Line(name=name, points=points, colour=colour)

    memory, counts = ("own_mib", "tree_mib"), ("processes", "threads", "tree_threads", "descriptors", "temp_files")
    panels = [
        Panel(title=f"{title}: {what}", lines=[line(name, colour) for colour, name in enumerate(names)])
        for what, names in (("memory, MiB", memory), ("how many", counts))
    ]
    draw_chart(panels, out)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--browser", type=int, default=2000)
    parser.add_argument("--desktop", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/soak"))
    parser.add_argument("--leak", choices=("memory", "descriptors", "files"), help=argparse.SUPPRESS)
    parser.add_argument("--part", choices=("browser", "desktop"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if given.part:
        number = given.browser if given.part == "browser" else given.desktop
        found = run_part(given.part, number, given.seed, given.minutes, given.leak, given.out)
        print(json.dumps(found), flush=True)
        return 0
    minutes = given.minutes * 0.95  # the rest is for closing
    wanted = [part for part in ("browser", "desktop") if getattr(given, part)]
    command = [sys.executable, __file__, *sys.argv[1:], "--minutes", str(minutes), "--part"]
    programs = [subprocess.Popen([*command, part], stdout=subprocess.PIPE, text=True) for part in wanted]
    parts: list[dict[str, Any]] = []
    for part, program in zip(wanted, programs, strict=True):
        printed, _ = program.communicate()
        *table, last = printed.rstrip().splitlines() or [""]
        print("\n".join(table))
        parts.append(json.loads(last) if program.returncode == 0 else {"part": part, "exit": program.returncode})
    has_failed = any(
        "exit" in part
        or part["left_processes"]
        or part["stale_files"]
        or any(growth["is_leak"] for growth in part["growth"])
        for part in parts
    )
    is_whole = all(part.get("actions", 0) >= part.get("of", 1) for part in parts)
    print(json.dumps({"is_flat": not has_failed, "is_whole": is_whole, "parts": parts}))
    return 1 if has_failed else 0 if is_whole else 2


if __name__ == "__main__":
    sys.exit(main())
